#include "lib/print.h"

void (*print_sink)(char c);

/* A buffer or, without one, the sink. */
struct output {
    char *buffer;
    size_t size, length;
};

/* What stands between '%' and the conversion's letter. */
struct specification {
    bool left, zero, is_long;
    int width, precision; /* precision -1: none */
};

static void put_character(struct output *out, char c)
{
    if (!out->buffer)
        print_sink(c);
    else if (out->length + 1 < out->size)
        out->buffer[out->length] = c;
    out->length++;
}

static void put_padding(struct output *out, char c, int count)
{
    while (count-- > 0)
        put_character(out, c);
}

static void put_text(struct output *out, const struct specification *spec, const char *text)
{
    int length = 0;
    while (length != spec->precision && text[length])
        length++;
    if (!spec->left)
        put_padding(out, spec->zero ? '0' : ' ', spec->width - length);
    for (int i = 0; i < length; i++)
        put_character(out, text[i]);
    if (spec->left)
        put_padding(out, ' ', spec->width - length);
}

static void put_number(struct output *out, const struct specification *spec, u64 value,
                       unsigned base)
{
    char digits[21] = {0}, *first = digits + sizeof(digits) - 1;
    do {
        *--first = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    put_text(out, spec, first);
}

static int parse_number(const char **format, va_list *arguments)
{
    int number = 0;
    if (**format == '*') {
        ++*format;
        return va_arg(*arguments, int);
    }
    while (**format >= '0' && **format <= '9')
        number = number * 10 + *(*format)++ - '0';
    return number;
}

static const char *parse_specification(struct specification *spec, const char *format,
                                       va_list *arguments)
{
    *spec = (struct specification){.precision = -1};
    for (; *format == '-' || *format == '0'; format++) {
        spec->left |= *format == '-';
        spec->zero |= *format == '0';
    }
    spec->width = parse_number(&format, arguments);
    if (*format == '.') {
        format++;
        spec->precision = parse_number(&format, arguments);
    }
    for (; *format == 'l' || *format == 'z'; format++)
        spec->is_long = true;
    return format;
}

static u64 next_unsigned(const struct specification *spec, va_list *arguments)
{
    return spec->is_long ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned);
}

static void put_argument(struct output *out, const struct specification *spec, char conversion,
                         va_list *arguments)
{
    char letter[2] = {0};

    switch (conversion) {
    case 's': put_text(out, spec, va_arg(*arguments, const char *)); break;
    case 'c':
        letter[0] = va_arg(*arguments, int);
        put_text(out, spec, letter);
        break;
    case 'u': put_number(out, spec, next_unsigned(spec, arguments), 10); break;
    case 'x': put_number(out, spec, next_unsigned(spec, arguments), 16); break;
    default: put_character(out, conversion);
    }
}

static void format_to(struct output *out, const char *format, va_list arguments)
{
    va_list rest;
    va_copy(rest, arguments);
    for (; *format; format++) {
        if (*format != '%') {
            put_character(out, *format);
            continue;
        }
        struct specification spec;
        format = parse_specification(&spec, format + 1, &rest);
        if (!*format)
            break;
        put_argument(out, &spec, *format, &rest);
    }
    va_end(rest);
}

void vprint(const char *format, va_list arguments)
{
    struct output out = {0};
    format_to(&out, format, arguments);
}

void print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprint(format, arguments);
    va_end(arguments);
}

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print("tally: ");
    vprint(format, arguments);
    print("\n");
    va_end(arguments);
}

void print_quoted(const char *text, size_t size)
{
    print("\"");
    for (size_t i = 0; i < size && text[i]; i++) {
        bool printable = text[i] >= ' ' && text[i] <= '~';
        bool special = text[i] == '"' || text[i] == '\\';
        print("%s%c", special ? "\\" : "", printable ? text[i] : '?');
    }
    print("\"");
}

size_t vformat_string(char *buffer, size_t size, const char *format, va_list arguments)
{
    /* A buffer of no bytes still is one: `buffer` may not be NULL in struct output. */
    struct output out = {.buffer = size ? buffer : (char *)format, .size = size};
    format_to(&out, format, arguments);
    if (size)
        buffer[out.length < size ? out.length : size - 1] = '\0';
    return out.length;
}

size_t format_string(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = vformat_string(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

const char *what_is_wrong(const char *format, ...)
{
    static char line[256];
    va_list arguments;
    va_start(arguments, format);
    vformat_string(line, sizeof(line), format, arguments);
    va_end(arguments);
    return line;
}
