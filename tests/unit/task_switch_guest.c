#include "task_switch_guest.h"

#include <string.h>

#include "emulate/handlers.h"
#include "fake_events.h"
#include "entry_checks.h"
#include "memory/guest_memory.h"

struct new_tss new_tss;

void set_gdt(unsigned selector, u64 descriptor)
{
    memcpy(&fake_ram[GDT + (selector & ~7u)], &descriptor, 8);
}

u8 rights_byte(unsigned selector)
{
    return fake_ram[GDT + (selector & ~7u) + 5];
}

u32 ram32(unsigned address)
{
    u32 value;
    memcpy(&value, &fake_ram[address], 4);
    return value;
}

int setup(void **state)
{
    (void)state;
    fake_reset();
    fake_events_reset();
    paging_features = (struct paging_features){40, true, false};
    fake_guest(GUEST_32BIT);
    fake_set(GUEST_GDTR_BASE, GDT);
    fake_set(GUEST_GDTR_LIMIT, GDT_LIMIT);
    set_gdt(SEL_CODE, DESCRIPTOR(0, 0xFFFFF, 0xC09A));
    set_gdt(SEL_DATA, DESCRIPTOR(0, 0xFFFFF, 0xC092));
    set_gdt(SEL_USER_CODE, DESCRIPTOR(0, 0xFFFFF, 0xC0FA));
    set_gdt(SEL_USER_DATA, DESCRIPTOR(0, 0xFFFFF, 0xC0F2));
    set_gdt(SEL_OLD, DESCRIPTOR(OLD_TSS, 0x67, 0x8B));
    set_gdt(SEL_NEW, DESCRIPTOR(NEW_TSS, 0x67, 0x89));
    set_gdt(SEL_LDT, DESCRIPTOR(0x5000, 0x0F, 0x82));
    set_gdt(SEL_ABSENT_CODE, DESCRIPTOR(0, 0xFFFFF, 0xC01A));
    set_gdt(SEL_ABSENT_DATA, DESCRIPTOR(0, 0xFFFFF, 0xC012));
    set_gdt(SEL_READ_ONLY, DESCRIPTOR(0, 0xFFFFF, 0xC090));

    memset(&new_tss, 0, sizeof(new_tss));
    new_tss.eip = 0x1234;
    new_tss.eflags = 0x202;
    for (unsigned i = 0; i < 8; i++) {
        new_tss.gpr[i] = 0x100 + i;
        fake_vcpu.gpr[i] = 0xDEAD000000000200 + i;
    }
    new_tss.gpr[RSP] = STACK;
    for (enum segment s = ES; s <= GS; s++)
        new_tss.segment[s] = s == CS ? SEL_CODE : SEL_DATA;
    return 0;
}

static void print_broken(const char *sentence, enum vmcs_field field, u64 value)
{
    print_error("%s: %#x = %#llx\n", sentence, field, (unsigned long long)value);
}

void task_switch_by(unsigned source, u16 selector, unsigned length)
{
    u32 vectoring = (u32)fake_get(IDT_VECTORING_INFO);
    u32 error_code = (u32)fake_get(IDT_VECTORING_ERROR_CODE);
    memcpy(&fake_ram[NEW_TSS], &new_tss, 104);
    fake_exit(EXIT_TASK_SWITCH, (u64)source << 30 | selector, length);
    fake_set(IDT_VECTORING_INFO, vectoring);
    fake_set(IDT_VECTORING_ERROR_CODE, error_code);
    enum exit_action action = exit_task_switch(&fake_vcpu);
    assert_int_equal(action, EXIT_RETRY);
    assert_int_equal(entry_checks(&fake_capabilities, print_broken), 0);
}

void assert_switched(void)
{
    assert_int_equal(fake_event.vector, -1);
    assert_int_equal(fake_get(GUEST_TR_SELECTOR), SEL_NEW);
    assert_int_equal(fake_get(GUEST_TR_BASE), NEW_TSS);
    assert_int_equal(fake_get(GUEST_TR_ACCESS_RIGHTS) & 0xF, 11);
    assert_int_equal(fake_get(GUEST_RIP), 0x1234);
    assert_int_equal(fake_get(GUEST_RSP), new_tss.gpr[RSP]);
    assert_int_equal(fake_vcpu.gpr[RDI], 0x107);
    assert_true(fake_get(GUEST_CR0) & fake_get(CR0_READ_SHADOW) & CR0_TS);
}

void assert_fault(int vector, u32 error_code)
{
    assert_int_equal(fake_event.vector, vector);
    assert_int_equal(fake_event.error_code, error_code);
}
