/* One of the firmware's own boot options, loaded as its boot manager would. */
#ifndef TALLY_EFI_BOOT_OPTION_H
#define TALLY_EFI_BOOT_OPTION_H

#include "types.h"

/*
 * Loads what entry `number` of the variable BootOrder names, counted from 0, and puts the loaded
 * image's handle into *image. A path that begins with a partition is looked up among the machine's
 * file systems, one that ends at a device gets \EFI\BOOT\BOOTX64.EFI (UEFI, 'Boot Manager'); the
 * option's own data for the loader is not handed on. Returns NULL, or what is wrong.
 */
const char *efi_load_option(u32 number, u64 *image);

#endif
