/* Bring-up as a story: from the boot loader's hands to the guest's first instruction. */
#include "host/cpu.h"
#include "exits/cpuid_msr.h"
#include "exits/entry.h"
#include "features.h"
#include "lib/print.h"
#include "lib/string.h"
#include "efi/boot.h"
#include "load/load.h"
#include "start.h"
#include "host/frames.h"
#include "host/paging.h"
#include "platform/acpi.h"
#include "platform/apic.h"
#include "platform/console.h"
#include "platform/power.h"
#include "platform/tsc.h"
#include "stats/timeline.h"
#include "sites/sites.h"
#include "stats/window.h"
#include "vmx/controls.h"
#include "vmx/capabilities.h"
#include "memory/memory.h"
#include "vmx/vmcs.h"

__attribute__((noreturn)) void main(u32 magic, u32 information);

struct boot_info info;
struct options options;
struct controls controls;
static struct memory_map guest_map;
static struct guest_start start;
static const struct found_state *found; /* instead, with boot services that go on */
static struct memory_range own;         /* where Tally lives after its move */
static u64 top; /* end of what the direct map and the EPT cover from the start */

void stop_if(const char *problem)
{
    if (problem)
        fatal("%s", problem);
}

static void read_what_the_loader_told(u32 magic, u32 information)
{
    const char *problem = boot_info_read(&info, magic, information);
    if (!problem && info.boot_services)
        problem = efi_init(&info);
    console_choose_screen(&info); /* one that was told of before the problem */
    stop_if(problem);
    stop_if(options_parse(&options, info.command_line));
    if (options.last)
        last_run_show(&info.map);
    if (options.last && !info.module_count && !options.boot)
        power_end(VERDICT_PASSED);
    if (!info.module_count && !options.caps && !options.boot)
        fatal("no guest: give a kernel as the first module (GRUB: module, QEMU: -initrd), or "
              "boot=next for the system on the disk");
    if (info.module_count && options.boot)
        fatal("two guests: a module and the system on the disk (boot=); give one of them");
    if (info.boot_services && info.module_count)
        stop_if(efi_end(&info));
}

bool is_under_firmware(void)
{
    return info.boot_services && options.boot;
}

static void look_at_the_machine(void)
{
    acpi_init(info.rsdp);
    if (!info.multiboot2 && !info.rsdp[0] && !has_bios())
        fatal("started by multiboot 1 on a UEFI machine, which tells nothing of ACPI and so of the "
              "other CPUs: use multiboot2 and module2");
    if (!info.tag[MULTIBOOT2_TAG_ACPI_OLD] && !info.tag[MULTIBOOT2_TAG_ACPI_NEW])
        boot_info_add_rsdp(&info);
    tsc_init();
    find_the_cpus();
    top = align_up(memory_map_top_of_ram(&info.map), PAGE_1G);
    if (top < 4 * GIB)
        top = 4 * GIB;
}

static __attribute__((noreturn)) void show_capabilities(const char *problem)
{
    dump_capabilities(&controls);
    stop_if(problem);
    say("this CPU has all that Tally needs");
    power_end(VERDICT_PASSED);
}

static void look_at_vmx(void)
{
    stop_if(vmx_check());
    vmx_capabilities_read(&vmx_capabilities, rdmsr, cpuid(0x80000008, 0).eax);
    features_init();
    const char *problem = controls_negotiate(&vmx_capabilities, options.profile, &controls);
    if (options.caps)
        show_capabilities(problem);
    stop_if(problem);
    char lacking[512];
    bool some = controls_lacking(&vmx_capabilities, options.profile, lacking, sizeof(lacking));
    say("exits=%s%s%s", profile_names[options.profile],
        some ? "; optional controls that this CPU does not have: " : "", lacking);
}

#define OTHER_FRAMES (LOW_MEMORY_FRAMES + 9) /* bitmaps and the like */
/* What takes Tally out of the guest's EPT, beside one table for each of its 2 MiB pages: a
 * directory on either side of a 1 GiB border; and some for large pages that come to have several
 * memory types. */
#define HIDING_FRAMES (2 + 32)
#define SAMPLE_BYTES (4 * MIB)

static unsigned expected_vcpus(void)
{
    return cpus_present < cpus_limit ? cpus_present : cpus_limit;
}

/* Of the window's parts, bytes of one copy. */
static u64 part_sizes[WINDOW_PARTS];

static void plan_the_window(void)
{
    part_sizes[WINDOW_COUNTERS] = sizeof(struct statistics);
    part_sizes[WINDOW_TIMELINE] = options.sample_ms || options.marks ? SAMPLE_BYTES : 0;
    recording_plan(&options, expected_vcpus(), part_sizes);
}

static u64 ept_capabilities(void)
{
    u64 large = options.split ? EPT_CAP_2M | EPT_CAP_1G : 0;
    return vmx_capabilities.ept_vpid & ~large;
}

static u64 own_size(void)
{
    u64 frames = guest_memory_frames(ept_capabilities(), top) +
                 cpus_present * (CPU_FRAMES + recorder_frames(&options)) +
                 2 * CPU_LIST_FRAMES(cpus_present) + window_pages(part_sizes, expected_vcpus()) +
                 OTHER_FRAMES;
    u64 size = image_size() + frames * PAGE_SIZE, with_tables = size + PAGE_2M;
    u64 tables = paging_frames(with_tables, top) + with_tables / PAGE_2M + HIDING_FRAMES;
    return align_up(size + tables * PAGE_SIZE, PAGE_2M);
}

static u64 find_own_memory(void)
{
    static struct memory_range used[MODULES_MAX + 2];
    unsigned count = 0;
    if (is_under_firmware())
        return efi_allocate(own.size, PAGE_2M);
    used[count++] = (struct memory_range){0, MIB, 0};
    used[count++] = (struct memory_range){own_physical((void *)IMAGE_VIRTUAL), image_size(), 0};
    for (unsigned i = 0; i < info.module_count; i++)
        used[count++] = (struct memory_range){info.module[i].start, info.module[i].size, 0};
    return memory_map_find(&info.map, HIGHEST, own.size, PAGE_2M, MIB, 4 * GIB, used, count);
}

static void move_to_the_top(void)
{
    plan_the_window();
    own.size = own_size();
    own.base = find_own_memory();
    if (!own.base)
        fatal("too little memory: Tally needs %lu KiB in one piece below 4 GiB beside the guest",
              own.size / KIB);
    move_to(own.base, own.size, top);
    last_run_init(frame_last());
    cpu_finish_boot(apic_id(), cpus_present);
}

static void load_the_guest(void)
{
    const char *problem;
    guest_map = info.map;
    memory_map_set(&guest_map, own.base, own.size, MEMORY_RESERVED);
    if (is_under_firmware())
        stop_if(efi_boot(options.boot == BOOT_NEXT ? EFI_NEXT : options.boot - BOOT_DISK,
                         part_sizes[WINDOW_TIMELINE], &found));
    else if (options.boot)
        stop_if(load_disk(&info, &guest_map,
                          options.boot == BOOT_NEXT ? NEXT_DISK : options.boot - BOOT_DISK,
                          &start));
    else if ((problem = load_guest(&info, &guest_map, own.base, own.size, &start)))
        fatal("guest: %s", problem);
}

static void make_the_window(void)
{
    u64 size = window_pages(part_sizes, expected_vcpus());
    struct window *pages = frames_alloc(size);
    window_init(pages, frame_physical(pages), part_sizes, expected_vcpus());
    run_facts->profile = options.profile;
    run_facts->report = options.report;
    run_facts->tsc_khz = tsc_khz;
    for (u32 i = 0; i < 3; i++) {
        struct cpuid_result part = cpuid(0x80000002 + i, 0);
        memcpy(run_facts->cpu + 16 * i, &part, sizeof(part));
    }
    format_string(run_facts->version, sizeof(run_facts->version), "%s", TALLY_VERSION);
    guest_memory_show(window->address, window->pages * PAGE_SIZE);
}

static void prepare_the_exits(void)
{
    guest_memory_init(ept_capabilities(), top, own.base, own.size);
    exit_entries = (struct exit_entries){vmx_exit, vmx_exit_observed, vmx_exit_recorded};
    features_need(controls.proc2, controls.proc3);
    bitmaps_init();
    msr_init(options.profile, options.msr);
    if (options.profile != PROFILE_MINIMAL)
        intercept_most_ports();
    power_watched_ports(intercept_port);
    serial_filter_watch(intercept_port);
    if (options.marks)
        intercept_port(POST_PORT);
    cpuid_conceals_tally = !options.announce;
    make_the_window();
}

static void start_counting(struct vcpu *boot)
{
    stop_if(time_limit_set(boot, options.end, tsc_khz));
    run_facts->vcpus = vcpu_count; /* of those that were expected */
    run_facts->start_tsc = rdtsc();
    if (part_sizes[WINDOW_TIMELINE])
        timeline_init(SAMPLE_BYTES, (u64)options.sample_ms * tsc_khz);
}

static void set_first_state(struct vcpu *vcpu)
{
    if (found)
        vmcs_set_state(vcpu, found, ACTIVITY_ACTIVE);
    else
        vmcs_set_start_state(vcpu, &start);
}

void main(u32 magic, u32 information)
{
    struct cpu *cpu = cpu_init_boot();             /* its GDT and IDT: what goes wrong is said */
    console_init();                                /* COM1 and the text screen */
    fatal_handler = power_fatal;                   /* an error now ends the run */
    read_what_the_loader_told(magic, information); /* memory map, modules, Tally's command line */
    look_at_the_machine();                         /* ACPI, the TSC's rate, which CPUs there are */
    look_at_vmx();                                 /* what it can; the controls that are wanted */
    move_to_the_top();                             /* out of the guest's way, to page tables */
    load_the_guest();                              /* into the memory that is now free */
    prepare_the_exits();                           /* EPT, bitmaps, ports that are watched */
    set_up_vcpu(cpu);                              /* VMXON; the VMCS but for its start */
    start_the_other_cpus();                        /* their vCPUs wait for a SIPI */
    set_first_state(&cpu->vcpu);                   /* the boot CPU's registers */
    console_hand_over();                           /* COM1 and the screen are the guest's */
    start_counting(&cpu->vcpu);                    /* the first TSC of the run */
    vcpu_run(&cpu->vcpu);                          /* VMLAUNCH; from here on only exits */
}
