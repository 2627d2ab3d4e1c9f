/* tally mark NAME: a mark in the time line. */
#include "commands.h"
#include <stdio.h>
#include <string.h>

static const char letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+";

void print_tsc(void)
{
    printf("tsc %llu\n", (unsigned long long)__builtin_ia32_rdtsc());
}

int command_mark(const struct options *o)
{
    u32 name[4] = {0};
    const char *given = o->words[0];
    if (o->csv || o->once || !given || !*given || *given == '-' || o->words[1])
        return usage_error(o, "there must be one name", "");
    if (strlen(given) > sizeof(name) || given[strspn(given, letters)])
        return usage_error(o, "a mark is 1 to 16 letters, digits or -_.:/+, not", given);
    memcpy(name, given, strlen(given));
    u32 eax = LEAF_MARK;
    __asm__ volatile("cpuid"
                     : "+a"(eax), "+b"(name[0]), "+c"(name[1]), "+d"(name[2])
                     : "S"(name[3]));
    if (o->tsc) /* at once: the console takes its time */
        print_tsc();
    if (!eax)
        fprintf(stderr, "%s: marks are off; start Tally with sample=MS\n", o->program);
    return eax ? STATUS_OK : STATUS_NO_TALLY;
}
