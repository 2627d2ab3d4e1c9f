#include "options.h"
#include "exits/cpuid_msr.h"
#include "lib/print.h"
#include "lib/string.h"
#include "stats/report.h"
#include "tally.h"

/* A piece of the command line, or of a value: not ended by NUL. */
struct word {
    const char *text;
    int length;
};

enum kind {
    FLAG, /* the word alone */
    ONE,  /* one of the choices or, with a max, a decimal number from 0 to it */
    SET,  /* the same several times, separated by commas */
};

/* A word that an option may have as its value. */
struct choice {
    char name[8]; /* empty: the list ends here */
    u32 value;
};

struct option {
    char name[9];
    u8 kind;    /* enum kind */
    u16 offset; /* of the u32 in struct options */
    u32 max;
    const struct choice *choices;
};

/* clang-format off */
static const struct choice profiles[] = {
    {"minimal", PROFILE_MINIMAL}, {"kvm", PROFILE_KVM}, {"all", PROFILE_ALL}, {"", 0},
};
static const struct choice reports[] = {
    {"table", REPORT_TABLE}, {"json", REPORT_JSON}, {"none", 0}, {"percpu", REPORT_PER_CPU}, {"", 0},
};
static const struct choice policies[] = {
    {"drop", MSR_DROP}, {"fault", MSR_FAULT}, {"open", MSR_OPEN}, {"", 0},
};
static const struct choice sites[] = {
    {"on", DEFAULT_SITES}, {"user", SITES_USER_RIPS}, {"", 0},
};
static const struct choice traces[] = {
    {"last", TRACE_LAST}, {"", 0},
};
static const struct choice marks[] = {
    {"port80", MARK_POSTS}, {"", 0},
};
static const struct choice boots[] = {
    {"next", BOOT_NEXT}, {"disk:N", BOOT_DISK}, {"", 0},
};
static const struct choice yes_no[] = {
    {"yes", true}, {"no", false}, {"", 0},
};

static const struct option option_table[] = {
    {"exits",    ONE,    offsetof(struct options, profile),   .choices = profiles},
    {"stats",    SET,    offsetof(struct options, report),    .choices = reports},
    {"msr",      ONE,    offsetof(struct options, msr),       .choices = policies},
    {"announce", ONE,    offsetof(struct options, announce),  .choices = yes_no},
    {"caps",     FLAG,   offsetof(struct options, caps),      0, NULL},
    {"last",     FLAG,   offsetof(struct options, last),      0, NULL},
    {"cpus",     ONE,    offsetof(struct options, cpus),      .max = 65535},
    {"end",      ONE,    offsetof(struct options, end),       .max = 1000000},
    {"sample",   ONE,    offsetof(struct options, sample_ms), .max = 60000},
    {"sites",    SET,    offsetof(struct options, sites),     .choices = sites,  .max = SITES_MAX},
    {"trace",    SET,    offsetof(struct options, trace),     .choices = traces, .max = TRACE_MAX},
    {"split",    ONE,    offsetof(struct options, split),     .choices = yes_no},
    {"marks",    SET,    offsetof(struct options, marks),     .choices = marks},
    {"boot",     ONE,    offsetof(struct options, boot),      .choices = boots},
};
/* clang-format on */

static const struct options defaults = {
    .profile = PROFILE_KVM,
    .report = REPORT_TABLE,
    .announce = true,
};

static char problem[256]; /* the line that says what is wrong */

static PRINTF_LIKE(1, 2) void add_to_problem(const char *format, ...)
{
    size_t used = strlen(problem);
    va_list arguments;
    va_start(arguments, format);
    vformat_string(problem + used, sizeof(problem) - used, format, arguments);
    va_end(arguments);
}

static const char *refuse_word(struct word word)
{
    add_to_problem("unknown option '%.*s': valid are", word.length, word.text);
    for (const struct option *o = option_table; o < option_table + ARRAY_SIZE(option_table); o++)
        add_to_problem(" %s%s", o->name, o->kind == FLAG ? "" : "=");
    return problem;
}

static const char *refuse_value(const struct option *option, struct word value)
{
    add_to_problem("%s=%.*s: valid are ", option->name, value.length, value.text);
    if (option->max)
        add_to_problem("0 to %u", option->max);
    for (const struct choice *c = option->choices; c && *c->name; c++)
        add_to_problem("%s%s", c == option->choices && !option->max ? "" : ", ", c->name);
    return problem;
}

static bool has_letter(struct word word, char c)
{
    for (int i = 0; i < word.length; i++)
        if (word.text[i] == c)
            return true;
    return false;
}

/* Cuts the first piece off `rest`, up to a separator or the end; the separator goes too. */
static struct word cut_piece(struct word *rest, const char *separators)
{
    struct word piece = {rest->text, 0};
    while (piece.length < rest->length && !strchr(separators, piece.text[piece.length]))
        piece.length++;
    int gone = piece.length + (piece.length < rest->length);
    rest->text += gone;
    rest->length -= gone;
    return piece;
}

/* Whether a word is this name, in which N stands for a digit. */
static bool word_fits(struct word word, const char *name, u32 *digit)
{
    *digit = 0;
    for (int i = 0; i < word.length; i++) {
        char c = word.text[i];
        if (name[i] == 'N' && c >= '0' && c <= '9')
            *digit = c - '0';
        else if (name[i] == 'N' || name[i] != c)
            return false;
    }
    return name[word.length] == '\0';
}

static bool find_choice(const struct choice *choices, struct word word, u32 *value)
{
    u32 digit;
    for (const struct choice *c = choices; c && *c->name; c++) {
        if (!word_fits(word, c->name, &digit))
            continue;
        *value = c->value + digit;
        return true;
    }
    return false;
}

static bool parse_number(const struct option *option, struct word value, u32 *number)
{
    u64 n = 0;
    for (int i = 0; i < value.length; i++) {
        unsigned digit = value.text[i] - '0';
        n = n * 10 + digit;
        if (digit > 9 || n > option->max)
            return false;
    }
    *number = n;
    return value.length > 0;
}

static bool parse_set(const struct option *option, struct word value, u32 *set)
{
    bool more;
    *set = 0;
    do {
        more = has_letter(value, ',');
        u32 number;
        struct word piece = cut_piece(&value, ",");
        if (!find_choice(option->choices, piece, &number) &&
            !(option->max && parse_number(option, piece, &number)))
            return false;
        *set |= number;
    } while (more);
    return true;
}

static bool parse_value(const struct option *option, struct word value, u32 *result)
{
    *result = option->kind == FLAG;
    return *result ||
           ((option->kind == SET || !has_letter(value, ',')) && parse_set(option, value, result));
}

static const char *parse_word(struct options *options, struct word word)
{
    bool has_value = has_letter(word, '=');
    struct word value = word;
    struct word name = cut_piece(&value, "=");

    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
        const struct option *option = &option_table[i];
        u32 digit, *result = (u32 *)((char *)options + option->offset);
        if (!word_fits(name, option->name, &digit) || has_value != (option->kind != FLAG))
            continue;
        return parse_value(option, value, result) ? NULL : refuse_value(option, value);
    }
    return refuse_word(word);
}

const char *options_parse(struct options *options, const char *command_line)
{
    struct word rest = {command_line, strlen(command_line)};

    problem[0] = '\0';
    *options = defaults;
    while (rest.length) {
        struct word word = cut_piece(&rest, " \t\r\n");
        if (!word.length)
            continue;
        if (parse_word(options, word))
            return problem;
    }
    if (options->report == REPORT_PER_CPU) /* of what, if not of the table? */
        options->report |= REPORT_TABLE;
    return NULL;
}
