#include "efi/boot.h"

#include "efi/services.h"
#include "host/paging.h"
#include "lib/print.h"
#include "lib/string.h"

#define PATHS_FROM 6 /* then a text, then the path. UEFI, 'Load Options' */
#define BY_PROTOCOL 2

/* Device paths: nodes of a type, a subtype and a length (UEFI, 'Device Path Nodes'). */
#define NODE_HEADER 4
#define NODE_END 0x7F
#define MEDIA 4
#define MEDIA_PARTITION 1
#define MEDIA_FILE 4
#define PARTITION_NODE 42
#define DEVICE_MAX 512

static const u8 global_variable[16] = {0x61, 0xDF, 0xE4, 0x8B, 0xCA, 0x93, 0xD2, 0x11,
                                       0xAA, 0x0D, 0x00, 0xE0, 0x98, 0x03, 0x2B, 0x8C};
static const u8 file_system[16] = {0x22, 0x5B, 0x4E, 0x96, 0x59, 0x64, 0xD2, 0x11,
                                   0x8E, 0x39, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B};
static const u8 device_path[16] = {0x91, 0x6E, 0x57, 0x09, 0x3F, 0x6D, 0xD2, 0x11,
                                   0x8E, 0x39, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B};
static const u8 end_node[NODE_HEADER] = {NODE_END, 0xFF, NODE_HEADER, 0};
static const struct {
    u8 header[NODE_HEADER];
    u16 name[22];
} default_file = {{MEDIA, MEDIA_FILE, sizeof(default_file), 0}, u"\\EFI\\BOOT\\BOOTX64.EFI"};

static u8 variable[KIB];
static u8 path[DEVICE_MAX + sizeof(variable) + sizeof(default_file) + NODE_HEADER];
static u64 status; /* of the newest attempt to load */

/* Into `variable`: how many bytes, 0 where there is none. */
static u64 read_variable(const u16 *name)
{
    u64 size = sizeof(variable);
    return efi_call(efi_state.get_variable,
                    (const u64[8]){own_physical(name), own_physical(global_variable), 0,
                                   own_physical(&size), own_physical(variable)})
               ? 0
               : size;
}

/* Bytes before a path's end node; 0 where none is within `room`. */
static u64 path_size(const u8 *p, u64 room)
{
    for (u64 at = 0, step; at + NODE_HEADER <= room; at += step) {
        step = p[at + 2] | p[at + 3] << 8;
        if (p[at] == NODE_END)
            return at;
        if (step < NODE_HEADER)
            break;
    }
    return 0;
}

static u64 load(const u8 *from)
{
    u64 image = 0;
    status = EFI_CALL(EFI_LOAD_IMAGE, true, efi_state.image, own_physical(from), 0, 0,
                      own_physical(&image));
    return status ? 0 : image;
}

/* How many bytes of an option's path mean the file system at `device`. */
static u64 same_place(const u8 *option, u64 size, const u8 *device, u64 device_size)
{
    if (option[0] == MEDIA && option[1] == MEDIA_PARTITION)
        return device_size >= PARTITION_NODE && size >= PARTITION_NODE &&
                       !memcmp(option, device + device_size - PARTITION_NODE, PARTITION_NODE)
                   ? PARTITION_NODE
                   : 0;
    return size <= device_size && !memcmp(option, device, size) ? size : 0;
}

static u64 load_from(const u8 *device, const u8 *option, u64 size)
{
    u64 used = path_size(device, DEVICE_MAX), same = same_place(option, size, device, used);
    if (!same)
        return 0;
    memcpy(path, device, used);
    memcpy(path + used, option + same, size - same);
    used += size - same;
    if (same == size) {
        memcpy(path + used, &default_file, sizeof(default_file));
        used += sizeof(default_file);
    }
    memcpy(path + used, end_node, sizeof(end_node));
    return load(path);
}

static u64 load_from_file_systems(const u8 *option, u64 size)
{
    u64 count = 0, handles = 0, device = 0, image = 0;
    if (EFI_CALL(EFI_LOCATE_HANDLE_BUFFER, BY_PROTOCOL, own_physical(file_system), 0,
                 own_physical(&count), own_physical(&handles)))
        return 0;
    for (u64 i = 0; i < count && !image; i++)
        if (!EFI_CALL(EFI_HANDLE_PROTOCOL, ((const u64 *)physical(handles))[i],
                      own_physical(device_path), own_physical(&device)))
            image = load_from(physical(device), option, size);
    return image;
}

const char *efi_load_option(u32 number, u64 *image)
{
    static const char digits[] = "0123456789ABCDEF";
    u16 name[] = {'B', 'o', 'o', 't', 0, 0, 0, 0, 0};
    u16 option;
    u64 entries = read_variable(u"BootOrder") / sizeof(option), at = PATHS_FROM;
    if (number >= entries)
        return what_is_wrong("boot=disk:%u: UEFI's boot order has %lu entries, counted from 0",
                             number, entries);
    memcpy(&option, variable + number * sizeof(option), sizeof(option));
    for (unsigned i = 0; i < 4; i++)
        name[4 + i] = (u8)digits[option >> (12 - 4 * i) & 15];
    u64 size = read_variable(name);
    while (at + 2 < size && (variable[at] || variable[at + 1]))
        at += 2;
    at += 2;
    u64 path_bytes = at < size ? path_size(variable + at, size - at) : 0;
    status = EFI_NOT_FOUND;
    *image = path_bytes ? load(variable + at) : 0;
    if (path_bytes && !*image)
        *image = load_from_file_systems(variable + at, path_bytes);
    return *image ? NULL
                  : what_is_wrong(
                        "boot=disk:%u: UEFI cannot load what its Boot%04x names (status %lu)",
                        number, option, status & ~BIT(63));
}
