#include "efi/boot.h"

#include "efi/services.h"
#include "host/paging.h"
#include "lib/string.h"
#include "platform/apic.h"

/* Where the protocol has its functions. */
enum { GET_NUMBER_OF_PROCESSORS, GET_PROCESSOR_INFO, STARTUP_ALL_APS, FUNCTIONS };

static const u8 protocol_guid[16] = {0x05, 0xA6, 0xDD, 0x3F, 0x6E, 0xA7, 0x46, 0x4F,
                                     0xAD, 0x29, 0x12, 0xF4, 0x53, 0x1B, 0x3D, 0x08};

/* What efi_ap_start pushes on the firmware's stack. */
struct ap_frame {
    u64 efer, cr3, gpr[GPRS], rflags, rip;
    u8 stack[]; /* after the procedure's return */
};

static u64 services, function[FUNCTIONS];
static void (*enter_guest)(struct cpu *cpu, const struct found_state *found);

u32 efi_cpus_come; /* the boot CPU is one of them */
void efi_ap_start(void);
void efi_ap_main(struct cpu *cpu, u64 stack);

unsigned efi_cpus(void)
{
    u64 all = 0, enabled = 0;
    if (EFI_CALL(EFI_LOCATE_PROTOCOL, own_physical(protocol_guid), 0, own_physical(&services)))
        return 0;
    memcpy(function, (const void *)services, sizeof(function));
    u64 status = efi_call(function[GET_NUMBER_OF_PROCESSORS],
                          (const u64[8]){services, own_physical(&all), own_physical(&enabled)});
    return status ? 0 : (unsigned)enabled;
}

const char *efi_start_cpus(unsigned count,
                           void (*enter)(struct cpu *cpu, const struct found_state *found))
{
    const u64 one_by_one = true;
    enter_guest = enter;
    efi_cpus_come = 1;
    while (cpu_count < count)
        cpu_allocate(0); /* whose it is, is known when it comes */
    vcpu_count = cpu_count;
    u64 status =
        efi_call(function[STARTUP_ALL_APS],
                 (const u64[8]){services, efi_code(efi_ap_start), one_by_one, 0, 0, own_cr3});
    return status || efi_cpus_come != count ? "UEFI's MP services do not start all other CPUs"
                                            : NULL;
}

/* First C code of another CPU, on its own stack. */
void efi_ap_main(struct cpu *cpu, u64 stack)
{
    const struct ap_frame *frame = physical(stack);
    struct found_state found;
    found_state_take(&found, DIRECT_MAP);
    cpu_load_tables(cpu);
    write_cr0(read_cr0() | CR0_WP);
    found.efer = frame->efer;
    found.cr3 = frame->cr3;
    found.rflags = frame->rflags;
    found.rip = frame->rip;
    found.rsp = stack + sizeof(*frame);
    memcpy(found.gpr, frame->gpr, sizeof(found.gpr));
    cpu->vcpu.apic_id = apic_id();
    enter_guest(cpu, &found);
}
