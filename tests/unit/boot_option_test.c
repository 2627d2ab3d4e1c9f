/* UEFI's boot options: from a number to a loaded image, with a firmware of two disks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "efi/boot.h"
#include "efi/services.h"
#include "host/paging.h"

#define PCI 0x02, 0x01, 0x0C, 0, 0xD0, 0x41, 0x03, 0x0A, 0, 0, 0, 0
#define DISK(n) 0x03, 0x12, 0x0A, 0, n, 0, 0xFF, 0xFF, 0, 0
#define END 0x7F, 0xFF, 4, 0
#define SIXTEEN(n) n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n
#define PARTITION(n) 0x04, 0x01, 42, 0, 1, 0, 0, 0, SIXTEEN(0), SIXTEEN(n), 2, 2
#define FILE_NODE 0x04, 0x04, 8, 0, 'a', 0, 0, 0
#define DEFAULT_FILE "\4\4\x30\0" DEFAULT_NAME "\0\0"
#define DEFAULT_NAME "\\\0E\0F\0I\0\\\0B\0O\0O\0T\0\\\0B\0O\0O\0T\0X\0006\0004\0.\0E\0F\0I\0"
#define HEAD(length) 1, 0, 0, 0, length, 0, 'd', 0, 0, 0

static const u8 order[] = {3, 0, 0x1A, 0, 5, 0, 6, 0, 7, 0, 8, 0};
static const u8 whole[] = {HEAD(34), PCI, DISK(1), FILE_NODE, END, 'd', 'a', 't', 'a'};
static const u8 of_partition[] = {HEAD(54), PARTITION(2), FILE_NODE, END};
static const u8 partition_alone[] = {HEAD(46), PARTITION(1), END};
static const u8 of_device[] = {HEAD(26), PCI, DISK(1), END};
static const u8 endless[] = {HEAD(26), PCI, 0x03, 0x12, 0, 0};
static const struct {
    const char *name;
    const u8 *bytes;
    u64 size;
} variables[] = {
    {"BootOrder", order, sizeof(order)},
    {"Boot0003", whole, sizeof(whole)},
    {"Boot001A", of_partition, sizeof(of_partition)},
    {"Boot0005", partition_alone, sizeof(partition_alone)},
    {"Boot0006", of_device, sizeof(of_device)},
    {"Boot0007", endless, sizeof(endless)},
};

static const u8 disk_1[] = {PCI, DISK(0), PARTITION(1), END};
static const u8 disk_2[] = {PCI, DISK(1), PARTITION(2), END};
static const u8 *const file_systems[] = {disk_1, disk_2};

static u64 handles[] = {1, 2};
static u8 can_load[256]; /* the only path that can be */
static u64 can_load_size, loads, order_size, image;

void *physical(u64 address)
{
    return (void *)address;
}

u64 own_physical(const void *pointer)
{
    return (u64)pointer;
}

u64 efi_function[] = {[EFI_LOAD_IMAGE] = EFI_LOAD_IMAGE,
                      [EFI_LOCATE_HANDLE_BUFFER] = EFI_LOCATE_HANDLE_BUFFER,
                      [EFI_HANDLE_PROTOCOL] = EFI_HANDLE_PROTOCOL};

struct efi_state efi_state = {.image = 77};

static u64 get_variable(const u64 *arguments)
{
    const u16 *asked = physical(arguments[0]);
    u64 *size = physical(arguments[3]);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *name = variables[i].name;
        size_t at = 0;
        while (name[at] && asked[at] == name[at])
            at++;
        if (name[at] || asked[at])
            continue;
        u64 bytes = i ? variables[i].size : order_size;
        assert_true(*size >= bytes);
        memcpy(physical(arguments[4]), variables[i].bytes, bytes);
        *size = bytes;
        return EFI_SUCCESS;
    }
    return EFI_NOT_FOUND;
}

static u64 load_image(const u64 *arguments)
{
    loads++;
    assert_int_equal(arguments[1], 77);
    if (!can_load_size || memcmp(physical(arguments[2]), can_load, can_load_size) != 0)
        return EFI_NOT_FOUND;
    *(u64 *)physical(arguments[5]) = 99;
    return EFI_SUCCESS;
}

u64 efi_call(u64 address, const u64 arguments[8])
{
    switch (address) {
    case 0: return get_variable(arguments);
    case EFI_LOAD_IMAGE: return load_image(arguments);
    case EFI_LOCATE_HANDLE_BUFFER:
        *(u64 *)physical(arguments[3]) = 2;
        *(u64 *)physical(arguments[4]) = (u64)handles;
        return EFI_SUCCESS;
    case EFI_HANDLE_PROTOCOL:
        *(u64 *)physical(arguments[2]) = (u64)file_systems[arguments[0] - 1];
        return EFI_SUCCESS;
    default: fail(); return EFI_NOT_FOUND;
    }
}

static const char *option(u32 number, const void *loadable, u64 size)
{
    order_size = sizeof(order);
    loads = image = 0;
    memcpy(can_load, loadable, size);
    can_load_size = size;
    return efi_load_option(number, &image);
}

static void a_whole_path_is_taken_as_it_is(void **state)
{
    (void)state;
    static const u8 path[] = {PCI, DISK(1), FILE_NODE, END};
    assert_null(option(0, path, sizeof(path)));
    assert_int_equal(image, 99);
    assert_int_equal(loads, 1);
}

static void a_partition_is_looked_up(void **state)
{
    (void)state;
    static const u8 path[] = {PCI, DISK(1), PARTITION(2), FILE_NODE, END};
    assert_null(option(1, path, sizeof(path)));
    assert_int_equal(image, 99);
}

static void the_default_file_is_added(void **state)
{
    (void)state;
    static const u8 first[] = {PCI, DISK(0), PARTITION(1)}, second[] = {PCI, DISK(1), PARTITION(2)};
    static const u8 end[] = {END};
    u8 path[256];
    memcpy(path, first, sizeof(first));
    memcpy(path + sizeof(first), DEFAULT_FILE, 48);
    memcpy(path + sizeof(first) + 48, end, sizeof(end));
    assert_null(option(2, path, sizeof(first) + 48 + sizeof(end)));
    assert_int_equal(image, 99);
    memcpy(path, second, sizeof(second));
    assert_null(option(3, path, sizeof(first) + 48 + sizeof(end)));
    assert_int_equal(image, 99);
}

static void what_is_not_there_is_told(void **state)
{
    (void)state;
    assert_string_equal(option(6, "", 0),
                        "boot=disk:6: UEFI's boot order has 6 entries, counted from 0");
    assert_string_equal(option(1, "", 0),
                        "boot=disk:1: UEFI cannot load what its Boot001a names (status 14)");
    assert_int_equal(image, 0);
    assert_int_equal(loads, 2); /* as it is, and on the one file system that it can be */
}

static void a_broken_option_is_not_loaded(void **state)
{
    (void)state;
    assert_string_equal(option(4, "", 0),
                        "boot=disk:4: UEFI cannot load what its Boot0007 names (status 14)");
    assert_int_equal(loads, 0);
    assert_string_equal(option(5, "", 0),
                        "boot=disk:5: UEFI cannot load what its Boot0008 names (status 14)");
    assert_int_equal(loads, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_path_is_taken_as_it_is),
        cmocka_unit_test(a_partition_is_looked_up),
        cmocka_unit_test(the_default_file_is_added),
        cmocka_unit_test(what_is_not_there_is_told),
        cmocka_unit_test(a_broken_option_is_not_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
