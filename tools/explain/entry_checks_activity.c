/* SDM vol. 3, 'Checks on Guest Non-Register State'. */
#include "entry_checks.h"
#include "x86/registers.h"
#include "x86/vmx.h"

static unsigned event_type(const struct entry_check *k)
{
    return (k->event & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT;
}

/* The events that wake a guest in HLT may be injected there. */
static bool wakes_from_hlt(const struct entry_check *k)
{
    unsigned vector = k->event & INTERRUPTION_VECTOR;
    switch (event_type(k)) {
    case TYPE_EXTERNAL_INTERRUPT:
    case TYPE_NMI:
    case TYPE_OTHER_EVENT: return true;
    case TYPE_HARDWARE_EXCEPTION: return vector == VECTOR_DB || vector == VECTOR_MC;
    default: return false;
    }
}

static bool allowed_in_shutdown(const struct entry_check *k)
{
    unsigned vector = k->event & INTERRUPTION_VECTOR;
    return event_type(k) == TYPE_NMI ||
           (event_type(k) == TYPE_HARDWARE_EXCEPTION && vector == VECTOR_MC);
}

static void check_activity(struct entry_check *k, u64 activity, u64 blocking)
{
    /* Bits 8:6 of IA32_VMX_MISC stand for the states 1 to 3. */
    bool supported = !activity || (activity <= 3 && (k->cpu->misc >> (5 + activity) & 1));
    rule(k, supported, GUEST_ACTIVITY_STATE, "the CPU must support the activity state");
    rule(k, implies(activity == ACTIVITY_HLT, !(k->ss_rights & AR_DPL)), GUEST_ACTIVITY_STATE,
         "the activity state HLT needs an SS with DPL 0");
    rule(k, implies(activity, !(blocking & BLOCKING_SHADOW)), GUEST_ACTIVITY_STATE,
         "blocking by STI or MOV SS needs the activity state active");
    if (!k->event)
        return;
    rule(k, implies(activity == ACTIVITY_HLT, wakes_from_hlt(k)), VM_ENTRY_INTERRUPTION_INFO,
         "the event cannot be injected in the activity state HLT");
    rule(k, implies(activity == ACTIVITY_SHUTDOWN, allowed_in_shutdown(k)),
         VM_ENTRY_INTERRUPTION_INFO, "the event cannot be injected in the activity state shutdown");
    rule(k, activity != ACTIVITY_WAIT_FOR_SIPI, VM_ENTRY_INTERRUPTION_INFO,
         "no event can be injected in the activity state wait-for-SIPI");
}

static void check_interruptibility(struct entry_check *k, u64 blocking)
{
    bool interrupt = k->event && event_type(k) == TYPE_EXTERNAL_INTERRUPT;
    bool nmi = k->event && event_type(k) == TYPE_NMI;
    rule(k, !(blocking >> 5), GUEST_INTERRUPTIBILITY, "bits 31:5 must be 0");
    rule(k, (blocking & BLOCKING_SHADOW) != BLOCKING_SHADOW, GUEST_INTERRUPTIBILITY,
         "blocking by STI and by MOV SS exclude each other");
    rule(k, implies(blocking & BLOCKING_BY_STI, k->rflags & RFLAGS_IF), GUEST_INTERRUPTIBILITY,
         "blocking by STI needs RFLAGS.IF");
    rule(k, !(blocking & BLOCKING_BY_SMI), GUEST_INTERRUPTIBILITY,
         "blocking by SMI must be 0 outside SMM");
    rule(k, implies(interrupt, !(blocking & BLOCKING_SHADOW)), GUEST_INTERRUPTIBILITY,
         "an external interrupt cannot be injected under blocking by STI or MOV SS");
    rule(k, implies(nmi, !(blocking & BLOCKING_BY_MOV_SS)), GUEST_INTERRUPTIBILITY,
         "an NMI cannot be injected under blocking by MOV SS");
    rule(k, implies(nmi && (k->word[WORD_PIN] & PIN_VIRTUAL_NMIS), !(blocking & BLOCKING_BY_NMI)),
         GUEST_INTERRUPTIBILITY, "a virtual NMI cannot be injected under blocking by NMI");
}

static void check_pending_debug(struct entry_check *k, u64 activity, u64 blocking)
{
    u64 pending = vmread(GUEST_PENDING_DEBUG_EXCEPTIONS);
    /* B0 to B3, bus lock (11), enabled breakpoint (12), BS (14), RTM (16) */
    rule(k, !(pending & ~0x1580Full), GUEST_PENDING_DEBUG_EXCEPTIONS, "reserved bits must be 0");
    if (!(blocking & BLOCKING_SHADOW) && activity != ACTIVITY_HLT)
        return;
    bool stepping = (k->rflags & RFLAGS_TF) && !(vmread(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);
    rule(k, stepping == !!(pending & PENDING_DEBUG_BS), GUEST_PENDING_DEBUG_EXCEPTIONS,
         "in HLT or under blocking by STI or MOV SS, BS must be 1 just when TF is 1 and BTF 0");
}

void check_guest_activity(struct entry_check *k)
{
    u64 activity = vmread(GUEST_ACTIVITY_STATE), blocking = vmread(GUEST_INTERRUPTIBILITY);
    check_activity(k, activity, blocking);
    check_interruptibility(k, blocking);
    check_pending_debug(k, activity, blocking);
}
