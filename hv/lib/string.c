#include "lib/string.h"

/* String instructions, because a compiler may turn a loop in memcpy() into a call of memcpy(). */

void *memcpy(void *to, const void *from, size_t size)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return start;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    u8 *last_to = (u8 *)to + size - 1;
    const u8 *last_from = (const u8 *)from + size - 1;
    __asm__ volatile("std\n\trep movsb\n\tcld"
                     : "+D"(last_to), "+S"(last_from), "+c"(size)
                     :
                     : "memory", "cc");
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    void *start = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
    return start;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const u8 *x = a, *y = b;
    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

size_t strlen(const char *s)
{
    const char *end = s;
    while (*(const volatile char *)end) /* volatile: see the top */
        end++;
    return end - s;
}

int strncmp(const char *a, const char *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i] || !a[i])
            return (u8)a[i] - (u8)b[i];
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

bool sums_to_zero(const void *bytes, size_t size)
{
    u8 sum = 0;
    for (const u8 *byte = bytes; size > 0; size--)
        sum += *byte++;
    return sum == 0;
}
