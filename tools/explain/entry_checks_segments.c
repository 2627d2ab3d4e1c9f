/* SDM vol. 3, 'Checks on Guest Segment Registers' and 'Checks on Guest Descriptor-Table Registers'.
 */
#include "entry_checks.h"
#include "vmx/guest_state.h"

#define RPL 3u
#define TI BIT(2)

struct segment_state {
    enum segment number;
    u16 selector;
    u32 limit, rights;
    u64 base;
    bool usable;
};

static struct segment_state read_segment(enum segment s)
{
    u32 rights = (u32)vmread(segment_access_rights(s));
    return (struct segment_state){
        .number = s,
        .selector = (u16)vmread(segment_selector(s)),
        .limit = (u32)vmread(segment_limit(s)),
        .rights = rights,
        .base = vmread(segment_base(s)),
        .usable = !(rights & AR_UNUSABLE),
    };
}

static unsigned dpl(u32 rights)
{
    return (rights & AR_DPL) >> AR_DPL_SHIFT;
}

/* What holds for the rights of every usable segment register. */
static void check_common_rights(struct entry_check *k, const struct segment_state *s, bool system)
{
    enum vmcs_field field = segment_access_rights(s->number);
    rule(k, system == !(s->rights & AR_S), field,
         system ? "S must be 0 in a system segment" : "S must be 1 in a code or data segment");
    rule(k, s->rights & AR_P, field, "the segment must be present");
    rule(k, !(s->rights & 0xFFFE0F00), field, "reserved bits of the access rights must be 0");
    rule(k, implies((s->limit & 0xFFF) != 0xFFF, !(s->rights & AR_G)), field,
         "G must be 0 unless bits 11:0 of the limit are all 1");
    rule(k, implies(s->limit >> 20, s->rights & AR_G), field,
         "G must be 1 if any of bits 31:20 of the limit is 1");
}

static void check_v8086_segment(struct entry_check *k, const struct segment_state *s)
{
    rule(k, s->base == (u64)s->selector << 4, segment_base(s->number),
         "in virtual-8086 mode the base must be 16 times the selector");
    rule(k, s->limit == 0xFFFF, segment_limit(s->number),
         "in virtual-8086 mode the limit must be FFFFH");
    rule(k, s->rights == 0xF3, segment_access_rights(s->number),
         "in virtual-8086 mode the access rights must be F3H");
}

static void check_code_segment(struct entry_check *k, const struct segment_state *s)
{
    enum vmcs_field field = GUEST_CS_ACCESS_RIGHTS;
    unsigned type = s->rights & AR_TYPE, own = dpl(s->rights), stack = dpl(k->ss_rights);
    bool data = type == 3 && k->unrestricted;
    rule(k, data || (type & 9) == 9, field,
         "CS must be an accessed code segment, or type 3 in an unrestricted guest");
    rule(k, implies(data, own == 0), field, "a CS of type 3 must have DPL 0");
    rule(k, implies((type & 13) == 9, own == stack), field,
         "a non-conforming CS must have the DPL of SS");
    rule(k, implies((type & 13) == 13, own <= stack), field,
         "a conforming CS must not have a DPL above that of SS");
    rule(k, implies(k->ia32e && (s->rights & AR_L), !(s->rights & AR_DB)), field,
         "a 64-bit code segment must have D=0");
    rule(k, !(s->base >> 32), GUEST_CS_BASE, "bits 63:32 of the base must be 0");
    check_common_rights(k, s, false);
}

static void check_stack_segment(struct entry_check *k, const struct segment_state *s)
{
    unsigned type = s->rights & AR_TYPE;
    if (s->usable) {
        rule(k, type == 3 || type == 7, GUEST_SS_ACCESS_RIGHTS,
             "SS must be a writable, accessed data segment");
        rule(k, !(s->base >> 32), GUEST_SS_BASE, "bits 63:32 of the base must be 0");
        check_common_rights(k, s, false);
    }
    bool lowest = (k->cs_rights & AR_TYPE) == 3 || !(k->cr0 & CR0_PE);
    rule(k, implies(lowest, dpl(s->rights) == 0), GUEST_SS_ACCESS_RIGHTS,
         "SS must have DPL 0 in real mode and with a CS of type 3");
    if (!k->unrestricted) {
        rule(k, (s->selector & RPL) == (vmread(GUEST_CS_SELECTOR) & RPL), GUEST_SS_SELECTOR,
             "SS and CS must have the same RPL");
        rule(k, dpl(s->rights) == (s->selector & RPL), GUEST_SS_ACCESS_RIGHTS,
             "SS must have a DPL equal to its RPL");
    }
}

static void check_data_segment(struct entry_check *k, const struct segment_state *s)
{
    if (!s->usable)
        return;
    enum vmcs_field field = segment_access_rights(s->number);
    unsigned type = s->rights & AR_TYPE;
    rule(k, type & 1, field, "a data segment must be marked as accessed");
    rule(k, implies(type & 8, type & 2), field, "a code segment used for data must be readable");
    rule(k, implies(!k->unrestricted && type <= 11, dpl(s->rights) >= (s->selector & RPL)), field,
         "a data segment must have a DPL of at least its RPL");
    if (s->number <= DS)
        rule(k, !(s->base >> 32), segment_base(s->number), "bits 63:32 of the base must be 0");
    check_common_rights(k, s, false);
}

static void check_system_segments(struct entry_check *k)
{
    struct segment_state tr = read_segment(TR), ldtr = read_segment(LDTR);
    unsigned type = tr.rights & AR_TYPE;
    rule(k, tr.usable, GUEST_TR_ACCESS_RIGHTS, "TR must be usable");
    rule(k, type == 11 || (type == 3 && !k->ia32e), GUEST_TR_ACCESS_RIGHTS,
         "TR must be a busy TSS, in IA-32e mode of type 11");
    rule(k, !(tr.selector & TI), GUEST_TR_SELECTOR, "the selector's TI must be 0");
    rule(k, canonical(k, tr.base), GUEST_TR_BASE, "the base must be canonical");
    if (tr.usable)
        check_common_rights(k, &tr, true);

    if (!ldtr.usable)
        return;
    rule(k, (ldtr.rights & AR_TYPE) == 2, GUEST_LDTR_ACCESS_RIGHTS, "LDTR must be of type 2");
    rule(k, !(ldtr.selector & TI), GUEST_LDTR_SELECTOR, "the selector's TI must be 0");
    rule(k, canonical(k, ldtr.base), GUEST_LDTR_BASE, "the base must be canonical");
    check_common_rights(k, &ldtr, true);
}

static void check_descriptor_tables(struct entry_check *k)
{
    rule(k, canonical(k, vmread(GUEST_GDTR_BASE)), GUEST_GDTR_BASE, "the base must be canonical");
    rule(k, canonical(k, vmread(GUEST_IDTR_BASE)), GUEST_IDTR_BASE, "the base must be canonical");
    rule(k, vmread(GUEST_GDTR_LIMIT) <= 0xFFFF, GUEST_GDTR_LIMIT,
         "bits 31:16 of the limit must be 0");
    rule(k, vmread(GUEST_IDTR_LIMIT) <= 0xFFFF, GUEST_IDTR_LIMIT,
         "bits 31:16 of the limit must be 0");
}

void check_guest_segments(struct entry_check *k)
{
    for (enum segment number = ES; number <= GS; number++) {
        struct segment_state s = read_segment(number);
        if (number >= FS)
            rule(k, canonical(k, s.base), segment_base(number), "the base must be canonical");
        if (k->v8086)
            check_v8086_segment(k, &s);
        else if (number == CS)
            check_code_segment(k, &s);
        else if (number == SS)
            check_stack_segment(k, &s);
        else
            check_data_segment(k, &s);
    }
    check_system_segments(k);
    check_descriptor_tables(k);
}
