/* The Linux/x86 boot protocol's structures, as far as a 32-bit start needs them. */
#ifndef TALLY_LOAD_LINUX_H
#define TALLY_LOAD_LINUX_H

#include "types.h"

#define LINUX_HEADER_OFFSET 0x1F1 /* in the file and in the zero page */
#define LINUX_BOOT_FLAG 0xAA55
#define LINUX_HEADER_MAGIC 0x53726448 /* "HdrS" */
#define LINUX_LOADED_HIGH 1           /* loadflags: a bzImage */
#define LINUX_LOADER_OTHER 0xFF       /* type_of_loader: without a number of its own */
#define LINUX_SECTOR 512

struct linux_header {
    u8 setup_sects;
    u16 root_flags;
    u32 syssize; /* of the protected-mode part, in 16 bytes */
    u16 ram_size, vid_mode, root_dev, boot_flag;
    u8 jump_opcode, jump_distance; /* the header ends so far after offset 0x202 */
    u32 magic;
    u16 version;
    u32 realmode_swtch;
    u16 start_sys_seg, kernel_version;
    u8 type_of_loader, loadflags;
    u16 setup_move_size;
    u32 code32_start, ramdisk_image, ramdisk_size, bootsect_kludge;
    u16 heap_end_ptr;
    u8 ext_loader_ver, ext_loader_type;
    u32 cmd_line_ptr, initrd_addr_max, kernel_alignment;
    u8 relocatable_kernel, min_alignment;
    u16 xloadflags;
    u32 cmdline_size, hardware_subarch;
    u64 hardware_subarch_data;
    u32 payload_offset, payload_length;
    u64 setup_data, pref_address;
    u32 init_size, handover_offset;
} __attribute__((packed));
_Static_assert(sizeof(struct linux_header) == 0x268 - LINUX_HEADER_OFFSET, "Linux setup header");

enum linux_video_type { LINUX_VIDEO_VGA_TEXT = 1, LINUX_VIDEO_VESA = 0x23, LINUX_VIDEO_EFI = 0x70 };

struct linux_screen_info {
    u8 orig_x, orig_y;
    u16 ext_mem_k, orig_video_page;
    u8 orig_video_mode, orig_video_cols, flags, unused2;
    u16 orig_video_ega_bx, unused3;
    u8 orig_video_lines, orig_video_is_vga; /* enum linux_video_type */
    u16 orig_video_points, lfb_width, lfb_height, lfb_depth;
    u32 lfb_base, lfb_size;
    u16 cl_magic, cl_offset, lfb_linelength;
    struct linux_color {
        u8 size, pos;
    } color[4]; /* red, green, blue, reserved */
    u16 vesapm_seg, vesapm_off, pages, vesa_attributes;
    u32 capabilities, ext_lfb_base;
    u8 reserved[2];
} __attribute__((packed));
_Static_assert(sizeof(struct linux_screen_info) == 64, "Linux screen information");

#define LINUX_SCREEN_64BIT_BASE 2 /* capabilities: ext_lfb_base is the upper half */
#define LINUX_E820_MAX 128

/* The 'zero page'. */
struct linux_boot_params {
    struct linux_screen_info screen_info;
    u8 gap1[0x70 - 0x40];
    u64 acpi_rsdp_addr;
    u8 gap2[0x1E0 - 0x78];
    u32 alt_mem_k;
    u8 gap3[0x1E8 - 0x1E4];
    u8 e820_entries;
    u8 gap4[LINUX_HEADER_OFFSET - 0x1E9];
    struct linux_header header;
    u8 gap5[0x2D0 - 0x268];
    struct linux_e820_entry {
        u64 addr, size;
        u32 type;
    } __attribute__((packed)) e820_table[LINUX_E820_MAX];
    u8 gap6[0x1000 - 0xCD0];
} __attribute__((packed));
_Static_assert(sizeof(struct linux_boot_params) == 4096, "Linux zero page");

#define LINUX_SETUP_E820_EXT 1

struct linux_setup_data {
    u64 next;
    u32 type, length; /* of what follows: more e820 entries */
};

#endif
