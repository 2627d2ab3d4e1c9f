// link: tests/unit/load_machine.c
/* The machine's own boot as the guest: which disk is the next one, and what lies in memory. */
#include "load_machine.h"

#include "load/load.h"

#include <string.h>

#define DISKS 0x475
#define VECTOR_15 0x54
#define STUB 0x7E00

static const char *problem;

/* A PC whose BIOS knows so many disks, with Tally from this drive. */
static void from(u8 drive, u8 disks, u32 disk)
{
    static struct multiboot2_bootdev told_drive;
    static const u32 bios = 0xF000F859;
    machine(64);
    memcpy(physical(DISKS), &disks, 1);
    memcpy(physical(VECTOR_15), &bios, 4);
    told_drive = (struct multiboot2_bootdev){.biosdev = drive};
    info.tag[MULTIBOOT2_TAG_BOOTDEV] = drive ? &told_drive.tag : NULL;
    start = (struct guest_start){0};
    problem = load_disk(&info, &map, disk, &start);
}

static void starts(u8 drive)
{
    assert_null(problem);
    assert_true(start.real_mode);
    assert_int_equal(start.entry, STUB);
    assert_int_equal(start.edx, drive);
    assert_int_equal(*(const u8 *)physical(STUB), 0xFB);
}

static void the_next_disk_is_not_tallys(void **state)
{
    (void)state;
    from(0xE0, 1, NEXT_DISK);
    starts(0x80);
    from(0x80, 2, NEXT_DISK);
    starts(0x81);
    from(0x81, 2, NEXT_DISK);
    starts(0x80);
    from(0, 1, NEXT_DISK);
    starts(0x80);
    from(0x80, 1, NEXT_DISK);
    assert_non_null(strstr(problem, "no disk but the one that Tally came from"));
}

static void a_disk_is_named(void **state)
{
    (void)state;
    from(0x80, 1, 0);
    starts(0x80);
    from(0xE0, 3, 2);
    starts(0x82);
    from(0xE0, 3, 3);
    assert_string_equal(problem, "boot=: there is no disk 3; the BIOS knows 3, counted from 0");
    from(0xE0, 0, NEXT_DISK);
    assert_string_equal(problem, "boot=: there is no disk 0; the BIOS knows 0, counted from 0");
}

static void the_bios_tells_of_the_guests_memory(void **state)
{
    (void)state;
    u32 vector;
    from(0xE0, 1, NEXT_DISK);
    memcpy(&vector, physical(VECTOR_15), 4);
    assert_int_equal(vector & 0xFFFF, 0);
    assert_false(memory_map_has_ram(&map, (vector >> 16) * 16, PAGE_SIZE));
}

static void without_a_bios_nothing_goes_on(void **state)
{
    (void)state;
    from(0xE0, 1, NEXT_DISK);
    info.efi = true;
    assert_non_null(strstr(load_disk(&info, &map, 0, &start), "boot services"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_disk_is_not_tallys),
        cmocka_unit_test(a_disk_is_named),
        cmocka_unit_test(the_bios_tells_of_the_guests_memory),
        cmocka_unit_test(without_a_bios_nothing_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
