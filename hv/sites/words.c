/* A site in words: the same in the report, in a guest's `tally` and on the host. */
#include "sites/words.h"
#include "lib/print.h"

#define IO_WIDTH(detail) (unsigned)(((detail)&7) + 1)
#define IO_IN BIT(3)
#define IO_STRING BIT(4)
#define DR_FROM BIT(4)
#define VECTOR_OF_NMI 0x100

static size_t event_text(char *text, size_t size, u64 detail)
{
    if (detail & VECTOR_OF_NMI)
        return format_string(text, size, "nmi");
    return format_string(text, size, "vector %u", (unsigned)detail);
}

static size_t io_text(char *text, size_t size, u64 detail)
{
    static const char *const words[] = {"out", "in", "outs", "ins"};
    unsigned word = (detail & IO_IN ? 1 : 0) + (detail & IO_STRING ? 2 : 0);
    return format_string(text, size, "%s %u 0x%x", words[word], IO_WIDTH(detail),
                         (unsigned)(detail >> 16));
}

static size_t cr_text(char *text, size_t size, u64 detail)
{
    static const char *const words[] = {"mov to cr%u", "mov from cr%u", "clts", "lmsw"};
    if (detail & BIT(5))
        return format_string(text, size, "%s", words[detail >> 4 & 3]);
    return format_string(text, size, detail & BIT(4) ? "mov from cr%u" : "mov to cr%u",
                         (unsigned)(detail & 15));
}

static size_t page_text(char *text, size_t size, u64 detail)
{
    const char *access = detail & BIT(1) ? "write" : detail & BIT(2) ? "fetch" : "read";
    return format_string(text, size, "%s 0x%lx", access, (u64)(detail & ~0xFFFull));
}

static size_t one_of(char *text, size_t size, const char *const words[4], u64 detail)
{
    return format_string(text, size, "%s", words[detail & 3]);
}

size_t site_detail_text(char *text, size_t size, unsigned reason, u64 detail)
{
    static const char *const tasks[] = {"call", "iret", "jmp", "gate"};
    static const char *const tables[] = {"sgdt", "sidt", "lgdt", "lidt"};
    static const char *const selectors[] = {"sldt", "str", "lldt", "ltr"};
    switch (reason) {
    case EXIT_EXCEPTION_NMI:
    case EXIT_EXTERNAL_INTERRUPT:
    case EXIT_INTERRUPT_WINDOW:
    case EXIT_VIRTUALIZED_EOI: return event_text(text, size, detail);
    case EXIT_TASK_SWITCH: return one_of(text, size, tasks, detail);
    case EXIT_GDTR_IDTR_ACCESS: return one_of(text, size, tables, detail);
    case EXIT_LDTR_TR_ACCESS: return one_of(text, size, selectors, detail);
    case EXIT_CPUID:
        return format_string(text, size, "0x%x/%u", (unsigned)detail, (unsigned)(detail >> 32));
    case EXIT_HLT: return format_string(text, size, "if=%u", (unsigned)detail);
    case EXIT_CR_ACCESS: return cr_text(text, size, detail);
    case EXIT_MOV_DR:
        return format_string(text, size, detail & DR_FROM ? "mov from dr%u" : "mov to dr%u",
                             (unsigned)(detail & 7));
    case EXIT_IO_INSTRUCTION: return io_text(text, size, detail);
    case EXIT_EPT_VIOLATION:
    case EXIT_EPT_MISCONFIGURATION: return page_text(text, size, detail);
    default: return format_string(text, size, "0x%lx", detail);
    }
}

size_t site_mode_text(char *text, size_t size, unsigned mode)
{
    static const char *const modes[] = {"real", "v8086", "16", "32", "compat", "64"};
    return format_string(text, size, "%s/%u", modes[mode >> SITE_MODE_SHIFT], mode & SITE_RING);
}
