/* Which ports a filter asks for. Only for tests/unit. */
#ifndef TESTS_UNIT_WATCHED_PORTS_H
#define TESTS_UNIT_WATCHED_PORTS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "types.h"

static u16 watched[16];
static unsigned watches;

static void watch(u16 port)
{
    watched[watches++] = port;
}

static void assert_watched(void (*filter)(void (*watch)(u16 port)), const u16 *expected,
                           unsigned number)
{
    watches = 0;
    filter(watch);
    assert_int_equal(watches, number);
    assert_memory_equal(watched, expected, number * sizeof(*expected));
}

#endif
