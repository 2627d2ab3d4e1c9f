#include "vmx/capabilities.h"

#include "lib/string.h"
#include "x86/msr.h"
#include "x86/vmx.h"

struct vmx_capabilities vmx_capabilities;

/* A CPU without the CPUID leaf has 36 bits of physical and 48 of linear addresses. */
static u8 at_least(u32 bits, u8 least)
{
    return (bits & 0xFF) < least ? least : (u8)bits;
}

static struct control_limits limits_of(u64 msr)
{
    return (struct control_limits){.forced = (u32)msr, .allowed = (u32)(msr >> 32)};
}

void vmx_capabilities_read(struct vmx_capabilities *c, u64 (*read_msr)(u32 msr), u32 address_sizes)
{
    *c = (struct vmx_capabilities){
        .basic = read_msr(IA32_VMX_BASIC),
        .misc = read_msr(IA32_VMX_MISC),
        .cr0_fixed0 = read_msr(IA32_VMX_CR0_FIXED0),
        .cr0_fixed1 = read_msr(IA32_VMX_CR0_FIXED1),
        .cr4_fixed0 = read_msr(IA32_VMX_CR4_FIXED0),
        .cr4_fixed1 = read_msr(IA32_VMX_CR4_FIXED1),
        .physical_bits = at_least(address_sizes, 36),
        .linear_bits = at_least(address_sizes >> 8, 48),
    };

    /* The TRUE MSRs tell which of the default-1 controls may be 0. */
    bool t = c->basic & VMX_BASIC_TRUE_CONTROLS;
    struct control_limits *w = c->word;
    w[WORD_PIN] = limits_of(read_msr(t ? IA32_VMX_TRUE_PINBASED_CTLS : IA32_VMX_PINBASED_CTLS));
    w[WORD_PROC] = limits_of(read_msr(t ? IA32_VMX_TRUE_PROCBASED_CTLS : IA32_VMX_PROCBASED_CTLS));
    w[WORD_EXIT] = limits_of(read_msr(t ? IA32_VMX_TRUE_EXIT_CTLS : IA32_VMX_EXIT_CTLS));
    w[WORD_ENTRY] = limits_of(read_msr(t ? IA32_VMX_TRUE_ENTRY_CTLS : IA32_VMX_ENTRY_CTLS));

    /* Each of these MSRs exists only where a control that needs it may be 1. */
    if (w[WORD_PROC].allowed & PROC_ACTIVATE_SECONDARY)
        w[WORD_PROC2] = limits_of(read_msr(IA32_VMX_PROCBASED_CTLS2));
    if (w[WORD_PROC2].allowed & (PROC2_ENABLE_EPT | PROC2_ENABLE_VPID))
        c->ept_vpid = read_msr(IA32_VMX_EPT_VPID_CAP);
    if (w[WORD_PROC2].allowed & PROC2_ENABLE_VMFUNC)
        c->vmfunc = read_msr(IA32_VMX_VMFUNC);
    if (w[WORD_PROC].allowed & PROC_ACTIVATE_TERTIARY)
        c->proc3 = read_msr(IA32_VMX_PROCBASED_CTLS3);
    if (w[WORD_EXIT].allowed & EXIT_ACTIVATE_SECONDARY)
        c->exit2 = read_msr(IA32_VMX_EXIT_CTLS2);
}

const char *control_word_name(enum control_word word)
{
    return nth_word(
        "pin-based\0primary processor-based\0secondary processor-based\0VM-exit\0VM-entry", word);
}
