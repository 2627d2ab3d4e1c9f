/* The memory and string functions that the compiler and Tally need. */
#ifndef TALLY_LIB_STRING_H
#define TALLY_LIB_STRING_H

#include "types.h"

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strncmp(const char *a, const char *b, size_t size);
char *strchr(const char *s, int c);

/* Of a list of words, each with its NUL, the one after `number` others. */
static inline const char *nth_word(const char *list, size_t number)
{
    for (; number; number--)
        list += strlen(list) + 1;
    return list;
}

/* The checksum of firmware's tables: all bytes add up to 0, modulo 256. */
bool sums_to_zero(const void *bytes, size_t size);

#endif
