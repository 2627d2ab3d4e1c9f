#include "fake_vmcs.h"

#include <stdio.h>
#include <string.h>

#include "x86/instructions.h"

#define WEAK __attribute__((weak))

static struct statistics fake_statistics;
struct vcpu fake_vcpu = {.stats = &fake_statistics};
u8 fake_ram[FAKE_RAM] __attribute__((aligned(4096)));
struct fake_cpu fake_cpu;
struct vmx_capabilities fake_capabilities;
char fake_output[64 * 1024];
jmp_buf fake_fatal;
bool fake_fatal_expected;

/* ---- The VMCS ---- */

#define FIELDS 2048

static u64 fields[FIELDS];
static unsigned writes[FIELDS], total_writes, total_reads;

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

/* The place of a field: the bits of its encoding without gaps. Kept, since all is done through it.
 */
static unsigned place_of(u32 field)
{
    static u16 places[0x8000]; /* + 1; 0: not looked for yet */
    if (field < ARRAY_SIZE(places) && places[field])
        return places[field] - 1u;
    if (!fake_legal_encoding(field))
        fail_msg("there is no VMCS field %#x", field);
    unsigned place =
        (field & 1) << 10 | (field >> 13 & 3) << 8 | (field >> 10 & 3) << 6 | (field >> 1 & 63);
    places[field] = (u16)(place + 1);
    return place;
}

WEAK u64 vmread(enum vmcs_field field)
{
    total_reads++;
    return fields[place_of(field)];
}

WEAK void vmwrite(enum vmcs_field field, u64 value)
{
    unsigned place = place_of(field);
    if ((field >> 10 & 3) == 1)
        fail_msg("VMCS field %#x is read-only", field);
    writes[place]++;
    total_writes++;
    fields[place] = truncate(field, value);
}

WEAK bool vmread_safe(enum vmcs_field field, u64 *value)
{
    if (!fake_legal_encoding(field))
        return false;
    *value = vmread(field);
    return true;
}

u64 fake_get(enum vmcs_field field)
{
    return fields[place_of(field)];
}

void fake_set(enum vmcs_field field, u64 value)
{
    fields[place_of(field)] = truncate(field, value);
}

unsigned fake_writes(enum vmcs_field field)
{
    return writes[place_of(field)];
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

WEAK void fake_ram_write(u64 address, const void *bytes, size_t size)
{
    memcpy(&fake_ram[address], bytes, size);
}

void fake_save(struct fake_state *state)
{
    _Static_assert(sizeof(state->fields) == sizeof(fields), "all fields");
    memcpy(state->fields, fields, sizeof(fields));
    state->vcpu = fake_vcpu;
    state->statistics = fake_statistics;
    state->cpu = fake_cpu;
    state->msrs = fake_msrs;
    state->capabilities = fake_capabilities;
}

void fake_load(const struct fake_state *state)
{
    memcpy(fields, state->fields, sizeof(fields));
    fake_vcpu = state->vcpu;
    fake_statistics = state->statistics;
    fake_cpu = state->cpu;
    fake_msrs = state->msrs;
    fake_capabilities = state->capabilities;
    fake_output_clear();
}

void fake_reset(void)
{
    memset(fields, 0, sizeof(fields));
    memset(fake_ram, 0, sizeof(fake_ram));
    memset(&fake_vcpu, 0, sizeof(fake_vcpu));
    memset(&fake_statistics, 0, sizeof(fake_statistics));
    fake_cpu = (struct fake_cpu){.xcr0 = 1, .pmcs = 4, .random_ready = true};
    fake_cpu.dr[6] = DR6_FIXED;
    fake_msrs.count = 0;
    fake_fatal_expected = false;
    fake_output_clear();
    if (&print_sink)
        print_sink = capture;

    fake_set_capabilities();
    fake_set_controls();
    fake_set_host();
    fake_map_identity();
    fake_guest(GUEST_64BIT);
    fake_set(GUEST_RIP, FAKE_RIP);
    fake_set(GUEST_RSP, FAKE_RSP);
    fake_set(GUEST_DR7, DR7_FIXED);
    fake_set(GUEST_IA32_PAT, 0x0007040600070406);
    fake_set(GUEST_GDTR_LIMIT, 0xFFFF);
    fake_set(GUEST_IDTR_LIMIT, 0xFFFF);
    fake_vcpu.stats = &fake_statistics;
    for (unsigned reason = 0; reason < REASON_SLOTS; reason++)
        fake_statistics.reason[reason].min = ~0ull;
    fake_exit(0, 0, 0);
}
