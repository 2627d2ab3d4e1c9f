/*
 * What Tally and its guests agree on: exit reasons, statistics leaves, exit ports.
 * The contract is in docs/statistics.md.
 */
#ifndef TALLY_TALLY_H
#define TALLY_TALLY_H

#include "types.h"

enum exit_reason {
#define EXIT_REASON(number, name, kind, delivery, handler) EXIT_##name = (number),
#include "exit_reasons.def"
    EXIT_REASONS /* how many rows the table has */
};

/* CPUID leaves by which a guest reads the statistics, at any privilege level. */
enum tally_leaf {
    LEAF_EXITS = 0x4FFFFFFF,         /* EAX = exits, low 32 bits */
    LEAF_CYCLES = 0x4FFFFFFE,        /* EBX:ECX = cycles spent on exits */
    LEAF_REASON_EXITS = 0x4FFFFFFD,  /* ECX = reason → EAX = exits, low 32 bits */
    LEAF_REASON_CYCLES = 0x4FFFFFFC, /* ECX = reason → EBX:ECX = cycles */

    LEAF_INFO = 0x4FFFFF00,           /* EAX = ABI version, EBX = vCPUs, ECX = profile, EDX = kHz */
    LEAF_REASON_EXITS64 = 0x4FFFFF01, /* ECX = reason → EBX:EAX = exits */
    LEAF_REASON_MIN = 0x4FFFFF02,     /* ECX = reason → EBX:EAX = least cycles of one exit */
    LEAF_REASON_MAX = 0x4FFFFF03,     /* ECX = reason → EBX:EAX = most cycles of one exit */
    LEAF_WINDOW = 0x4FFFFF20,         /* EAX = version, EBX:ECX = its address, EDX = pages */
    LEAF_MARK = 0x4FFFFF10,           /* EBX ECX EDX ESI = name → EAX = marks set so far */
};

#define TALLY_ABI_VERSION 1
#define TALLY_UNDEFINED_REASON 0xFFFFFFFFu /* EDX for a number that the SDM does not define */

/* The hypervisor leaf 0x40000000: EBX, ECX, EDX in this order. */
#define TALLY_SIGNATURE "Tally VMX HV"
#define LEAF_HYPERVISOR 0x40000000u

enum tally_profile { PROFILE_MINIMAL, PROFILE_KVM, PROFILE_ALL };

/* A run ends with a 32-bit OUT to EXIT_PORT; the runner's status is the value - EXIT_PASSED. */
#define EXIT_PORT 0xF4
#define SHUTDOWN_PORT 0x8900 /* Bochs ends when 'Shutdown' is written here, byte by byte */
#define POST_PORT 0x80       /* codes of firmware and kernels, on a plug-in card */
enum exit_verdict {
    VERDICT_PASSED = 0x10,
    VERDICT_FAILED = 0x11,
    VERDICT_TALLY_ERROR = 0x12,
    VERDICT_GUEST_CRASHED = 0x13,
};

#endif
