/* The machine's own boot goes on as the guest, by UEFI. */
#ifndef TALLY_EFI_BOOT_H
#define TALLY_EFI_BOOT_H

#include "efi/services.h"
#include "host/cpu.h"
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

/* ---- boot_option.c: a boot option of the firmware's, loaded as its boot manager would ---- */

/*
 * Loads what entry `number` of the variable BootOrder names, counted from 0, and puts the loaded
 * image's handle into *image. A path that begins with a partition is looked up among the machine's
 * file systems, one that ends at a device gets \EFI\BOOT\BOOTX64.EFI (UEFI, 'Boot Manager'); the
 * option's own data for the loader is not handed on. Returns NULL, or what is wrong.
 */
const char *efi_load_option(u32 number, u64 *image);

/*
 * ---- cpus.c: the other CPUs, by UEFI's own MP services (UEFI PI, 'MP Services Protocol'): each
 * comes into Tally in a procedure that the firmware calls, and returns from it as a guest, so that
 * it does not matter how it waits there.
 */

/* Before the move: how many CPUs are on. 0: there are no MP services. */
unsigned efi_cpus(void);

/* Starts those that efi_cpus() told of, `count` with this one: each gets its block and calls
 * `enter`, which enters its guest. NULL, or what is wrong. */
const char *efi_start_cpus(unsigned count,
                           void (*enter)(struct cpu *cpu, const struct found_state *found));

#endif
