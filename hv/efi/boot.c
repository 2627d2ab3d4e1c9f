#include "efi/boot.h"

#include "host/paging.h"
#include "x86/msr.h"

static struct found_state found;

void efi_boot_keep(u64 image, const struct efi_frame *frame)
{
    image_is_at(image);
    found_state_take(&found);
    found.cr3 = frame->cr3;
    found.rflags = frame->rflags;
    found.rsp = (u64)frame->stack;
    efi_keep_state(image, frame);
    write_cr0(read_cr0() | CR0_WP);
    wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_NXE);
}

/* UEFI, 'EFI_BOOT_SERVICES.Exit()' and 'Boot Manager'. */
const struct found_state *efi_boot_next(void)
{
    found.rip = efi_code(efi_go_on);
    found.gpr[RAX] = efi_function(EFI_EXIT);
    found.gpr[RCX] = efi_image();
    found.gpr[RDX] = EFI_NOT_FOUND;
    found.gpr[R8] = found.gpr[R9] = 0; /* no data beside the status */
    return &found;
}
