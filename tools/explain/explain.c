#include "explain.h"

#include <stdarg.h>

#include "entry_checks.h"
#include "names.h"
#include "tally.h"
#include "x86/msr.h"
#include "x86/registers.h"
#include "x86/vmx.h"

FILE *tell_to;
const char *tell_end = "\n";

void tell(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("explain: ", tell_to);
    vfprintf(tell_to, format, arguments);
    fputs(tell_end, tell_to);
    va_end(arguments);
}

static void tell_rule(const char *sentence, enum vmcs_field field, u64 value)
{
    tell("broken rule: %s: %s is %lx", sentence, vmcs_field_name(field), value);
}

static void explain_state(const struct vmx_capabilities *c)
{
    if (!entry_checks(c, tell_rule))
        tell("no rule is broken that is known here");
}

/* One entry of an MSR area: number and reserved bits, value. SDM vol. 3, 'Loading MSRs'. */
static const char *msr_load_rule(u64 msr)
{
    if (msr >> 32)
        return "bits 63:32 of an entry's first half must be 0";
    switch (msr) {
    case IA32_FS_BASE:
    case IA32_GS_BASE: return "the bases of FS and GS cannot be loaded from a list";
    case IA32_SMM_MONITOR_CTL:
    case IA32_SMBASE: return "the MSRs of SMM cannot be loaded outside it";
    case X2APIC_FIRST ... X2APIC_LAST: return "registers of the local APIC cannot be loaded";
    default: return "the value must be one that WRMSR would take";
    }
}

static void explain_exit(const struct dump *dump, const struct vmx_capabilities *c)
{
    u32 reason = dump->field[VM_EXIT_REASON] & EXIT_REASON_BASIC;
    u64 qualification = dump->field[EXIT_QUALIFICATION];
    tell("exit reason %u, qualification %lu: %s", reason, qualification,
         failed_entry_meaning(reason, qualification));
    if (reason != EXIT_ENTRY_FAIL_MSR_LOAD)
        explain_state(c);
    else if (dump->has_list)
        tell("broken rule: %s: MSR %lx is %lx", msr_load_rule(dump->list[0]), dump->list[0],
             dump->list[1]);
}

static void explain_vmfail(const struct dump *dump, const struct vmx_capabilities *c)
{
    u64 error = dump->field[VM_INSTRUCTION_ERROR];
    tell("VM-instruction error %lu: %s", error, vm_instruction_error_name(error));
    explain_state(c);
}

static void tell_values(const struct dump *dump)
{
    for (unsigned i = 0; i < DUMP_REGISTERS; i++)
        tell("%-35s %016lx", register_name(i), dump->gpr[i]);
    for (u32 field = 0; field < DUMP_FIELDS; field++) {
        const char *name = vmcs_field_name(field);
        if (dump->has_field[field] && name)
            tell("%-35s %016lx", name, dump->field[field]);
        else if (dump->has_field[field])
            tell("field %-29x %016lx", field, dump->field[field]);
    }
}

static const struct dump *explained;

static u64 read_dumped_msr(u32 msr)
{
    return explained->msr[msr - DUMP_MSR_FIRST];
}

void explain_dump(const struct dump *dump)
{
    struct vmx_capabilities c;
    explained = dump;
    vmx_capabilities_read(&c, read_dumped_msr, (u32)dump->address_sizes);
    switch (dump->cause) {
    case DUMP_EXIT: explain_exit(dump, &c); break;
    case DUMP_VMFAIL: explain_vmfail(dump, &c); break;
    case DUMP_CAPS: explain_capabilities(&c, dump); return;
    }
    tell_values(dump);
}

void explain_triple_fault(const char *line)
{
    unsigned long cr0, cs, rflags;
    unsigned cpl;
    int read = sscanf(line,
                      "tally:   cr0 %lx  cr3 %*x  cr4 %*x  efer %*x  cs %lx  ss %*x  cpl %u  "
                      "rsp %*x  rflags %lx",
                      &cr0, &cs, &cpl, &rflags);
    if (read == 4 && (cr0 & CR0_PE) && !(rflags & RFLAGS_VM) && (cs & 3) != cpl)
        tell("CS & 3 is not the CPL, as before the first far jump of protected mode: after an exit "
             "Bochs 2.7 takes the one for the other");
}
