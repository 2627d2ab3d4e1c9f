#include "vmx/events.h"
#include "host/traps.h"
#include "lib/print.h"
#include "vmx/advance.h"
#include "vmx/capabilities.h"
#include "vmx/guest_state.h"
#include "x86/instructions.h"

static bool is_software_event(u32 info)
{
    return interruption_type(info) >= TYPE_SOFTWARE_INTERRUPT &&
           interruption_type(info) <= TYPE_SOFTWARE_EXCEPTION;
}

static bool entry_is_taken(void)
{
    return vmread(VM_ENTRY_INTERRUPTION_INFO) & INTERRUPTION_VALID;
}

/* An event wakes a halted vCPU; hardware allows only some events to be injected into HLT. */
static void inject(struct vcpu *vcpu, u32 info)
{
    if (vcpu->halted) {
        vcpu->halted = vcpu->parked = false;
        vmwrite_unchecked(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
    }
    vmwrite_unchecked(VM_ENTRY_INTERRUPTION_INFO, info | INTERRUPTION_VALID);
}

static void inject_with_error_code(struct vcpu *vcpu, u32 info, u32 error_code)
{
    inject(vcpu, info);
    if (info & INTERRUPTION_ERROR_CODE)
        vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, error_code & 0xFFFF); /* 31:16 must be 0 */
}

void inject_event(struct vcpu *vcpu, u32 info, u32 error_code, u32 instruction_length)
{
    inject_with_error_code(vcpu, info, error_code);
    if (is_software_event(info))
        vmwrite(VM_ENTRY_INSTRUCTION_LENGTH, instruction_length);
}

#define WITH_ERROR_CODE                                                                            \
    (BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) |          \
     BIT(VECTOR_PF) | BIT(VECTOR_AC) | BIT(VECTOR_CP))

enum outcome { SECOND_ALONE, DOUBLE_FAULT, SHUTDOWN };
enum exception_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, ABORT };

static const u8 class_of[32] = {
    [VECTOR_DE] = CONTRIBUTORY, [VECTOR_DF] = ABORT,        [VECTOR_TS] = CONTRIBUTORY,
    [VECTOR_NP] = CONTRIBUTORY, [VECTOR_SS] = CONTRIBUTORY, [VECTOR_GP] = CONTRIBUTORY,
    [VECTOR_PF] = PAGE_FAULT,   [VECTOR_VE] = PAGE_FAULT,   [VECTOR_CP] = CONTRIBUTORY,
};

/*
 * What an exception becomes during the delivery of `first` (IDT-vectoring information). SDM vol. 3,
 * 'Interrupt 8—Double Fault Exception'; any event but an exception is benign.
 */
static RARELY enum outcome outcome_of(u32 first, enum exception_vector second)
{
    static const u8 outcomes[][ABORT] = {
        /* the second:    benign, contributory, page fault */
        [BENIGN] = {SECOND_ALONE, SECOND_ALONE, SECOND_ALONE},
        [CONTRIBUTORY] = {SECOND_ALONE, DOUBLE_FAULT, SECOND_ALONE},
        [PAGE_FAULT] = {SECOND_ALONE, DOUBLE_FAULT, DOUBLE_FAULT},
        [ABORT] = {SECOND_ALONE, SHUTDOWN, SHUTDOWN},
    };
    if (interruption_type(first) != TYPE_HARDWARE_EXCEPTION || second == VECTOR_DF)
        return SECOND_ALONE;
    return outcomes[class_of[first & 31]][class_of[second]];
}

static void block_nmis(void)
{
    vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) | BLOCKING_BY_NMI);
}

/* RF is 1 in a fault's image of RFLAGS; of a #DB the one who raises it knows.
 * SDM vol. 3, 'Instruction-Breakpoint Exception Condition'. */
static enum exit_action inject_hardware_exception(struct vcpu *vcpu, enum exception_vector vector,
                                                  u32 error_code)
{
    u32 info = vector | TYPE_HARDWARE_EXCEPTION << INTERRUPTION_TYPE_SHIFT;
    if ((BIT(vector) & WITH_ERROR_CODE) && (vmread(GUEST_CR0) & CR0_PE))
        info |= INTERRUPTION_ERROR_CODE;
    if (!(BIT(vector) & (BIT(VECTOR_DB) | BIT(VECTOR_MC))))
        set_resume_flag();
    inject_with_error_code(vcpu, info, error_code);
    return EXIT_RETRY;
}

/* During the delivery of another event, which is lost as on a CPU of its own: the interrupt is in
 * service in the APIC, the NMI blocks others until IRET, an instruction will execute again. */
static RARELY __attribute__((noinline)) enum exit_action
inject_second(struct vcpu *vcpu, enum exception_vector vector, u32 error_code)
{
    enum outcome outcome = outcome_of(vcpu->vectoring, vector);
    if (interruption_type(vcpu->vectoring) == TYPE_NMI)
        block_nmis();
    vcpu->vectoring = 0;
    vcpu->shut_down |= outcome == SHUTDOWN;
    if (outcome == DOUBLE_FAULT)
        vector = VECTOR_DF, error_code = 0;
    return outcome == SHUTDOWN ? EXIT_STOP : inject_exception(vcpu, vector, error_code);
}

__attribute__((noinline)) enum exit_action
inject_exception(struct vcpu *vcpu, enum exception_vector vector, u32 error_code)
{
    if (unlikely(vcpu->vectoring))
        return inject_second(vcpu, vector, error_code);
    return inject_hardware_exception(vcpu, vector, error_code);
}

RARELY enum exit_action inject_gp(struct vcpu *vcpu)
{
    return inject_exception(vcpu, VECTOR_GP, 0);
}

enum exit_action inject_page_fault(struct vcpu *vcpu, u64 address, u32 error_code)
{
    write_cr2(address);
    return inject_exception(vcpu, VECTOR_PF, error_code);
}

RARELY void redeliver_event(struct vcpu *vcpu)
{
    u32 info = vcpu->vectoring & ~(u32)INTERRUPTION_NMI_UNBLOCKING; /* undefined here */
    vcpu->vectoring = 0;
    if (interruption_type(info) == TYPE_NMI) /* the delivery sets it again */
        vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~BLOCKING_BY_NMI);
    u32 error_code = info & INTERRUPTION_ERROR_CODE ? (u32)vmread(IDT_VECTORING_ERROR_CODE) : 0;
    u32 length = is_software_event(info) ? (u32)vmread(VM_EXIT_INSTRUCTION_LENGTH) : 0;
    inject_event(vcpu, info, error_code, length);
}

/* Interrupt-window or NMI-window exiting. */
static void set_window(struct vcpu *vcpu, u32 control, bool on)
{
    u32 proc = on ? vcpu->controls.proc | control : vcpu->controls.proc & ~control;
    if (proc != vcpu->controls.proc) {
        vcpu->controls.proc = proc;
        vmwrite(PRIMARY_PROCBASED_CONTROLS, proc);
    }
}

RARELY void set_nmi_window(struct vcpu *vcpu, bool on)
{
    set_window(vcpu, PROC_NMI_WINDOW_EXITING, on);
}

bool debug_exception_pending(void)
{
    return vmread(GUEST_PENDING_DEBUG_EXCEPTIONS) &
           (PENDING_DEBUG_BS | PENDING_DEBUG_ENABLED_BREAKPOINT);
}

static bool can_take_interrupt(void)
{
    return (vmread(GUEST_RFLAGS) & RFLAGS_IF) &&
           !(vmread(GUEST_INTERRUPTIBILITY) & BLOCKING_SHADOW) && !entry_is_taken();
}

static void set_external_interrupt_exiting(struct vcpu *vcpu, bool on)
{
    u32 pin = vcpu->controls.pin & ~(u32)PIN_EXTERNAL_INTERRUPT_EXITING;
    if (on)
        pin |= PIN_EXTERNAL_INTERRUPT_EXITING;
    vcpu->controls.pin = pin;
    vmwrite(PIN_BASED_CONTROLS, pin);
}

/* The interrupt that waited may be gone: masked, or below the guest's TPR by now. */
static int take_waiting(struct vcpu *vcpu)
{
    vcpu->interrupt_waits = false;
    set_external_interrupt_exiting(vcpu, true);
    return acknowledge_interrupt();
}

bool deliver_waiting_events(struct vcpu *vcpu)
{
    bool injected = vcpu->guest_nmis && queue_nmis(vcpu, 0); /* before any interrupt */
    if (vcpu->interrupt_waits && can_take_interrupt()) {
        int vector = take_waiting(vcpu);
        if (vector >= 0) {
            inject(vcpu, (u32)vector); /* type 0: external interrupt */
            injected = true;
        }
    }
    set_window(vcpu, PROC_INTERRUPT_WINDOW_EXITING, vcpu->interrupt_waits);
    return injected;
}

/*
 * Not before the guest can take it: till then it may mask the source, move its vector, raise the
 * TPR or look at the request in the APIC. So the exit does not acknowledge; meanwhile the interrupt
 * would cause the same exit again, and the window's exit takes its place.
 */
enum exit_action take_interrupt(struct vcpu *vcpu)
{
    if (likely(can_take_interrupt())) {
        int vector = acknowledge_interrupt();
        if (likely(vector >= 0)) {
            inject(vcpu, (u32)vector);
            return EXIT_RETRY;
        }
    } else {
        vcpu->interrupt_waits = true;
        set_external_interrupt_exiting(vcpu, false);
        set_window(vcpu, PROC_INTERRUPT_WINDOW_EXITING, true);
    }
    sleep_on(vcpu);
    return EXIT_RETRY;
}

/* A #DB that is pending comes before an NMI, and an entry that injects one would drop it. SDM
 * vol. 3, 'Delivery of Pending Debug Exceptions after VM Entry'. */
static bool can_take_nmi(void)
{
    return !(vmread(GUEST_INTERRUPTIBILITY) & (BLOCKING_BY_NMI | BLOCKING_SHADOW)) &&
           !entry_is_taken() && !debug_exception_pending();
}

RARELY bool queue_nmis(struct vcpu *vcpu, u32 count)
{
    u32 most = vmread(GUEST_INTERRUPTIBILITY) & BLOCKING_BY_NMI ? 1 : 2;
    count += vcpu->guest_nmis;
    if (count > most)
        count = most;
    bool now = count && can_take_nmi();
    if (now)
        inject(vcpu, VECTOR_NMI | TYPE_NMI << INTERRUPTION_TYPE_SHIFT);
    vcpu->guest_nmis = (u8)(count - now);
    set_nmi_window(vcpu, vcpu->guest_nmis || vcpu->machine_check);
    return now;
}

RARELY void queue_machine_check(struct vcpu *vcpu)
{
    if (!(guest_visible_cr4(vcpu) & CR4_MCE))
        fatal("a machine check while the guest has CR4.MCE off, which shuts any machine down");
    vcpu->machine_check = entry_is_taken();
    if (vcpu->machine_check)
        set_nmi_window(vcpu, true);
    else
        inject_exception(vcpu, VECTOR_MC, 0);
}

RARELY void take_nmi_window(struct vcpu *vcpu)
{
    if (vcpu->machine_check)
        queue_machine_check(vcpu);
    queue_nmis(vcpu, 0);
    if (vcpu->guest_nmis && (vmread(GUEST_INTERRUPTIBILITY) & BLOCKING_BY_STI)) {
        set_nmi_window(vcpu, false);
        set_window(vcpu, PROC_INTERRUPT_WINDOW_EXITING, true);
        set_window(vcpu, PROC_MONITOR_TRAP_FLAG & vmx_capabilities.word[WORD_PROC].allowed, true);
    }
}

/* An IRET that faulted had already ended the blocking of NMIs: block them again. */
void restore_nmi_blocking(const struct vcpu *vcpu, u64 info)
{
    if ((info & INTERRUPTION_NMI_UNBLOCKING) && !vcpu->vectoring)
        block_nmis();
}

void sleep_on(struct vcpu *vcpu)
{
    bool asleep = vmread(GUEST_ACTIVITY_STATE) == ACTIVITY_HLT;
    vcpu->saves_hlt |= asleep;
    if (vcpu->saves_hlt && !asleep)
        vcpu->halted = vcpu->parked = false;
    if (vcpu->halted)
        vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
}
