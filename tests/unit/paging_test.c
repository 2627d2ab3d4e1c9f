/* The screen in the boot's tables and in Tally's own, walked as the CPU would. */
#include "host/paging.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "arena.h"
#include "host/frames.h"
#include "x86/instructions.h"
#include "x86/msr.h"
#include "x86/registers.h"

#define BOOT_PML4 0x5000ull
#define BOOT_PDPT 0x6000ull
#define BASE (8 * MIB) /* where Tally moves to */
#define SIZE (4 * MIB)
#define SCREEN 0x480123000ull
#define SCREEN_SIZE (5 * MIB)
#define RIGHTS                                                                                     \
    (BIT(0) | BIT(1) | BIT(4) | BIT(7) | BIT(63)) /* present, writable, UC-, large, NX             \
                                                   */

char image_start[3 * PAGE_SIZE];
__asm__(".globl rodata_start, data_start, image_end\n"
        ".set rodata_start, image_start + 4096\n"
        ".set data_start, image_start + 8192\n"
        ".set image_end, image_start + 12288\n");

static u64 moved_root, region = IMAGE_PHYSICAL;

void *physical(u64 address)
{
    assert_true(address < ARENA_SIZE);
    return arena + address;
}

static u64 efer = EFER_NXE;

u64 rdmsr(u32 msr)
{
    assert_int_equal(msr, IA32_EFER);
    return efer;
}

u64 read_cr3(void)
{
    return BOOT_PML4;
}

void invlpg(u64 address)
{
    (void)address;
}

void frames_init(void *base, u64 from, unsigned count)
{
    (void)base;
    (void)count;
    assert_in_range(from, BASE, BASE + SIZE - 1);
}

void *frame_alloc(void)
{
    return NULL;
}

void *frame_pointer(u64 address)
{
    return physical(address);
}

u64 frame_physical(const void *frame)
{
    return (u64)frame;
}

void relocate(void *to, const void *from, size_t size, u64 cr3)
{
    assert_ptr_equal(to, arena + BASE);
    assert_ptr_equal(from, image_start);
    assert_int_equal(size, sizeof(image_start));
    moved_root = cr3;
    region = BASE;
}

/* A table: in the arena, or in the image, which has a physical address, too. */
static const u64 *table_at(u64 address)
{
    return address < ARENA_SIZE ? physical(address)
                                : (const u64 *)(address - region + IMAGE_VIRTUAL);
}

/* The entry for a large page, or the first on the way that is not there. */
static u64 entry(u64 root, u64 virtual)
{
    u64 value = root | 1;
    for (unsigned level = 4; level > 1 && value & 1; level--)
        value = table_at(value & 0x000FFFFFFFFFF000)[virtual >> (12 + 9 * (level - 1)) & 511];
    return value;
}

static void check_screen(u64 root, u64 virtual)
{
    u64 first = align_down(SCREEN, PAGE_2M),
        pages = 4; /* 5 MiB, not from the beginning of a page on */
    assert_int_equal(virtual % PAGE_2M, SCREEN % PAGE_2M);
    virtual -= SCREEN % PAGE_2M;
    for (u64 i = 0; i < pages; i++)
        assert_int_equal(entry(root, virtual + i * PAGE_2M), (first + i * PAGE_2M) | RIGHTS);
    assert_int_equal(entry(root, virtual + pages * PAGE_2M), 0);
}

static void boot_tables(void)
{
    arena_clear();
    arena_ram(PAGE_SIZE, 16 * MIB);
    *(u64 *)(arena + BOOT_PML4 + 511 * 8) = BOOT_PDPT | 3;
}

static void screen_before_and_after_the_move(void **state)
{
    (void)state;
    boot_tables();
    u64 virtual = (u64)map_screen(SCREEN, SCREEN_SIZE);
    check_screen(BOOT_PML4, virtual);
    move_to(BASE, SIZE, 4 * GIB);
    check_screen(moved_root, virtual);
    assert_int_equal(entry(moved_root, DIRECT_MAP + BASE), 0); /* Tally itself is not there */
    assert_int_equal(entry(moved_root, DIRECT_MAP + BASE + PAGE_2M), 0);
    assert_int_equal(entry(moved_root, DIRECT_MAP + BASE - PAGE_2M) & BIT(0), 1);
}

/* Before the move: that it is off has to be said somewhere. */
static void without_execute_disable_its_bit_is_reserved(void **state)
{
    (void)state;
    boot_tables();
    efer = 0;
    u64 virtual = (u64)map_screen(SCREEN, SCREEN_SIZE);
    efer = EFER_NXE;
    assert_int_equal(entry(BOOT_PML4, virtual) & RIGHTS, RIGHTS & ~BIT(63));
}

static void too_large(void **state)
{
    (void)state;
    u64 end = BIT(cpuid(0x80000008, 0).eax & 0xFF);
    boot_tables();
    assert_null(map_screen(SCREEN, GIB - SCREEN % PAGE_2M + 1));
    assert_null(map_screen(SCREEN, ~0ull));
    assert_null(map_screen(~0ull - PAGE_SIZE, 2 * PAGE_SIZE));
    assert_null(map_screen(end, PAGE_SIZE));
    assert_null(map_screen(end - PAGE_SIZE, PAGE_SIZE + 1));
    assert_null(map_screen(BIT(63), PAGE_SIZE));
    assert_non_null(map_screen(end - PAGE_SIZE, PAGE_SIZE));
    assert_non_null(map_screen(SCREEN, GIB - SCREEN % PAGE_2M));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(screen_before_and_after_the_move),
        cmocka_unit_test(without_execute_disable_its_bit_is_reserved),
        cmocka_unit_test(too_large),
    };
    return cmocka_run_group_tests_name("paging", tests, NULL, NULL);
}
