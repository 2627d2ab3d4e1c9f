// The ports of address line 20; what is written to them is in io_test.
#include "watched_ports.h"

#include "platform/a20.h"

static void ports_of_address_line_20(void **state)
{
    (void)state;
    static const u16 expected[] = {0x60, 0x64, 0x92};
    assert_watched(a20_watched_ports, expected, ARRAY_SIZE(expected));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ports_of_address_line_20)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
