#include "efi/boot.h"

#include "efi/boot_option.h"
#include "host/paging.h"
#include "lib/print.h"
#include "platform/power.h"
#include "x86/msr.h"

void efi_go_on(void);
void efi_go_on_image(void);

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

/* UEFI, 'EFI_BOOT_SERVICES.Exit()', '.StartImage()' and 'Boot Manager'. */
const char *efi_boot(u32 number, const struct found_state **start)
{
    const char *problem = NULL;
    *start = &found;
    found.rip = efi_code(number == EFI_NEXT ? efi_go_on : efi_go_on_image);
    found.gpr[R12] = efi_function(EFI_EXIT);
    found.gpr[R13] = efi_image();
    found.gpr[R14] = EFI_NOT_FOUND;
    found.gpr[R15] = efi_function(EFI_START_IMAGE);
    if (number != EFI_NEXT)
        problem = efi_load_option(number, &found.gpr[RDI]);
    if (problem)
        return problem;
    power_leave(NULL);
    return NULL;
}

void efi_leave(void)
{
    u64 event = efi_key(), which = 0;
    say("press a key, and the firmware goes on");
    EFI_CALL(EFI_WAIT_FOR_EVENT, 1, own_physical(&event), own_physical(&which));
    EFI_CALL(EFI_EXIT, efi_image(), EFI_NOT_FOUND);
}
