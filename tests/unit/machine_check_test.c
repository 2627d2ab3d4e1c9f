// A machine check while Tally runs: whether it can go on, and where.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/cpu.h"
#include "host/traps.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define RIPV BIT(0)
#define EIPV BIT(1)
#define IN_PROGRESS BIT(2)

const u64 last_look[2] = {0x1000, 0x1020};
static struct cpu cpu;
static u64 status;

u64 rdmsr(u32 msr)
{
    assert_true(msr == IA32_GS_BASE || msr == IA32_MCG_STATUS);
    return msr == IA32_GS_BASE ? (u64)&cpu.vcpu : status;
}

/* Where Tally goes on; 0: it cannot. */
static u64 goes_on(u64 rip, u64 rsp)
{
    struct trap_frame frame = {.vector = VECTOR_MC, .rip = rip, .rsp = rsp};
    cpu.vcpu.nmis = 3;
    if (!note_machine_check(&frame)) {
        assert_int_equal(cpu.vcpu.nmis, 3);
        return 0;
    }
    assert_int_equal(cpu.vcpu.nmis, 3 | NMIS_MACHINE_CHECK);
    assert_int_equal(frame.rsp, rsp);
    return frame.rip;
}

static void one_that_can_wait_is_noted(void **state)
{
    (void)state;
    u64 rsp = (u64)&cpu.vcpu - 64;
    status = RIPV | EIPV | IN_PROGRESS;
    assert_int_equal(goes_on(0xFFF, rsp), 0xFFF);
    assert_int_equal(goes_on(0x1000, rsp), 0x1000);
    assert_int_equal(goes_on(0x101F, rsp), 0x1000); /* behind the last look before VMRESUME */
    assert_int_equal(goes_on(0x1020, rsp), 0x1020);
    assert_int_equal(goes_on(0x101F, (u64)&cpu.vcpu), 0x1000);
}

static void one_without_a_place_to_go_on_is_the_end(void **state)
{
    (void)state;
    status = EIPV | IN_PROGRESS;
    assert_int_equal(goes_on(0x1000, (u64)&cpu.vcpu), 0);
}

/* Its own frame may lie where the trap had that of what it interrupted. */
static void one_within_a_trap_is_the_end(void **state)
{
    (void)state;
    status = RIPV | IN_PROGRESS;
    for (unsigned i = 0; i < IST_STACKS; i++)
        assert_int_equal(goes_on(0xFFF, (u64)cpu.ist[i] + IST_SIZE - 40), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_can_wait_is_noted),
        cmocka_unit_test(one_without_a_place_to_go_on_is_the_end),
        cmocka_unit_test(one_within_a_trap_is_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
