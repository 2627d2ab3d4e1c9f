#include "memory/guest_memory.h"
#include "lib/string.h"
#include "vmx/events.h"
#include "vmx/guest_state.h"

/* Bytes from `address` to the end of its page, at most `size`. */
static size_t within_page(u64 address, size_t size)
{
    size_t rest = PAGE_SIZE - (address & (PAGE_SIZE - 1));
    return size < rest ? size : rest;
}

/* Outside IA-32e mode linear addresses wrap at 4 GiB. */
static u64 wrap_linear(u64 linear)
{
    return guest_long_mode() ? linear : (u32)linear;
}

void guest_physical_read(u64 physical, void *buffer, size_t size)
{
    const void *ram = guest_ram(physical, size);
    if (ram)
        memcpy(buffer, ram, size);
    else
        memset(buffer, 0xFF, size);
}

static bool read_as(enum access access, u64 linear, void *buffer, size_t size, unsigned cpl,
                    struct guest_fault *fault)
{
    for (u8 *to = buffer; size;) {
        size_t part = within_page(linear, size);
        u64 physical;
        if (!guest_translate(linear, access, cpl, &physical, fault))
            return false;
        guest_physical_read(physical, to, part);
        to += part, linear = wrap_linear(linear + part), size -= part;
    }
    return true;
}

bool guest_read(u64 linear, void *buffer, size_t size, unsigned cpl, struct guest_fault *fault)
{
    return read_as(ACCESS_READ, linear, buffer, size, cpl, fault);
}

bool guest_fetch(u64 linear, void *buffer, size_t size, unsigned cpl, struct guest_fault *fault)
{
    return read_as(ACCESS_FETCH, linear, buffer, size, cpl, fault);
}

/* Without `from` it only looks whether all can be written. */
static bool write_from(const u8 *from, u64 linear, size_t size, unsigned cpl,
                       struct guest_fault *fault)
{
    while (size) {
        size_t part = within_page(linear, size);
        u64 physical;
        if (!guest_translate(linear, ACCESS_WRITE, cpl, &physical, fault))
            return false;
        void *ram = from ? guest_ram(physical, part) : NULL;
        if (ram)
            memcpy(ram, from, part);
        from = from ? from + part : NULL;
        linear = wrap_linear(linear + part), size -= part;
    }
    return true;
}

bool guest_can_write(u64 linear, size_t size, unsigned cpl, struct guest_fault *fault)
{
    return write_from(NULL, linear, size, cpl, fault);
}

bool guest_write(u64 linear, const void *buffer, size_t size, unsigned cpl,
                 struct guest_fault *fault)
{
    /* All pages first: a fault in the second one must leave the first as it was. */
    if (within_page(linear, size) < size && !guest_can_write(linear, size, cpl, fault))
        return false;
    return write_from(buffer, linear, size, cpl, fault);
}

static bool segment_fault(enum segment segment, struct guest_fault *fault)
{
    *fault = (struct guest_fault){.vector = segment == SS ? VECTOR_SS : VECTOR_GP};
    return false;
}

/* SDM vol. 3, 'Type Checking'; real mode and virtual-8086 mode have no types. */
static bool type_allows(u32 rights, enum access access)
{
    bool code = rights & BIT(3), read_or_write = rights & BIT(1);
    switch (access) {
    case ACCESS_READ: return !code || read_or_write;
    case ACCESS_WRITE: return !code && read_or_write;
    default: return code;
    }
}

/* SDM vol. 3, 'Limit Checking'. */
static bool limit_allows(u32 rights, u32 limit, u64 first, u64 last)
{
    bool expand_down = (rights & (BIT(3) | BIT(2))) == BIT(2);
    u64 top = rights & AR_DB ? 0xFFFFFFFF : 0xFFFF;
    return expand_down ? first > limit && last <= top : last <= limit;
}

static bool linear_in_64bit_code(enum segment segment, u64 offset, size_t size, u64 *linear,
                                 struct guest_fault *fault)
{
    u64 base = segment == FS || segment == GS ? vmread(segment_base(segment)) : 0;
    *linear = base + offset;
    if (guest_canonical(*linear) && guest_canonical(*linear + size - 1))
        return true;
    return segment_fault(segment, fault);
}

bool guest_linear_address(enum segment segment, u64 offset, unsigned address_size, size_t size,
                          enum access access, u64 *linear, struct guest_fault *fault)
{
    offset = low_bytes(offset, address_size);
    if (guest_64bit_code())
        return linear_in_64bit_code(segment, offset, size, linear, fault);

    u32 rights = (u32)vmread(segment_access_rights(segment));
    u32 limit = (u32)vmread(segment_limit(segment));
    if (guest_protected_mode() && ((rights & AR_UNUSABLE) || !type_allows(rights, access)))
        return segment_fault(segment, fault);
    if (!limit_allows(rights, limit, offset, offset + size - 1))
        return segment_fault(segment, fault);
    *linear = (u32)(vmread(segment_base(segment)) + offset);
    return true;
}

enum exit_action inject_fault(struct vcpu *vcpu, const struct guest_fault *fault)
{
    if (fault->vector == VECTOR_PF)
        return inject_page_fault(vcpu, fault->address, fault->error_code);
    return inject_exception(vcpu, fault->vector, fault->error_code);
}
