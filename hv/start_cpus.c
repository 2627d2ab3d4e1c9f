/* The CPUs at the start: which there are, and how Tally gets to each. */
#include "efi/boot.h"
#include "exits/cpuid_msr.h"
#include "exits/entry.h"
#include "host/frames.h"
#include "lib/print.h"
#include "memory/memory.h"
#include "platform/acpi.h"
#include "sites/sites.h"
#include "smp/kick.h"
#include "smp/smp.h"
#include "start.h"
#include "vmx/vmcs.h"

unsigned cpus_present, cpus_limit;
static bool by_the_firmware; /* they are told of, and started */

static unsigned list_cpus(u32 *apic_ids)
{
    unsigned count = acpi_cpus(apic_ids);
    return count ? count : mp_table_cpus(apic_ids);
}

void find_the_cpus(void)
{
    if (is_under_firmware())
        cpus_present = efi_cpus();
    by_the_firmware = cpus_present > 0;
    if (!by_the_firmware)
        cpus_present = list_cpus(NULL);
    if (!cpus_present) {
        cpus_present = 1;
        say("neither ACPI nor an MP table lists the CPUs: Tally runs on this one only");
    }
    cpus_limit = options.cpus ? options.cpus : cpus_present;
    if (by_the_firmware && cpus_limit < cpus_present)
        fatal("cpus=%u: the firmware has %u CPUs and goes on with all of them", cpus_limit,
              cpus_present);
}

void set_up_vcpu(struct cpu *cpu)
{
    cpu->vcpu.controls = controls;
    cpuid_forget(&cpu->vcpu.cpuid_cache);
    mtrr_read(&cpu->vcpu.mtrr);
    bool phases = options.boot && (options.sample_ms || options.marks) && !cpu->vcpu.index;
    cpu->vcpu.chores = (options.sample_ms ? CHORE_SAMPLE : 0) | (options.marks ? CHORE_POSTS : 0) |
                       (phases ? CHORE_PHASES : 0);
    cpu->vcpu.stats = &statistics[cpu->vcpu.index];
    recording_start(&cpu->vcpu, &options, frames_alloc(recorder_frames(&options)));
    vmx_enable(cpu, &vmx_capabilities);
    vmcs_init(cpu, ept_pointer(&guest_ept));
}

/* One without VMX cannot be left out: the guest could start it without Tally (docs/smp.md). */
static void set_up_other_cpu(struct cpu *cpu)
{
    const char *problem = vmx_check_other(options.profile, &controls);
    if (problem)
        fatal("CPU %u (APIC id %u): %s; the guest could start it without Tally", cpu->vcpu.index,
              cpu->vcpu.apic_id, problem);
    set_up_vcpu(cpu);
}

/* Another CPU: its vCPU waits for the guest's SIPI. */
static void enter_other_cpu(struct cpu *cpu)
{
    set_up_other_cpu(cpu);
    bool runs_guest = cpu->vcpu.index < cpus_limit;
    cpu_is_ready(cpu);
    if (!runs_guest)
        stay_in_tally(); /* in root operation an INIT waits: no guest can start it */
    vcpu_run(&cpu->vcpu);
}

/* Another CPU of a firmware that goes on: its vCPU returns to it. */
static void enter_found_cpu(struct cpu *cpu, const struct found_state *state)
{
    set_up_other_cpu(cpu);
    vmcs_set_state(&cpu->vcpu, state, ACTIVITY_ACTIVE);
    vcpu_run(&cpu->vcpu);
}

void start_the_other_cpus(void)
{
    if (cpus_present == 1)
        return;
    if (cpus_limit > 1 && !(vmx_capabilities.misc & VMX_MISC_ACTIVITY_WAIT_FOR_SIPI))
        fatal("this CPU cannot: wait for a SIPI as a guest (IA32_VMX_MISC bit 8); give cpus=1");
    u64 page =
        memory_map_find(&info.map, HIGHEST, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, 640 * KIB, NULL, 0);
    if (!page)
        fatal("no RAM below 640 KiB to start the other CPUs from");
    if (!by_the_firmware) {
        u32 *apic_ids = frames_alloc(CPU_LIST_FRAMES(cpus_present));
        cpus_present = list_cpus(apic_ids);
        start_other_cpus(apic_ids, cpus_present, cpus_limit, page, enter_other_cpu);
        return;
    }
    keep_start_page(page);
    stop_if(efi_start_cpus(cpus_present, enter_found_cpu));
}
