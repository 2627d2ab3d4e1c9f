#include "kernel/memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"
#include "x86/registers.h"

#define PAGE_PRESENT BIT(0)
#define PAGE_WRITABLE BIT(1)
#define PAGE_USER BIT(2)
#define PAGE_DIRTY BIT(6)
#define PAGE_RESERVED BIT(51) /* above every MAXPHYADDR so far */
#define PAGE_NO_EXECUTE BIT(63)
#define PAGE_OPEN (PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER)
#define CPUID_80000001_EDX_NX BIT(20)

u64 pml4[512] __attribute__((aligned(4096))); /* boot.asm fills these two */
u64 page_directories[4 * 512] __attribute__((aligned(4096)));
static u64 window_table[512] __attribute__((aligned(4096)));
static u8 frames[WINDOW_PAGES][4096] __attribute__((aligned(4096)));

bool has_no_execute(void)
{
    return cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_NX;
}

void memory_init(void)
{
    u64 rights[WINDOW_PAGES] = {
        [WINDOW_PLAIN] = PAGE_OPEN,
        [WINDOW_MISSING] = 0,
        [WINDOW_READ_ONLY] = PAGE_OPEN & ~PAGE_WRITABLE,
        [WINDOW_SUPERVISOR] = PAGE_OPEN & ~PAGE_USER,
        [WINDOW_NO_EXECUTE] = PAGE_OPEN | (has_no_execute() ? PAGE_NO_EXECUTE : 0),
        [WINDOW_RESERVED] = PAGE_OPEN | PAGE_RESERVED,
    };

    if (has_no_execute())
        wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_NXE);
    for (u32 i = 0; i < WINDOW_PAGES; i++)
        window_table[i] = (u64)frames[i] | rights[i];
    page_directories[WINDOW / PAGE_2M] = (u64)window_table | PAGE_OPEN;
    write_cr3(read_cr3());
}

#define AT_WINDOW (WINDOW - PAGE_2M)
#define PAGE_LARGE BIT(7)

static u64 at_window_shows = AT_WINDOW;

static void show(u64 base)
{
    if (base == at_window_shows)
        return;
    page_directories[AT_WINDOW / PAGE_2M] = base | PAGE_OPEN | PAGE_LARGE;
    invlpg(AT_WINDOW);
    at_window_shows = base;
}

void *memory_at(u64 physical)
{
    show(align_down(physical, PAGE_2M));
    return (void *)(AT_WINDOW + physical % PAGE_2M);
}

void memory_at_end(void)
{
    show(AT_WINDOW);
}

/* Reads the plain page, maps another frame there, flushes, and reads that; then all over again. */
bool window_follows_its_entry(void (*flush)(void))
{
    volatile u8 *page = (volatile u8 *)(u64)WINDOW_PAGE(WINDOW_PLAIN);
    bool follows = true;

    for (u32 i = 0; i < 4; i++) {
        u32 frame = i % 2 ? WINDOW_PLAIN : WINDOW_MISSING;

        frames[frame][0] = (u8)(0x30 + i);
        (void)page[0];
        window_table[WINDOW_PLAIN] = (u64)frames[frame] | PAGE_OPEN;
        flush();
        follows &= page[0] == 0x30 + i;
    }
    return follows;
}

void *window_frame(enum window_page page)
{
    return frames[page];
}

bool window_written(enum window_page page)
{
    bool written = window_table[page] & PAGE_DIRTY;

    window_table[page] &= ~PAGE_DIRTY;
    if (written)
        invlpg(WINDOW_PAGE(page));
    return written;
}
