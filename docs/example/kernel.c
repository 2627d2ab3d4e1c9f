/*
 * A guest kernel to start from: it prints, sets two marks in Tally's time line, reads Tally's
 * statistics and ends the run. A multiboot loader starts it in 32-bit protected mode, without
 * interrupts and without a stack. docs/measure.md says how it is built and run.
 */
#include "multiboot.h"
#include "tally.h"

#define COM1 0x3F8
#define COM1_STATUS (COM1 + 5)
#define READY_TO_SEND 0x20
#define ALL_SENT 0x40

char stack[16384];

/* The multiboot header: in the first 8 KiB of the file. EBX points to what the loader tells. */
__asm__(".text\n"
        "        .balign 4\n"
        "        .long 0x1BADB002, 0, -0x1BADB002\n"
        "        .globl _start\n"
        "_start: mov $stack + 16384, %esp\n"
        "        push %ebx\n"
        "        push %eax\n"
        "        call kernel\n");

static u8 inb(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void outb(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

/* 115200 baud, 8 bits, no parity, 1 stop bit. */
static void console_init(void)
{
    outb(COM1 + 3, 0x80);
    outb(COM1, 1);
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 3);
}

static void print(const char *text)
{
    for (; *text; text++) {
        while (!(inb(COM1_STATUS) & READY_TO_SEND))
            ;
        outb(COM1, (u8)*text);
    }
}

static void print_number(u32 value)
{
    char digits[11], *first = digits + sizeof(digits) - 1;
    *first = '\0';
    do {
        *--first = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    print(first);
}

struct registers {
    u32 eax, ebx, ecx, edx;
};

static struct registers cpuid(u32 leaf, u32 subleaf)
{
    struct registers r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

/* A mark in the time line (OPTIONS="sample=MS"), four letters of its name a register. */
static void mark(const char name[16])
{
    const u32 *part = (const u32 *)name;
    u32 eax = LEAF_MARK, ebx = part[0], ecx = part[1], edx = part[2];
    __asm__ volatile("cpuid" : "+a"(eax), "+b"(ebx), "+c"(ecx), "+d"(edx) : "S"(part[3]));
}

static const char *const names[] = {
#define EXIT_REASON(number, name, kind, delivery, handler) [number] = #name,
#include "exit_reasons.def"
};

static void print_exits(void)
{
    for (u32 reason = 0; reason < EXIT_REASONS; reason++) {
        u32 exits = cpuid(LEAF_REASON_EXITS, reason).eax;
        if (!exits)
            continue;
        print(names[reason]);
        print(": ");
        print_number(exits);
        print(" exits\r\n");
    }
}

/* A 32-bit OUT is the verdict; a machine that is no emulator stands still. */
static _Noreturn void end_run(enum exit_verdict verdict)
{
    while (!(inb(COM1_STATUS) & ALL_SENT))
        ;
    __asm__ volatile("outl %0, %1" : : "a"(verdict), "Nd"((u16)EXIT_PORT));
    for (const char *s = "Shutdown"; *s; s++)
        outb(SHUTDOWN_PORT, (u8)*s);
    for (;;)
        __asm__ volatile("cli; hlt");
}

void kernel(u32 magic, const struct multiboot_info *information)
{
    static const char begin[16] = "begin", end[16] = "end";
    bool told = magic == MULTIBOOT_BOOTLOADER_MAGIC && information->flags & MULTIBOOT_INFO_CMDLINE;
    console_init();
    print("command line: ");
    print(told ? (const char *)information->cmdline : "none");
    print("\r\n");
    mark(begin);
    for (u32 i = 0; i < 1000; i++) /* the work to be measured: here, nothing but exits */
        cpuid(0, 0);
    mark(end);
    if (cpuid(LEAF_REASON_EXITS, 35).edx == TALLY_UNDEFINED_REASON)
        print_exits();
    else
        print("not under Tally\r\n");
    end_run(VERDICT_PASSED);
}
