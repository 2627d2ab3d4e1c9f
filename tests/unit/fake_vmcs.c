#include "fake_vmcs.h"

#include <stdio.h>
#include <string.h>

#include "vmx/capabilities.h"
#include "x86/instructions.h"

#define WEAK __attribute__((weak))

struct vcpu fake_vcpu;
u8 fake_ram[FAKE_RAM] __attribute__((aligned(4096)));
struct fake_cpu fake_cpu;
struct vmx_capabilities fake_capabilities;
char fake_output[64 * 1024];
jmp_buf fake_fatal;
bool fake_fatal_expected;

/* ---- The VMCS ---- */

static u64 fields[0x8000];
static unsigned writes[0x8000], total_writes, total_reads;

/* SDM vol. 3, appendix 'Field Encoding in VMCS': the highest index of each width and type. */
bool fake_legal_encoding(u32 field)
{
    static const u8 highest[4][4] = {
        /*            control read-only guest host */
        /* 16-bit */ {0x06, 0x00, 0x12, 0x0C},
        /* 64-bit */
        {0x52, 0x06, 0x34, 0x1C},
        /* 32-bit */
        {0x24, 0x0E, 0x2E, 0x00},
        /* natural */
        {0x0E, 0x0A, 0x2E, 0x1C},
    };
    unsigned width = field >> 13 & 3, type = field >> 10 & 3, index = field & 0x3FE;
    if (field >> 15 || (field & 1 << 12) || (width == 0 && type == 1))
        return false;
    if ((field & 1) && width != 1)
        return false;
    return index <= highest[width][type];
}

static u64 truncate(u32 field, u64 value)
{
    switch (field >> 13 & 3) {
    case 0: return (u16)value;
    case 2: return (u32)value;
    default: return value;
    }
}

static void check_encoding(u32 field)
{
    if (!fake_legal_encoding(field))
        fail_msg("there is no VMCS field %#x", field);
}

WEAK u64 vmread(enum vmcs_field field)
{
    check_encoding(field);
    total_reads++;
    return fields[field];
}

WEAK void vmwrite(enum vmcs_field field, u64 value)
{
    check_encoding(field);
    if ((field >> 10 & 3) == 1)
        fail_msg("VMCS field %#x is read-only", field);
    writes[field]++;
    total_writes++;
    fields[field] = truncate(field, value);
}

WEAK bool vmread_safe(enum vmcs_field field, u64 *value)
{
    *value = vmread(field);
    return true;
}

u64 fake_get(enum vmcs_field field)
{
    check_encoding(field);
    return fields[field];
}

void fake_set(enum vmcs_field field, u64 value)
{
    check_encoding(field);
    fields[field] = truncate(field, value);
}

unsigned fake_writes(enum vmcs_field field)
{
    return writes[field];
}

unsigned fake_total_writes(void)
{
    return total_writes;
}

unsigned fake_total_reads(void)
{
    return total_reads;
}

static void clear_logs(void)
{
    memset(writes, 0, sizeof(writes));
    total_writes = total_reads = 0;
    fake_cpu.port_accesses = fake_cpu.invalidations = fake_cpu.wbinvds = 0;
}

/* ---- The guest ---- */

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

static void map_identity(void)
{
    u64 pml4[1] = {(PAGE_TABLES + 4096) | 7}, pdpt[1] = {(PAGE_TABLES + 8192) | 7};
    u64 directory[1] = {0x87 | 0x60}; /* 2 MiB at 0, accessed and dirty */
    u64 pae_pdpt[1] = {(PAGE_TABLES + 8192) | 1};
    memcpy(&fake_ram[PAGE_TABLES], pml4, sizeof(pml4));
    memcpy(&fake_ram[PAE_PDPT], pae_pdpt, sizeof(pae_pdpt));
    memcpy(&fake_ram[PAGE_TABLES + 4096], pdpt, sizeof(pdpt));
    memcpy(&fake_ram[PAGE_TABLES + 8192], directory, sizeof(directory));
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

static void set_controls(void)
{
    struct controls *c = &fake_vcpu.controls;
    *c = (struct controls){
        .pin = 0x16 | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS,
        .proc = 0x04006172 | PROC_USE_IO_BITMAPS | PROC_USE_MSR_BITMAPS | PROC_ACTIVATE_SECONDARY,
        .proc2 = PROC2_ENABLE_EPT | PROC2_UNRESTRICTED_GUEST | PROC2_ENABLE_VPID |
                 PROC2_ENABLE_RDTSCP | PROC2_ENABLE_INVPCID,
        .exit = 0x36DFB | EXIT_SAVE_DEBUG_CONTROLS | EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_SAVE_PAT |
                EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER,
        .entry = 0x11FB | ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER,
        .exception_bitmap = BIT(VECTOR_DB) | BIT(VECTOR_AC),
        .cr0_mask = CR0_NE,
        .cr4_mask = CR4_VMXE,
        .cr0_allowed = 0xFFFFFFFF,
        .cr4_allowed = 0x3727FF & ~CR4_VMXE,
    };
    fake_set(PIN_BASED_CONTROLS, c->pin);
    fake_set(PRIMARY_PROCBASED_CONTROLS, c->proc);
    fake_set(SECONDARY_PROCBASED_CONTROLS, c->proc2);
    fake_set(VM_EXIT_CONTROLS, c->exit);
    fake_set(VM_ENTRY_CONTROLS, c->entry);
    fake_set(EXCEPTION_BITMAP, c->exception_bitmap);
    fake_set(CR0_GUEST_HOST_MASK, c->cr0_mask);
    fake_set(CR4_GUEST_HOST_MASK, c->cr4_mask);
    fake_set(VIRTUAL_PROCESSOR_ID, 1);
    fake_set(EPT_POINTER, 0x100000 | 6 | EPTP_WALK_4);
    fake_set(IO_BITMAP_A, 0x101000);
    fake_set(IO_BITMAP_B, 0x102000);
    fake_set(MSR_BITMAP, 0x103000);
    fake_set(VMCS_LINK_POINTER, ~0ull);
}

static void set_host(void)
{
    fake_set(HOST_CR0, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE);
    fake_set(HOST_CR3, 0x200000);
    fake_set(HOST_CR4, CR4_PAE | CR4_VMXE);
    fake_set(HOST_CS_SELECTOR, 0x08);
    fake_set(HOST_SS_SELECTOR, 0x10);
    fake_set(HOST_TR_SELECTOR, 0x18);
    fake_set(HOST_IA32_EFER, EFER_LME | EFER_LMA | EFER_NXE);
    fake_set(HOST_IA32_PAT, 0x0007040600070406);
    u64 kernel = 0xFFFFFFFF80100000;
    fake_set(HOST_TR_BASE, kernel);
    fake_set(HOST_GDTR_BASE, kernel);
    fake_set(HOST_IDTR_BASE, kernel);
    fake_set(HOST_RSP, kernel);
    fake_set(HOST_RIP, kernel);
}

static void set_capabilities(void)
{
    fake_capabilities = (struct vmx_capabilities){
        .basic = 0x00D810000000002B,
        .misc = 0x200401E0,
        .cr0_fixed0 = 0x80000021,
        .cr0_fixed1 = 0xFFFFFFFF,
        .cr4_fixed0 = 0x2000,
        .cr4_fixed1 = 0x3727FF,
        .ept_vpid = 0x00000F0106334141,
        .vmfunc = 1,
        .word = {[WORD_PIN] = {0x16, 0x7F},
                 [WORD_PROC] = {0x04006172, 0xF7F9FFFE},
                 [WORD_PROC2] = {0, 0x00057FFF},
                 [WORD_EXIT] = {0x36DFB, 0x7FFFFF},
                 [WORD_ENTRY] = {0x11FB, 0xFFFF}},
        .physical_bits = 40,
        .linear_bits = 48,
    };
}

void fake_exit(u32 reason, u64 qualification, unsigned instruction_length)
{
    fake_set(VM_EXIT_REASON, reason);
    fake_set(EXIT_QUALIFICATION, qualification);
    fake_set(VM_EXIT_INSTRUCTION_LENGTH, instruction_length);
    fake_set(VM_EXIT_INSTRUCTION_INFO, 0);
    fake_set(VM_EXIT_INTERRUPTION_INFO, 0);
    fake_set(VM_EXIT_INTERRUPTION_ERROR_CODE, 0);
    fake_set(IDT_VECTORING_INFO, 0);
    fake_set(IDT_VECTORING_ERROR_CODE, 0);
    fake_set(VM_ENTRY_INTERRUPTION_INFO, 0); /* an exit clears the valid bit */
    fake_vcpu.exit_reason = reason;
    fake_vcpu.vectoring = 0;
    clear_logs();
}

/* ---- The rest of the CPU ---- */

static struct {
    u32 msr;
    u64 value;
} msrs[256];
static unsigned msr_count;

void fake_msr(u32 msr, u64 value)
{
    unsigned i = 0;
    while (i < msr_count && msrs[i].msr != msr)
        i++;
    if (i == msr_count)
        msr_count++;
    assert_true(msr_count <= ARRAY_SIZE(msrs));
    msrs[i].msr = msr;
    msrs[i].value = value;
}

bool fake_msr_get(u32 msr, u64 *value)
{
    for (unsigned i = 0; i < msr_count; i++) {
        if (msrs[i].msr == msr) {
            *value = msrs[i].value;
            return true;
        }
    }
    return false;
}

bool rdmsr_safe(u32 msr, u64 *value);
bool wrmsr_safe(u32 msr, u64 value);
bool xsetbv_safe(u32 index, u64 value);
bool rdpmc_safe(u32 counter, u64 *value);

WEAK bool rdmsr_safe(u32 msr, u64 *value)
{
    return fake_msr_get(msr, value);
}

WEAK bool wrmsr_safe(u32 msr, u64 value)
{
    u64 old;
    if (!fake_msr_get(msr, &old))
        return false;
    fake_msr(msr, value);
    return true;
}

WEAK bool xsetbv_safe(u32 index, u64 value)
{
    if (index || !(value & 1) || (value & ~7ull) || (value & 6) == 4)
        return false;
    fake_cpu.xcr0 = value;
    return true;
}

WEAK bool rdpmc_safe(u32 counter, u64 *value)
{
    *value = fake_cpu.pmc;
    return counter < fake_cpu.pmcs;
}

void *guest_ram(u64 physical, size_t size);
WEAK void *guest_ram(u64 physical, size_t size)
{
    return size <= FAKE_RAM && physical <= FAKE_RAM - size ? &fake_ram[physical] : NULL;
}

/* x86/instructions.h: MSRs that are known to exist, and the rest of what user code may not do. */

WEAK u64 rdmsr(u32 msr)
{
    u64 value;
    if (!fake_msr_get(msr, &value))
        fail_msg("RDMSR of %#x, which the test has not set", msr);
    return value;
}

WEAK void wrmsr(u32 msr, u64 value)
{
    u64 old = rdmsr(msr);
    (void)old;
    fake_msr(msr, value);
}

WEAK u64 read_cr0(void)
{
    return fake_cpu.cr0;
}

WEAK u64 read_cr4(void)
{
    return fake_get(HOST_CR4);
}

WEAK void write_cr0(u64 value)
{
    fake_cpu.cr0 = value;
}

WEAK void write_cr4(u64 value)
{
    fake_set(HOST_CR4, value);
}

WEAK void wbinvd(void)
{
    fake_cpu.wbinvds++;
}

WEAK void cli(void)
{
}

WEAK void hlt(void)
{
    fail_msg("Tally halts the CPU");
}

/* vmx/live_state.h */
void live_set_cr2(u64 value);
u32 port_in(u16 port, unsigned size);
void port_out(u16 port, unsigned size, u32 value);
u64 live_cr8(void);
void live_set_cr8(u64 value);
void live_set_cache_bits(u64 cr0);
u64 live_debug_register(unsigned number);
void live_set_debug_register(unsigned number, u64 value);
u32 live_pkru(void);
bool live_random(bool seed, unsigned size, u64 *value);

static void log_port(u16 port, unsigned size, bool out, u32 value)
{
    if (fake_cpu.port_accesses < ARRAY_SIZE(fake_cpu.ports))
        fake_cpu.ports[fake_cpu.port_accesses] =
            (struct fake_port_access){port, (u8)size, out, value};
    fake_cpu.port_accesses++;
}

WEAK u32 port_in(u16 port, unsigned size)
{
    u32 value = size == 4 ? fake_cpu.port_value : fake_cpu.port_value & ((1u << 8 * size) - 1);
    log_port(port, size, false, value);
    return value;
}

WEAK void port_out(u16 port, unsigned size, u32 value)
{
    log_port(port, size, true, value);
}

WEAK u64 live_cr8(void)
{
    return fake_cpu.cr8;
}

WEAK void live_set_cr8(u64 value)
{
    fake_cpu.cr8 = value;
}

WEAK void live_set_cr2(u64 value)
{
    fake_cpu.cr2 = value;
}

WEAK void live_set_cache_bits(u64 cr0)
{
    fake_cpu.cr0 = (fake_cpu.cr0 & ~(CR0_CD | CR0_NW)) | (cr0 & (CR0_CD | CR0_NW));
}

WEAK u64 live_debug_register(unsigned number)
{
    return fake_cpu.dr[number & 7];
}

WEAK void live_set_debug_register(unsigned number, u64 value)
{
    fake_cpu.dr[number & 7] = value;
}

WEAK u32 live_pkru(void)
{
    return fake_cpu.pkru;
}

WEAK bool live_random(bool seed, unsigned size, u64 *value)
{
    (void)seed;
    u64 mask = size == 8 ? ~0ull : (1ull << 8 * size) - 1;
    *value = fake_cpu.random_ready ? fake_cpu.random & mask : 0;
    return fake_cpu.random_ready;
}

/* ---- What was printed ---- */

extern void (*print_sink)(char c) WEAK;
static size_t output_length;

static void capture(char c)
{
    if (output_length + 1 < sizeof(fake_output))
        fake_output[output_length++] = c;
    fake_output[output_length] = 0;
}

void fake_output_clear(void)
{
    output_length = 0;
    fake_output[0] = 0;
}

__attribute__((noreturn)) void fatal(const char *format, ...);
WEAK __attribute__((noreturn)) void fatal(const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    for (const char *s = "tally: error: "; *s; s++)
        capture(*s);
    for (const char *s = line; *s; s++)
        capture(*s);
    capture('\n');
    if (!fake_fatal_expected)
        fail_msg("fatal: %s", line);
    fake_fatal_expected = false;
    longjmp(fake_fatal, 1);
}

void fake_reset(void)
{
    memset(fields, 0, sizeof(fields));
    memset(fake_ram, 0, sizeof(fake_ram));
    memset(&fake_vcpu, 0, sizeof(fake_vcpu));
    fake_cpu = (struct fake_cpu){.xcr0 = 1, .pmcs = 4, .random_ready = true};
    fake_cpu.dr[6] = DR6_FIXED;
    msr_count = 0;
    fake_fatal_expected = false;
    fake_output_clear();
    if (&print_sink)
        print_sink = capture;

    set_capabilities();
    set_controls();
    set_host();
    map_identity();
    fake_guest(GUEST_64BIT);
    fake_set(GUEST_RIP, FAKE_RIP);
    fake_set(GUEST_RSP, FAKE_RSP);
    fake_set(GUEST_DR7, DR7_FIXED);
    fake_set(GUEST_IA32_PAT, 0x0007040600070406);
    fake_set(GUEST_GDTR_LIMIT, 0xFFFF);
    fake_set(GUEST_IDTR_LIMIT, 0xFFFF);
    for (unsigned reason = 0; reason < REASON_SLOTS; reason++)
        fake_vcpu.stats.reason[reason].min = ~0ull;
    fake_exit(0, 0, 0);
}
