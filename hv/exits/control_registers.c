/*
 * MOV to and from control registers, CLTS, LMSW (exit 28), for any set of bits that Tally owns.
 * The shadow holds what the guest wrote; the register adds what VMX needs.
 * SDM vol. 2, 'MOV - Move to/from Control Registers'; vol. 3, 'Control Registers'.
 */
#include "emulate/handlers.h"
#include "memory/guest_memory.h"
#include "vmx/invalidate.h"
#include "x86/instructions.h"

#define QUALIFICATION_REGISTER 15u
#define QUALIFICATION_TYPE_SHIFT 4
#define QUALIFICATION_GPR_SHIFT 8
#define QUALIFICATION_LMSW_SHIFT 16

enum access_type { MOV_TO_CR, MOV_FROM_CR, TYPE_CLTS, TYPE_LMSW };

#define CR0_DEFINED                                                                                \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |     \
     CR0_PG)
#define CR0_LMSW (CR0_PE | CR0_MP | CR0_EM | CR0_TS)
/* Bits of which no rule speaks, and nothing but the guest's own code depends on. */
#define CR0_PLAIN (CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_AM)

/* What must be 1 in the real registers of an unrestricted guest. */
#define CR0_REQUIRED CR0_NE
#define CR4_REQUIRED CR4_VMXE

/* A change of these reloads the PDPTEs of PAE paging. SDM vol. 3, 'PDPTE Registers'. */
#define CR0_RELOADS_PDPTES (CR0_CD | CR0_NW | CR0_PG)
#define CR4_RELOADS_PDPTES (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)

/* SDM vol. 3, 'Operations that Invalidate TLBs and Paging-Structure Caches'; more is harmless. */
#define CR4_FLUSHES (CR4_RELOADS_PDPTES | CR4_PCIDE | CR4_LA57)

#define TR_BUSY_16BIT 3

/* What the guest has, read once: nested, a VMREAD may be an exit of its own. */
struct state {
    u64 cr0, cr4;
    bool long_mode, code_64bit;
};

static struct state read_state(const struct vcpu *vcpu)
{
    bool long_mode = vcpu->controls.entry & ENTRY_IA32E_MODE_GUEST; /* EFER.LMA */
    return (struct state){
        .cr0 = guest_visible_cr0(vcpu),
        .cr4 = guest_visible_cr4(vcpu),
        .long_mode = long_mode,
        .code_64bit = long_mode && (vmread(GUEST_CS_ACCESS_RIGHTS) & AR_L),
    };
}

/* SDM vol. 3, 'Initializing IA-32e Mode'. */
static RARELY bool may_enter_long_mode(u64 cr4)
{
    return (cr4 & CR4_PAE) && !(vmread(GUEST_CS_ACCESS_RIGHTS) & AR_L) &&
           (vmread(GUEST_TR_ACCESS_RIGHTS) & AR_TYPE) != TR_BUSY_16BIT;
}

/* Whether the guest may put `wanted` into CR0. */
static RARELY bool cr0_allowed(const struct state *now, u64 wanted)
{
    u64 set = wanted & ~now->cr0, cleared = now->cr0 & ~wanted;
    if (wanted >> 32)
        return false;
    if ((wanted & CR0_PG) && !(wanted & CR0_PE))
        return false;
    if ((wanted & CR0_NW) && !(wanted & CR0_CD))
        return false;
    if ((set & CR0_PG) && (vmread(GUEST_IA32_EFER) & EFER_LME) && !may_enter_long_mode(now->cr4))
        return false;
    if ((cleared & CR0_PG) && (now->code_64bit || (now->cr4 & CR4_PCIDE)))
        return false;
    return !((cleared & CR0_WP) && (now->cr4 & CR4_CET));
}

/* PG with EFER.LME set enters and leaves IA-32e mode; VM entry wants both places to agree. */
static RARELY void set_long_mode(struct vcpu *vcpu, bool on)
{
    u32 entry = vcpu->controls.entry & ~(u32)ENTRY_IA32E_MODE_GUEST;
    vmwrite(GUEST_IA32_EFER, (vmread(GUEST_IA32_EFER) & ~EFER_LMA) | (on ? EFER_LMA : 0));
    vcpu->controls.entry = entry | (on ? ENTRY_IA32E_MODE_GUEST : 0);
    vmwrite(VM_ENTRY_CONTROLS, vcpu->controls.entry);
}

/* VM entries and exits leave CD and NW alone (SDM vol. 3, 'Loading Guest Control Registers'). */
static RARELY void set_cache_bits(u64 cr0)
{
    u64 old = read_cr0();
    u64 wanted = (old & ~(CR0_CD | CR0_NW)) | (cr0 & (CR0_CD | CR0_NW));
    if (wanted != old)
        write_cr0(wanted);
}

static enum exit_action set_cr0(u64 value)
{
    vmwrite(CR0_READ_SHADOW, value);
    vmwrite(GUEST_CR0, value | CR0_REQUIRED);
    return EXIT_ADVANCE;
}

static enum exit_action write_guest_cr0(struct vcpu *vcpu, const struct state *now, u64 value)
{
    u64 wanted = (value & (CR0_DEFINED | ~0ull << 32)) | CR0_ET;
    u64 changed = now->cr0 ^ wanted;
    if (likely(!(changed & ~CR0_PLAIN) && !(wanted & CR0_CD)))
        return set_cr0(wanted);

    bool long_mode = (wanted & CR0_PG) && (vmread(GUEST_IA32_EFER) & EFER_LME);
    bool pae = (wanted & CR0_PG) && !long_mode && (now->cr4 & CR4_PAE);

    if (!cr0_allowed(now, wanted))
        return inject_gp(vcpu);
    if (pae && (changed & CR0_RELOADS_PDPTES) && !guest_load_pdptes(vmread(GUEST_CR3)))
        return inject_gp(vcpu);
    set_cache_bits(wanted);
    if (long_mode != now->long_mode)
        set_long_mode(vcpu, long_mode);
    if (changed & CR0_PG)
        flush_guest_tlb(vcpu);
    return set_cr0(wanted);
}

static bool cr4_allowed(const struct vcpu *vcpu, const struct state *now, u64 wanted)
{
    u64 changed = now->cr4 ^ wanted;
    if (wanted & ~vcpu->controls.cr4_allowed)
        return false;
    if (now->long_mode && ((changed & CR4_LA57) || !(wanted & CR4_PAE)))
        return false;
    if ((changed & wanted & CR4_PCIDE) && (!now->long_mode || (vmread(GUEST_CR3) & CR3_PCID)))
        return false;
    return !((wanted & CR4_CET) && !(now->cr0 & CR0_WP));
}

static RARELY enum exit_action write_guest_cr4(struct vcpu *vcpu, const struct state *now,
                                               u64 wanted)
{
    u64 changed = now->cr4 ^ wanted;
    bool pae = (now->cr0 & CR0_PG) && !now->long_mode && (wanted & CR4_PAE);

    if (!cr4_allowed(vcpu, now, wanted))
        return inject_gp(vcpu);
    if (pae && (changed & CR4_RELOADS_PDPTES) && !guest_load_pdptes(vmread(GUEST_CR3)))
        return inject_gp(vcpu);
    vmwrite(CR4_READ_SHADOW, wanted);
    vmwrite(GUEST_CR4, wanted | CR4_REQUIRED);
    if (changed & CR4_FLUSHES)
        flush_guest_tlb(vcpu);
    return EXIT_ADVANCE;
}

static enum exit_action write_guest_cr3(struct vcpu *vcpu, const struct state *now, u64 value)
{
    bool keep_tlb = false;
    if (now->long_mode && (now->cr4 & CR4_PCIDE)) {
        keep_tlb = value & CR3_NO_FLUSH;
        value &= ~CR3_NO_FLUSH;
    }
    if (now->long_mode && value >> paging_features.physical_address_width)
        return inject_gp(vcpu);
    if ((now->cr0 & CR0_PG) && !now->long_mode && (now->cr4 & CR4_PAE) && !guest_load_pdptes(value))
        return inject_gp(vcpu);
    vmwrite(GUEST_CR3, value);
    if (!keep_tlb)
        flush_guest_non_global(vcpu);
    return EXIT_ADVANCE;
}

static RARELY enum exit_action write_guest_cr8(struct vcpu *vcpu, u64 value)
{
    if (value > 15)
        return inject_gp(vcpu);
    write_cr8(value);
    return EXIT_ADVANCE;
}

static enum exit_action mov_to(struct vcpu *vcpu, unsigned number, u64 value)
{
    struct state now = read_state(vcpu);
    if (!now.code_64bit)
        value = (u32)value;
    switch (number) {
    case 0: return write_guest_cr0(vcpu, &now, value);
    case 3: return write_guest_cr3(vcpu, &now, value);
    case 4: return write_guest_cr4(vcpu, &now, value);
    case 8: return write_guest_cr8(vcpu, value);
    default: return inject_ud(vcpu);
    }
}

/* From CR3 or CR8: reading CR0 and CR4 never exits. */
static enum exit_action mov_from(struct vcpu *vcpu, unsigned number, unsigned gpr)
{
    u64 value = number == 3 ? vmread(GUEST_CR3) : read_cr8();
    vcpu_set_gpr(vcpu, gpr, guest_64bit_code() ? value : (u32)value);
    return EXIT_ADVANCE;
}

static enum exit_action carry_out_clts(void)
{
    vmwrite(CR0_READ_SHADOW, vmread(CR0_READ_SHADOW) & ~CR0_TS);
    vmwrite(GUEST_CR0, vmread(GUEST_CR0) & ~CR0_TS);
    return EXIT_ADVANCE;
}

/* LMSW can set PE, but not clear it. */
static RARELY enum exit_action carry_out_lmsw(struct vcpu *vcpu, u64 source)
{
    struct state now = read_state(vcpu);
    return write_guest_cr0(vcpu, &now, (now.cr0 & ~(CR0_LMSW & ~CR0_PE)) | (source & CR0_LMSW));
}

enum exit_action exit_cr_access(struct vcpu *vcpu)
{
    u64 qualification = vmread(EXIT_QUALIFICATION);
    unsigned number = qualification & QUALIFICATION_REGISTER;
    unsigned gpr = qualification >> QUALIFICATION_GPR_SHIFT & 15;

    switch (qualification >> QUALIFICATION_TYPE_SHIFT & 3) {
    case MOV_TO_CR: return mov_to(vcpu, number, vcpu_gpr(vcpu, gpr));
    case MOV_FROM_CR: return mov_from(vcpu, number, gpr);
    case TYPE_CLTS: return carry_out_clts();
    default: return carry_out_lmsw(vcpu, qualification >> QUALIFICATION_LMSW_SHIFT);
    }
}
