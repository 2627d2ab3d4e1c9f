/* The families of tests, each in a file of its own. */
#ifndef GUEST_FAMILIES_H
#define GUEST_FAMILIES_H

void test_leaves(void);
void test_cpuid(void);
void test_msr(void);
void test_msr_effects(void);
void test_mtrr(void);
void test_io(void);
void test_string_io(void);
void test_control_registers(void);
void test_paging(void);
void test_debug_registers(void);
void test_instructions(void);
void test_descriptor_tables(void);
void test_xsetbv(void);
void test_xsaves(void);
void test_vmx_instructions(void);
void test_exceptions(void);
void test_debug_exceptions(void);
void test_emulated_steps(void);
void test_branch_steps(void);
void test_event_delivery(void);
void test_interrupts(void);
void test_interrupt_delivery(void);
void test_time(void);
void test_features(void);
void test_recent(void);
void test_x2apic(void);
void test_task_switch(void);
void test_bios_memory(void);
void test_hidden_memory(void);
void test_ram_dma(void);
void test_ram(void);

void test_smp(void);

/* Only when asked for. Here the run ends with the reset, the halt or the INIT: no verdict. */
void test_smp_x2apic(void);
void test_smp_exits(void);
void test_smp_cost(void);
void test_smp_reset(void);
void test_smp_halt(void);
void test_smp_init(void);
void test_smp_vmcall(void);
void test_attacks(void);
void test_sites(void);
void test_smp_gs_base(void);
void test_smp_nmi_after_init(void);
void test_smp_apic_off(void);

/* Only when asked for: see armed.c. */
void test_armed_tpr_threshold(void);
void test_armed_virtual_apic(void);
void test_armed_ept_misconfig(void);
void test_armed_spp(void);
void test_armed_smx(void);
void test_armed_preemption_timer(void);
void test_armed_pml(void);
void test_armed_mtf(void);
void test_armed_mtf_step(void);

#endif
