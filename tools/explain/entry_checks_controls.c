/* SDM vol. 3, 'VM-Execution Control Fields', 'VM-Exit Control Fields', 'VM-Entry Control Fields'.
 */
#include "entry_checks.h"
#include "x86/registers.h"
#include "x86/vmx.h"

static bool is_set(const struct entry_check *k, enum control_word word, u32 bits)
{
    return k->word[word] & bits;
}

/* The capability MSRs decide which bits of a word must be 1 and which may be. */
static const char not_forced[] = "the bits that the capability MSR reports as fixed to 1 must be 1";
static const char not_allowed[] = "only bits that the capability MSR reports as allowed may be 1";

static void check_words(struct entry_check *k)
{
    static const u16 fields[CONTROL_WORDS] = {PIN_BASED_CONTROLS, PRIMARY_PROCBASED_CONTROLS,
                                              SECONDARY_PROCBASED_CONTROLS, VM_EXIT_CONTROLS,
                                              VM_ENTRY_CONTROLS};
    for (unsigned i = 0; i < CONTROL_WORDS; i++) {
        const struct control_limits *limits = &k->cpu->word[i];
        if (i == WORD_PROC2 && !is_set(k, WORD_PROC, PROC_ACTIVATE_SECONDARY))
            continue;
        rule(k, !(limits->forced & ~k->word[i]), fields[i], not_forced);
        rule(k, !(k->word[i] & ~limits->allowed), fields[i], not_allowed);
    }
    if (is_set(k, WORD_PROC, PROC_ACTIVATE_TERTIARY))
        rule(k, !(vmread(TERTIARY_PROCBASED_CONTROLS) & ~k->cpu->proc3),
             TERTIARY_PROCBASED_CONTROLS, not_allowed);
    if (is_set(k, WORD_EXIT, EXIT_ACTIVATE_SECONDARY))
        rule(k, !(vmread(SECONDARY_VM_EXIT_CONTROLS) & ~k->cpu->exit2), SECONDARY_VM_EXIT_CONTROLS,
             not_allowed);
}

static void check_pages(struct entry_check *k)
{
    static const struct {
        u8 word;
        u16 field;
        u32 control;
    } pages[] = {
        {WORD_PROC, IO_BITMAP_A, PROC_USE_IO_BITMAPS},
        {WORD_PROC, IO_BITMAP_B, PROC_USE_IO_BITMAPS},
        {WORD_PROC, MSR_BITMAP, PROC_USE_MSR_BITMAPS},
        {WORD_PROC, VIRTUAL_APIC_ADDRESS, PROC_USE_TPR_SHADOW},
        {WORD_PROC2, APIC_ACCESS_ADDRESS, PROC2_VIRTUALIZE_APIC_ACCESSES},
        {WORD_PROC2, PML_ADDRESS, PROC2_ENABLE_PML},
        {WORD_PROC2, SPP_TABLE_POINTER, PROC2_SUB_PAGE_WRITE},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
        if (is_set(k, pages[i].word, pages[i].control))
            rule(k, legal_page(k, vmread(pages[i].field)), pages[i].field,
                 "the address must be 4-KByte aligned and within the physical width");
}

#define NEEDS_TPR_SHADOW                                                                           \
    (PROC2_VIRTUALIZE_X2APIC | PROC2_APIC_REGISTER_VIRTUALIZATION |                                \
     PROC2_VIRTUAL_INTERRUPT_DELIVERY)
#define NEEDS_EPT                                                                                  \
    (PROC2_UNRESTRICTED_GUEST | PROC2_ENABLE_PML | PROC2_MODE_BASED_EXECUTE | PROC2_SUB_PAGE_WRITE)

/* Controls (any of `bits`) that need another one. */
static const struct dependency {
    u8 word, needed_word;
    u16 field;
    u32 bits, needed;
    const char *sentence;
} dependencies[] = {
    {WORD_PIN, WORD_PIN, PIN_BASED_CONTROLS, PIN_VIRTUAL_NMIS, PIN_NMI_EXITING,
     "virtual NMIs need NMI exiting"},
    {WORD_PROC, WORD_PIN, PRIMARY_PROCBASED_CONTROLS, PROC_NMI_WINDOW_EXITING, PIN_VIRTUAL_NMIS,
     "NMI-window exiting needs virtual NMIs"},
    {WORD_PROC2, WORD_PROC, SECONDARY_PROCBASED_CONTROLS, NEEDS_TPR_SHADOW, PROC_USE_TPR_SHADOW,
     "x2APIC, APIC-register virtualization and virtual interrupts need the TPR shadow"},
    {WORD_PROC2, WORD_PIN, PIN_BASED_CONTROLS, PROC2_VIRTUAL_INTERRUPT_DELIVERY,
     PIN_EXTERNAL_INTERRUPT_EXITING, "virtual-interrupt delivery needs external-interrupt exiting"},
    {WORD_PIN, WORD_PROC2, PIN_BASED_CONTROLS, PIN_POSTED_INTERRUPTS,
     PROC2_VIRTUAL_INTERRUPT_DELIVERY, "posted interrupts need virtual-interrupt delivery"},
    {WORD_PIN, WORD_EXIT, PIN_BASED_CONTROLS, PIN_POSTED_INTERRUPTS, EXIT_ACKNOWLEDGE_INTERRUPT,
     "posted interrupts need acknowledge interrupt on exit"},
    {WORD_PROC2, WORD_PROC2, SECONDARY_PROCBASED_CONTROLS, NEEDS_EPT, PROC2_ENABLE_EPT,
     "unrestricted guest, PML, mode-based execution and sub-page permissions need EPT"},
    {WORD_EXIT, WORD_PIN, VM_EXIT_CONTROLS, EXIT_SAVE_PREEMPTION_TIMER, PIN_PREEMPTION_TIMER,
     "saving the preemption timer needs the timer"},
};

static void check_dependencies(struct entry_check *k)
{
    for (unsigned i = 0; i < ARRAY_SIZE(dependencies); i++) {
        const struct dependency *d = &dependencies[i];
        rule(k, implies(is_set(k, d->word, d->bits), is_set(k, d->needed_word, d->needed)),
             d->field, d->sentence);
    }
    u32 both = PROC2_VIRTUALIZE_X2APIC | PROC2_VIRTUALIZE_APIC_ACCESSES;
    rule(k, (k->word[WORD_PROC2] & both) != both, SECONDARY_PROCBASED_CONTROLS,
         "x2APIC mode and APIC accesses cannot both be virtualized");
}

static void check_ept(struct entry_check *k)
{
    if (!is_set(k, WORD_PROC2, PROC2_ENABLE_EPT))
        return;
    u64 eptp = vmread(EPT_POINTER), capabilities = k->cpu->ept_vpid;
    unsigned type = eptp & 7, walk = eptp >> 3 & 7;
    rule(k,
         (type == 6 && (capabilities & EPT_CAP_WB)) || (type == 0 && (capabilities & EPT_CAP_UC)),
         EPT_POINTER, "the EPT memory type must be 6 or 0, as IA32_VMX_EPT_VPID_CAP allows");
    rule(k,
         (walk == 3 && (capabilities & EPT_CAP_WALK_4)) ||
             (walk == 4 && (capabilities & EPT_CAP_WALK_5)),
         EPT_POINTER, "the EPT page-walk length must be one that the CPU supports");
    rule(k, implies(eptp & EPTP_ACCESSED_DIRTY, capabilities & EPT_CAP_ACCESSED_DIRTY), EPT_POINTER,
         "the CPU does not support accessed and dirty flags for EPT");
    rule(k, !(eptp & 0xF80) && within_physical(k, eptp), EPT_POINTER,
         "bits 11:7 and those beyond the physical width must be 0");
    rule(k, implies(k->word[WORD_PROC2] & PROC2_ENABLE_PML, eptp & EPTP_ACCESSED_DIRTY),
         EPT_POINTER, "PML needs accessed and dirty flags for EPT");
}

/* An area of MSRs: `count` entries of 16 bytes. */
static void check_msr_area(struct entry_check *k, enum vmcs_field count_field,
                           enum vmcs_field address_field)
{
    u64 count = vmread(count_field), address = vmread(address_field);
    if (!count)
        return;
    rule(k,
         !(address & 15) && within_physical(k, address) &&
             within_physical(k, address + 16 * count - 1),
         address_field, "the MSR area must be 16-byte aligned and within the physical width");
    rule(k, count <= 512 * ((k->cpu->misc >> 25 & 7) + 1), count_field,
         "the MSR area is longer than IA32_VMX_MISC recommends");
}

void check_controls(struct entry_check *k)
{
    check_words(k);
    check_pages(k);
    check_dependencies(k);
    check_ept(k);
    rule(k, vmread(CR3_TARGET_COUNT) <= (k->cpu->misc >> 16 & 0x1FF), CR3_TARGET_COUNT,
         "there may be no more CR3-target values than IA32_VMX_MISC says");
    if (is_set(k, WORD_PROC, PROC_USE_TPR_SHADOW) &&
        !is_set(k, WORD_PROC2, PROC2_VIRTUAL_INTERRUPT_DELIVERY))
        rule(k, !(vmread(TPR_THRESHOLD) >> 4), TPR_THRESHOLD,
             "bits 31:4 of the TPR threshold must be 0");
    if (is_set(k, WORD_PROC2, PROC2_ENABLE_VPID))
        rule(k, vmread(VIRTUAL_PROCESSOR_ID), VIRTUAL_PROCESSOR_ID, "the VPID must not be 0");
    if (is_set(k, WORD_PROC2, PROC2_ENABLE_VMFUNC))
        rule(k, !(vmread(VM_FUNCTION_CONTROLS) & ~k->cpu->vmfunc), VM_FUNCTION_CONTROLS,
             "only functions that IA32_VMX_VMFUNC allows may be enabled");
    rule(k, !is_set(k, WORD_ENTRY, ENTRY_TO_SMM | ENTRY_DEACTIVATE_DUAL_MONITOR), VM_ENTRY_CONTROLS,
         "outside SMM, entry to SMM and deactivation of the dual monitor must be 0");
    check_msr_area(k, VM_EXIT_MSR_STORE_COUNT, VM_EXIT_MSR_STORE_ADDR);
    check_msr_area(k, VM_EXIT_MSR_LOAD_COUNT, VM_EXIT_MSR_LOAD_ADDR);
    check_msr_area(k, VM_ENTRY_MSR_LOAD_COUNT, VM_ENTRY_MSR_LOAD_ADDR);
}

/* Vectors with an error code: #DF #TS #NP #SS #GP #PF #AC. #CP has one where CET exists. */
#define ERROR_CODE_VECTORS                                                                         \
    (BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) |          \
     BIT(VECTOR_PF) | BIT(VECTOR_AC))

static void check_event_type(struct entry_check *k, unsigned type, unsigned vector)
{
    bool mtf = k->cpu->word[WORD_PROC].allowed & PROC_MONITOR_TRAP_FLAG;
    rule(k, type != 1 && implies(type == TYPE_OTHER_EVENT, mtf), VM_ENTRY_INTERRUPTION_INFO,
         "the type of an injected event must not be reserved");
    rule(k, implies(type == TYPE_NMI, vector == VECTOR_NMI), VM_ENTRY_INTERRUPTION_INFO,
         "an injected NMI must have vector 2");
    rule(k, implies(type == TYPE_HARDWARE_EXCEPTION, vector <= 31), VM_ENTRY_INTERRUPTION_INFO,
         "an injected hardware exception must have a vector of at most 31");
    rule(k, implies(type == TYPE_OTHER_EVENT, vector == 0), VM_ENTRY_INTERRUPTION_INFO,
         "an injected other event must have vector 0");
    rule(k, !(k->event & 0x7FFFF000), VM_ENTRY_INTERRUPTION_INFO,
         "bits 30:12 of the interruption information must be 0");
}

static void check_error_code(struct entry_check *k, unsigned type, unsigned vector)
{
    bool delivers = k->event & INTERRUPTION_ERROR_CODE;
    bool exception = type == TYPE_HARDWARE_EXCEPTION && vector <= 31;
    bool protected_mode = k->cr0 & CR0_PE;
    bool any_vector = k->cpu->basic & VMX_BASIC_ANY_ERROR_CODE;
    bool has_code = exception && (ERROR_CODE_VECTORS >> vector & 1);

    rule(k, implies(delivers, exception), VM_ENTRY_INTERRUPTION_INFO,
         "only hardware exceptions deliver an error code");
    rule(k, implies(delivers && k->unrestricted, protected_mode), VM_ENTRY_INTERRUPTION_INFO,
         "no error code is delivered in real mode");
    rule(k, implies(delivers && exception && !any_vector, has_code || vector == VECTOR_CP),
         VM_ENTRY_INTERRUPTION_INFO, "the vector has no error code");
    rule(k, implies(has_code && protected_mode && !any_vector, delivers),
         VM_ENTRY_INTERRUPTION_INFO, "the vector must deliver an error code");
    rule(k, implies(delivers, delivers && !(vmread(VM_ENTRY_EXCEPTION_ERROR_CODE) >> 16)),
         VM_ENTRY_EXCEPTION_ERROR_CODE, "bits 31:16 of the error code must be 0");
}

void check_event_injection(struct entry_check *k)
{
    if (!k->event)
        return;
    unsigned type = (k->event & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT;
    unsigned vector = k->event & INTERRUPTION_VECTOR;
    check_event_type(k, type, vector);
    check_error_code(k, type, vector);
    if (type < TYPE_SOFTWARE_INTERRUPT || type > TYPE_SOFTWARE_EXCEPTION)
        return;
    u64 length = vmread(VM_ENTRY_INSTRUCTION_LENGTH);
    rule(k, length <= 15 && implies(!length, k->cpu->misc & VMX_MISC_ILEN_0_INJECTION),
         VM_ENTRY_INSTRUCTION_LENGTH,
         "a software event needs an instruction length of 1 to 15, or 0 where the CPU allows it");
}
