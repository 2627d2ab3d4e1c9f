/* The option `caps`: what goes into a bug report. */
#include "explain.h"
#include "names.h"
#include "x86/vmx.h"

static void describe_word(const struct control_limits *limits, enum control_word word, u32 used)
{
    tell("caps: %s controls: forced %08x, allowed %08x, used %08x", control_word_name(word),
         limits->forced, limits->allowed, used);
    for (unsigned bit = 0; bit < 32; bit++) {
        const char *name = control_name(word, bit);
        if (!name)
            continue;
        bool allowed = limits->allowed >> bit & 1;
        tell("caps:   %-8s %2u  %s",
             used >> bit & 1 ? "used"
             : allowed       ? "unused"
                             : "lacking",
             bit, name);
    }
}

static void describe_flags(const char *title, u64 msr, const char *const names[64])
{
    tell("caps: %s: %016lx", title, msr);
    for (unsigned bit = 0; bit < 64; bit++)
        if (names[bit])
            tell("caps:   %-8s %2u  %s", msr >> bit & 1 ? "has" : "lacking", bit, names[bit]);
}

static const char *const ept_names[64] = {
    [0] = "execute-only pages",
    [6] = "page walk of 4 levels",
    [7] = "page walk of 5 levels",
    [8] = "structures in uncacheable memory",
    [14] = "structures in write-back memory",
    [16] = "pages of 2 MiB",
    [17] = "pages of 1 GiB",
    [20] = "INVEPT",
    [21] = "accessed and dirty flags",
    [22] = "advanced exit information",
    [25] = "INVEPT, single context",
    [26] = "INVEPT, all contexts",
    [32] = "INVVPID",
    [40] = "INVVPID, individual address",
    [41] = "INVVPID, single context",
    [42] = "INVVPID, all contexts",
    [43] = "INVVPID, single context but globals",
};

static const char *const misc_names[64] = {
    [5] = "VM exits save IA32_EFER.LMA", [6] = "activity state HLT",
    [7] = "activity state shutdown",     [8] = "activity state wait-for-SIPI",
    [29] = "VMWRITE to any field",       [30] = "injection with instruction length 0",
};

void explain_capabilities(const struct vmx_capabilities *c, const struct dump *dump)
{
    tell("caps: VMCS revision %08x, %u bytes, memory type %u; addresses: %u bits physical, %u "
         "linear",
         (u32)(c->basic & VMX_BASIC_REVISION), (u32)(c->basic >> 32 & 0x1FFF),
         (u32)(c->basic >> 50 & 15), c->physical_bits, c->linear_bits);
    tell("caps: TRUE control MSRs: %s; instruction information of INS and OUTS: %s",
         c->basic & VMX_BASIC_TRUE_CONTROLS ? "yes" : "no",
         c->basic & VMX_BASIC_INS_OUTS_INFO ? "yes" : "no");

    static const u16 words[CONTROL_WORDS] = {PIN_BASED_CONTROLS, PRIMARY_PROCBASED_CONTROLS,
                                             SECONDARY_PROCBASED_CONTROLS, VM_EXIT_CONTROLS,
                                             VM_ENTRY_CONTROLS};
    for (unsigned i = 0; i < CONTROL_WORDS; i++)
        describe_word(&c->word[i], i, (u32)dump->field[words[i]]);

    tell("caps: tertiary controls: allowed %016lx, used %016lx; secondary VM-exit controls: "
         "allowed %016lx",
         c->proc3, dump->field[TERTIARY_PROCBASED_CONTROLS], c->exit2);
    describe_flags("EPT and VPID", c->ept_vpid, ept_names);
    describe_flags("miscellaneous", c->misc, misc_names);
    tell("caps: preemption timer rate %u, CR3 targets %u, MSR list entries %u, VM functions %lx",
         (u32)(c->misc & VMX_MISC_TIMER_RATE), (u32)(c->misc >> 16 & 0x1FF),
         512 * ((u32)(c->misc >> 25 & 7) + 1), c->vmfunc);
    tell("caps: CR0 fixed to 1 %08lx, to 0 %08lx; CR4 fixed to 1 %08lx, to 0 %08lx", c->cr0_fixed0,
         ~c->cr0_fixed1 & 0xFFFFFFFF, c->cr4_fixed0, ~c->cr4_fixed1 & 0xFFFFFFFF);
    tell("caps: exception bitmap %08x, CR0 mask %016lx, CR4 mask %016lx",
         (u32)dump->field[EXCEPTION_BITMAP], dump->field[CR0_GUEST_HOST_MASK],
         dump->field[CR4_GUEST_HOST_MASK]);
}
