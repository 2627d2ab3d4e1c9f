/* What a snippet is made of: templates by their weights, or raw bytes. */
#include "kernel/descriptors.h"
#include "fuzz/fuzz_code.h"
#include "harness/instruction_test.h"

#define OPCODE_NOP 0x90
#define OPCODE_CLI 0xFA
#define OPCODE_STI 0xFB
#define OPCODE_CLD 0xFC
#define OPCODE_STD 0xFD
#define OPCODE_HLT 0xF4
#define OPCODE_MWAIT 0x0F01C9
#define OPCODE_INT 0xCD
#define OPCODE_CPUID 0x0FA2
#define OPCODE_MOV_TO_SEGMENT 0x8E
#define OPCODE_JMP_SHORT 0xEB

/* clang-format off */
static const u32 plain[] = {
    OPCODE_CPUID, 0x0F31 /* RDTSC */, 0x0F01F9 /* RDTSCP */, 0x0F33 /* RDPMC */, 0xF390 /* PAUSE */,
    0x0F01C1 /* VMCALL */, 0x0F01C2 /* VMLAUNCH */, 0x0F01C3 /* VMRESUME */, 0x0F01C4 /* VMXOFF */,
    0x0F01D4 /* VMFUNC */, 0x0F01C8 /* MONITOR */, 0x0F08 /* INVD */,
    0x0F09 /* WBINVD */, 0xF30F09 /* WBNOINVD */, 0x0F06 /* CLTS */, 0x0FAA /* RSM */, 0x0F0B /* UD2 */,
    0xCC /* INT3 */, 0xF1 /* INT1 */, 0xCE /* INTO */, 0x0F37 /* GETSEC */, 0x0F01CF /* ENCLS */,
    0x0F01D7 /* ENCLU */, 0x0F01C0 /* ENCLV */, 0x0F01C5 /* PCONFIG */, 0x0F01D0 /* XGETBV */,
    0x0F01D5 /* XEND */, 0x0F01D6 /* XTEST */, 0x0F01F8 /* SWAPGS */, 0x0F01E8 /* SERIALIZE */,
    0x0F01EE /* RDPKRU */, 0x0F01CA /* CLAC */,
    0x0FC7F1 /* RDRAND */, 0x0FC7FA /* RDSEED */, 0xF30FC7F8 /* RDPID */, 0x660FAEF1 /* TPAUSE */,
    0xF30FAEC0 /* RDFSBASE */, 0x9B /* WAIT */, 0xF30FAED0 /* WRFSBASE */, 0xF30FAED9 /* WRGSBASE */, 0x0F01CB /* STAC */,
    0xF30F1EFA /* ENDBR64 */, 0xF30F1EC8 /* RDSSP */, 0x0F01EF /* WRPKRU */, 0x660FAE38 /* CLFLUSHOPT */, OPCODE_NOP, OPCODE_STI, OPCODE_CLI, 0x9C /* PUSHF */,
    0xF7F1 /* DIV */, 0x27 /* DAA */, 0x63C0, 0x0FFF,
};
/* clang-format on */

static void put_plain(struct snippet *s)
{
    u32 opcode = PICK(plain);

    if (fuzz_is_hidden_instruction(opcode))
        opcode = OPCODE_NOP;
    instruction(s, opcode);
    fuzz_overwrite_results(s, opcode);
}

static void random_plain(struct snippet *s)
{
    if (fuzz_one_in(3))
        load(s, fuzz_below(4), random_value());
    put_plain(s);
    if (s->code[s->length - 1] == OPCODE_STI && fuzz_one_in(2))
        put_plain(s); /* in its shadow */
}

static void random_interrupt(struct snippet *s)
{
    u32 vector = fuzz_below(fuzz_one_in(2) ? 32 : 256);

    begin(s);
    put(s, 1, OPCODE_INT);
    put(s, 1, vector);
    instruction(s, OPCODE_NOP); /* for a fault, on_exception() goes on behind the next one */
}

static void random_halt(struct snippet *s)
{
    instruction(s, OPCODE_STI);
    bool wait = fuzz_one_in(4) && !fuzz_is_hidden_instruction(OPCODE_MWAIT);

    if (fuzz_one_in(4))
        put_plain(s);
    instruction(s, OPCODE_STI);
    instruction(s, wait ? OPCODE_MWAIT : OPCODE_HLT);
}

/* The next instruction runs in the shadow. */
static void random_mov_ss(struct snippet *s)
{
    static const u16 stacks[MODES] = {
        [MODE_64] = SELECTOR_DATA,    [MODE_64_USER] = SELECTOR_USER_DATA,
        [MODE_32] = SELECTOR_DATA,    [MODE_32_USER] = SELECTOR_USER_DATA,
        [MODE_16] = SELECTOR_DATA16,  [MODE_16_USER] = SELECTOR_USER_DATA16,
        [MODE_P32] = SELECTOR_DATA,   [MODE_P32_USER] = SELECTOR_USER_DATA,
        [MODE_P16] = SELECTOR_DATA16, [MODE_P16_USER] = SELECTOR_USER_DATA16,
        [MODE_V86] = LOW_MEMORY / 16, [MODE_REAL] = LOW_MEMORY / 16,
        [MODE_N32] = SELECTOR_DATA,   [MODE_N32_USER] = SELECTOR_USER_DATA,
    };
    u32 gpr = random_register(s);

    /* ESP of a 16-bit task is none for another segment. */
    load(s, gpr, s->has_task16 ? SELECTOR_DATA16 : stacks[s->mode]);
    with_register(s, 0, OPCODE_MOV_TO_SEGMENT, SS, gpr);
    put_plain(s);
}

static void random_jump(struct snippet *s)
{
    u32 distance = fuzz_below(4);

    begin(s);
    put(s, 1, OPCODE_JMP_SHORT);
    put(s, 1, distance);
    put(s, distance, 0x90909090);
}

static void random_load(struct snippet *s)
{
    load(s, random_register(s), fuzz_one_in(2) ? random_value() : random_address(s));
}

static void random_direction(struct snippet *s)
{
    instruction(s, fuzz_one_in(2) ? OPCODE_CLD : OPCODE_STD);
}

static const struct {
    void (*make)(struct snippet *s);
    u32 weight;
} templates[] = {
    {random_plain, 20},      {fuzz_cpuid, 8},
    {fuzz_rdmsr, 8},         {fuzz_wrmsr, 8},
    {fuzz_port, 8},          {fuzz_string_io, 6},
    {fuzz_cr_write, 8},      {fuzz_cr_read, 4},
    {fuzz_lmsw, 2},          {fuzz_debug_register, 5},
    {fuzz_xsetbv, 3},        {fuzz_memory, 16},
    {fuzz_selector, 2},      {fuzz_table_load, 2},
    {random_interrupt, 2},   {random_halt, 1},
    {random_mov_ss, 2},      {random_jump, 1},
    {random_load, 3},        {random_direction, 1},
    {fuzz_breakpoint, 5},    {fuzz_segment_load, 2},
    {fuzz_task_switch, 20},  {fuzz_call_gate, 2},
    {fuzz_paging_switch, 8}, {fuzz_protection_switch, 8},
};

void fuzz_template(struct snippet *s)
{
    u32 at = 0;

    for (u32 i = 0; i < ARRAY_SIZE(templates); i++)
        at += templates[i].weight;
    at = fuzz_below(at);
    for (u32 i = 0; i < ARRAY_SIZE(templates); i++) {
        if (at < templates[i].weight) {
            templates[i].make(s);
            return;
        }
        at -= templates[i].weight;
    }
}

#define EVEX 0x62

/* Virtual-8086 code may close itself to interrupts: not by these, or no timer brings it back. And
 * EVEX with broadcast where an instruction has none is an assertion that ends Bochs. */
static bool unwanted(const struct snippet *s, u8 byte)
{
    u8 last = s->length ? s->code[s->length - 1] : 0;

    if (byte == EVEX || fuzz_is_unequal(last, byte) || fuzz_is_missing_debug_register(s, byte) ||
        fuzz_may_wrap(s, byte))
        return true;
    return s->mode == MODE_V86 && (byte == OPCODE_CLI || byte == 0x9D || byte == 0xCF);
}

static void put_raw(struct snippet *s)
{
    for (u32 i = 16 + fuzz_below(100); i; i--) {
        u8 byte = fuzz_one_in(6) ? 0x0F : (u8)fuzz_random();

        begin(s);
        put(s, 1, unwanted(s, byte) ? OPCODE_NOP : byte);
    }
}

static enum mode random_mode(void)
{
    static const u8 modes[] = {
        MODE_64, MODE_64,      MODE_64,      MODE_64,      MODE_64,      MODE_64,
        MODE_64, MODE_64_USER, MODE_64_USER, MODE_64_USER, MODE_32,      MODE_32,
        MODE_32, MODE_16,      MODE_16,      MODE_32_USER, MODE_16_USER,
    };

    return fuzz_one_in(4) ? (enum mode)fuzz_below(MODES) : (enum mode)PICK(modes);
}

/* Outside IA-32e mode the first fault ends a snippet: what switches has to come early. */
static void begin_with_switch(struct snippet *s)
{
    static void (*const switches[])(struct snippet *) = {fuzz_paging_switch, fuzz_protection_switch,
                                                         fuzz_task_switch};

    PICK(switches)(s);
}

void fuzz_make_snippet(struct snippet *s)
{
    static const u8 bits[MODES] = {64, 64, 32, 32, 16, 16, 32, 32, 16, 16, 16, 16, 32, 32};
    enum mode mode = random_mode();

    *s = (struct snippet){
        .mode = mode,
        .bits = bits[mode],
        .user = ((IN_USER | IN(N32_USER)) >> mode & 1),
        .legacy = mode >= MODE_P32,
    };
    s->raw = s->user && mode != MODE_P16_USER && mode != MODE_N32_USER && fuzz_one_in(3);
    if (s->raw)
        put_raw(s);
    else if (s->legacy && fuzz_one_in(2))
        begin_with_switch(s);
    for (u32 i = 4 + fuzz_below(24); i && !s->raw && s->length < SNIPPET_SIZE - 128; i--)
        fuzz_template(s);
}
