#include "vmx/capabilities.h"

#include "x86/msr.h"
#include "x86/vmx.h"

struct vmx_capabilities vmx_capabilities;

/* A CPU without the CPUID leaf has 36 bits of physical and 48 of linear addresses. */
static u8 at_least(u32 bits, u8 least)
{
    return (bits & 0xFF) < least ? least : (u8)bits;
}

static struct control_limits limits(u64 msr)
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
    w[WORD_PIN] = limits(read_msr(t ? IA32_VMX_TRUE_PINBASED_CTLS : IA32_VMX_PINBASED_CTLS));
    w[WORD_PROC] = limits(read_msr(t ? IA32_VMX_TRUE_PROCBASED_CTLS : IA32_VMX_PROCBASED_CTLS));
    w[WORD_EXIT] = limits(read_msr(t ? IA32_VMX_TRUE_EXIT_CTLS : IA32_VMX_EXIT_CTLS));
    w[WORD_ENTRY] = limits(read_msr(t ? IA32_VMX_TRUE_ENTRY_CTLS : IA32_VMX_ENTRY_CTLS));

    /* Each of these MSRs exists only where a control that needs it may be 1. */
    if (w[WORD_PROC].allowed & PROC_ACTIVATE_SECONDARY)
        w[WORD_PROC2] = limits(read_msr(IA32_VMX_PROCBASED_CTLS2));
    if (w[WORD_PROC2].allowed & (PROC2_ENABLE_EPT | PROC2_ENABLE_VPID))
        c->ept_vpid = read_msr(IA32_VMX_EPT_VPID_CAP);
    if (w[WORD_PROC2].allowed & PROC2_ENABLE_VMFUNC)
        c->vmfunc = read_msr(IA32_VMX_VMFUNC);
    if (w[WORD_PROC].allowed & PROC_ACTIVATE_TERTIARY)
        c->proc3 = read_msr(IA32_VMX_PROCBASED_CTLS3);
    if (w[WORD_EXIT].allowed & EXIT_ACTIVATE_SECONDARY)
        c->exit2 = read_msr(IA32_VMX_EXIT_CTLS2);
}

/* Names as in the SDM's tables of the chapter 'Virtual Machine Control Structures'. */
static const char *const names[CONTROL_WORDS][32] = {
    [WORD_PIN] =
        {
            [0] = "external-interrupt exiting",
            [3] = "NMI exiting",
            [5] = "virtual NMIs",
            [6] = "activate VMX-preemption timer",
            [7] = "process posted interrupts",
        },
    [WORD_PROC] =
        {
            [2] = "interrupt-window exiting",
            [3] = "use TSC offsetting",
            [7] = "HLT exiting",
            [9] = "INVLPG exiting",
            [10] = "MWAIT exiting",
            [11] = "RDPMC exiting",
            [12] = "RDTSC exiting",
            [15] = "CR3-load exiting",
            [16] = "CR3-store exiting",
            [17] = "activate tertiary controls",
            [19] = "CR8-load exiting",
            [20] = "CR8-store exiting",
            [21] = "use TPR shadow",
            [22] = "NMI-window exiting",
            [23] = "MOV-DR exiting",
            [24] = "unconditional I/O exiting",
            [25] = "use I/O bitmaps",
            [27] = "monitor trap flag",
            [28] = "use MSR bitmaps",
            [29] = "MONITOR exiting",
            [30] = "PAUSE exiting",
            [31] = "activate secondary controls",
        },
    [WORD_PROC2] =
        {
            [0] = "virtualize APIC accesses",
            [1] = "enable EPT",
            [2] = "descriptor-table exiting",
            [3] = "enable RDTSCP",
            [4] = "virtualize x2APIC mode",
            [5] = "enable VPID",
            [6] = "WBINVD exiting",
            [7] = "unrestricted guest",
            [8] = "APIC-register virtualization",
            [9] = "virtual-interrupt delivery",
            [10] = "PAUSE-loop exiting",
            [11] = "RDRAND exiting",
            [12] = "enable INVPCID",
            [13] = "enable VM functions",
            [14] = "VMCS shadowing",
            [15] = "enable ENCLS exiting",
            [16] = "RDSEED exiting",
            [17] = "enable PML",
            [18] = "EPT-violation #VE",
            [19] = "conceal VMX from PT",
            [20] = "enable XSAVES/XRSTORS",
            [21] = "PASID translation",
            [22] = "mode-based execute control for EPT",
            [23] = "sub-page write permissions for EPT",
            [24] = "Intel PT uses guest physical addresses",
            [25] = "use TSC scaling",
            [26] = "enable user wait and pause",
            [27] = "enable PCONFIG",
            [28] = "enable ENCLV exiting",
            [30] = "VMM bus-lock detection",
            [31] = "instruction timeout",
        },
    [WORD_EXIT] =
        {
            [2] = "save debug controls",
            [9] = "host address-space size",
            [12] = "load IA32_PERF_GLOBAL_CTRL",
            [15] = "acknowledge interrupt on exit",
            [18] = "save IA32_PAT",
            [19] = "load IA32_PAT",
            [20] = "save IA32_EFER",
            [21] = "load IA32_EFER",
            [22] = "save VMX-preemption timer value",
            [23] = "clear IA32_BNDCFGS",
            [24] = "conceal VMX from PT",
            [25] = "clear IA32_RTIT_CTL",
            [26] = "clear IA32_LBR_CTL",
            [27] = "clear UINV",
            [28] = "load CET state",
            [29] = "load PKRS",
            [30] = "save IA32_PERF_GLOBAL_CTRL",
            [31] = "activate secondary controls",
        },
    [WORD_ENTRY] =
        {
            [2] = "load debug controls",
            [9] = "IA-32e mode guest",
            [10] = "entry to SMM",
            [11] = "deactivate dual-monitor treatment",
            [13] = "load IA32_PERF_GLOBAL_CTRL",
            [14] = "load IA32_PAT",
            [15] = "load IA32_EFER",
            [16] = "load IA32_BNDCFGS",
            [17] = "conceal VMX from PT",
            [18] = "load IA32_RTIT_CTL",
            [19] = "load UINV",
            [20] = "load CET state",
            [21] = "load guest IA32_LBR_CTL",
            [22] = "load PKRS",
        },
};

const char *control_name(enum control_word word, unsigned bit)
{
    return bit < 32 ? names[word][bit] : NULL;
}

const char *control_word_name(enum control_word word)
{
    static const char *const words[CONTROL_WORDS] = {
        [WORD_PIN] = "pin-based",
        [WORD_PROC] = "primary processor-based",
        [WORD_PROC2] = "secondary processor-based",
        [WORD_EXIT] = "VM-exit",
        [WORD_ENTRY] = "VM-entry",
    };
    return words[word];
}
