// The local APIC after an INIT: every local vector that it has is masked, and none that it has not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "host/paging.h"
#include "lib/safe.h"
#include "platform/apic.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define MASKED 0x10000u
#define VERSION 0x30

static bool x2apic;
static u32 registers[1024]; /* one a 16 bytes: only every fourth counts */
static unsigned last_lvt;

static const u32 lvt[] = {0x320, 0x350, 0x360, 0x370, 0x340, 0x330, 0x2F0};

static bool has_lvt(u32 offset)
{
    for (unsigned i = 0; i < ARRAY_SIZE(lvt); i++)
        if (lvt[i] == offset)
            return i <= last_lvt;
    return true;
}

u64 rdmsr(u32 msr)
{
    if (msr == IA32_APIC_BASE)
        return 0xFEE00000 | APIC_BASE_ENABLE | (x2apic ? APIC_BASE_X2APIC : 0);
    assert_true(x2apic);
    return registers[(msr - X2APIC_FIRST) * 4];
}

void wrmsr(u32 msr, u64 value)
{
    fail_msg("a #GP of WRMSR %#x, %#llx would be the end", msr, (unsigned long long)value);
}

bool wrmsr_safe(u32 msr, u64 value)
{
    u32 offset = (msr - X2APIC_FIRST) * 16;
    assert_true(x2apic);
    if (!has_lvt(offset))
        fail_msg("local vector %#x is not there", offset);
    registers[offset / 4] = (u32)value;
    return true;
}

void *physical(u64 address)
{
    assert_false(x2apic);
    return &registers[(address - 0xFEE00000) / 4];
}

static void local_vectors(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 14; i++) {
        x2apic = i % 2;
        last_lvt = i / 2;
        memset(registers, 0, sizeof(registers));
        registers[VERSION / 4] = 0x14 | last_lvt << 16;
        apic_reset();
        for (unsigned n = 0; n < ARRAY_SIZE(lvt); n++)
            assert_int_equal(registers[lvt[n] / 4], n <= last_lvt ? MASKED : 0);
        assert_int_equal(registers[0xF0 / 4], 0xFF);
        assert_int_equal(registers[0xE0 / 4], x2apic ? 0 : ~0u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(local_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
