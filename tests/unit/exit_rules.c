#include "exit_rules.h"

#include "fake_machine.h"
#include "random_state.h"
#include "names.h"
#include "entry_checks.h"

void (*how_to_repeat)(char *text, size_t size);

static const char *repeat(void)
{
    static char text[80];
    if (how_to_repeat)
        how_to_repeat(text, sizeof(text));
    return text;
}

static const char *author;

static void rule_is_broken(const char *sentence, enum vmcs_field field, u64 value)
{
    fail_msg("%s: reason %u (%s): %s a state that cannot be entered: %s: %s is %#llx", repeat(),
             reason, reason_name(reason), author, sentence, vmcs_field_name(field),
             (unsigned long long)value);
}

void check_failed(const char *condition)
{
    fail_msg("%s: reason %u (%s): %s", repeat(), reason, reason_name(reason), condition);
}

struct before look(void)
{
    return (struct before){
        .rip = fake_get(GUEST_RIP),
        .rflags = fake_get(GUEST_RFLAGS),
        .blocking = fake_get(GUEST_INTERRUPTIBILITY),
        .pending = fake_get(GUEST_PENDING_DEBUG_EXCEPTIONS),
        .length = (u32)fake_get(VM_EXIT_INSTRUCTION_LENGTH),
        .vectoring = (u32)fake_get(IDT_VECTORING_INFO),
        .code_64 =
            (fake_get(GUEST_IA32_EFER) & EFER_LMA) && (fake_get(GUEST_CS_ACCESS_RIGHTS) & AR_L),
    };
}

void check_entry_rules(const char *whose)
{
    author = whose;
    entry_checks(&fake_capabilities, rule_is_broken);
}

/* Once past an instruction: no shadow, no RF, the single step pending. */
static void check_step(const struct before *b)
{
    CHECK(!(fake_get(GUEST_INTERRUPTIBILITY) & SHADOW));
    CHECK(!(fake_get(GUEST_RFLAGS) & RFLAGS_RF));
    bool stepping = (b->rflags & RFLAGS_TF) && !(fake_get(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);
    bool may_write_debugctl = reason == EXIT_WRMSR || reason == EXIT_WRMSRNS_IMMEDIATE ||
                              reason == EXIT_WRMSRLIST || reason == EXIT_UWRMSR;
    bool pending = fake_get(GUEST_PENDING_DEBUG_EXCEPTIONS) & PENDING_DEBUG_BS;
    if (!may_write_debugctl)
        CHECK(pending == (stepping || (b->pending & PENDING_DEBUG_BS)));
}

void check_after(const struct before *b)
{
    check_entry_rules("its handler leaves");
    if (reason == EXIT_TASK_SWITCH || reason == EXIT_SIPI || reason == EXIT_INIT_SIGNAL)
        return;

    u64 rip = fake_get(GUEST_RIP), next = b->rip + b->length;
    if (!b->code_64)
        next = (u32)next;
    CHECK(rip == b->rip || (is_kind(KIND_FAULT) && rip == next));
    if (rip != b->rip)
        check_step(b);
    u32 injected = (u32)fake_get(VM_ENTRY_INTERRUPTION_INFO);
    if (b->vectoring & (u32)INTERRUPTION_VALID) /* injected again, or an exception in its place */
        CHECK(injected & (u32)INTERRUPTION_VALID);
}
