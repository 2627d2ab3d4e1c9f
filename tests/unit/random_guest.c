/* The guest's part of a random state: its mode, registers and memory. */
#include "random_state.h"

#include <string.h>

#include "fake_machine.h"
#include "vmx/guest_state.h"
#include "x86/msr.h"

enum {
    TABLES = FAKE_RAM - 3 * PAGE_SIZE, /* of fake_map_identity(): PML4, PDPT, directory */
    PAGE_TABLE = TABLES - PAGE_SIZE,
    DIRECTORY_32BIT = TABLES - 2 * PAGE_SIZE,
    PAGE_TABLE_32BIT = TABLES - 3 * PAGE_SIZE,
    PML5 = TABLES - 4 * PAGE_SIZE,
    LARGE_PAGE = 0x80, /* at 0 */
    ALL_RIGHTS = 0x67, /* present, writable, user, accessed, dirty */
    IDT = 0x3000,
    GDT = 0x4000,
    LDT = 0x5000,
    DESCRIPTORS = 16,
};

u64 random_address(void)
{
    switch (below(4)) {
    case 0: return below(0x10000);
    case 1: return (below(FAKE_RAM / PAGE_SIZE) << 12) - below(16);
    default:
        return PICK(0, 0x1000, 0x8000, 0xFFFFE, 0x1FFFFC, 0x200000, 0xFFFFFFFC, 0x7FFFFFFFF000,
                    0x800000000000, 0xFFFF800000000000, 0xFFFFFFFFFFFFFFFC, 0x00FFFFFFFFFFFFF8);
    }
}

/* ---- Paging ---- */

static void put64(u64 address, u64 value)
{
    fake_ram_write(address, &value, sizeof(value));
}

static u64 random_entry(u64 address)
{
    static const u8 bits[] = {0, 1, 2, 5, 6, 7, 8, 12, 13, 39, 51, 52, 59, 62, 63};
    u64 entry = address | ALL_RIGHTS;
    while (one_in(2))
        entry ^= BIT(bits[below(ARRAY_SIZE(bits))]);
    return entry;
}

/* Pages of 4 KiB, some of them missing or closed. */
static void map_small_pages(void)
{
    u64 entries[512];
    for (unsigned i = 0; i < 512; i++)
        entries[i] = i << 12 | ALL_RIGHTS;
    for (unsigned i = 0; i < 8; i++) {
        unsigned page = (unsigned)below(16);
        entries[page] = random_entry(page << 12);
    }
    fake_ram_write(PAGE_TABLE, entries, sizeof(entries));
    put64(TABLES + 2 * PAGE_SIZE, PAGE_TABLE | ALL_RIGHTS);
}

static void map_32bit(void)
{
    static u32 entries[1024];
    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
        entries[i] = i << 12 | ALL_RIGHTS;
    for (unsigned i = 0; i < 8; i++) {
        unsigned page = (unsigned)below(16);
        entries[page] = (u32)random_entry(page << 12);
    }
    fake_ram_write(PAGE_TABLE_32BIT, entries, sizeof(entries));
    u32 directory = one_in(2) ? PAGE_TABLE_32BIT | ALL_RIGHTS : (u32)random_entry(LARGE_PAGE);
    fake_ram_write(DIRECTORY_32BIT, &directory, sizeof(directory));
}

static void random_paging(void)
{
    fake_map_identity();
    switch (below(4)) {
    case 0: put64(TABLES, random_entry(TABLES + PAGE_SIZE)); break;
    case 1: put64(TABLES + PAGE_SIZE, random_entry(TABLES + 2 * PAGE_SIZE)); break;
    case 2: put64(TABLES + 2 * PAGE_SIZE, random_entry(LARGE_PAGE)); break;
    default: map_small_pages();
    }
}

/* ---- Modes ---- */

static void set_cr4(u64 set, u64 clear)
{
    fake_set(GUEST_CR4, (fake_get(GUEST_CR4) | set) & ~clear);
    fake_set(CR4_READ_SHADOW, (fake_get(CR4_READ_SHADOW) | set) & ~clear);
}

static void set_cr0(u64 set, u64 clear)
{
    fake_set(GUEST_CR0, (fake_get(GUEST_CR0) | set) & ~clear);
    fake_set(CR0_READ_SHADOW, (fake_get(CR0_READ_SHADOW) | set) & ~clear);
}

static void switch_32bit_paging_on(void)
{
    map_32bit();
    set_cr0(CR0_PG, 0);
    fake_set(GUEST_CR3, DIRECTORY_32BIT | (random64() & 0x18));
}

static void switch_la57_on(void)
{
    put64(PML5, TABLES | ALL_RIGHTS);
    set_cr4(CR4_LA57, 0);
    fake_set(GUEST_CR3, PML5);
}

/* A guest that is about to set CR0.PG: for PAE paging or IA-32e mode. */
static void prepare_paging(void)
{
    set_cr4(CR4_PAE, 0);
    fake_set(GUEST_IA32_EFER, PICK(0, EFER_LME, EFER_LME | EFER_NXE));
    fake_set(GUEST_CR3, PICK(TABLES, TABLES + PAGE_SIZE / 2, 0x8000));
}

void random_mode(void)
{
    enum fake_mode mode = below(FAKE_MODES);
    fake_map_identity();
    fake_guest(mode);
    bool long_mode = fake_get(GUEST_IA32_EFER) & EFER_LMA;
    bool may_page = mode == GUEST_32BIT || mode == GUEST_32BIT_USER || mode == GUEST_V8086;
    if (may_page && one_in(2))
        switch_32bit_paging_on();
    if (long_mode && (fake_vcpu.controls.cr4_allowed & CR4_LA57) && one_in(4))
        switch_la57_on();
    if (mode == GUEST_64BIT && one_in(4)) /* compatibility mode in ring 0 */
        fake_set(GUEST_CS_ACCESS_RIGHTS, 0xC09B);
    if (mode == GUEST_32BIT && !(fake_get(GUEST_CR0) & CR0_PG) && one_in(2))
        prepare_paging();
    if (fake_vcpu.misc_enable & MISC_ENABLE_XD_DISABLE)
        fake_set(GUEST_IA32_EFER, fake_get(GUEST_IA32_EFER) & ~EFER_NXE);
}

static void random_control_registers(void)
{
    bool long_mode = fake_get(GUEST_IA32_EFER) & EFER_LMA;
    bool paging = fake_get(GUEST_CR0) & CR0_PG;
    u64 fixed = CR4_LA57 | CR4_CET | (long_mode ? CR4_PAE : CR4_PCIDE) | (paging ? CR4_PAE : 0);
    u64 set = random64() & fake_vcpu.controls.cr4_allowed & ~fixed & 0xFFFFFFFF;
    u64 clear = random64() & fake_vcpu.controls.cr4_allowed & ~fixed & 0xFFFFFFFF;
    set_cr4(set & ~clear, clear);
    set_cr0(random64() & (CR0_TS | CR0_EM | CR0_MP | CR0_AM | CR0_WP), 0);
    bool shadow_stacks = fake_get(GUEST_CR4) & CR4_CET;
    set_cr0(0, random64() & (CR0_TS | CR0_EM | CR0_MP | CR0_AM | (shadow_stacks ? 0 : CR0_WP)));
    fake_cpu.pkru = (u32)random64();
    fake_cpu.cr8 = below(16);
}

static void random_debug_registers(void)
{
    for (unsigned i = 0; i < 4; i++)
        fake_cpu.dr[i] = random_address();
    u64 writable = 0xFFFF2BFF & (one_in(2) ? ~0ull : ~(DR7_GD | DR7_BREAKPOINTS));
    fake_set(GUEST_DR7, (random64() & writable) | DR7_FIXED);
}

/* ---- Segments ---- */

static void random_limit(enum segment s, u32 rights)
{
    u32 limit = (u32)PICK(0xFFFFFFFF, 0xFFFF, 0xFFF, 0x8003, 0, 0x1FFFFF);
    bool pages = (limit & 0xFFF) == 0xFFF && (limit >> 20 || one_in(2));
    fake_set(GUEST_ES_LIMIT + 2 * s, limit);
    fake_set(GUEST_ES_ACCESS_RIGHTS + 2 * s, (rights & ~AR_G) | (pages ? AR_G : 0));
}

static void random_segment(enum segment s)
{
    u32 rights = (u32)fake_get(GUEST_ES_ACCESS_RIGHTS + 2 * s);
    if (rights & AR_UNUSABLE)
        return;
    if (s != CS && s != SS) {
        if (one_in(4)) {
            fake_set(GUEST_ES_ACCESS_RIGHTS + 2 * s, AR_UNUSABLE);
            return;
        }
        rights = (rights & ~AR_TYPE) | (u32)PICK(1, 3, 5, 7, 11, 15);
    } else if (s == SS) {
        rights = (rights & ~AR_TYPE) | (u32)PICK(3, 7);
    }
    if (!(rights & AR_L))
        rights ^= one_in(4) ? AR_DB : 0;
    fake_set(GUEST_ES_BASE + 2 * s, PICK(0, 0x10000, 0xFFFFF000, 0x800));
    random_limit(s, rights);
}

static bool protected_mode(void)
{
    return (fake_get(GUEST_CR0) & CR0_PE) && !(fake_get(GUEST_RFLAGS) & RFLAGS_VM);
}

static void random_segments(void)
{
    if (protected_mode())
        for (enum segment s = ES; s <= GS; s++)
            if (one_in(3))
                random_segment(s);
    if (fake_get(GUEST_IA32_EFER) & EFER_LMA) {
        fake_set(GUEST_FS_BASE, PICK(0, 0x1000, 0x7FFFFFFFFFF0, 0xFFFF800000000000));
        return;
    }
    fake_set(GUEST_TR_ACCESS_RIGHTS, protected_mode() ? PICK(0x83, 0x8B) : 0x8B);
    fake_set(GUEST_TR_LIMIT, PICK(0x67, 0x2B, 0x29, 0x5F, 0xFFFF, 0));
    fake_set(GUEST_TR_BASE, PICK(0x6000, 0x6FF0, 0x1FFFE0, 0x200000, 0xFFFFFFF0));
}

static void random_rflags(void)
{
    u64 flags = RFLAGS_IF | RFLAGS_RF | RFLAGS_TF | RFLAGS_DF | RFLAGS_CF | RFLAGS_ID | RFLAGS_AC |
                RFLAGS_NT | RFLAGS_OF | RFLAGS_IOPL;
    u64 kept = fake_get(GUEST_RFLAGS) & (RFLAGS_FIXED | RFLAGS_VM);
    fake_set(GUEST_RFLAGS, kept | (random64() & flags));
}

static void random_rip(void)
{
    u64 limit = fake_get(GUEST_CS_ACCESS_RIGHTS) & AR_L ? ~0ull : fake_get(GUEST_CS_LIMIT);
    u64 rip = PICK(FAKE_RIP, FAKE_RIP, 0x1FFFFF, 0xFFFFFFFF, 0xFFFE, 0x2FFA, 0x1FFFFC);
    bool wide = (fake_get(GUEST_IA32_EFER) & EFER_LMA) && (fake_get(GUEST_CS_ACCESS_RIGHTS) & AR_L);
    if (wide && one_in(3))
        rip = PICK(0x00007FFFFFFFFFFF, 0xFFFF800000000000);
    fake_set(GUEST_RIP, rip > limit ? FAKE_RIP : rip);
}

void random_run(void)
{
    random_rflags();
    if (one_in(2))
        random_control_registers();
    if (one_in(3))
        random_debug_registers();
    if (one_in(3))
        random_segments();
    if (one_in(3))
        random_paging();
    random_rip();
    fake_set(GUEST_IA32_DEBUGCTL, one_in(4) ? DEBUGCTL_BTF : 0);
    fake_set(GUEST_GDTR_LIMIT, PICK(0, 0x7F, 0xFFFF));
    fake_set(GUEST_IDTR_LIMIT, PICK(0, 0x7FF, 0xFFFF));
    u64 operands[4] = {random64(), random64(), random64(), random64()};
    fake_ram_write(below(0x10) << 12 | 0xFE8, operands, sizeof(operands));
    fake_ram_write(0x8000, operands, sizeof(operands));
}

/* ---- Descriptors and tasks ---- */

static u64 descriptor(u64 base, u64 limit, u64 rights)
{
    return (base & 0xFFFFFF) << 16 | (base >> 24 & 0xFF) << 56 | (limit & 0xFFFF) |
           (limit & 0xF0000) << 32 | rights << 40;
}

/* What is found where, if nothing is wrong with it. */
enum {
    NO_SEGMENT,
    CODE_0,
    DATA_0,
    CODE_3,
    DATA_3,
    TSS_32,
    TSS_32_BUSY,
    TSS_16,
    TSS_16_BUSY,
    TABLE,
    CONFORMING,
    READ_ONLY
};

static u64 usual_descriptor(unsigned number)
{
    switch (number) {
    case CODE_0: return descriptor(0, 0xFFFFF, one_in(2) ? 0xC09A : 0xC09B);
    case DATA_0: return descriptor(0, 0xFFFFF, one_in(2) ? 0xC092 : 0x4093);
    case CODE_3: return descriptor(0, 0xFFFFF, 0xC0FB);
    case DATA_3: return descriptor(0, 0xFFFFF, one_in(2) ? 0xC0F2 : 0xC0F3);
    case TSS_32: return descriptor(0x6000, 0x67, 0x89);
    case TSS_32_BUSY: return descriptor(0x6800, 0x67, 0x8B);
    case TSS_16: return descriptor(0x6000, 0x2B, 0x81);
    case TSS_16_BUSY: return descriptor(0x6800, 0x2B, 0x83);
    case TABLE: return descriptor(LDT, 0x7F, 0x82);
    case CONFORMING: return descriptor(0, 0xFFFF, 0x9E);
    case READ_ONLY: return descriptor(0, 0xFFFF, 0x91);
    default: return 0;
    }
}

static u64 odd_descriptor(void)
{
    u64 base = PICK(0, 0x6000, 0x6800, 0x6FF0, LDT, 0x1FFFF0, 0x200000, 0xFFFFFFF0);
    u64 limit = PICK(0xFFFFF, 0x67, 0x2B, 0xFFFF, 0x20, 0);
    return descriptor(base, limit, random64() & 0xF0FF);
}

static u64 random_descriptor(unsigned number)
{
    u64 usual = usual_descriptor(number);
    if (!usual || one_in(8))
        return odd_descriptor();
    return one_in(8) ? usual ^ PICK(BIT(47), BIT(46), BIT(45), BIT(44), BIT(43), BIT(42), BIT(41))
                     : usual;
}

static u16 odd_selector(void)
{
    return (u16)(one_in(4) ? random64() : below(DESCRIPTORS) << 3 | below(8));
}

static u32 selector_of(u32 usual)
{
    return one_in(12) ? odd_selector() : usual;
}

/* SDM vol. 3, 'Task-State Segment (TSS)': words 7 to 9 are CR3, EIP, EFLAGS, 18 to 24 the segments
 * from ES on and LDTR. */
static void random_tss(u64 address)
{
    u32 tss[26];
    unsigned ring = one_in(2) ? 0 : 3;
    for (unsigned i = 0; i < ARRAY_SIZE(tss); i++)
        tss[i] = (u32)(i % 3 ? below(0x10000) : random64());
    tss[7] = (u32)(one_in(4) ? random_address() : fake_get(GUEST_CR3));
    tss[8] = (u32)(one_in(8) ? random64() : below(0x10000));
    tss[9] = (u32)(random64() & 0x3F7FD7);
    if (!one_in(4))
        tss[9] &= ~(u32)RFLAGS_VM;
    for (unsigned i = 18; i <= 23; i++)
        tss[i] =
            selector_of((u32)PICK(0, DATA_0, DATA_3, CODE_3, CONFORMING, READ_ONLY) << 3 | ring);
    tss[19] = selector_of(ring ? CODE_3 << 3 | 3 : (u32)PICK(CODE_0, CONFORMING) << 3);
    tss[20] = selector_of(ring ? DATA_3 << 3 | 3 : DATA_0 << 3);
    tss[24] = selector_of((u32)PICK(0, TABLE) << 3);
    tss[25] = (u32)random64();
    fake_ram_write(address, tss, sizeof(tss));
}

/* SDM vol. 3, '16-Bit Task-State Segment (TSS)' */
static void random_tss_16bit(u64 address)
{
    u16 tss[22];
    unsigned ring = one_in(2) ? 0 : 3;
    for (unsigned i = 0; i < ARRAY_SIZE(tss); i++)
        tss[i] = (u16)random64();
    tss[17] = tss[20] = (u16)selector_of(ring ? DATA_3 << 3 | 3 : DATA_0 << 3);
    tss[18] = (u16)selector_of(ring ? CODE_3 << 3 | 3 : CODE_0 << 3);
    tss[19] = (u16)selector_of(ring ? DATA_3 << 3 | 3 : DATA_0 << 3);
    tss[21] = (u16)selector_of((u32)PICK(0, TABLE) << 3);
    fake_ram_write(address, tss, sizeof(tss));
}

void random_tables(void)
{
    u64 table[DESCRIPTORS + 1];
    for (unsigned i = 0; i < DESCRIPTORS; i++)
        table[i] = random_descriptor(i);
    table[DESCRIPTORS] = one_in(4) ? random64() : 0; /* of the last one in IA-32e mode */
    if (fake_get(GUEST_IA32_EFER) & EFER_LMA)        /* descriptors of 16 bytes */
        table[TSS_32 + 1] = table[TABLE + 1] = one_in(4) ? random64() & 0xFFFFFFFF : 0;
    fake_set(GUEST_GDTR_BASE, GDT);
    fake_set(GUEST_GDTR_LIMIT, one_in(8) ? 0x47 : 0xFFFF);
    fake_set(GUEST_TR_SELECTOR, one_in(2) ? TSS_32_BUSY << 3 : DATA_0 << 3);
    u64 gates[32];
    for (unsigned i = 0; i < ARRAY_SIZE(gates); i++)
        gates[i] = PICK(0x8E, 0x8E, 0x85) << 40 | CODE_0 << 19;
    fake_set(GUEST_IDTR_BASE, IDT);
    fake_ram_write(IDT, gates, sizeof(gates));
    fake_ram_write(GDT, table, sizeof(table));
    fake_ram_write(LDT, table, sizeof(table));
    if (one_in(3))
        random_tss_16bit(0x6000), random_tss_16bit(0x6800);
    else
        random_tss(0x6000), random_tss(0x6800);
}

/* ---- Instructions ---- */

static u32 random_msr_number(void)
{
    return (u32)PICK(IA32_EFER, IA32_PAT, IA32_FS_BASE, IA32_DEBUGCTL, IA32_VMX_BASIC, 0x10, 0x48);
}

static size_t random_prefixes(u8 *code)
{
    static const u8 prefixes[] = {0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x2E, 0x36,
                                  0x3E, 0x26, 0x64, 0x65, 0x40, 0x48, 0x4F};
    size_t length = 0;
    while (length < 6 && one_in(2))
        code[length++] = prefixes[below(ARRAY_SIZE(prefixes))];
    return length;
}

void random_code(u32 for_reason)
{
    u32 msr = random_msr_number();
    u8 code[24] = {0}, third = (u8)(0xC0 | below(64));
    size_t length = random_prefixes(code);
    u8 vex[] = {(u8)PICK(0xC4, 0x62), (u8)PICK(0xC7, 0xE7, 0x47, 0x67), (u8)PICK(0x7A, 0x7B, 0x08)};
    u8 legacy[] = {0x0F, (u8)PICK(0x38, 0xC7, 0xAE, 0x01), (u8)PICK(0xF8, 0xF0, 0xF6, 0xF7)};
    switch (for_reason) {
    case EXIT_IO_INSTRUCTION: code[length++] = (u8)PICK(0x6C, 0x6D, 0x6E, 0x6F, 0xE4, 0xEE); break;
    case EXIT_RDMSR_IMMEDIATE:
    case EXIT_WRMSRNS_IMMEDIATE:
    case EXIT_URDMSR:
    case EXIT_UWRMSR:
        if (one_in(2)) {
            length = 0;
            memcpy(code, vex, sizeof(vex));
            length += sizeof(vex);
            if (vex[0] == 0x62)
                code[length++] = 0;
            code[length++] = 0xF8;
            code[length++] = third;
            memcpy(code + length, &msr, sizeof(msr));
            length += sizeof(msr);
            break;
        } /* fall through */
    default:
        memcpy(code + length, legacy, sizeof(legacy));
        length += sizeof(legacy);
        code[length++] = third;
    }
    u64 base = fake_get(GUEST_CS_ACCESS_RIGHTS) & AR_L ? 0 : fake_get(GUEST_CS_BASE);
    u64 at = base + fake_get(GUEST_RIP);
    if (at < FAKE_RAM - sizeof(code))
        fake_ram_write(at, code, sizeof(code));
}
