/* SDM vol. 3, 'VM-Execution Control Fields', 'VM-Exit Control Fields', 'VM-Entry Control Fields'.
 */
#include "vmx/entry_checks.h"
#include "x86/registers.h"
#include "x86/vmx.h"

/* The capability MSRs decide which bits of a word must be 1 and which may be. */
static void check_word(struct entry_check *k, enum control_word word, u32 value,
                       enum vmcs_field field)
{
    const struct control_limits *limits = &k->cpu->word[word];
    rule(k, !(limits->forced & ~value), field,
         "the bits that the capability MSR reports as fixed to 1 must be 1");
    rule(k, !(value & ~limits->allowed), field,
         "only bits that the capability MSR reports as allowed may be 1");
}

static void check_words(struct entry_check *k)
{
    check_word(k, WORD_PIN, k->pin, PIN_BASED_CONTROLS);
    check_word(k, WORD_PROC, k->proc, PRIMARY_PROCBASED_CONTROLS);
    if (k->proc & PROC_ACTIVATE_SECONDARY)
        check_word(k, WORD_PROC2, k->proc2, SECONDARY_PROCBASED_CONTROLS);
    if (k->proc & PROC_ACTIVATE_TERTIARY)
        rule(k, !(vmread(TERTIARY_PROCBASED_CONTROLS) & ~k->cpu->proc3),
             TERTIARY_PROCBASED_CONTROLS,
             "only bits that the capability MSR reports as allowed may be 1");
    check_word(k, WORD_EXIT, k->exit, VM_EXIT_CONTROLS);
    if (k->exit & EXIT_ACTIVATE_SECONDARY)
        rule(k, !(vmread(SECONDARY_VM_EXIT_CONTROLS) & ~k->cpu->exit2), SECONDARY_VM_EXIT_CONTROLS,
             "only bits that the capability MSR reports as allowed may be 1");
    check_word(k, WORD_ENTRY, k->entry, VM_ENTRY_CONTROLS);
}

static void check_pages(struct entry_check *k)
{
    const struct {
        bool used;
        enum vmcs_field field;
    } pages[] = {
        {k->proc & PROC_USE_IO_BITMAPS, IO_BITMAP_A},
        {k->proc & PROC_USE_IO_BITMAPS, IO_BITMAP_B},
        {k->proc & PROC_USE_MSR_BITMAPS, MSR_BITMAP},
        {k->proc & PROC_USE_TPR_SHADOW, VIRTUAL_APIC_ADDRESS},
        {k->proc2 & PROC2_VIRTUALIZE_APIC_ACCESSES, APIC_ACCESS_ADDRESS},
        {k->proc2 & PROC2_ENABLE_PML, PML_ADDRESS},
        {k->proc2 & PROC2_SUB_PAGE_WRITE, SPP_TABLE_POINTER},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
        rule(k, implies(pages[i].used, pages[i].used && legal_page(k, vmread(pages[i].field))),
             pages[i].field, "the address must be 4-KByte aligned and within the physical width");
}

static void check_interrupt_controls(struct entry_check *k)
{
    bool shadow = k->proc & PROC_USE_TPR_SHADOW;
    bool delivery = k->proc2 & PROC2_VIRTUAL_INTERRUPT_DELIVERY;

    rule(k, implies(k->pin & PIN_VIRTUAL_NMIS, k->pin & PIN_NMI_EXITING), PIN_BASED_CONTROLS,
         "virtual NMIs need NMI exiting");
    rule(k, implies(k->proc & PROC_NMI_WINDOW_EXITING, k->pin & PIN_VIRTUAL_NMIS),
         PRIMARY_PROCBASED_CONTROLS, "NMI-window exiting needs virtual NMIs");
    rule(k, implies(shadow && !delivery, shadow && !(vmread(TPR_THRESHOLD) >> 4)), TPR_THRESHOLD,
         "bits 31:4 of the TPR threshold must be 0");
    rule(k,
         implies(k->proc2 & (PROC2_VIRTUALIZE_X2APIC | PROC2_APIC_REGISTER_VIRTUALIZATION |
                             PROC2_VIRTUAL_INTERRUPT_DELIVERY),
                 shadow),
         SECONDARY_PROCBASED_CONTROLS,
         "x2APIC, APIC-register virtualization and virtual interrupts need the TPR shadow");
    rule(k,
         implies(k->proc2 & PROC2_VIRTUALIZE_X2APIC, !(k->proc2 & PROC2_VIRTUALIZE_APIC_ACCESSES)),
         SECONDARY_PROCBASED_CONTROLS, "x2APIC mode and APIC accesses cannot both be virtualized");
    rule(k, implies(delivery, k->pin & PIN_EXTERNAL_INTERRUPT_EXITING), PIN_BASED_CONTROLS,
         "virtual-interrupt delivery needs external-interrupt exiting");
    rule(
        k,
        implies(k->pin & PIN_POSTED_INTERRUPTS, delivery && (k->exit & EXIT_ACKNOWLEDGE_INTERRUPT)),
        PIN_BASED_CONTROLS,
        "posted interrupts need virtual-interrupt delivery and acknowledge interrupt on exit");
}

static void check_ept(struct entry_check *k)
{
    bool ept = k->proc2 & PROC2_ENABLE_EPT;
    u32 needing = PROC2_UNRESTRICTED_GUEST | PROC2_ENABLE_PML | PROC2_MODE_BASED_EXECUTE |
                  PROC2_SUB_PAGE_WRITE;
    rule(k, implies(k->proc2 & needing, ept), SECONDARY_PROCBASED_CONTROLS,
         "unrestricted guest, PML, mode-based execution and sub-page permissions need EPT");
    if (!ept)
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
    rule(k, implies(k->proc2 & PROC2_ENABLE_PML, eptp & EPTP_ACCESSED_DIRTY), EPT_POINTER,
         "PML needs accessed and dirty flags for EPT");
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
    check_interrupt_controls(k);
    check_ept(k);
    rule(k, vmread(CR3_TARGET_COUNT) <= (k->cpu->misc >> 16 & 0x1FF), CR3_TARGET_COUNT,
         "there may be no more CR3-target values than IA32_VMX_MISC says");
    rule(k,
         implies(k->proc2 & PROC2_ENABLE_VPID,
                 (k->proc2 & PROC2_ENABLE_VPID) && vmread(VIRTUAL_PROCESSOR_ID)),
         VIRTUAL_PROCESSOR_ID, "the VPID must not be 0");
    rule(k,
         implies(k->proc2 & PROC2_ENABLE_VMFUNC,
                 (k->proc2 & PROC2_ENABLE_VMFUNC) &&
                     !(vmread(VM_FUNCTION_CONTROLS) & ~k->cpu->vmfunc)),
         VM_FUNCTION_CONTROLS, "only functions that IA32_VMX_VMFUNC allows may be enabled");

    rule(k, implies(k->exit & EXIT_SAVE_PREEMPTION_TIMER, k->pin & PIN_PREEMPTION_TIMER),
         VM_EXIT_CONTROLS, "saving the preemption timer needs the timer");
    rule(k, !(k->entry & (ENTRY_TO_SMM | ENTRY_DEACTIVATE_DUAL_MONITOR)), VM_ENTRY_CONTROLS,
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
