#include "host/paging.h"
#include "lib/string.h"
#include "host/frames.h"
#include "host/tables.h"
#include "x86/instructions.h"
#include "x86/msr.h"
#include "x86/registers.h"

#define PTE_PRESENT BIT(0)
#define PTE_WRITE BIT(1)
#define PTE_UNCACHED BIT(4) /* PCD: with the PAT's value at reset UC-, so WC by an MTRR acts */
#define PTE_NX BIT(63)

extern char image_start[], rodata_start[], data_start[], image_end[];
void relocate(void *to, const void *from, size_t size, u64 cr3);

static u64 moved_by;   /* from where the loader put the image */
static u64 next_table; /* physical, while the tables are being built through the direct map */
u64 own_cr3;

/* The screen's directory, in the image, and where both sets of tables have it. */
#define SCREEN_MAP 0xFFFFFF8000000000ull
static u64 screen_directory[512] __attribute__((aligned(4096)));

void image_is_at(u64 base)
{
    moved_by = base - IMAGE_PHYSICAL;
}

u64 image_size(void)
{
    return (u64)(image_end - image_start);
}

u64 own_physical(const void *pointer)
{
    return (u64)pointer - IMAGE_VIRTUAL + IMAGE_PHYSICAL + moved_by;
}

static u64 new_table(void)
{
    u64 table = next_table;
    next_table += PAGE_SIZE;
    memset(physical(table), 0, PAGE_SIZE);
    return table;
}

/* The entry that maps `address` at `level`, made if need be. */
static u64 *entry_of(u64 address, unsigned level)
{
    for (;;) {
        unsigned at = level;
        u64 *entry = walk_tables(physical(own_cr3), address, &at, physical);
        if (at == level)
            return entry;
        *entry = new_table() | PTE_PRESENT | PTE_WRITE;
    }
}

static void link_screen_directory(void)
{
    *entry_of(SCREEN_MAP, 3) = own_physical(screen_directory) | PTE_PRESENT | PTE_WRITE;
}

void *map_screen(u64 address, u64 size)
{
    u64 from = align_down(address, PAGE_2M), width = cpuid(0x80000008, 0).eax & 0xFF;
    u64 nx = rdmsr(IA32_EFER) & EFER_NXE ? PTE_NX : 0; /* off: what is shown is that */
    if (size > PAGE_1G - (address - from) || (address | (address + size - 1)) >> width)
        return NULL;
    for (u64 at = from; at < address + size; at += PAGE_2M)
        screen_directory[(at - from) / PAGE_2M] =
            at | PTE_PRESENT | PTE_WRITE | PTE_UNCACHED | ENTRY_LARGE | nx;
    own_cr3 = read_cr3(); /* of boot/start.asm */
    link_screen_directory();
    return (void *)(SCREEN_MAP + address - from);
}

static u64 rights_of(u64 virtual)
{
    if (virtual < (u64)rodata_start)
        return PTE_PRESENT;
    if (virtual < (u64)data_start)
        return PTE_PRESENT | PTE_NX;
    return PTE_PRESENT | PTE_WRITE | PTE_NX;
}

static void map_own(u64 base, u64 size)
{
    for (u64 offset = 0; offset < size; offset += PAGE_SIZE) {
        u64 virtual = IMAGE_VIRTUAL + offset;
        *entry_of(virtual, 1) = (base + offset) | rights_of(virtual);
    }
}

static bool has_1g_pages(void)
{
    return cpuid(0x80000001, 0).edx & BIT(26);
}

/* Below 4 GiB there are devices among the RAM, and a page that has more than one memory type is
 * undefined (SDM vol. 3, 'Large Page Size Considerations'). */
static void map_direct(u64 base, u64 size, u64 top)
{
    u64 step;
    for (u64 at = 0; at < top; at += step) {
        bool giant = has_1g_pages() && at >= 4 * GIB;
        step = giant ? PAGE_1G : PAGE_2M;
        if (giant || !ranges_overlap(at, PAGE_2M, base, size))
            *entry_of(DIRECT_MAP + at, giant ? 3 : 2) =
                at | PTE_PRESENT | PTE_WRITE | ENTRY_LARGE | PTE_NX;
    }
}

u64 paging_frames(u64 size, u64 top)
{
    u64 directories = has_1g_pages() ? 4 : top / PAGE_1G + 1;
    return 4 + size / PAGE_2M + 1 + directories + top / (512 * PAGE_1G) + 1;
}

void move_to(u64 base, u64 size, u64 top)
{
    u64 image = align_up(image_size(), PAGE_SIZE);

    next_table = base + image;
    own_cr3 = new_table();
    map_own(base, size);
    map_direct(base, size, top);

    u64 used = next_table - base;
    moved_by = base - IMAGE_PHYSICAL; /* before the copy: the copy is what goes on */
    link_screen_directory();
    relocate(physical(base), image_start, image_size(), own_cr3);
    frames_init((void *)(IMAGE_VIRTUAL + used), base + used, (size - used) / PAGE_SIZE);
}

/* Since the move tables lie in Tally's own memory. */
void make_guard_page(void *page)
{
    unsigned level = 1;
    *walk_tables(frame_pointer(own_cr3), (u64)page, &level, frame_pointer) = 0;
    invlpg((u64)page);
}

u64 tables_with_low_memory(void)
{
    u64 *pml4 = frame_alloc(), *pdpt = frame_alloc(), *pd = frame_alloc();
    memcpy(pml4, frame_pointer(own_cr3), PAGE_SIZE);
    pml4[0] = frame_physical(pdpt) | PTE_PRESENT | PTE_WRITE;
    pdpt[0] = frame_physical(pd) | PTE_PRESENT | PTE_WRITE;
    pd[0] = PTE_PRESENT | PTE_WRITE | ENTRY_LARGE;
    return frame_physical(pml4);
}
