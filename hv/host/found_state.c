#include "host/found_state.h"
#include "lib/string.h"
#include "x86/msr.h"
#include "x86/vmx.h"

#define AR_ACCESSED 1
#define TSS_BUSY 0xB

/* A descriptor as VM entry wants it. SDM vol. 3, 'Segment Descriptors'. */
static struct segment_state segment_found(u16 selector, const u8 *gdt)
{
    u64 low, high;
    if (!(selector & ~7))
        return (struct segment_state){selector, AR_UNUSABLE, 0, 0};
    memcpy(&low, gdt + (selector & ~7), sizeof(low));
    memcpy(&high, gdt + (selector & ~7) + 8, sizeof(high));
    u32 limit = (u32)((low & 0xFFFF) | (low >> 32 & 0xF0000));
    struct segment_state found = {
        .selector = selector,
        .access_rights = (u32)(low >> 40) & 0xF0FF,
        .limit = low & BIT(55) ? limit << 12 | 0xFFF : limit,
        .base = (low >> 16 & 0xFFFFFF) | (low >> 32 & 0xFF000000),
    };
    if (found.access_rights & AR_S)
        found.access_rights |= AR_ACCESSED;
    else
        found.base |= high << 32;
    return found;
}

void found_state_take(struct found_state *found, u64 memory)
{
    u16 selector[SEGMENTS];
    __asm__ volatile("sgdt %0\n\tsidt %1" : "=m"(found->gdtr), "=m"(found->idtr));
    __asm__ volatile("mov %%es, %0\n\tmov %%cs, %1\n\tmov %%ss, %2\n\tmov %%ds, %3"
                     : "=r"(selector[ES]), "=r"(selector[CS]), "=r"(selector[SS]),
                       "=r"(selector[DS]));
    __asm__ volatile("mov %%fs, %0\n\tmov %%gs, %1\n\tsldt %2\n\tstr %3"
                     : "=r"(selector[FS]), "=r"(selector[GS]), "=r"(selector[LDTR]),
                       "=r"(selector[TR]));
    for (enum segment s = ES; s <= TR; s++)
        found->segment[s] = segment_found(selector[s], (const u8 *)(memory + found->gdtr.base));
    found->segment[FS].base = rdmsr(IA32_FS_BASE);
    found->segment[GS].base = rdmsr(IA32_GS_BASE);
    /* Firmware has none; after a Tally that gave the machine back TR is still that one's, and what
     * the firmware's table has at its place is no TSS. */
    if ((found->segment[TR].access_rights & (AR_P | AR_S | AR_TYPE)) != (AR_P | TSS_BUSY))
        found->segment[TR] = (struct segment_state){0, AR_P | TSS_BUSY, 0xFFFF, 0};
    found->cr0 = read_cr0();
    found->cr4 = read_cr4();
    found->efer = rdmsr(IA32_EFER);
    found->dr7 = read_dr7();
    for (u32 i = 0; i < ARRAY_SIZE(found->sysenter); i++)
        found->sysenter[i] = rdmsr(IA32_SYSENTER_CS + i);
}
