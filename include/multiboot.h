/* Multiboot 1 and 2: what the boot loader hands over, in the specifications' names. */
#ifndef TALLY_MULTIBOOT_H
#define TALLY_MULTIBOOT_H

#include "types.h"

#define MULTIBOOT_HEADER_MAGIC 0x1BADB002u
#define MULTIBOOT_BOOTLOADER_MAGIC 0x2BADB002u
#define MULTIBOOT_SEARCH 8192 /* the header lies within the image's first 8 KiB */

enum multiboot_header_flags {
    MULTIBOOT_PAGE_ALIGN = 1 << 0,
    MULTIBOOT_MEMORY_INFO = 1 << 1,
    MULTIBOOT_VIDEO_MODE = 1 << 2,
    MULTIBOOT_AOUT_KLUDGE = 1 << 16,
};

struct multiboot_addresses {
    u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

struct multiboot_header {
    u32 magic, flags, checksum;
    struct multiboot_addresses addresses; /* with AOUT_KLUDGE */
    u32 mode_type, width, height, depth;  /* with VIDEO_MODE */
};

enum multiboot_info_flags {
    MULTIBOOT_INFO_MEMORY = 1 << 0,
    MULTIBOOT_INFO_BOOTDEV = 1 << 1,
    MULTIBOOT_INFO_CMDLINE = 1 << 2,
    MULTIBOOT_INFO_MODS = 1 << 3,
    MULTIBOOT_INFO_ELF_SHDR = 1 << 5,
    MULTIBOOT_INFO_MEM_MAP = 1 << 6,
    MULTIBOOT_INFO_BOOT_LOADER_NAME = 1 << 9,
    MULTIBOOT_INFO_APM_TABLE = 1 << 10,
    MULTIBOOT_INFO_VBE_INFO = 1 << 11,
    MULTIBOOT_INFO_FRAMEBUFFER = 1 << 12,
};

struct multiboot_info {
    u32 flags;
    u32 mem_lower, mem_upper; /* KiB */
    u32 boot_device;          /* BIOS drive, slice, partition, FFH, from the highest byte down */
    u32 cmdline;
    u32 mods_count, mods_addr;
    u32 elf_num, elf_size, elf_addr, elf_shndx;
    u32 mmap_length, mmap_addr;
    u32 drives_length, drives_addr;
    u32 config_table;
    u32 boot_loader_name;
    u32 apm_table;
    u32 vbe_control_info, vbe_mode_info;
    u16 vbe_mode, vbe_interface_seg, vbe_interface_off, vbe_interface_len;
    u64 framebuffer_addr;
    u32 framebuffer_pitch, framebuffer_width, framebuffer_height;
    u8 framebuffer_bpp, framebuffer_type;
    u16 reserved; /* the specification's table has none, its header file and GRUB do */
    u8 color_info[6];
} __attribute__((packed));
_Static_assert(offsetof(struct multiboot_info, color_info) == 112, "multiboot 1 information");

struct multiboot_module {
    u32 mod_start, mod_end; /* physical, end exclusive */
    u32 cmdline, reserved;
};

struct multiboot_mmap_entry {
    u32 size; /* of what follows */
    u64 addr, len;
    u32 type; /* enum memory_type, as in E820 */
} __attribute__((packed));

#define MULTIBOOT2_HEADER_MAGIC 0xE85250D6u
#define MULTIBOOT2_BOOTLOADER_MAGIC 0x36D76289u
#define MULTIBOOT2_SEARCH 32768

struct multiboot2_header { /* tags follow, on 8-byte boundaries */
    u32 magic, architecture, header_length, checksum;
};

struct multiboot2_header_tag {
    u16 type, flags;
    u32 size;
};
#define MULTIBOOT2_HEADER_TAG_OPTIONAL 1

/* In the console flags tag */
#define MULTIBOOT2_CONSOLE_REQUIRED 1
#define MULTIBOOT2_CONSOLE_TEXT_SUPPORTED 2

enum multiboot2_header_tag_type {
    MULTIBOOT2_HEADER_TAG_END = 0,
    MULTIBOOT2_HEADER_TAG_INFORMATION_REQUEST = 1,
    MULTIBOOT2_HEADER_TAG_ADDRESS = 2,
    MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS = 3,
    MULTIBOOT2_HEADER_TAG_CONSOLE_FLAGS = 4,
    MULTIBOOT2_HEADER_TAG_FRAMEBUFFER = 5,
    MULTIBOOT2_HEADER_TAG_EFI_BOOT_SERVICES = 7,
    MULTIBOOT2_HEADER_TAG_RELOCATABLE = 10,
};

enum multiboot2_tag_type {
    MULTIBOOT2_TAG_END = 0,
    MULTIBOOT2_TAG_CMDLINE = 1,
    MULTIBOOT2_TAG_BOOT_LOADER_NAME = 2,
    MULTIBOOT2_TAG_MODULE = 3,
    MULTIBOOT2_TAG_BASIC_MEMINFO = 4,
    MULTIBOOT2_TAG_BOOTDEV = 5,
    MULTIBOOT2_TAG_MMAP = 6,
    MULTIBOOT2_TAG_VBE = 7,
    MULTIBOOT2_TAG_FRAMEBUFFER = 8,
    MULTIBOOT2_TAG_ELF_SECTIONS = 9,
    MULTIBOOT2_TAG_APM = 10,
    MULTIBOOT2_TAG_EFI32 = 11,
    MULTIBOOT2_TAG_EFI64 = 12,
    MULTIBOOT2_TAG_SMBIOS = 13,
    MULTIBOOT2_TAG_ACPI_OLD = 14,
    MULTIBOOT2_TAG_ACPI_NEW = 15,
    MULTIBOOT2_TAG_NETWORK = 16,
    MULTIBOOT2_TAG_EFI_MMAP = 17,
    MULTIBOOT2_TAG_EFI_BS = 18,
    MULTIBOOT2_TAG_EFI32_IH = 19,
    MULTIBOOT2_TAG_EFI64_IH = 20,
    MULTIBOOT2_TAG_LOAD_BASE_ADDR = 21,
    MULTIBOOT2_TAG_TYPES
};

struct multiboot2_info {
    u32 total_size, reserved;
};

struct multiboot2_tag { /* tags start on 8-byte boundaries */
    u32 type, size;
};

struct multiboot2_module {
    struct multiboot2_tag tag;
    u32 mod_start, mod_end;
    char cmdline[];
};

struct multiboot2_mmap {
    struct multiboot2_tag tag;
    u32 entry_size, entry_version;
};

struct multiboot2_mmap_entry {
    u64 addr, len;
    u32 type, zero;
};

struct multiboot2_bootdev {
    struct multiboot2_tag tag;
    u32 biosdev, slice, part; /* ~0: none */
};

struct multiboot2_vbe {
    struct multiboot2_tag tag;
    u16 mode, interface_seg, interface_off, interface_len;
    u8 control_info[512], mode_info[256];
};
_Static_assert(sizeof(struct multiboot2_vbe) == 784, "multiboot 2 VBE information");

#define MULTIBOOT_APM_SIZE 20 /* of both versions' table */

struct multiboot2_efi_mmap { /* descriptors follow */
    struct multiboot2_tag tag;
    u32 descr_size, descr_vers;
};

#define EFI_RESERVED_MEMORY_TYPE 0
struct efi_memory_descriptor { /* UEFI, "EFI_BOOT_SERVICES.GetMemoryMap()" */
    u32 type, padding;
    u64 start, virtual_start, pages, attribute;
};

struct multiboot2_framebuffer {
    struct multiboot2_tag tag;
    u64 addr;
    u32 pitch, width, height;
    u8 bpp, type;
    u16 reserved;
    u8 color_info[6]; /* type RGB: position and size in bits of red, green, blue */
};
#define FRAMEBUFFER_COMMON 24 /* bytes from addr on before the colours, in both versions */

enum multiboot_framebuffer_type {
    MULTIBOOT_FRAMEBUFFER_INDEXED = 0,
    MULTIBOOT_FRAMEBUFFER_RGB = 1,
    MULTIBOOT_FRAMEBUFFER_EGA_TEXT = 2,
};

/* Types of memory in E820 and multiboot maps. */
enum memory_type {
    MEMORY_RAM = 1,
    MEMORY_RESERVED = 2,
    MEMORY_ACPI_RECLAIMABLE = 3,
    MEMORY_ACPI_NVS = 4,
    MEMORY_BAD = 5,
};

#endif
