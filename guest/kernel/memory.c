#include "kernel/memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"
#include "x86/registers.h"

#define PAGE_PRESENT BIT(0)
#define PAGE_WRITABLE BIT(1)
#define PAGE_USER BIT(2)
#define PAGE_DIRTY BIT(6)
#define PAGE_LARGE BIT(7)
#define PAGE_4M 0x400000u
#define PAGE_RESERVED BIT(51) /* above every MAXPHYADDR so far */
#define PAGE_NO_EXECUTE BIT(63)
#define PAGE_OPEN (PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER)
#define CPUID_80000001_EDX_NX BIT(20)

u64 pml4[512] __attribute__((aligned(4096))); /* boot.asm fills these two */
u64 page_directories[4 * 512] __attribute__((aligned(4096)));
u32 page_directory_32[1024] __attribute__((aligned(4096)));
static u32 window_table_32[1024] __attribute__((aligned(4096)));
static u64 window_table[512] __attribute__((aligned(4096)));
static u8 frames[WINDOW_PAGES][4096] __attribute__((aligned(4096)));

bool has_no_execute(void)
{
    return cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_NX;
}

/* Pages of 4 MiB, but for those around the window. No bit is reserved there, nor forbids execution.
 */
static void init_32_bit_paging(const u64 *rights)
{
    u32 around = align_down(WINDOW, PAGE_4M), first = (WINDOW - around) / PAGE_SIZE;

    for (u32 i = 0; i < 1024; i++)
        page_directory_32[i] = i * PAGE_4M | PAGE_OPEN | PAGE_LARGE;
    page_directory_32[WINDOW / PAGE_4M] = (u32)(u64)window_table_32 | PAGE_OPEN;
    for (u32 i = 0; i < first; i++)
        window_table_32[i] = (around + i * PAGE_SIZE) | PAGE_OPEN;
    for (u32 i = 0; i < WINDOW_RESERVED; i++)
        window_table_32[first + i] = (u32)(u64)frames[i] | (u32)rights[i];
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
    init_32_bit_paging(rights);
    write_cr3(read_cr3());
}

#define AT_WINDOW (WINDOW - PAGE_2M)

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
    u32 *entry_32 = &window_table_32[WINDOW % PAGE_4M / PAGE_SIZE + page];
    bool written = (window_table[page] | *entry_32) & PAGE_DIRTY;

    window_table[page] &= ~PAGE_DIRTY;
    *entry_32 &= ~(u32)PAGE_DIRTY;
    if (written)
        invlpg(WINDOW_PAGE(page));
    return written;
}
