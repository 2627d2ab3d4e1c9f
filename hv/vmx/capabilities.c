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

/* Names as in the SDM's tables of the chapter 'Virtual Machine Control Structures', each after its
 * bit's number in two digits. */
static const char *const names[CONTROL_WORDS] = {
    [WORD_PIN] = "00external-interrupt exiting\0"
                 "03NMI exiting\0"
                 "05virtual NMIs\0"
                 "06activate VMX-preemption timer\0"
                 "07process posted interrupts\0",
    [WORD_PROC] = "02interrupt-window exiting\0"
                  "03use TSC offsetting\0"
                  "07HLT exiting\0"
                  "09INVLPG exiting\0"
                  "10MWAIT exiting\0"
                  "11RDPMC exiting\0"
                  "12RDTSC exiting\0"
                  "15CR3-load exiting\0"
                  "16CR3-store exiting\0"
                  "17activate tertiary controls\0"
                  "19CR8-load exiting\0"
                  "20CR8-store exiting\0"
                  "21use TPR shadow\0"
                  "22NMI-window exiting\0"
                  "23MOV-DR exiting\0"
                  "24unconditional I/O exiting\0"
                  "25use I/O bitmaps\0"
                  "27monitor trap flag\0"
                  "28use MSR bitmaps\0"
                  "29MONITOR exiting\0"
                  "30PAUSE exiting\0"
                  "31activate secondary controls\0",
    [WORD_PROC2] = "00virtualize APIC accesses\0"
                   "01enable EPT\0"
                   "02descriptor-table exiting\0"
                   "03enable RDTSCP\0"
                   "04virtualize x2APIC mode\0"
                   "05enable VPID\0"
                   "06WBINVD exiting\0"
                   "07unrestricted guest\0"
                   "08APIC-register virtualization\0"
                   "09virtual-interrupt delivery\0"
                   "10PAUSE-loop exiting\0"
                   "11RDRAND exiting\0"
                   "12enable INVPCID\0"
                   "13enable VM functions\0"
                   "14VMCS shadowing\0"
                   "15enable ENCLS exiting\0"
                   "16RDSEED exiting\0"
                   "17enable PML\0"
                   "18EPT-violation #VE\0"
                   "19conceal VMX from PT\0"
                   "20enable XSAVES/XRSTORS\0"
                   "21PASID translation\0"
                   "22mode-based execute control for EPT\0"
                   "23sub-page write permissions for EPT\0"
                   "24Intel PT uses guest physical addresses\0"
                   "25use TSC scaling\0"
                   "26enable user wait and pause\0"
                   "27enable PCONFIG\0"
                   "28enable ENCLV exiting\0"
                   "30VMM bus-lock detection\0"
                   "31instruction timeout\0",
    [WORD_EXIT] = "02save debug controls\0"
                  "09host address-space size\0"
                  "12load IA32_PERF_GLOBAL_CTRL\0"
                  "15acknowledge interrupt on exit\0"
                  "18save IA32_PAT\0"
                  "19load IA32_PAT\0"
                  "20save IA32_EFER\0"
                  "21load IA32_EFER\0"
                  "22save VMX-preemption timer value\0"
                  "23clear IA32_BNDCFGS\0"
                  "24conceal VMX from PT\0"
                  "25clear IA32_RTIT_CTL\0"
                  "26clear IA32_LBR_CTL\0"
                  "27clear UINV\0"
                  "28load CET state\0"
                  "29load PKRS\0"
                  "30save IA32_PERF_GLOBAL_CTRL\0"
                  "31activate secondary controls\0",
    [WORD_ENTRY] = "02load debug controls\0"
                   "09IA-32e mode guest\0"
                   "10entry to SMM\0"
                   "11deactivate dual-monitor treatment\0"
                   "13load IA32_PERF_GLOBAL_CTRL\0"
                   "14load IA32_PAT\0"
                   "15load IA32_EFER\0"
                   "16load IA32_BNDCFGS\0"
                   "17conceal VMX from PT\0"
                   "18load IA32_RTIT_CTL\0"
                   "19load UINV\0"
                   "20load CET state\0"
                   "21load guest IA32_LBR_CTL\0"
                   "22load PKRS\0",
};

const char *bit_name(const char *list, unsigned bit)
{
    for (; *list; list += strlen(list) + 1)
        if (bit == (unsigned)((list[0] - '0') * 10 + list[1] - '0'))
            return list + 2;
    return NULL;
}

const char *control_name(enum control_word word, unsigned bit)
{
    return bit_name(names[word], bit);
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
