#include "exits/cpuid.h"
#include "emulate/handlers.h"
#include "lib/string.h"
#include "stats/leaves.h"

/* Feature bits that the guest does not see, or sees only with a control in force. */
struct hidden_bits {
    u32 leaf, subleaf;
    u32 reg; /* where in struct cpuid_result */
    u32 bits;
    u64 unless; /* PROC2_… or TERTIARY(PROC3_…), or 0: always hidden */
};

#define TERTIARY(bits) ((u64)(bits) << 32)
#define ANY_SUBLEAF 0xFFFFFFFFu
#define IN_EAX offsetof(struct cpuid_result, eax)
#define IN_EBX offsetof(struct cpuid_result, ebx)
#define IN_ECX offsetof(struct cpuid_result, ecx)
#define IN_EDX offsetof(struct cpuid_result, edx)

#define CPUID_1_ECX_OSXSAVE BIT(27)
#define CPUID_1_ECX_HYPERVISOR BIT(31)
#define CPUID_7_ECX_OSPKE BIT(4)

/* clang-format off */
static const struct hidden_bits hidden_bits[] = {
    {0x1, ANY_SUBLEAF, IN_ECX, BIT(2) | BIT(4), 0}, /* 64-bit and CPL-qualified debug store */
    {0x1, ANY_SUBLEAF, IN_EDX, BIT(21), 0},        /* debug store: by linear address, Tally's too */
    {0x1, ANY_SUBLEAF, IN_ECX, BIT(3), 0},         /* MONITOR: MWAIT would not wait */
    {0x1, ANY_SUBLEAF, IN_ECX, BIT(5), 0},         /* VMX: not offered */
    {0x1, ANY_SUBLEAF, IN_ECX, BIT(6), 0},         /* SMX: a measured launch ends VMX operation */
    {0x1, ANY_SUBLEAF, IN_ECX, BIT(11), 0},        /* SDBG: silicon debug sees Tally's memory */
    {0x1, ANY_SUBLEAF, IN_ECX, CPUID_1_ECX_HYPERVISOR, 0}, /* the one underneath; announce= */

    {0x6, ANY_SUBLEAF, IN_EAX, BIT(19) | BIT(23), 0}, /* hardware feedback: writes a table to memory */
    {0x6, ANY_SUBLEAF, IN_EDX, 0xFFFFFFFF, 0},     /* its size */

    {0x7, 0, IN_EBX, BIT(2), 0},                   /* SGX: enclaves may not be interrupted here */
    {0x7, 0, IN_EBX, BIT(10), PROC2_ENABLE_INVPCID},
    {0x7, 0, IN_EBX, BIT(25), 0},                  /* processor trace: would trace Tally too */
    {0x7, 0, IN_ECX, BIT(5), PROC2_ENABLE_USER_WAIT}, /* UMONITOR, UMWAIT, TPAUSE */
    {0x7, 0, IN_ECX, BIT(13), 0},                  /* memory encryption: keys are address bits */
    {0x7, 0, IN_ECX, BIT(22), PROC2_ENABLE_RDTSCP}, /* RDPID hangs on the same control */
    {0x7, 0, IN_ECX, BIT(23), 0},                  /* key locker */
    {0x7, 0, IN_ECX, BIT(29), 0},                  /* ENQCMD */
    {0x7, 0, IN_ECX, BIT(30), 0},                  /* SGX launch configuration */
    {0x7, 0, IN_ECX, BIT(31), 0},                  /* supervisor keys: IA32_PKRS not switched */
    {0x7, 0, IN_EDX, BIT(5), 0},                   /* user interrupts: state not switched */
    {0x7, 0, IN_EDX, BIT(18), 0},                  /* PCONFIG */
    {0x7, 0, IN_EDX, BIT(19), 0},                  /* LBRs that go on in Tally */

    {0x7, 1, IN_EAX, BIT(6), 0},                   /* LASS: not in Tally's walk of page tables */
    {0x7, 1, IN_EAX, BIT(17), 0},                  /* FRED: event delivery not emulated */
    {0x7, 1, IN_EAX, BIT(26), 0},                  /* LAM: neither */
    {0x7, 1, IN_EAX, BIT(27), TERTIARY(PROC3_ENABLE_MSRLIST)}, /* RDMSRLIST, WRMSRLIST */
    {0x7, 1, IN_EBX, BIT(1), 0},                   /* PBNDKB: wraps keys for PCONFIG */
    {0x7, 1, IN_EDX, BIT(21), 0},                  /* APX: R16 to R31 are not in struct vcpu */

    {0x7, 2, IN_EDX, BIT(6), 0},                   /* faults of locked accesses, Tally's too */

    {0xD, 0, IN_EAX, BIT(19), 0},                  /* XCR0: APX */
    {0xD, 1, IN_EAX, BIT(3), PROC2_ENABLE_XSAVES}, /* XSAVES, XRSTORS, IA32_XSS */
    {0xD, 1, IN_ECX, XSS_HIDDEN, 0},
    {0xD, 1, IN_ECX, 0xFFFFFFFF, PROC2_ENABLE_XSAVES},
    {0xD, 1, IN_EDX, 0xFFFFFFFF, PROC2_ENABLE_XSAVES},

    {0x23, 0, IN_EAX, BIT(4) | BIT(5), 0},         /* PEBS by IA32_PEBS_BASE */

    {0x80000001, ANY_SUBLEAF, IN_EDX, BIT(27), PROC2_ENABLE_RDTSCP},
};

/* All zero, as on a CPU without the feature. */
static const u32 hidden_leaves[] = {
    0x5,  /* MONITOR */
    0x12, /* SGX */
    0x14, /* processor trace */
    0x19, /* key locker */
    0x1B, /* PCONFIG */
    0x1C, /* LBRs */
    0x29, /* APX */
};
/* clang-format on */

#define PHYSICAL_BITS_MAX 48 /* what a 4-level EPT walks */

static bool announced = true;

void cpuid_announce(bool announce)
{
    announced = announce;
}

/* Beyond the highest leaf of its range a CPU answers with its highest basic leaf. SDM, CPUID. */
static u32 effective_leaf(u32 leaf)
{
    u32 highest_basic = cpuid(0, 0).eax;
    u32 highest = leaf >> 31 ? cpuid(0x80000000, 0).eax : highest_basic;
    return leaf <= highest ? leaf : highest_basic;
}

static struct cpuid_result hypervisor_leaf(u32 leaf)
{
    struct cpuid_result r = {0};
    if (leaf == LEAF_HYPERVISOR) {
        r.eax = LEAF_HYPERVISOR;
        memcpy(&r.ebx, TALLY_SIGNATURE, 12);
    }
    return r;
}

static void hide(struct cpuid_result *r, u32 leaf, u32 subleaf, const struct controls *controls)
{
    for (size_t i = 0; i < ARRAY_SIZE(hidden_bits); i++) {
        const struct hidden_bits *h = &hidden_bits[i];
        bool here = h->leaf == leaf && (h->subleaf == ANY_SUBLEAF || h->subleaf == subleaf);
        if (here && !((controls->proc2 | TERTIARY(controls->proc3)) & h->unless))
            *(u32 *)((char *)r + h->reg) &= ~h->bits;
    }
    for (size_t i = 0; i < ARRAY_SIZE(hidden_leaves); i++)
        if (leaf == hidden_leaves[i])
            *r = (struct cpuid_result){0};
}

/* What the guest is told, but for the bits that follow its CR4. */
static void fill(struct cpuid_entry *entry, const struct vcpu *vcpu, u32 leaf, u32 subleaf)
{
    *entry = (struct cpuid_entry){.leaf = leaf, .subleaf = subleaf, .kind = CPUID_CONSTANT};
    struct cpuid_result *r = &entry->result;

    if (announced && leaf >> 8 == LEAF_HYPERVISOR >> 8) {
        *r = hypervisor_leaf(leaf);
        return;
    }
    leaf = effective_leaf(leaf);
    *r = cpuid(leaf, subleaf);
    hide(r, leaf, subleaf, &vcpu->controls);

    if (leaf == 0x1) {
        r->ecx |= announced ? CPUID_1_ECX_HYPERVISOR : 0;
        entry->kind = CPUID_OSXSAVE;
    } else if (leaf == 0x7 && subleaf == 0) {
        entry->kind = CPUID_OSPKE;
    } else if (leaf == 0xD && subleaf <= 1) {
        entry->kind = CPUID_EMPTY; /* EBX follows XCR0 and IA32_XSS: ask each time */
    } else if (leaf == 0x80000008 && (u8)r->eax > PHYSICAL_BITS_MAX) {
        r->eax = (r->eax & ~0xFFu) | PHYSICAL_BITS_MAX;
    }
}

/* The CPU's own answer has these bits from Tally's CR4. */
static void follow_cr4(struct cpuid_result *r, u32 kind)
{
    if (kind == CPUID_OSXSAVE) {
        r->ecx &= ~CPUID_1_ECX_OSXSAVE;
        r->ecx |= vmread(GUEST_CR4) & CR4_OSXSAVE ? CPUID_1_ECX_OSXSAVE : 0;
    } else if (kind == CPUID_OSPKE) {
        r->ecx &= ~CPUID_7_ECX_OSPKE;
        r->ecx |= vmread(GUEST_CR4) & CR4_PKE ? CPUID_7_ECX_OSPKE : 0;
    }
}

static enum exit_action answer(struct vcpu *vcpu, const struct cpuid_result *r)
{
    vcpu->gpr[RAX] = r->eax;
    vcpu->gpr[RBX] = r->ebx;
    vcpu->gpr[RCX] = r->ecx;
    vcpu->gpr[RDX] = r->edx;
    return EXIT_ADVANCE;
}

static struct cpuid_entry *slot(struct cpuid_cache *cache, u32 leaf, u32 subleaf)
{
    return &cache->entry[(leaf ^ leaf >> 26 ^ subleaf << 3) % CPUID_CACHE_ENTRIES];
}

static bool holds(const struct cpuid_entry *entry, u32 leaf, u32 subleaf)
{
    return entry->leaf == leaf && entry->subleaf == subleaf;
}

/* All that is not the plain answer from the cache. */
static __attribute__((noinline)) enum exit_action slow_path(struct vcpu *vcpu)
{
    const u64 *gpr = vcpu->gpr;
    const struct cpuid_result in = {gpr[RAX], gpr[RBX], gpr[RCX], gpr[RDX]};
    struct cpuid_result r;

    if (is_statistics_leaf(in.eax)) {
        r = statistics_leaf(&in, gpr[RSI]);
        return answer(vcpu, &r);
    }
    struct cpuid_entry *entry = slot(&vcpu->cpuid_cache, in.eax, in.ecx);
    if (!holds(entry, in.eax, in.ecx) || entry->kind == CPUID_EMPTY)
        fill(entry, vcpu, in.eax, in.ecx);
    r = entry->result;
    follow_cr4(&r, entry->kind);
    return answer(vcpu, &r);
}

enum exit_action exit_cpuid(struct vcpu *vcpu)
{
    u32 leaf = vcpu->gpr[RAX], subleaf = vcpu->gpr[RCX];
    const struct cpuid_entry *entry = slot(&vcpu->cpuid_cache, leaf, subleaf);

    if (likely(holds(entry, leaf, subleaf) && entry->kind == CPUID_CONSTANT))
        return answer(vcpu, &entry->result);
    return slow_path(vcpu);
}

void cpuid_forget(struct cpuid_cache *cache)
{
    memset(cache, 0, sizeof(*cache));
}
