/* Descriptors in the guest's GDT and LDT, and segment registers loaded from them. */
#ifndef TALLY_EMULATE_SEGMENTS_H
#define TALLY_EMULATE_SEGMENTS_H

#include "memory/guest_memory.h"

#define SELECTOR_RPL 3u
#define SELECTOR_LDT 4u /* table indicator */
#define SELECTOR_ERROR(selector) ((selector)&0xFFFCu)

/* Types of system descriptors. SDM vol. 3, 'System Descriptor Types'. */
enum system_type {
    TYPE_TSS_16BIT = 1,
    TYPE_LDT = 2,
    TYPE_TASK_GATE = 5,
    TYPE_TSS = 9, /* 32-bit, or 64-bit in IA-32e mode */
    TYPE_TSS_BUSY = 11,
};
#define TYPE_BUSY 2u /* what a busy TSS has more */

/* Bits of the types of code and data segments. */
#define TYPE_CODE 8u
#define TYPE_CONFORMING 4u
#define TYPE_WRITABLE 2u /* readable, for code */
#define TYPE_ACCESSED 1u

struct descriptor {
    u64 low, high; /* high: only of the 16-byte ones of IA-32e mode */
};

static inline bool selector_is_null(u16 selector)
{
    return selector <= SELECTOR_RPL;
}

/*
 * Reads the descriptor of `size` bytes, 8 or 16, that the selector names. False, and a fault: the
 * exception `vector` with the selector if it is beyond its table, or what the access itself gave.
 */
bool descriptor_read(u16 selector, size_t size, u8 vector, struct descriptor *descriptor,
                     struct guest_fault *fault);

u64 descriptor_base(const struct descriptor *descriptor);
u32 descriptor_limit(const struct descriptor *descriptor);  /* in bytes */
u32 descriptor_rights(const struct descriptor *descriptor); /* as in a VMCS */

/* Sets or clears bits of the type in the guest's table: the accessed or the busy bit. */
bool descriptor_change_type(u16 selector, u8 set, u8 clear, struct guest_fault *fault);

/* Writes a segment register. The rights are those of the descriptor; `more` are added. */
void segment_load(enum segment segment, u16 selector, const struct descriptor *descriptor,
                  u32 more);
void segment_make_unusable(enum segment segment, u16 selector);

/* `vector` with the selector as its error code; false. */
bool selector_fault(struct guest_fault *fault, u8 vector, u16 selector);

#endif
