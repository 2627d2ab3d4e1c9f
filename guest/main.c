/* The guest test kernel: runs the families of tests that the command line asks for. */
#include "bench/bench.h"
#include "kernel/console.h"
#include "x86/instructions.h"
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "fuzz/fuzz.h"
#include "harness/legacy.h"
#include "kernel/memory.h"
#include "kernel/memory_map.h"
#include "multiboot.h"
#include "kernel/options.h"
#include "kernel/statistics.h"
#include "harness/tap.h"

struct family {
    const char *name;
    void (*run)(void);
    enum { BY_DEFAULT, ON_REQUEST } when; /* ON_REQUEST: only when only= names it */
};

#define FAMILY(name) #name, test_##name

static const struct family families[] = {
    {FAMILY(leaves), BY_DEFAULT},
    {FAMILY(cpuid), BY_DEFAULT},
    {FAMILY(msr), BY_DEFAULT},
    {FAMILY(msr_effects), BY_DEFAULT},
    {FAMILY(mtrr), BY_DEFAULT},
    {FAMILY(io), BY_DEFAULT},
    {FAMILY(string_io), BY_DEFAULT},
    {FAMILY(control_registers), BY_DEFAULT},
    {FAMILY(paging), BY_DEFAULT},
    {FAMILY(debug_registers), BY_DEFAULT},
    {FAMILY(instructions), BY_DEFAULT},
    {FAMILY(descriptor_tables), BY_DEFAULT},
    {FAMILY(xsetbv), BY_DEFAULT},
    {FAMILY(xsaves), BY_DEFAULT},
    {FAMILY(vmx_instructions), BY_DEFAULT},
    {FAMILY(exceptions), BY_DEFAULT},
    {FAMILY(debug_exceptions), BY_DEFAULT},
    {FAMILY(emulated_steps), BY_DEFAULT},
    {FAMILY(branch_steps), BY_DEFAULT},
    {FAMILY(event_delivery), BY_DEFAULT},
    {FAMILY(interrupts), BY_DEFAULT},
    {FAMILY(interrupt_delivery), BY_DEFAULT},
    {FAMILY(time), BY_DEFAULT},
    {FAMILY(features), BY_DEFAULT},
    {FAMILY(recent), BY_DEFAULT},
    {FAMILY(task_switch), BY_DEFAULT},
    {FAMILY(bios_memory), BY_DEFAULT},
    {FAMILY(hidden_memory), BY_DEFAULT},
    {FAMILY(ram_dma), BY_DEFAULT},
    {FAMILY(ram), BY_DEFAULT},
    {FAMILY(smp), BY_DEFAULT},
    {FAMILY(x2apic), BY_DEFAULT}, /* the last: it cannot be undone */
    {FAMILY(smp_x2apic), ON_REQUEST},
    {FAMILY(smp_exits), ON_REQUEST},
    {FAMILY(smp_cost), ON_REQUEST},
    {FAMILY(smp_reset), ON_REQUEST},
    {FAMILY(smp_halt), ON_REQUEST},
    {FAMILY(smp_init), ON_REQUEST},
    {FAMILY(smp_vmcall), ON_REQUEST},
    {FAMILY(attacks), ON_REQUEST},
    {FAMILY(sites), ON_REQUEST},
    {FAMILY(smp_gs_base), ON_REQUEST},
    {FAMILY(smp_nmi_after_init), ON_REQUEST},
    {FAMILY(smp_apic_off), ON_REQUEST},
    {FAMILY(armed_tpr_threshold), ON_REQUEST},
    {FAMILY(armed_virtual_apic), ON_REQUEST},
    {FAMILY(armed_ept_misconfig), ON_REQUEST},
    {FAMILY(armed_spp), ON_REQUEST},
    {FAMILY(armed_smx), ON_REQUEST},
    {FAMILY(armed_preemption_timer), ON_REQUEST},
    {FAMILY(armed_pml), ON_REQUEST},
    {FAMILY(armed_mtf), ON_REQUEST},
    {FAMILY(armed_mtf_step), ON_REQUEST},
};

#define PIC_MASTER_MASK 0x21
#define PIC_SLAVE_MASK 0xA1

static void mask_interrupts(void)
{
    outb(PIC_MASTER_MASK, 0xFF);
    outb(PIC_SLAVE_MASK, 0xFF);
}

static bool is_family(const char *name, u32 length)
{
    for (u32 i = 0; i < ARRAY_SIZE(families); i++) {
        const char *known = families[i].name;
        u32 n = 0;

        while (n < length && known[n] == name[n])
            n++;
        if (n == length && !known[n])
            return true;
    }
    return false;
}

static void check_command_line(void)
{
    const char *bad = unknown_word(is_family);

    if (!bad)
        return;
    note("unknown on the command line, from here: %s", bad);
    note("known are: only=FAMILY[,FAMILY...] bench fuzz=SEED,COUNT compare=BASE,END show=N,... "
         "full-ram quiet triple-fault");
    for (u32 i = 0; i < ARRAY_SIZE(families); i++)
        note("family: %s", families[i].name);
    bail_out("unknown word on the command line", NULL);
}

static void run_families(void)
{
    for (u32 i = 0; i < ARRAY_SIZE(families); i++) {
        if (!family_wanted(families[i].name, families[i].when == BY_DEFAULT))
            continue;
        family_begin(families[i].name);
        families[i].run();
        family_end();
    }
}

static void triple_fault(void)
{
    struct descriptor_table_register nothing = {0, 0};

    note("triple fault follows");
    console_drain();
    __asm__ volatile("lidt %0; int3" : : "m"(nothing));
}

void main(u32 magic, const struct multiboot_info *information);

void main(u32 magic, const struct multiboot_info *information)
{
    options_read(magic == MULTIBOOT_BOOTLOADER_MAGIC ? information : NULL);
    memory_map_read(magic == MULTIBOOT_BOOTLOADER_MAGIC ? information : NULL);
    console_init();
    descriptors_init();
    other_traps = end_run_by_trap;
    memory_init();
    legacy_init();
    mask_interrupts();
    statistics_init();
    check_command_line();

    print("TAP version 13\n");
    if (option_given("triple-fault"))
        triple_fault();
    if (option_given("bench"))
        bench();
    else if (option_value("fuzz="))
        fuzz();
    else
        run_families();
    finish();
}
