/*
 * UEFI whose boot services go on. They are called in the firmware's own state (descriptor tables,
 * stack, interrupts on), in page tables that are its own but for where Tally is linked.
 */
#ifndef TALLY_EFI_SERVICES_H
#define TALLY_EFI_SERVICES_H

#include "platform/boot_info.h"
#include "x86/instructions.h"

/* What boot/start.asm pushes on the firmware's stack. */
struct efi_frame {
    u64 cr3, rflags;
    u8 stack[]; /* as it was found */
};

/* What the firmware wants in the CPU while it is called, for the assembly; and of its own. */
extern struct efi_state {
    u64 cr3, rsp;
    struct descriptor_table_register gdtr, idtr;
    u16 cs, ss, ds;
    u64 image;        /* the handle of the loader that started Tally */
    u64 get_variable; /* the address of GetVariable() */
    u64 key;          /* the event that a key of its console signals, 0 without a console */
} efi_state;

/* The boot services, as their table has them (UEFI, 'EFI Boot Services Table'): addresses. */
extern u64 efi_function[48];
enum efi_function {
    EFI_ALLOCATE_PAGES = 5,
    EFI_FREE_PAGES = 6,
    EFI_GET_MEMORY_MAP = 7,
    EFI_CREATE_EVENT = 10,
    EFI_WAIT_FOR_EVENT = 12,
    EFI_HANDLE_PROTOCOL = 19,
    EFI_REGISTER_PROTOCOL_NOTIFY = 21,
    EFI_LOAD_IMAGE = 25,
    EFI_START_IMAGE = 26,
    EFI_EXIT = 27,
    EFI_EXIT_BOOT_SERVICES = 29,
    EFI_LOCATE_HANDLE_BUFFER = 39,
    EFI_LOCATE_PROTOCOL = 40,
};

#define EFI_SUCCESS 0
#define EFI_ERROR(number) (BIT(63) | (number))
#define EFI_NOT_FOUND EFI_ERROR(14)

/* Before Tally's own descriptor tables are loaded: keeps what a call needs, and where the loader
 * put the image. */
void efi_keep_state(u64 image, const struct efi_frame *frame);

/* Where code is that firmware or guest run: in the image as the loader placed it. */
u64 efi_code(void (*code)(void));

/* Before the move: where the tables are that the loader's tags name, and the memory map, into
 * info->map. NULL, or what is wrong. */
const char *efi_init(struct boot_info *info);

/* Calls a function with up to 8 arguments, on the boot CPU; pointers are physical addresses.
 * Returns EFI_STATUS. */
u64 efi_call(u64 address, const u64 arguments[8]);
#define EFI_CALL(function, ...) efi_call(efi_function[function], (const u64[8]){__VA_ARGS__})

/* Memory below 4 GiB that is the caller's for good: reserved in the map of whoever comes later.
 * Both are multiples of 4 KiB. 0: there is none. */
u64 efi_allocate(u64 size, u64 align);

/* Ends the boot services; info->map, and the tag with the firmware's map, are the last ones. */
const char *efi_end(struct boot_info *info);

#endif
