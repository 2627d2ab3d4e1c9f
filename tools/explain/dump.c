#include "dump.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_open;
static char next_kind; /* what the next value is of */
static u64 next_number;

bool dump_is_open(void)
{
    return is_open;
}

/* A hexadecimal number that ends at a blank or the line's end. */
static bool take_number(const char **text, u64 *number)
{
    char *end;
    if (!isxdigit((unsigned char)**text))
        return false;
    errno = 0;
    *number = strtoull(*text, &end, 16);
    if (errno || (*end && *end != ' '))
        return false;
    *text = end + (*end == ' ');
    return true;
}

/* Where a value goes; NULL for a number that no dump of this version has. */
static u64 *place(struct dump *dump, char kind, u64 number)
{
    switch (kind) {
    case 'm': number -= DUMP_MSR_FIRST; return number < DUMP_MSRS ? &dump->msr[number] : NULL;
    case 'g': return number < DUMP_REGISTERS ? &dump->gpr[number] : NULL;
    case 'v': return number < DUMP_FIELDS ? &dump->field[number] : NULL;
    case 'l': return number < ARRAY_SIZE(dump->list) ? &dump->list[number] : NULL;
    case 'i': return number == 0x80000008 ? &dump->address_sizes : NULL;
    default: return NULL;
    }
}

/* Words: values, and before some of them what they are of. */
static bool take_row(struct dump *dump, const char *text)
{
    static const char kinds[] = "migvl";
    u64 number, value;
    while (*text) {
        if (strchr(kinds, *text)) {
            next_kind = *text++;
            if (!take_number(&text, &next_number))
                return false;
        }
        number = next_number;
        u64 *to = place(dump, next_kind, number);
        if (!to || !take_number(&text, &value))
            return false;
        *to = value;
        dump->sum += number + value;
        if (next_kind == 'v')
            dump->has_field[number] = true;
        dump->has_list |= next_kind == 'l';
        next_number += next_kind == 'v' ? 2 : 1;
    }
    return true;
}

static enum dump_state begin(struct dump *dump, const char *text)
{
    static const char *const causes[] = {
        [DUMP_EXIT] = "1 exit", [DUMP_VMFAIL] = "1 vmfail", [DUMP_CAPS] = "1 caps"};
    bool cut = is_open;
    memset(dump, 0, sizeof(*dump));
    next_kind = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(causes); i++) {
        if (strcmp(text, causes[i]) != 0)
            continue;
        dump->cause = i;
        is_open = true;
        return cut ? DUMP_CUT : DUMP_MORE;
    }
    is_open = false;
    return DUMP_VERSION;
}

static enum dump_state end(const struct dump *dump, const char *text)
{
    u64 sum;
    bool whole = is_open && take_number(&text, &sum) && !*text && sum == dump->sum;
    is_open = false;
    return whole ? DUMP_WHOLE : DUMP_CUT;
}

enum dump_state dump_line(struct dump *dump, const char *line)
{
    static const char start[] = "tally: dump ";
    if (strncmp(line, start, strlen(start)) != 0)
        return DUMP_NONE;
    line += strlen(start);
    if (strncmp(line, "begin ", 6) == 0)
        return begin(dump, line + 6);
    if (strncmp(line, "end ", 4) == 0)
        return end(dump, line + 4);
    if (is_open && !take_row(dump, line))
        dump->sum = ~dump->sum; /* torn: the end will not agree */
    return is_open ? DUMP_MORE : DUMP_NONE;
}
