#include "fake_machine.h"
#include "fake_recorder.h"

#include <string.h>

#include "features.h"
#include "host/cpu.h"
#include "host/frames.h"
#include "recorded_caps.h"
#include "exits/entry.h"
#include "vmx/controls.h"
#include "entry_checks.h"
#include "memory/ept.h"
#include "vmx/events.h"
#include "memory/guest_memory.h"
#include "stats/window.h"
#include "x86/msr.h"

unsigned cpu_count, vcpu_count; /* no others: the guest's only CPU is not among them */
int fake_waiting_vector;
unsigned fake_retypes;
static struct cpu *list[8];
struct cpu **cpus = list;

static jmp_buf stop;
static u8 pages[4 * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE))); /* the window */

/* ---- Functions that end here ---- */

void stop_guest(struct vcpu *vcpu) __attribute__((noreturn));
bool stop_other_cpus(struct vcpu *vcpu);
void take_kicks(struct vcpu *vcpu);
void take_nmis(struct vcpu *vcpu);
void apic_reset(void);
void tsc_wait_us(u32 microseconds);
void stale_init_note_sipi(const struct vcpu *vcpu);
bool stale_init_passed_over(struct vcpu *vcpu, void (*enter)(struct vcpu *vcpu));
void unblock_nmi(void);
int acknowledge_interrupt(void);
bool power_filter_out(u16 port, unsigned size, u32 value);
void serial_filter_out(u16 port, u8 value);
void intercept_msr(u32 msr, unsigned accesses);
bool is_own_memory(u64 physical);
void guest_memory_show_again(struct vcpu *vcpu)
{
    (void)vcpu;
}

void guest_memory_deny(u64 physical, bool write);
bool guest_memory_map(struct vcpu *vcpu, u64 physical);
void guest_memory_retype(struct vcpu *vcpu);
struct ept guest_ept;
void flush_guest_tlb(struct vcpu *vcpu);
void flush_guest_non_global(struct vcpu *vcpu);
void flush_guest_page(struct vcpu *vcpu, u64 linear);
void flush_ept(void);
u64 own_cr3 = 0x200000;
u64 own_physical(const void *pointer);
const struct descriptor_table_register trap_idtr = {.base = 0xFFFFFFFF80100000};
u64 io_bitmap_physical(unsigned half);
u64 msr_bitmap_physical(void);

bool stop_other_cpus(struct vcpu *vcpu)
{
    (void)vcpu;
    return true;
}

void stop_guest(struct vcpu *vcpu)
{
    (void)vcpu;
    longjmp(stop, 1);
}

void vmx_exit(void)
{
}

void vmx_exit_observed(void)
{
}

void vmx_exit_recorded(void)
{
}

void vcpu_run(struct vcpu *vcpu)
{
    (void)vcpu;
    fail_msg("VMLAUNCH");
    longjmp(stop, 1);
}

void take_kicks(struct vcpu *vcpu)
{
    vcpu->kick = 0;
}

void take_nmis(struct vcpu *vcpu)
{
    u32 noted = vcpu->nmis;
    vcpu->nmis = 0;
    if (vcpu->presence == WAITS_FOR_SIPI)
        return;
    if (noted & NMIS_MACHINE_CHECK)
        queue_machine_check(vcpu);
    queue_nmis(vcpu, noted & ~NMIS_MACHINE_CHECK);
}

void apic_reset(void)
{
}

__attribute__((weak)) void tsc_wait_us(u32 microseconds)
{
    (void)microseconds;
}

void stale_init_note_sipi(const struct vcpu *vcpu)
{
    (void)vcpu;
}

bool stale_init_passed_over(struct vcpu *vcpu, void (*enter)(struct vcpu *vcpu))
{
    (void)vcpu, (void)enter;
    return false;
}

void unblock_nmi(void)
{
}

int acknowledge_interrupt(void)
{
    int vector = fake_waiting_vector;
    fake_waiting_vector = -1;
    return vector;
}

bool power_filter_out(u16 port, unsigned size, u32 value)
{
    (void)size, (void)value;
    return port == EXIT_PORT;
}

void serial_filter_out(u16 port, u8 value)
{
    (void)port, (void)value;
}

__attribute__((weak)) void intercept_msr(u32 msr, unsigned accesses)
{
    (void)msr, (void)accesses;
}

void *frame_pointer(u64 physical)
{
    return guest_ram(physical, 1);
}

/* The last page of guest RAM is Tally's. */
bool is_own_memory(u64 physical)
{
    return physical / PAGE_SIZE == FAKE_RAM / PAGE_SIZE;
}

u64 guest_memory_denied;

void guest_memory_deny(u64 physical, bool write)
{
    (void)physical, (void)write;
    guest_memory_denied++;
}

bool guest_memory_map(struct vcpu *vcpu, u64 physical)
{
    (void)vcpu;
    return physical >> 40 == 0;
}

void guest_memory_retype(struct vcpu *vcpu)
{
    (void)vcpu;
    fake_retypes++;
}

u64 *ept_entry(const struct ept *ept, u64 physical, unsigned *level)
{
    static u64 entry;
    (void)ept, (void)physical;
    *level = 1;
    return &entry;
}

void flush_ept(void)
{
}

void flush_guest_tlb(struct vcpu *vcpu)
{
    (void)vcpu;
    fake_cpu.invalidations++;
}

void flush_guest_non_global(struct vcpu *vcpu)
{
    (void)vcpu;
    fake_cpu.invalidations++;
}

void flush_guest_page(struct vcpu *vcpu, u64 linear)
{
    (void)vcpu, (void)linear;
    fake_cpu.invalidations++;
}

u64 own_physical(const void *pointer)
{
    (void)pointer;
    return 0x200000;
}

__attribute__((weak)) u64 io_bitmap_physical(unsigned half)
{
    return 0x101000 + 0x1000 * half;
}

__attribute__((weak)) u64 msr_bitmap_physical(void)
{
    return 0x103000;
}

/* ---- Hardware as the judge of what WRMSR writes ---- */

__attribute__((weak)) bool fake_refuses(u32 msr, u64 value)
{
    return msr == IA32_DEBUGCTL && (value & ~(DEBUGCTL_LBR | DEBUGCTL_BTF | DEBUGCTL_TRACES));
}

bool wrmsr_safe(u32 msr, u64 value)
{
    u64 old;
    if (fake_refuses(msr, value) || !fake_msr_get(msr, &old))
        return false;
    fake_msr(msr, value);
    return true;
}

static const struct recorded_machine *machine;

static u64 read_recorded(u32 msr)
{
    return machine->msr[msr - RECORDED_FIRST];
}

void fake_machine(enum tally_profile profile)
{
    fake_machine_named("Bochs 2.7, tigerlake", profile);
}

void fake_machine_named(const char *name, enum tally_profile profile)
{
    static const u32 msrs[] = {IA32_TSC, IA32_APIC_BASE, IA32_MISC_ENABLE, IA32_DEBUGCTL,
                               IA32_TSC_AUX};
    for (unsigned i = 0; i < ARRAY_SIZE(recorded_machines); i++)
        if (!strcmp(recorded_machines[i].name, name))
            machine = &recorded_machines[i];
    assert_string_equal(machine->name, name);
    fake_reset();
    fake_waiting_vector = -1;
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++)
        fake_msr(msrs[i], 0);
    vmx_capabilities_read(&fake_capabilities, read_recorded, machine->address_sizes);
    vmx_capabilities = fake_capabilities;
    features_init();
    assert_null(controls_negotiate(&fake_capabilities, profile, &fake_vcpu.controls));
    controls_write(&fake_vcpu.controls);
    features_need(fake_vcpu.controls.proc2, fake_vcpu.controls.proc3);
    /* What VMX fixes in CR4 and CPUID tells about paging, as on that machine. */
    paging_features.physical_address_width = fake_capabilities.physical_bits;
    paging_features.pages_1g = true;
    paging_features.la57 = fake_capabilities.linear_bits == 57;
    fake_guest(GUEST_64BIT);
    window_init(pages, 0x1000, (const u64[WINDOW_PARTS]){sizeof(struct statistics)}, 1);
    statistics = fake_vcpu.stats;
    fake_vcpu.presence = RUNS;
}

bool fake_dispatch(void)
{
    if (setjmp(stop))
        return false;
    bool observed = fake_vcpu.chores, recorded = fake_vcpu.chores & CHORE_RECORD;
    if (recorded) /* as entry.asm does */
        fake_vcpu.seen = fake_see(&fake_vcpu, fake_vcpu.controls.entry);
    dispatch_exit(&fake_vcpu);
    if (recorded)
        fake_record(&fake_vcpu, 0);
    if (observed)
        observe_exit(&fake_vcpu);
    return true;
}
