#include "host/traps.h"
#include "host/cpu.h"
#include "lib/print.h"
#include "x86/instructions.h"
#include "x86/msr.h"
#include "x86/registers.h"

struct gate {
    u16 offset_low, selector;
    u8 ist, type;
    u16 offset_middle;
    u32 offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "64-bit interrupt gate");

#define INTERRUPT_GATE 0x8E
#define TRAP_STUBS 33 /* one for each exception vector, one for all others */

/* All 256: after a VM exit the IDT's limit is 0xFFFF, whatever LIDT said. */
static struct gate trap_idt[256], interrupt_idt[256];
const struct descriptor_table_register trap_idtr = {sizeof(trap_idt) - 1, (u64)trap_idt};
const struct descriptor_table_register interrupt_idtr = {sizeof(interrupt_idt) - 1,
                                                         (u64)interrupt_idt};

extern char trap_stubs[], trap_stubs_end[], nmi_gate[], interrupt_stubs[], interrupt_stubs_end[];
#define STUB_GROUPS 8 /* of the 256 interrupts */
#define STUB_SIZE 4

/* Made by the FIXUP macro of lib/safe.asm: an instruction that may fault, where to go then. */
struct fixup {
    u64 rip, target;
};
extern const struct fixup fixup_table[], fixup_table_end[];

static void set_gate(struct gate *idt, unsigned vector, u64 handler, unsigned ist)
{
    idt[vector] = (struct gate){
        .offset_low = (u16)handler,
        .selector = HOST_CODE,
        .ist = (u8)(ist + 1),
        .type = INTERRUPT_GATE,
        .offset_middle = (u16)(handler >> 16),
        .offset_high = (u32)(handler >> 32),
    };
}

void traps_init(void)
{
    u64 stub_size = (u64)(trap_stubs_end - trap_stubs) / TRAP_STUBS;
    u64 group_size = (u64)(interrupt_stubs_end - interrupt_stubs) / STUB_GROUPS;
    for (unsigned vector = 0; vector < 256; vector++) {
        unsigned stub = vector < TRAP_STUBS ? vector : TRAP_STUBS - 1;
        set_gate(trap_idt, vector, (u64)trap_stubs + stub * stub_size, IST_TRAP);
        u64 group = vector * STUB_GROUPS / 256, in_group = vector % (256 / STUB_GROUPS);
        set_gate(interrupt_idt, vector,
                 (u64)interrupt_stubs + group * group_size + in_group * STUB_SIZE, IST_TRAP);
    }
    set_gate(trap_idt, VECTOR_NMI, (u64)nmi_gate, IST_NMI);
    set_gate(interrupt_idt, VECTOR_NMI, (u64)nmi_gate, IST_NMI);
}

static void print_frame(const struct trap_frame *f)
{
    static const char names[GPRS][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    say("  rip %016lx  rflags %08lx  cs %04lx  ss %04lx", f->rip, f->rflags, f->cs, f->ss);
    say("  cr0 %08lx  cr2 %016lx  cr3 %08lx  cr4 %08lx", read_cr0(), read_cr2(), read_cr3(),
        read_cr4());
    for (unsigned i = 0; i < GPRS; i += 4)
        say("  %3s %016lx %3s %016lx %3s %016lx %3s %016lx", names[i], f->gpr[i], names[i + 1],
            f->gpr[i + 1], names[i + 2], f->gpr[i + 2], names[i + 3], f->gpr[i + 3]);
}

static bool is_own_text(u64 address)
{
    extern char image_start[], rodata_start[];
    return address >= (u64)image_start && address < (u64)rodata_start;
}

/* Candidates rather than frames: whatever on the stack points into the text. */
static void print_stack(const struct trap_frame *f)
{
    const u64 *stack = (const u64 *)(f->rsp & ~7ull);
    for (unsigned i = 0; i < 64 && ((u64)(stack + i) & (PAGE_SIZE - 1)); i++)
        if (is_own_text(stack[i]))
            say("  stack +%03x: %016lx", i * 8, stack[i]);
}

/* Called by the stubs. Returns where the fix-up table goes on, and for a guest's machine check. */
void handle_trap(struct trap_frame *f);
void handle_trap(struct trap_frame *f)
{
    if (f->vector == VECTOR_MC) {
        if (note_machine_check(f))
            return;
        fatal("a machine check in Tally, IA32_MCG_STATUS %lx: the CPU cannot go on",
              rdmsr(IA32_MCG_STATUS));
    }
    for (const struct fixup *x = fixup_table; x < fixup_table_end; x++) {
        if (x->rip == f->rip) {
            f->rip = x->target;
            return;
        }
    }
    unsigned cpu;
    const char *guard = f->vector == VECTOR_PF ? guard_page_name(read_cr2(), &cpu) : NULL;
    if (guard)
        say("the %s of CPU %u overflowed", guard, cpu);
    print_frame(f);
    if (!guard)
        print_stack(f);
    fatal("unexpected trap %lu, error code %lx, at %016lx: a bug in Tally, please report the lines "
          "above",
          f->vector, f->error_code, f->rip);
}
