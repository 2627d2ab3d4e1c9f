/*
 * A CPU in VMX operation for host tests: the handlers compile against this instead of hardware.
 *
 *   fake_reset();                    everything zero, a legal VMCS, a 64-bit guest at CPL 0
 *   fake_guest(GUEST_16BIT);         the guest in another mode
 *   fake_exit(EXIT_CPUID, 0, 2);     as if the guest had left with this reason, 2 bytes of code
 *   action = exit_cpuid(&fake_vcpu); the code under test
 *   assert_int_equal(fake_get(GUEST_RIP), FAKE_RIP);
 *
 * vmread() and vmwrite() work on an array: they stop the test on an encoding that the SDM does not
 * have and on a write to a read-only field, and truncate to the field's width as hardware does.
 * fake_get() and fake_set() reach everything and are not logged.
 *
 * Every fake of a hardware function is weak: a test may define its own instead.
 */
#ifndef TALLY_TESTS_FAKE_VMCS_H
#define TALLY_TESTS_FAKE_VMCS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmx/access.h"
#include "vmx/capabilities.h"
#include "vcpu.h"

/* ---- The VMCS ---- */

u64 fake_get(enum vmcs_field field);
void fake_set(enum vmcs_field field, u64 value);
unsigned fake_writes(enum vmcs_field field); /* vmwrite()s since fake_exit() or fake_reset() */
unsigned fake_total_writes(void);
unsigned fake_total_reads(void);
bool fake_legal_encoding(u32 field);

/* ---- The guest ---- */

enum fake_mode {
    GUEST_64BIT,         /* IA-32e, 64-bit code, CPL 0 */
    GUEST_64BIT_USER,    /* the same at CPL 3 */
    GUEST_COMPATIBILITY, /* IA-32e, 32-bit code, CPL 3 */
    GUEST_32BIT,         /* protected mode, paging off, CPL 0 */
    GUEST_32BIT_USER,
    GUEST_PAE,   /* protected mode, PAE paging, CPL 0 */
    GUEST_16BIT, /* real mode */
    GUEST_V8086,
    FAKE_MODES,
};

#define FAKE_RIP 0x7000u /* where every fake guest stands */
#define FAKE_RSP 0x9000u
#define FAKE_RAM (2u << 20)

extern struct vcpu fake_vcpu; /* its controls are the ones of the VMCS, profile minimal */
extern u8 fake_ram[FAKE_RAM]; /* guest-physical 0 and up, behind guest_ram() */
extern struct vmx_capabilities fake_capabilities; /* Bochs' broadwell_ult */

/* Puts bytes into fake_ram from outside. */
void fake_ram_write(u64 address, const void *bytes, size_t size);

/* Clears all of this file's state. Where the guest's paging is on, 2 MiB from linear 0 are mapped
 * to themselves for all privilege levels, by page tables in the last pages of fake_ram. */
void fake_reset(void);
void fake_guest(enum fake_mode mode);

/* Sets what an exit leaves behind: the reason word (also in fake_vcpu), qualification, instruction
 * length; clears the event fields and the logs. */
void fake_exit(u32 reason, u64 qualification, unsigned instruction_length);

/* ---- The rest of the CPU ---- */

struct fake_port_access {
    u16 port;
    u8 size;
    bool out;
    u32 value;
};

struct fake_cpu {
    u64 cr0, cr2, cr8, dr[8], xcr0;
    u32 pkru;
    u32 port_value; /* what the next IN reads */
    struct fake_port_access ports[64];
    unsigned port_accesses;
    u64 pmc;
    unsigned pmcs; /* RDPMC of this counter number and above faults */
    bool random_ready;
    u64 random;
    unsigned invalidations; /* INVVPID and INVEPT of any kind */
    unsigned wbinvds;
};
extern struct fake_cpu fake_cpu;

extern struct fake_msrs {
    struct {
        u32 msr;
        u64 value;
    } msr[256];
    unsigned count;
} fake_msrs;

void fake_msr(u32 msr, u64 value); /* the MSR exists from now on */
bool fake_msr_get(u32 msr, u64 *value);

/* ---- All of the above but fake_ram, put away and back in no time ---- */

struct fake_state {
    u64 fields[2048];
    struct vcpu vcpu;
    struct statistics statistics;
    struct fake_cpu cpu;
    struct fake_msrs msrs;
    struct vmx_capabilities capabilities;
};
void fake_save(struct fake_state *state);
void fake_load(const struct fake_state *state);

/* ---- What was printed ---- */

extern char fake_output[64 * 1024];
void fake_output_clear(void);

/* fatal() prints and then fails the test, unless this is armed: `if (!setjmp(fake_fatal)) …`. */
extern jmp_buf fake_fatal;
extern bool fake_fatal_expected;

/* ---- The parts of fake_reset() ---- */

void fake_set_capabilities(void);
void fake_set_controls(void);
void fake_set_host(void);
void fake_map_identity(void);

#endif
