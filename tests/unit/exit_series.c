#include "exit_series.h"

#include <stdio.h>
#include <string.h>
#include <sanitizer/asan_interface.h>

#include "exit_rules.h"
#include "fake_machine.h"
#include "random_state.h"
#include "exits/cpuid_msr.h"
#include "features.h"
#include "memory/guest_memory.h"
#include "sites/sites.h"
#include "smp/kick.h"
#include "stats/timeline.h"
#include "vmx/guest_state.h"
#include "x86/msr.h"

#define MOST_STEPS 400000 /* of an exit: 128 elements of string I/O take most */
#define VCPUS 2           /* one of them is there: either may be it */
#define ROWS 64           /* of the table of sites */

u64 series_count[PROFILES][REASON_SLOTS];
unsigned series_most_steps;
unsigned series_profile = PROFILES;

static size_t number; /* of the exit in its series */

static void say_exit(char *text, size_t size)
{
    snprintf(text, size, "exit %zu", number);
}

/* ---- The guest's memory: closed to all but what guest_ram() has handed out for this exit ---- */

enum { PAGES = FAKE_RAM / PAGE_SIZE };

static u16 dirty[PAGES],
    opened[PAGES]; /* pages that are no longer as at the start, that are open */
static unsigned dirty_count, opened_count;
static bool is_dirty[PAGES], is_opened[PAGES];
static bool others_write; /* another CPU changes what the handler is about to look at */
static unsigned memory_accesses;

static void note(u16 *list, unsigned *count, bool *is_noted, u64 page)
{
    if (!is_noted[page])
        list[(*count)++] = (u16)page;
    is_noted[page] = true;
}

static void close_pages(void)
{
    while (opened_count) {
        u64 page = opened[--opened_count];
        is_opened[page] = false;
        ASAN_POISON_MEMORY_REGION(&fake_ram[page * PAGE_SIZE], PAGE_SIZE);
    }
}

static void clean_pages(void)
{
    close_pages();
    while (dirty_count) {
        u64 page = dirty[--dirty_count];
        is_dirty[page] = false;
        ASAN_UNPOISON_MEMORY_REGION(&fake_ram[page * PAGE_SIZE], PAGE_SIZE);
        memset(&fake_ram[page * PAGE_SIZE], 0, PAGE_SIZE);
        ASAN_POISON_MEMORY_REGION(&fake_ram[page * PAGE_SIZE], PAGE_SIZE);
    }
}

void fake_ram_write(u64 address, const void *bytes, size_t size)
{
    u64 last = (address + size - 1) / PAGE_SIZE;
    ASAN_UNPOISON_MEMORY_REGION(&fake_ram[address], size);
    memcpy(&fake_ram[address], bytes, size);
    for (u64 page = address / PAGE_SIZE; page <= last; page++) {
        note(dirty, &dirty_count, is_dirty, page);
        ASAN_POISON_MEMORY_REGION(&fake_ram[page * PAGE_SIZE], PAGE_SIZE);
    }
}

void *guest_ram(u64 physical, size_t size)
{
    CHECK(size && physical % PAGE_SIZE + size <= PAGE_SIZE);
    CHECK(++memory_accesses <= MOST_STEPS);
    if (physical >= FAKE_RAM)
        return NULL;
    u8 *memory = &fake_ram[physical];
    note(dirty, &dirty_count, is_dirty, physical / PAGE_SIZE);
    note(opened, &opened_count, is_opened, physical / PAGE_SIZE);
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
    if (others_write && one_in(4))
        memory[below(size < 256 ? size : 256)] ^= (u8)(1 << below(8));
    return memory;
}

/* ---- The machine ---- */

static const char *const machines[] = {"Bochs 2.7, tigerlake", "Bochs master, sapphire_rapids"};
#define MACHINES ARRAY_SIZE(machines)

static struct fake_state states[MACHINES][PROFILES];
static struct vmx_capabilities capabilities[MACHINES];
static struct paging_features paging[MACHINES];
static u8 pages[128 * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE))); /* the window */
static u64 window_sizes[WINDOW_PARTS];

/* Of the kinds of features.h; the others are not there. */
static void add_msrs(void)
{
    static const u32 there[] = {
        IA32_USER_MSR_CTL,
        MSR_TEST_CTRL,
        0xCF,
        IA32_BIOS_SIGN_ID,
        IA32_XSS,
        IA32_TSC_ADJUST,
        IA32_KERNEL_GS_BASE,
        IA32_STAR,
        IA32_SPEC_CTRL,
        0x2A0,
        0x150,
        0x40000001,
        0x80,
        IA32_DEBUG_INTERFACE,

    };
    for (unsigned i = 0; i < ARRAY_SIZE(there); i++)
        fake_msr(there[i], 0);
    fake_msr(IA32_USER_MSR_CTL, 0xA001);
    fake_msr(IA32_APIC_BASE, 0xFEE00900);
}

static void prepare(void)
{
    struct options options = {.sites = ROWS};
    fake_reset();
    window_sizes[WINDOW_COUNTERS] = sizeof(struct statistics);
    recording_plan(&options, VCPUS, window_sizes);
    window_sizes[WINDOW_TIMELINE] = 4 * PAGE_SIZE;
    assert_true(window_pages(window_sizes, VCPUS) * PAGE_SIZE <= sizeof(pages));
    for (unsigned m = 0; m < MACHINES; m++)
        for (unsigned profile = 0; profile < PROFILES; profile++) {
            ASAN_UNPOISON_MEMORY_REGION(fake_ram, FAKE_RAM);
            fake_machine_named(machines[m], profile);
            add_msrs();
            fake_vcpu.mtrr = (struct mtrr_state){
                .cap = 0x508, .def_type = 0xC06, .physical_bits = fake_capabilities.physical_bits};
            fake_save(&states[m][profile]);
            capabilities[m] = fake_capabilities;
            paging[m] = paging_features;
        }
    window_init(pages, 0x1000, window_sizes, VCPUS);
    run_facts->vcpus = 1;
    timeline_init(window_sizes[WINDOW_TIMELINE], 1);
    statistics = fake_vcpu.stats;
    ASAN_POISON_MEMORY_REGION(fake_ram, FAKE_RAM);
    how_to_repeat = say_exit;
}

static struct recorder_memory recorder_memory;

static void begin(unsigned machine, unsigned profile, u8 flags)
{
    static const struct fake_state *before;
    const struct fake_state *state = &states[machine][profile];
    fake_load(state);
    if (before != state) {
        vmx_capabilities = capabilities[machine];
        paging_features = paging[machine];
        features_init();
        features_need(fake_vcpu.controls.proc2, fake_vcpu.controls.proc3);
    }
    before = state;
    clean_pages();
    fake_map_identity();
    cpuid_conceals_tally = !(flags & 8);
    msr_init(PROFILE_ALL, flags / 16 % 3); /* the bitmap is not looked at */
    guest_memory_denied = 0;
    fake_vcpu.index = flags & 1;
    if (flags & 2) {
        struct site_table *sites = window_copy(window, WINDOW_SITES, fake_vcpu.index);
        memset(sites, 0, sizeof(*sites) + ROWS * sizeof(struct site));
        memset(&recorder_memory, 0, sizeof(recorder_memory));
        recording_start(&fake_vcpu, &(struct options){.sites = ROWS}, &recorder_memory);
        vcpu_add_chore(&fake_vcpu, flags & 4 ? CHORE_SAMPLE | CHORE_POSTS | CHORE_PHASES : 0);
    }
}

/* Of these nobody knows anything. */
bool rdmsr_safe(u32 msr, u64 *value)
{
    *value = 0;
    return msr - 0xD0000000 < 64 || fake_msr_get(msr, value);
}

/* Reserved bits, and any value now and then. */
bool fake_refuses(u32 msr, u64 value)
{
    return one_in(8) || (msr == IA32_DEBUGCTL && (value & ~0xFFC7ull));
}

/* While Tally waits, an NMI may come. */
void tsc_wait_us(u32 microseconds)
{
    (void)microseconds;
    fake_vcpu.nmis += one_in(8);
}

/* ---- One exit ---- */

/* The number is not defined, or the entry failed. */
static u32 random_word(void)
{
    if (is_kind(KIND_NONE) && one_in(8))
        return EXIT_REASONS + (u32)below(0x10000 - EXIT_REASONS);
    return reason | (is_kind(KIND_ENTRY) ? (u32)EXIT_REASON_ENTRY_FAILURE : 0) |
           (one_in(8) ? (u32)EXIT_REASON_BUS_LOCK : 0);
}

static u64 slot_of_word(u32 word)
{
    u32 number = word & EXIT_REASON_BASIC;
    return number < EXIT_REASONS ? number : EXIT_REASONS;
}

/* In root operation events may have come, which are handled right before the entry. */
static void random_arrivals(void)
{
    fake_cpu.random_ready = !one_in(4);
    fake_cpu.port_value = (u32)random64();
    if (reason != EXIT_NMI_WINDOW && one_in(4)) {
        fake_vcpu.guest_nmis = (u8)below(3);
        set_nmi_window(&fake_vcpu, fake_vcpu.guest_nmis || fake_vcpu.machine_check);
    }
    if (one_in(8))
        fake_vcpu.nmis = (u32)below(3);
    if ((guest_visible_cr4(&fake_vcpu) & CR4_MCE) && one_in(8))
        fake_vcpu.nmis |= NMIS_MACHINE_CHECK;
}

/* What may end the run. */
static bool may_stop(u32 word)
{
    if (fake_vcpu.shut_down)
        return reason == EXIT_TRIPLE_FAULT || reason == EXIT_TASK_SWITCH ||
               (fake_get(IDT_VECTORING_INFO) & INTERRUPTION_VALID);
    if (word & EXIT_REASON_ENTRY_FAILURE)
        return true;
    switch (reason) {
    case EXIT_INIT_SIGNAL: return !fake_vcpu.index;
    case EXIT_IO_SMI:
    case EXIT_OTHER_SMI:
    case EXIT_EPT_MISCONFIGURATION: return true;
    case EXIT_HLT: return !(fake_get(GUEST_RFLAGS) & RFLAGS_IF);
    case EXIT_IO_INSTRUCTION: return fake_get(EXIT_QUALIFICATION) >> 16 == EXIT_PORT;
    case EXIT_INSTRUCTION_TIMEOUT: return fake_get(EXIT_QUALIFICATION) & 1;
    default: return is_kind(KIND_NONE);
    }
}

static void check_steps(void)
{
    unsigned steps =
        fake_total_reads() + fake_total_writes() + fake_cpu.port_accesses + memory_accesses;
    if (steps > series_most_steps)
        series_most_steps = steps;
    CHECK(steps <= MOST_STEPS);
}

static void check_counters(const struct statistics *before, u64 slot)
{
    for (unsigned i = 0; i < REASON_SLOTS; i++)
        CHECK(fake_vcpu.stats->reason[i].count == before->reason[i].count + (i == slot));
    CHECK(fake_vcpu.counter == &fake_vcpu.stats->reason[slot]);
}

static bool one_exit(unsigned profile)
{
    static struct statistics counted;
    reason = (u32)below(EXIT_REASONS);
    if (fake_get(GUEST_ACTIVITY_STATE) == ACTIVITY_WAIT_FOR_SIPI)
        reason = EXIT_SIPI;
    random_exit();
    random_arrivals();
    u32 word = random_word();
    fake_set(VM_EXIT_REASON, word);
    if (!(word & EXIT_REASON_ENTRY_FAILURE))
        check_entry_rules("the fuzzer makes");
    if (reason == EXIT_SIPI && one_in(2))
        fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_SMI); /* as Bochs 2.7 does */
    struct before before = look();
    bool machine_check = fake_vcpu.machine_check || (fake_vcpu.nmis & NMIS_MACHINE_CHECK);
    u64 slot = slot_of_word(word);
    series_count[profile][slot]++;
    counted = *fake_vcpu.stats;
    before.memory_changes = others_write = one_in(4);
    memory_accesses = 0;
    fake_fatal_expected = true;
    if (setjmp(fake_fatal)) { /* a machine check shuts down a guest that cannot take it */
        close_pages();
        CHECK(!(guest_visible_cr4(&fake_vcpu) & CR4_MCE));
        CHECK(machine_check);
        return false;
    }
    bool goes_on = fake_dispatch();
    others_write = false;
    close_pages();
    check_steps();
    check_counters(&counted, slot);
    if (!goes_on) {
        CHECK(may_stop(word));
        return false;
    }
    if (fake_vcpu.nmis)
        take_nmis(&fake_vcpu);
    fake_fatal_expected = false;
    check_after(&before);
    close_pages();
    return true;
}

/* Each exit is at one site, or among the others of its reason. */
static void check_sites(void)
{
    const struct site_table *sites = fake_vcpu.recorder.sites;
    u64 count[REASON_SLOTS];
    for (unsigned i = 0; i < REASON_SLOTS; i++)
        count[i] = sites->other[i].count;
    for (unsigned i = 0; i < ROWS; i++)
        if (sites->site[i].key.what)
            count[sites->site[i].key.reason] += sites->site[i].counter.count;
    for (unsigned i = 0; i < REASON_SLOTS; i++)
        CHECK(count[i] == fake_vcpu.stats->reason[i].count);
}

static void end_guest(bool goes_on)
{
    if (goes_on && fake_vcpu.recorder.sites)
        check_sites();
    close_pages();
}

void series_run(const u8 *bytes, size_t size)
{
    if (!capabilities[0].basic)
        prepare();
    u8 choice = size > 0 ? bytes[0] : 0, flags = size > 1 ? bytes[1] : 0;
    unsigned profile = series_profile < PROFILES ? series_profile : choice % PROFILES;
    unsigned machine = choice / PROFILES % MACHINES;
    begin(machine, profile, flags);
    bool goes_on = true;
    number = 0;
    for (size_t at = 2; at < size && goes_on; at += RECORD) {
        random_from(bytes + at, size - at < RECORD ? size - at : RECORD);
        goes_on = one_exit(profile);
        number++;
    }
    random_seeded_by(bytes, size);
    for (size_t most = 2 * number + 4; number < most; number++) {
        if (!goes_on) {
            end_guest(false);
            profile = series_profile < PROFILES ? series_profile : (profile + 1) % PROFILES;
            begin(machine, profile, flags);
        }
        goes_on = one_exit(profile);
    }
    end_guest(goes_on);
}
