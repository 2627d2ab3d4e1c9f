#include "emulate/segments.h"
#include "vmx/guest_state.h"

#define TYPE_BYTE 5 /* of a descriptor: type, S, DPL, P */

bool selector_fault(struct guest_fault *fault, u8 vector, u16 selector)
{
    *fault = (struct guest_fault){.vector = vector, .error_code = SELECTOR_ERROR(selector)};
    return false;
}

static u64 descriptor_address(u16 selector)
{
    u64 table = vmread(selector & SELECTOR_LDT ? GUEST_LDTR_BASE : GUEST_GDTR_BASE);
    u64 linear = table + (selector & ~7u);
    return guest_long_mode() ? linear : (u32)linear;
}

static bool within_table(u16 selector, size_t size)
{
    u64 last = (selector & ~7u) + size - 1;
    if (!(selector & SELECTOR_LDT))
        return last <= vmread(GUEST_GDTR_LIMIT);
    return !(vmread(GUEST_LDTR_ACCESS_RIGHTS) & AR_UNUSABLE) && last <= vmread(GUEST_LDTR_LIMIT);
}

bool descriptor_read(u16 selector, size_t size, u8 vector, struct descriptor *descriptor,
                     struct guest_fault *fault)
{
    *descriptor = (struct descriptor){0};
    if (!within_table(selector, size))
        return selector_fault(fault, vector, selector);
    return guest_read(descriptor_address(selector), descriptor, size, IMPLICIT_SUPERVISOR, fault);
}

/* Layout: SDM vol. 3, 'Segment Descriptors'. */
u64 descriptor_base(const struct descriptor *descriptor)
{
    return (descriptor->low >> 16 & 0xFFFFFF) | (descriptor->low >> 56) << 24 |
           descriptor->high << 32;
}

u32 descriptor_limit(const struct descriptor *descriptor)
{
    u32 limit = (u32)((descriptor->low & 0xFFFF) | (descriptor->low >> 32 & 0xF0000));
    return descriptor_rights(descriptor) & AR_G ? limit << 12 | 0xFFF : limit;
}

u32 descriptor_rights(const struct descriptor *descriptor)
{
    return descriptor->low >> 40 & 0xF0FF;
}

bool descriptor_change_type(u16 selector, u8 set, u8 clear, struct guest_fault *fault)
{
    u64 linear = descriptor_address(selector) + TYPE_BYTE;
    u8 byte;
    if (!guest_read(linear, &byte, 1, IMPLICIT_SUPERVISOR, fault))
        return false;
    byte = (u8)((byte & ~clear) | set);
    return guest_write(linear, &byte, 1, IMPLICIT_SUPERVISOR, fault);
}

void segment_load(enum segment segment, u16 selector, const struct descriptor *descriptor, u32 more)
{
    vmwrite(segment_selector(segment), selector);
    vmwrite(segment_base(segment), descriptor_base(descriptor));
    vmwrite(segment_limit(segment), descriptor_limit(descriptor));
    vmwrite(segment_access_rights(segment), descriptor_rights(descriptor) | more);
}

void segment_make_unusable(enum segment segment, u16 selector)
{
    vmwrite(segment_selector(segment), selector);
    vmwrite(segment_access_rights(segment), AR_UNUSABLE);
}
