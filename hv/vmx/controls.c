#include "vmx/controls.h"

#include "features.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vmx/access.h"

/* The controls that some profile sets, as x86/vmx_controls.def has them. */
static const struct row {
    u8 word, bit;
    char need[4]; /* a letter a profile: R required, W wanted, L required later, in a run */
} rows[] = {
#define CONTROL(word, name, bit, need, text) {WORD_##word, bit, need},
#include "x86/vmx_controls.def"
};
static const char texts[] =
#define CONTROL(word, name, bit, need, text) text "\0"
#include "x86/vmx_controls.def"
    "a control that Tally does not know";

/* What is not a control of the five words. */
struct profile_plan {
    u32 exceptions;           /* exception bitmap */
    u64 cr0_guest, cr4_guest; /* bits that the guest may own, if the CPU lets them be free */
    u64 xss_exiting;
};

/*
 * #DB and #AC are always intercepted: their delivery can raise the same exception again, for ever,
 * inside one instruction, and no interrupt would end it (XSA-156).
 */
#define EXCEPTIONS_BASE (BIT(VECTOR_DB) | BIT(VECTOR_AC))

/* PG is Tally's in each: by it the guest enters and leaves IA-32e mode, which a vCPU's entry
 * controls must tell. */
static const struct profile_plan plans[] = {
    [PROFILE_MINIMAL] = {.exceptions = EXCEPTIONS_BASE, .cr0_guest = ~CR0_PG, .cr4_guest = ~0ull},
    [PROFILE_KVM] = {.exceptions = EXCEPTIONS_BASE | BIT(VECTOR_UD) | BIT(VECTOR_MC),
                     .cr0_guest = CR0_TS,
                     .cr4_guest = CR4_PVI | CR4_TSD | CR4_DE | CR4_PGE | CR4_PCE | CR4_OSFXSR |
                                  CR4_OSXMMEXCPT | CR4_FSGSBASE},
    [PROFILE_ALL] = {.exceptions = 0xFFFFFFFF, .xss_exiting = ~0ull},
};

/* Reserved controls that read as 1; their meaning is what a CPU without the control does. */
static const u32 default_1[CONTROL_WORDS] = {
    [WORD_PIN] = 0x00000016,
    [WORD_PROC] = 0x0401E172,
    [WORD_EXIT] = 0x00036DFF,
    [WORD_ENTRY] = 0x000011FF,
};

/* The bits of a word for which the profile has one of `needs`. */
static u32 planned_bits(enum control_word word, enum tally_profile profile, const char *needs)
{
    u32 bits = 0;
    for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++)
        if (row->word == word && strchr(needs, row->need[profile]))
            bits |= 1u << row->bit;
    return bits;
}

static const char *control_name(enum control_word word, unsigned bit)
{
    unsigned row = 0;
    while (row < ARRAY_SIZE(rows) && (rows[row].word != word || rows[row].bit != bit))
        row++;
    return nth_word(texts, row);
}

static const char *refuse_controls(const char *what, enum control_word word, u32 bits)
{
    unsigned bit = (unsigned)__builtin_ctz(bits);
    return what_is_wrong("this CPU %s: %s (%s control %u)", what, control_name(word, bit),
                         control_word_name(word), bit);
}

/* What Tally can live with if the CPU insists: anything that some profile uses. */
static u32 usable_controls(enum control_word word)
{
    u32 bits = default_1[word];
    for (unsigned i = 0; i < ARRAY_SIZE(plans); i++)
        bits |= planned_bits(word, i, "RW");
    return bits;
}

static const char *negotiate_word(const struct vmx_capabilities *c, enum tally_profile profile,
                                  enum control_word word, u32 *out)
{
    const struct control_limits *limits = &c->word[word];
    u32 missing = planned_bits(word, profile, "RL") & ~limits->allowed;
    if (missing)
        return refuse_controls("cannot", word, missing);
    u32 unwanted = limits->forced & ~usable_controls(word);
    if (unwanted)
        return refuse_controls("insists on", word, unwanted);
    *out = (planned_bits(word, profile, "RW") & limits->allowed) | limits->forced;
    return NULL;
}

/* What the words cannot say by themselves. */
static const char *check_ept(const struct vmx_capabilities *c)
{
    static const struct {
        u64 bits;
        const char *name;
    } needs[] = {
        {EPT_CAP_WALK_4, "EPT with a page walk of 4 levels"},
        {EPT_CAP_WB, "EPT structures in write-back memory"},
        {EPT_CAP_2M, "EPT pages of 2 MiB"},
        {EPT_CAP_INVEPT, "INVEPT"},
        {EPT_CAP_INVEPT_ALL, "INVEPT of all contexts"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
        if (!(c->ept_vpid & needs[i].bits))
            return what_is_wrong("this CPU cannot: %s (IA32_VMX_EPT_VPID_CAP bit %u)",
                                 needs[i].name, (unsigned)__builtin_ctzll(needs[i].bits));
    return NULL;
}

/* Without these kinds of INVVPID no guest's flush can be carried out: better no VPID at all. */
static bool vpid_usable(const struct vmx_capabilities *c)
{
    u64 needed = VPID_CAP_INVVPID | VPID_CAP_SINGLE_CONTEXT | VPID_CAP_ALL_CONTEXT;
    return (c->ept_vpid & needed) == needed;
}

static void own_control_registers(const struct vmx_capabilities *c, const struct profile_plan *plan,
                                  struct controls *out)
{
    /* An unrestricted guest chooses PE and PG itself; other fixed bits are only shown to it. */
    u64 cr0_fixed = c->cr0_fixed0 & ~(CR0_PE | CR0_PG);
    out->cr0_mask = ~plan->cr0_guest | cr0_fixed;
    u64 features = features_bits(FEATURES_CR4);
    /* The upper half is hardware's to refuse: Bochs 2.7 passes over owned bits there. */
    u64 hidden = ~features & (c->cr4_fixed1 | 0xFFFFFFFF);
    out->cr4_mask = ~plan->cr4_guest | c->cr4_fixed0 | hidden;
    out->cr4_allowed = c->cr4_fixed1 & features;
}

const char *controls_negotiate(const struct vmx_capabilities *c, enum tally_profile profile,
                               struct controls *out)
{
    const struct profile_plan *plan = &plans[profile];
    *out = (struct controls){.exception_bitmap = plan->exceptions};
    u32 *words[CONTROL_WORDS] = {&out->pin, &out->proc, &out->proc2, &out->exit, &out->entry};
    for (unsigned i = 0; i < CONTROL_WORDS; i++) {
        const char *refusal = negotiate_word(c, profile, i, words[i]);
        if (refusal)
            return refusal;
    }
    const char *refusal = check_ept(c);
    if (refusal)
        return refusal;

    if (!vpid_usable(c))
        out->proc2 &= ~(u32)PROC2_ENABLE_VPID;
    if (!(c->misc &
          VMX_MISC_ACTIVITY_HLT)) /* the handler of HLT could not put the guest to sleep */
        out->proc &= ~(u32)PROC_HLT_EXITING | c->word[WORD_PROC].forced;
    out->proc3 = PROC3_ENABLE_MSRLIST & c->proc3; /* without it RDMSRLIST, WRMSRLIST are #UD */
    if (out->proc3)
        out->proc |= PROC_ACTIVATE_TERTIARY;
    if (out->proc2 & PROC2_ENABLE_XSAVES)
        out->xss_exiting = plan->xss_exiting;
    own_control_registers(c, plan, out);
    return NULL;
}

size_t controls_lacking(const struct vmx_capabilities *c, enum tally_profile profile, char *buffer,
                        size_t size)
{
    size_t length = 0;
    buffer[0] = 0;
    for (unsigned word = 0; word < CONTROL_WORDS; word++) {
        u32 lacking = planned_bits(word, profile, "W") & ~c->word[word].allowed;
        for (; lacking && length < size; lacking &= lacking - 1)
            length += format_string(buffer + length, size - length, "%s%s", length ? ", " : "",
                                    control_name(word, (unsigned)__builtin_ctz(lacking)));
    }
    return length;
}

void controls_write(const struct controls *controls)
{
    vmwrite(PIN_BASED_CONTROLS, controls->pin);
    vmwrite(PRIMARY_PROCBASED_CONTROLS, controls->proc);
    vmwrite(SECONDARY_PROCBASED_CONTROLS, controls->proc2);
    vmwrite(VM_EXIT_CONTROLS, controls->exit);
    vmwrite(VM_ENTRY_CONTROLS, controls->entry);
    vmwrite(EXCEPTION_BITMAP, controls->exception_bitmap);
    vmwrite(PAGE_FAULT_ERROR_CODE_MASK, 0); /* bit 14 of the bitmap decides alone */
    vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, 0);
    vmwrite(CR0_GUEST_HOST_MASK, controls->cr0_mask);
    vmwrite(CR4_GUEST_HOST_MASK, controls->cr4_mask);

    /* Fields that exist only with their control. */
    if (controls->proc & PROC_ACTIVATE_TERTIARY)
        vmwrite(TERTIARY_PROCBASED_CONTROLS, controls->proc3);
    if (controls->proc2 & PROC2_ENABLE_XSAVES)
        vmwrite(XSS_EXITING_BITMAP, controls->xss_exiting);
    if (controls->proc2 & PROC2_ENCLS_EXITING)
        vmwrite(ENCLS_EXITING_BITMAP, ~0ull);
    if (controls->proc2 & PROC2_ENCLV_EXITING)
        vmwrite(ENCLV_EXITING_BITMAP, ~0ull);
    if (controls->proc2 & PROC2_ENABLE_PCONFIG)
        vmwrite(PCONFIG_EXITING_BITMAP, ~0ull);
    if (controls->proc2 & PROC2_ENABLE_VMFUNC)
        vmwrite(VM_FUNCTION_CONTROLS, 0); /* no function: VMFUNC always exits */
}
