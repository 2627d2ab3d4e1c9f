#include "exits/entry.h"

#include "host/frames.h"
#include "lib/print.h"
#include "lib/safe.h"
#include "lib/string.h"
#include "vmx/access.h"
#include "x86/msr.h"

enum dump_kind { MSR = 'm', CPUID = 'i', REGISTER = 'g', FIELD = 'v', LIST = 'l' };

/* The row in progress, and what its next value is of unless a label says otherwise. */
static struct {
    char text[80 - sizeof("tally: dump")];
    size_t length;
    enum dump_kind kind;
    u32 number;
} row;
static u64 sum;

static void end_row(void)
{
    if (row.length)
        say("dump%.*s", (int)row.length, row.text);
    row.length = 0;
}

static void begin_dump(const char *cause)
{
    sum = row.kind = 0;
    say("dump begin 1 %s", cause);
}

static void put_value(enum dump_kind kind, u32 number, u64 value)
{
    char text[40];
    bool follows = kind == row.kind && number == row.number;
    size_t length = follows ? format_string(text, sizeof(text), " %lx", value)
                            : format_string(text, sizeof(text), " %c%x %lx", kind, number, value);
    if (row.length + length > sizeof(row.text))
        end_row();
    memcpy(row.text + row.length, text, length);
    row.length += length;
    row.kind = kind;
    row.number = number + (kind == FIELD ? 2 : 1);
    sum += number + value;
}

static void end_dump(void)
{
    end_row();
    say("dump end %lx", sum);
}

static void put_capabilities(void)
{
    u64 value;
    for (u32 msr = IA32_VMX_BASIC; msr <= IA32_VMX_EXIT_CTLS2; msr++)
        if (rdmsr_safe(msr, &value))
            put_value(MSR, msr, value);
    put_value(CPUID, 0x80000008, cpuid(0x80000008, 0).eax);
}

/* All there are: an encoding is width, type, index. SDM vol. 3, 'Field Encoding in VMCS'. */
static void put_fields(void)
{
    u64 value;
    for (u32 group = 0; group < 16; group++)
        for (u32 index = 0; index < 64; index++) {
            u32 field = group >> 2 << 13 | (group & 3) << 10 | index << 1;
            if (vmread_safe(field, &value))
                put_value(FIELD, field, value);
        }
}

static void dump_state(const struct vcpu *vcpu, const char *cause)
{
    begin_dump(cause);
    put_capabilities();
    for (unsigned i = 0; i < GPRS; i++)
        put_value(REGISTER, i, vcpu_gpr(vcpu, i));
    put_fields();
}

/* The entry of the MSR-load area that could not be loaded, by its number from 1. */
static void put_msr_entry(u64 number)
{
    if (number - 1 >= vmread(VM_ENTRY_MSR_LOAD_COUNT)) /* not a CPU's answer */
        return;
    const u64 *entry = frame_pointer(vmread(VM_ENTRY_MSR_LOAD_ADDR));
    put_value(LIST, 0, entry[2 * (number - 1)]);
    put_value(LIST, 1, entry[2 * (number - 1) + 1]);
}

void dump_failed_exit(const struct vcpu *vcpu)
{
    u32 reason = vcpu->exit_reason & EXIT_REASON_BASIC;
    u64 qualification = vmread(EXIT_QUALIFICATION);
    say("error: VM entry failed: exit reason %u (%s), qualification %lu", reason,
        reason_name(reason), qualification);
    dump_state(vcpu, "exit");
    if (reason == EXIT_ENTRY_FAIL_MSR_LOAD)
        put_msr_entry(qualification);
    end_dump();
}

void dump_failed_instruction(const struct vcpu *vcpu)
{
    say("error: VM entry failed: VM-instruction error %u", (u32)vmread(VM_INSTRUCTION_ERROR));
    dump_state(vcpu, "vmfail");
    end_dump();
}

void dump_capabilities(const struct controls *used)
{
    begin_dump("caps");
    put_capabilities();
    put_value(FIELD, PIN_BASED_CONTROLS, used->pin);
    put_value(FIELD, PRIMARY_PROCBASED_CONTROLS, used->proc);
    put_value(FIELD, EXCEPTION_BITMAP, used->exception_bitmap);
    put_value(FIELD, SECONDARY_PROCBASED_CONTROLS, used->proc2);
    put_value(FIELD, TERTIARY_PROCBASED_CONTROLS, used->proc3);
    put_value(FIELD, VM_EXIT_CONTROLS, used->exit);
    put_value(FIELD, VM_ENTRY_CONTROLS, used->entry);
    put_value(FIELD, CR0_GUEST_HOST_MASK, used->cr0_mask);
    put_value(FIELD, CR4_GUEST_HOST_MASK, used->cr4_mask);
    end_dump();
}
