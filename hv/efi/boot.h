/* The machine's own boot goes on as the guest, by UEFI. */
#ifndef TALLY_EFI_BOOT_H
#define TALLY_EFI_BOOT_H

#include "efi/services.h"
#include "host/found_state.h"

/* First of all: keeps the CPU as the loader left it, and takes what differs from a start by BIOS.
 * `image` is where the loader put Tally's image. */
void efi_boot_keep(u64 image, const struct efi_frame *frame);

/* The guest leaves the loader that started Tally, without success: the firmware's boot manager
 * tries its next option. */
#define EFI_NEXT (~0u)

/*
 * How the guest starts: it goes on with EFI_NEXT, or starts entry `number` of the firmware's boot
 * order. With `marks` the firmware's own events set marks in the time line, for each image that is
 * loaded and for the end of the boot services. Returns NULL, or what is wrong.
 */
const char *efi_boot(u32 number, bool marks, const struct found_state **start);

/* Instead of a guest, once somebody has pressed a key: Tally ends, and the firmware goes on. */
void efi_leave(void);

#endif
