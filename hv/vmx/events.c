#include "vmx/events.h"
#include "host/traps.h"
#include "vmx/advance.h"
#include "vmx/guest_state.h"
#include "vmx/live_state.h"

static enum interruption_type type_of(u32 info)
{
    return (info & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT;
}

static bool is_software_event(u32 info)
{
    return type_of(info) >= TYPE_SOFTWARE_INTERRUPT && type_of(info) <= TYPE_SOFTWARE_EXCEPTION;
}

static bool entry_is_taken(void)
{
    return vmread(VM_ENTRY_INTERRUPTION_INFO) & INTERRUPTION_VALID;
}

/* An event wakes a halted vCPU; hardware allows only some events to be injected into HLT. */
static void wake(struct vcpu *vcpu)
{
    if (vcpu->halted) {
        vcpu->halted = vcpu->parked = false;
        vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
    }
}

void inject_event(struct vcpu *vcpu, u32 info, u32 error_code, u32 instruction_length)
{
    wake(vcpu);
    vmwrite(VM_ENTRY_INTERRUPTION_INFO, info | INTERRUPTION_VALID);
    if (info & INTERRUPTION_ERROR_CODE)
        vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, error_code & 0xFFFF); /* 31:16 must be 0 */
    if (is_software_event(info))
        vmwrite(VM_ENTRY_INSTRUCTION_LENGTH, instruction_length);
}

static bool has_error_code(enum exception_vector vector)
{
    return (BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) |
            BIT(VECTOR_PF) | BIT(VECTOR_AC) | BIT(VECTOR_CP)) &
           BIT(vector);
}

/* SDM vol. 3, 'Interrupt 8—Double Fault Exception': classes of exceptions. */
static bool is_contributory(unsigned vector)
{
    return (BIT(VECTOR_DE) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) |
            BIT(VECTOR_CP)) &
           BIT(vector);
}

static bool is_page_fault(unsigned vector)
{
    return vector == VECTOR_PF || vector == VECTOR_VE;
}

static bool makes_double_fault(unsigned first, unsigned second)
{
    return (is_contributory(first) && is_contributory(second)) ||
           (is_page_fault(first) && (is_contributory(second) || is_page_fault(second)));
}

/*
 * An exception arose while another event was being delivered. Two exceptions may make #DF, or the
 * guest's end. Any other event is gone, as on a CPU of its own: the interrupt is in service in the
 * APIC, the NMI blocks others until IRET, an instruction will execute again.
 */
static enum exit_action merge(struct vcpu *vcpu, enum exception_vector *vector, u32 *error_code)
{
    u32 first = vcpu->vectoring, first_vector = first & INTERRUPTION_VECTOR;
    vcpu->vectoring = 0;
    if (type_of(first) == TYPE_NMI)
        vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) | BLOCKING_BY_NMI);
    if (type_of(first) != TYPE_HARDWARE_EXCEPTION)
        return EXIT_RETRY;
    if (first_vector == VECTOR_DF && (is_contributory(*vector) || is_page_fault(*vector))) {
        vcpu->shut_down = true;
        return EXIT_STOP;
    }
    if (makes_double_fault(first_vector, *vector)) {
        *vector = VECTOR_DF;
        *error_code = 0;
    }
    return EXIT_RETRY;
}

enum exit_action inject_exception(struct vcpu *vcpu, enum exception_vector vector, u32 error_code)
{
    if (vcpu->vectoring && merge(vcpu, &vector, &error_code) == EXIT_STOP)
        return EXIT_STOP;
    u32 info = vector | TYPE_HARDWARE_EXCEPTION << INTERRUPTION_TYPE_SHIFT;
    if (has_error_code(vector) && (vmread(GUEST_CR0) & CR0_PE))
        info |= INTERRUPTION_ERROR_CODE;
    inject_event(vcpu, info, error_code, 0);
    return EXIT_RETRY;
}

enum exit_action inject_page_fault(struct vcpu *vcpu, u64 address, u32 error_code)
{
    live_set_cr2(address);
    return inject_exception(vcpu, VECTOR_PF, error_code);
}

void redeliver_event(struct vcpu *vcpu)
{
    u32 info = vcpu->vectoring & ~(u32)INTERRUPTION_NMI_UNBLOCKING; /* undefined here */
    vcpu->vectoring = 0;
    if (type_of(info) == TYPE_NMI) /* the delivery sets it again */
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

static void set_interrupt_window(struct vcpu *vcpu, bool on)
{
    set_window(vcpu, PROC_INTERRUPT_WINDOW_EXITING, on);
}

void set_nmi_window(struct vcpu *vcpu, bool on)
{
    set_window(vcpu, PROC_NMI_WINDOW_EXITING, on);
}

static bool can_take_interrupt(void)
{
    return (vmread(GUEST_RFLAGS) & RFLAGS_IF) &&
           !(vmread(GUEST_INTERRUPTIBILITY) & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)) &&
           !entry_is_taken();
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

bool deliver_waiting_interrupt(struct vcpu *vcpu)
{
    int vector = -1;
    if (vcpu->interrupt_waits && can_take_interrupt()) {
        vector = take_waiting(vcpu);
        if (vector >= 0)
            inject_event(vcpu, (u32)vector, 0, 0); /* type 0: external interrupt */
    }
    set_interrupt_window(vcpu, vcpu->interrupt_waits);
    return vector >= 0;
}

/*
 * Not before the guest can take it: till then it may mask the source, move its vector, raise the
 * TPR or look at the request in the APIC. So the exit does not acknowledge; meanwhile the interrupt
 * would cause the same exit again, and the window's exit takes its place.
 */
void take_interrupt(struct vcpu *vcpu)
{
    if (can_take_interrupt()) {
        int vector = acknowledge_interrupt();
        if (vector >= 0)
            inject_event(vcpu, (u32)vector, 0, 0);
        return;
    }
    vcpu->interrupt_waits = true;
    set_external_interrupt_exiting(vcpu, false);
    set_interrupt_window(vcpu, true);
}

void queue_nmis(struct vcpu *vcpu, u32 count)
{
    u64 blocking = vmread(GUEST_INTERRUPTIBILITY);
    u32 most = blocking & BLOCKING_BY_NMI ? 1 : 2;
    count += vcpu->guest_nmis;
    if (count > most)
        count = most;
    blocking &= BLOCKING_BY_NMI | BLOCKING_BY_STI | BLOCKING_BY_MOV_SS;
    if (count && !blocking && !entry_is_taken()) {
        inject_event(vcpu, VECTOR_NMI | TYPE_NMI << INTERRUPTION_TYPE_SHIFT, 0, 0);
        count--;
    }
    vcpu->guest_nmis = (u8)count;
    set_nmi_window(vcpu, count);
}

/* An IRET that faulted had already ended the blocking of NMIs: block them again. */
void restore_nmi_blocking(const struct vcpu *vcpu, u64 info)
{
    if ((info & INTERRUPTION_NMI_UNBLOCKING) && !vcpu->vectoring)
        vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) | BLOCKING_BY_NMI);
}

void sleep_on(const struct vcpu *vcpu)
{
    if (vcpu->halted)
        vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
}

u64 wrapped_rip(u64 rip)
{
    return guest_64bit_code() ? rip : (u32)rip;
}

void finish_flags(u64 rflags)
{
    if (rflags & RFLAGS_RF)
        vmwrite(GUEST_RFLAGS, rflags & ~RFLAGS_RF);
    if ((rflags & RFLAGS_TF) && !(vmread(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF))
        vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS,
                vmread(GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_DEBUG_BS);
}
