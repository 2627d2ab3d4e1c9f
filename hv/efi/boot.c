#include "efi/boot.h"

#include "host/paging.h"
#include "lib/print.h"
#include "platform/power.h"
#include "x86/msr.h"

/* UEFI, 'EFI_BOOT_SERVICES.CreateEvent()' and 'EFI Loaded Image Protocol'. */
#define EVENT_NOTIFY_SIGNAL 0x200
#define EVENT_EXIT_BOOT_SERVICES 0x201
#define TPL_CALLBACK 8
static const u8 loaded_image[16] = {0xA1, 0x31, 0x1B, 0x5B, 0x62, 0x95, 0xD2, 0x11,
                                    0x8E, 0x3F, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B};

void efi_mark_image(void);
void efi_mark_exit(void);
void efi_go_on(void);
void efi_go_on_image(void);

static struct found_state found;

void efi_boot_keep(u64 image, const struct efi_frame *frame)
{
    image_is_at(image);
    found_state_take(&found, 0); /* the firmware's tables map it to itself */
    found.cr3 = frame->cr3;
    found.rflags = frame->rflags;
    found.rsp = align_down((u64)frame->stack, 16); /* it calls the firmware: x64's convention */
    efi_keep_state(image, frame);
    write_cr0(read_cr0() | CR0_WP);
    if (cpuid(0x80000001, 0).edx & BIT(20))
        wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_NXE);
}

static u64 make_event(u64 type, void (*notify)(void))
{
    u64 event = 0;
    EFI_CALL(EFI_CREATE_EVENT, type, TPL_CALLBACK, efi_code(notify), 0, own_physical(&event));
    return event;
}

/* Without room for them in the firmware they are missing, no more. */
static void make_marks(void)
{
    u64 registration = 0;
    make_event(EVENT_EXIT_BOOT_SERVICES, efi_mark_exit);
    EFI_CALL(EFI_REGISTER_PROTOCOL_NOTIFY, own_physical(loaded_image),
             make_event(EVENT_NOTIFY_SIGNAL, efi_mark_image), own_physical(&registration));
}

/* UEFI, 'EFI_BOOT_SERVICES.Exit()', '.StartImage()' and 'Boot Manager'. */
const char *efi_boot(u32 number, bool marks, const struct found_state **start)
{
    const char *problem = NULL;
    *start = &found;
    found.rip = efi_code(number == EFI_NEXT ? efi_go_on : efi_go_on_image);
    found.gpr[R12] = efi_function[EFI_EXIT];
    found.gpr[R13] = efi_state.image;
    found.gpr[R14] = EFI_NOT_FOUND;
    found.gpr[R15] = efi_function[EFI_START_IMAGE];
    if (number != EFI_NEXT)
        problem = efi_load_option(number, &found.gpr[RDI]);
    if (problem)
        return problem;
    if (marks)
        make_marks();
    power_leave = NULL;
    return NULL;
}

void efi_leave(void)
{
    u64 event = efi_state.key, which = 0;
    say("press a key, and the firmware goes on");
    EFI_CALL(EFI_WAIT_FOR_EVENT, 1, own_physical(&event), own_physical(&which));
    EFI_CALL(EFI_EXIT, efi_state.image, EFI_NOT_FOUND);
}
