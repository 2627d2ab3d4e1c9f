/* The guest test kernel: runs the families of tests that the command line asks for. */
#include "bench.h"
#include "console.h"
#include "x86/instructions.h"
#include "descriptors.h"
#include "families.h"
#include "legacy.h"
#include "memory.h"
#include "multiboot.h"
#include "options.h"
#include "statistics.h"
#include "tap.h"

struct family {
    const char *name;
    void (*run)(void);
};

static const struct family families[] = {
    {"leaves", test_leaves},
    {"cpuid", test_cpuid},
    {"msr", test_msr},
    {"io", test_io},
    {"control_registers", test_control_registers},
    {"debug_registers", test_debug_registers},
    {"instructions", test_instructions},
    {"xsetbv", test_xsetbv},
    {"vmx_instructions", test_vmx_instructions},
    {"exceptions", test_exceptions},
    {"debug_exceptions", test_debug_exceptions},
    {"interrupts", test_interrupts},
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
    note("known are: only=FAMILY[,FAMILY...] bench triple-fault");
    for (u32 i = 0; i < ARRAY_SIZE(families); i++)
        note("family: %s", families[i].name);
    bail_out("unknown word on the command line", NULL);
}

static void run_families(void)
{
    for (u32 i = 0; i < ARRAY_SIZE(families); i++) {
        if (!family_wanted(families[i].name))
            continue;
        family_begin(families[i].name);
        families[i].run();
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
    console_init();
    descriptors_init();
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
    else
        run_families();
    finish();
}
