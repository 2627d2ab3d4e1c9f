/* A guest in each mode. */
#include "fake_vmcs.h"

#include <string.h>

#include "x86/instructions.h"

enum {
    PAGE_TABLES = FAKE_RAM - 3 * 4096,
    PAE_PDPT = PAGE_TABLES + 2048,
    CODE_64 = 0xA09B, /* G, L, present code, accessed, DPL 0 */
    CODE_32 = 0xC09B,
    CODE_16 = 0x9B,
    DATA_32 = 0xC093,
    DATA_16 = 0x93,
    USER = 0x60, /* DPL 3 */
    V8086_SEGMENT = 0xF3,
    TSS_BUSY_32 = 0x8B,
};

static void set_segment(enum segment s, u16 selector, u64 base, u32 limit, u32 rights)
{
    fake_set(GUEST_ES_SELECTOR + 2 * s, selector);
    fake_set(GUEST_ES_BASE + 2 * s, base);
    fake_set(GUEST_ES_LIMIT + 2 * s, limit);
    fake_set(GUEST_ES_ACCESS_RIGHTS + 2 * s, rights);
}

static void set_segments(u16 code_selector, u16 data_selector, u32 limit, u32 code, u32 data)
{
    for (enum segment s = ES; s <= GS; s++)
        set_segment(s, data_selector, 0, limit, data);
    set_segment(CS, code_selector, 0, limit, code);
}

static void set_real_mode_segments(u32 rights)
{
    for (enum segment s = ES; s <= GS; s++)
        set_segment(s, 0, 0, 0xFFFF, rights);
    if (rights == DATA_16)
        fake_set(GUEST_CS_ACCESS_RIGHTS, CODE_16);
}

void fake_map_identity(void)
{
    u64 pml4[1] = {(PAGE_TABLES + 4096) | 7}, pdpt[1] = {(PAGE_TABLES + 8192) | 7};
    u64 directory[1] = {0x87 | 0x60}; /* 2 MiB at 0, accessed and dirty */
    u64 pae_pdpt[1] = {(PAGE_TABLES + 8192) | 1};
    fake_ram_write(PAGE_TABLES, pml4, sizeof(pml4));
    fake_ram_write(PAE_PDPT, pae_pdpt, sizeof(pae_pdpt));
    fake_ram_write(PAGE_TABLES + 4096, pdpt, sizeof(pdpt));
    fake_ram_write(PAGE_TABLES + 8192, directory, sizeof(directory));
}

static void set_control_registers(u64 cr0, u64 cr4, u64 efer)
{
    fake_set(GUEST_CR0, cr0 | CR0_NE | CR0_ET);
    fake_set(CR0_READ_SHADOW, cr0 | CR0_ET);
    fake_set(GUEST_CR4, cr4 | CR4_VMXE);
    fake_set(CR4_READ_SHADOW, cr4);
    fake_set(GUEST_IA32_EFER, efer);
    fake_vcpu.controls.entry &= ~(u32)ENTRY_IA32E_MODE_GUEST;
    if (efer & EFER_LMA)
        fake_vcpu.controls.entry |= ENTRY_IA32E_MODE_GUEST;
    fake_set(VM_ENTRY_CONTROLS, fake_vcpu.controls.entry);
}

void fake_guest(enum fake_mode mode)
{
    bool long_mode = mode <= GUEST_COMPATIBILITY;
    if (long_mode)
        set_control_registers(CR0_PG | CR0_PE | CR0_WP, CR4_PAE, EFER_LME | EFER_LMA | EFER_NXE);
    else if (mode == GUEST_PAE)
        set_control_registers(CR0_PG | CR0_PE | CR0_WP, CR4_PAE, 0);
    else
        set_control_registers(mode == GUEST_16BIT ? 0 : CR0_PE, 0, 0);
    fake_set(GUEST_CR3, mode == GUEST_PAE ? PAE_PDPT : PAGE_TABLES);
    fake_set(GUEST_PDPTE0, mode == GUEST_PAE ? (PAGE_TABLES + 8192) | 1 : 0);

    u32 flat = 0xFFFFFFFF;
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | (mode == GUEST_V8086 ? RFLAGS_VM : 0));
    switch (mode) {
    case GUEST_64BIT: set_segments(0x08, 0x10, flat, CODE_64, DATA_32); break;
    case GUEST_64BIT_USER: set_segments(0x1B, 0x23, flat, CODE_64 | USER, DATA_32 | USER); break;
    case GUEST_COMPATIBILITY:
    case GUEST_32BIT_USER: set_segments(0x1B, 0x23, flat, CODE_32 | USER, DATA_32 | USER); break;
    case GUEST_PAE:
    case GUEST_32BIT: set_segments(0x08, 0x10, flat, CODE_32, DATA_32); break;
    case GUEST_16BIT: set_real_mode_segments(DATA_16); break;
    case GUEST_V8086: set_real_mode_segments(V8086_SEGMENT); break;
    default: fail_msg("no such mode");
    }
    set_segment(LDTR, 0, 0, 0, AR_UNUSABLE);
    set_segment(TR, 0x28, 0x6000, 0x67, TSS_BUSY_32);
}
