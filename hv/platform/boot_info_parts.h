/* What the readers of both versions of multiboot share. All return NULL or what is wrong. */
#ifndef TALLY_PLATFORM_BOOT_INFO_PARTS_H
#define TALLY_PLATFORM_BOOT_INFO_PARTS_H

#include "platform/boot_info.h"

#define MAP_FULL "the memory map has more than 512 ranges"

/* Copies a string of at most `limit` bytes (its NUL may be missing). */
const char *copy_text(struct boot_info *info, const char **to, const char *from, size_t limit);

/* Copies the body of a tag that is handed on. */
const char *copy_tag(struct boot_info *info, u32 type, const void *body, size_t size);

/* `command_line` may be NULL. */
const char *boot_info_add_module(struct boot_info *info, u32 start, u32 end,
                                 const char *command_line, size_t limit);

const char *boot_info_read_1(struct boot_info *info, u64 physical, const void *(*at)(u64));

#endif
