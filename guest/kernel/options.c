#include "kernel/options.h"

static const char *const words[] = {"bench", "full-ram", "quiet", "triple-fault"};
static const char only[] = "only=";
static const char *const with_value[] = {"fuzz=", "compare=", "groups=", "show="};

static char command_line[256];

static bool is_separator(char c)
{
    return c == ' ' || c == ',' || c == 0;
}

static u32 length_of(const char *word)
{
    u32 n = 0;

    while (!is_separator(word[n]))
        n++;
    return n;
}

static bool equals(const char *word, u32 length, const char *known)
{
    for (u32 i = 0; i < length; i++)
        if (word[i] != known[i])
            return false;
    return known[length] == 0;
}

static bool starts(const char *word, const char *name)
{
    for (u32 i = 0; name[i]; i++)
        if (word[i] != name[i])
            return false;
    return true;
}

static bool starts_only(const char *word)
{
    return starts(word, only);
}

static const char *skip_spaces(const char *s)
{
    while (*s == ' ')
        s++;
    return s;
}

/* The word behind `word`, which ends with a space or the string. */
static const char *next_word(const char *word)
{
    while (*word && *word != ' ')
        word++;
    return skip_spaces(word);
}

static bool is_file_name(const char *word)
{
    for (; *word && *word != ' '; word++)
        if (*word == '/' || *word == '.')
            return true;
    return false;
}

void options_read(const struct multiboot_info *information)
{
    if (!information || !(information->flags & MULTIBOOT_INFO_CMDLINE))
        return;
    const char *from = skip_spaces((const char *)(u64)information->cmdline);

    if (is_file_name(from))
        from = next_word(from);
    for (u32 i = 0; i < sizeof(command_line) - 1 && from[i]; i++)
        command_line[i] = from[i];
}

bool option_given(const char *word)
{
    for (const char *w = skip_spaces(command_line); *w; w = next_word(w))
        if (equals(w, length_of(w), word))
            return true;
    return false;
}

const char *option_value(const char *name)
{
    for (const char *w = skip_spaces(command_line); *w; w = next_word(w))
        if (starts(w, name)) {
            while (*name++)
                w++;
            return w;
        }
    return NULL;
}

/* Calls `found` for every name in every only=; returns the first for which it says true. */
static const char *find_name(const char *word, bool (*found)(const char *name, u32 length))
{
    const char *name = word + sizeof(only) - 1;

    for (;;) {
        u32 length = length_of(name);

        if (found(name, length))
            return name;
        if (name[length] != ',')
            return NULL;
        name += length + 1;
    }
}

static const char *wanted;

static bool is_wanted(const char *name, u32 length)
{
    return equals(name, length, wanted);
}

bool family_wanted(const char *name, bool by_default)
{
    bool limited = false;

    wanted = name;
    for (const char *w = skip_spaces(command_line); *w; w = next_word(w))
        if (starts_only(w)) {
            if (find_name(w, is_wanted))
                return true;
            limited = true;
        }
    return by_default && !limited;
}

static bool (*known_family)(const char *name, u32 length);

static bool is_unknown_family(const char *name, u32 length)
{
    return !known_family(name, length);
}

const char *unknown_word(bool (*is_family)(const char *name, u32 length))
{
    known_family = is_family;
    for (const char *w = skip_spaces(command_line); *w; w = next_word(w)) {
        if (starts_only(w)) {
            const char *bad = find_name(w, is_unknown_family);

            if (bad)
                return bad;
            continue;
        }
        bool known = false;
        for (u32 i = 0; i < ARRAY_SIZE(with_value); i++)
            known |= starts(w, with_value[i]);
        for (u32 i = 0; i < ARRAY_SIZE(words); i++)
            known |= equals(w, length_of(w), words[i]);
        if (!known)
            return w;
    }
    return NULL;
}
