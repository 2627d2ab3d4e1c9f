/* A machine to load guests into, in which only RAM can be touched, and files of every kind. What a
 * guest is told is read back by Tally's own reader. */
#ifndef TALLY_TESTS_LOAD_MACHINE_H
#define TALLY_TESTS_LOAD_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/print.h"
#include "load/load.h"
#include "host/paging.h"

#define TALLY_SIZE (2 * MIB)
#define FILE_MAX 0x8000
#define KINDS 4

extern struct boot_info info; /* what Tally is told */
extern struct boot_info told; /* what the guest is told: check_told() reads it */
extern struct memory_map map; /* the guest's */
extern struct guest_start start;
extern char error[160];
extern char said[512];    /* what was said while it loaded */
extern u64 tally;         /* where it is */
extern u8 file[FILE_MAX]; /* of the kernel */
extern u64 file_size;

/* A PC with `megabytes` of RAM, Tally at its top. */
void machine(u64 megabytes);
void add_module(u64 address, const void *contents, u64 size, const char *command_line);
void add_kernel(u64 address, const char *command_line); /* the file */
bool load(void);

/* The file: a pattern, then what is put there. */
void new_file(u64 size);
void put32(u64 offset, u32 value);
void put16(u64 offset, u16 value);
void put_header(u64 offset, u32 flags);
void make_elf32(void);
void make_elf64(void);
void make_flat(void);
void make_multiboot2(void);
void make_linux(void);

void check_gdt(void);
void check_map(const struct memory_map *seen);
void check_told(void);
void check_module(unsigned i, const u8 *contents, u64 size);

/* The kinds of multiboot kernels. */
struct kind {
    void (*make)(void);
    void (*check)(void);
    u32 magic;
};
extern const struct kind kinds[KINDS];

#endif
