#include "fake_events.h"
#include "fake_vmcs.h"
#include "vmx/events.h"
#include "vmx/invalidate.h"

struct fake_event fake_event;
struct fake_flushes fake_flushes;

void fake_events_reset(void)
{
    fake_event = (struct fake_event){.vector = -1};
    fake_flushes = (struct fake_flushes){0};
}

enum exit_action inject_exception(struct vcpu *vcpu, enum exception_vector vector, u32 error_code)
{
    (void)vcpu;
    fake_event = (struct fake_event){(int)vector, error_code, 0};
    return EXIT_RETRY;
}

enum exit_action inject_gp(struct vcpu *vcpu)
{
    return inject_exception(vcpu, VECTOR_GP, 0);
}

enum exit_action inject_page_fault(struct vcpu *vcpu, u64 address, u32 error_code)
{
    (void)vcpu;
    fake_event = (struct fake_event){VECTOR_PF, error_code, address};
    return EXIT_RETRY;
}

void flush_guest_tlb(struct vcpu *vcpu)
{
    (void)vcpu;
    fake_flushes.all++;
}

void flush_guest_non_global(struct vcpu *vcpu)
{
    (void)vcpu;
    fake_flushes.non_global++;
}

void flush_guest_page(struct vcpu *vcpu, u64 linear)
{
    (void)vcpu;
    fake_flushes.page++;
    fake_flushes.linear = linear;
}
