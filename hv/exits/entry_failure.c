/* VM entries that did not reach the guest. SDM vol. 3, 'VM-Entry Failures During or After Loading
 * Guest State' and 'VMfail'. */
#include "emulate/handlers.h"
#include "exits/entry.h"
#include "lib/print.h"

/* The guest's state is the one from before the entry: nothing was saved. */
enum exit_action exit_entry_failure(struct vcpu *vcpu)
{
    stop_other_cpus(vcpu); /* what they say would tear the dump */
    dump_failed_exit(vcpu);
    return EXIT_STOP;
}

void vmx_instruction_failed(u64 flags, struct vcpu *vcpu)
{
    if (flags & RFLAGS_CF) /* VMfailInvalid: there is no field to tell more */
        fatal("VM entry failed: there is no current VMCS");
    stop_other_cpus(vcpu);
    dump_failed_instruction(vcpu);
    fatal("a VM entry failed; the dump above says why (tools/explain)");
}
