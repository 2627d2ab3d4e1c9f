/* Functions of the running kernel, from /proc/kallsyms, which shows addresses to root only. */
#include "commands.h"
#include "sites_layout.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct symbol {
    u64 address;
    char *name;
};
static struct symbol *symbols;
static size_t count;

static int by_address(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

static void load(void)
{
    FILE *file = fopen("/proc/kallsyms", "r");
    unsigned long long address;
    char type, name[128], line[256];
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%llx %c %127s", &address, &type, name) != 3 || !address ||
            !strchr("tTwW", type))
            continue;
        struct symbol *more =
            count % 4096 ? symbols : realloc(symbols, (count + 4096) * sizeof(*symbols));
        if (!more)
            break;
        symbols = more;
        symbols[count++] = (struct symbol){address, strdup(name)};
    }
    if (file)
        fclose(file);
    if (symbols)
        qsort(symbols, count, sizeof(*symbols), by_address);
}

const char *function_at(u64 address, unsigned mode)
{
    static char text[160];
    static bool loaded;
    if (!loaded)
        load();
    loaded = true;
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (symbols[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (!address)
        return "-";
    if ((mode & SITE_RING) == 3)
        snprintf(text, sizeof(text), "user+0x%llx", (unsigned long long)address);
    else if (low && address - symbols[low - 1].address < 1 << 20)
        snprintf(text, sizeof(text), "%s+0x%llx", symbols[low - 1].name,
                 (unsigned long long)(address - symbols[low - 1].address));
    else
        snprintf(text, sizeof(text), "0x%llx", (unsigned long long)address);
    return text;
}
