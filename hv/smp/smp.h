/* Starting the other CPUs under Tally; and what starts and stops them as the guest's. */
#ifndef TALLY_SMP_SMP_H
#define TALLY_SMP_SMP_H

#include "host/cpu.h"

/*
 * Starts all CPUs of `apic_ids` but the one that runs this, one after the other, through the real
 * mode page at physical address `page`, whose content comes back afterwards. Each calls `enter`,
 * which never returns. Sets vcpu_count: the CPUs from `limit` on must stay in Tally. These, and
 * those that do not come (which a line tells), are hidden from the guest. One that no IPI reaches
 * ends the run.
 */
void start_other_cpus(const u32 *apic_ids, unsigned count, unsigned limit, u64 page,
                      void (*enter)(struct cpu *cpu));

/* The page that lend_start_page() lends, where start_other_cpus() did not start the CPUs. */
void keep_start_page(u64 page);

/* The CPU that runs this is ready for the guest; the boot CPU waits for it, not for ever. */
void cpu_is_ready(struct cpu *cpu);

/*
 * Between these two, a CPU that waits for a SIPI and gets one for the page that comes back starts
 * as `cpu`, in `enter`, on an empty stack. One CPU at a time, while no guest runs: the page is its.
 */
u8 lend_start_page(struct cpu *cpu, void (*enter)(struct cpu *cpu));
void give_start_page_back(void);

/* INIT reached the vCPU. The boot CPU starts again at the reset vector, which ends the run. `enter`
 * is the first entry of a VMCS that was cleared, see smp/stale_init.h. */
enum exit_action take_init(struct vcpu *vcpu, void (*enter)(struct vcpu *vcpu));

/* SIPI reached it in wait-for-SIPI: it starts in real mode at `vector` << 12. */
void take_sipi(struct vcpu *vcpu, u8 vector);

/* Whether all vCPUs sleep and no NMI wakes one within a second. For the last that halts. */
bool all_asleep(const struct vcpu *self);

#endif
