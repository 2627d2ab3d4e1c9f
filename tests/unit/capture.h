/* Collects what is printed, and looks at it line by line. */
#ifndef TALLY_TESTS_CAPTURE_H
#define TALLY_TESTS_CAPTURE_H

#include "lib/print.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char captured[1 << 20];
static size_t captured_length;

static void capture_sink(char c)
{
    assert_true(captured_length + 1 < sizeof(captured));
    captured[captured_length++] = c;
    captured[captured_length] = '\0';
}

static void capture_start(void)
{
    captured_length = 0;
    captured[0] = '\0';
    print_sink = capture_sink;
}

/* The line with number `n` from 0, without its newline; NULL if there are not so many. */
static const char *captured_line(unsigned n)
{
    static char line[1 << 16];
    const char *from = captured;
    for (; n && from; n--) {
        from = strchr(from, '\n');
        from = from ? from + 1 : NULL;
    }
    if (!from || !*from)
        return NULL;
    size_t length = strcspn(from, "\n");
    assert_true(length < sizeof(line));
    assert_int_equal(from[length], '\n');
    memcpy(line, from, length);
    line[length] = '\0';
    return line;
}

/* Skips one JSON value: an object, a string or an unsigned number. NULL if it is none. */
static const char *skip_json(const char *s)
{
    if (*s == '"') {
        for (s++; *s != '"'; s++)
            if (!isprint((unsigned char)*s) || (*s == '\\' && !strchr("\"\\", *++s)))
                return NULL;
        return s + 1;
    }
    if (isdigit((unsigned char)*s)) {
        if (*s == '0')
            return s + 1;
        return s + strspn(s, "0123456789");
    }
    if (*s == '[') {
        do
            if (!(s = skip_json(s + 1)))
                return NULL;
        while (*s == ',');
        return *s == ']' ? s + 1 : NULL;
    }
    if (*s++ != '{')
        return NULL;
    if (*s == '}')
        return s + 1;
    for (;; s++) {
        if (*s != '"' || !(s = skip_json(s)) || *s++ != ':' || !(s = skip_json(s)))
            return NULL;
        if (*s == '}')
            return s + 1;
        if (*s != ',')
            return NULL;
    }
}

static void assert_json_object(const char *line)
{
    const char *end = *line == '{' ? skip_json(line) : NULL;
    if (!end || *end)
        fail_msg("not a JSON object: %s", line);
}

/* The number of a member, which must be there. */
static u64 json_number(const char *line, const char *member)
{
    char key[64];
    snprintf(key, sizeof(key), "\"%s\":", member);
    const char *at = strstr(line, key);
    if (!at)
        fail_msg("no %s in %s", member, line);
    return strtoull(at + strlen(key), NULL, 10);
}

#endif
