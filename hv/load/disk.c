#include "load/loader.h"

#include "host/paging.h"
#include "lib/print.h"
#include "lib/string.h"

#define STUB 0x7E00
#define LINE_SIZE 128

#define DISKS 0x475      /* in the BIOS data area: how many there are */
#define FIRST_DRIVE 0x80 /* INT 13h's number of disk 0 */

extern const u8 boot_sector_code[], boot_sector_lines[]; /* in boot_sector.asm: begin and end */

/* INT 13h's number of the drive that Tally came from; that of no disk where nobody told. */
static u32 own_drive(const struct boot_info *info)
{
    const struct multiboot2_tag *tag = info->tag[MULTIBOOT2_TAG_BOOTDEV];
    return tag ? ((const struct multiboot2_bootdev *)tag)->biosdev : 0;
}

/* A BIOS puts the drive that it boots first, or leaves it where it is. */
static u32 next_disk(const struct boot_info *info)
{
    return own_drive(info) == FIRST_DRIVE ? 1 : 0;
}

static void write_code(u32 disk)
{
    size_t size = (size_t)(boot_sector_lines - boot_sector_code);
    char *lines = physical(STUB + size);
    memcpy(physical(STUB), boot_sector_code, size);
    format_string(lines, LINE_SIZE, "\r\ntally: error: disk %u: the BIOS cannot read it\r\n", disk);
    format_string(
        lines + LINE_SIZE, LINE_SIZE,
        "\r\ntally: error: disk %u has no boot sector (no signature AA55): nothing to boot "
        "by BIOS is on it\r\n",
        disk);
}

const char *load_disk(const struct boot_info *info, struct memory_map *guest_map, u32 disk,
                      struct guest_start *start)
{
    u8 disks = *(const u8 *)physical(DISKS);
    if (info->efi)
        return "boot=: the boot loader has ended the firmware's boot services, and nothing can go "
               "on";
    if (disk == NEXT_DISK && next_disk(info) >= disks && disks)
        return "boot=next: the BIOS knows no disk but the one that Tally came from; boot=disk:0 "
               "boots that one";
    if (disk == NEXT_DISK)
        disk = next_disk(info);
    if (disk >= disks)
        return what_is_wrong("boot=: there is no disk %u; the BIOS knows %u, counted from 0", disk,
                             disks);
    u64 page = bios_memory_reserve(info, guest_map, NULL, 0);
    if (!page)
        return "boot=: no room below 640 KiB for what the BIOS is to say about memory";
    write_code(disk);
    bios_memory_hook(page, guest_map);
    *start = (struct guest_start){.real_mode = true, .entry = STUB, .edx = FIRST_DRIVE + disk};
    return NULL;
}
