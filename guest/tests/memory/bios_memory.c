/*
 * The BIOS's answers about memory, asked in real mode, agree with what the boot loader told. Some
 * BIOSes' older functions tell more than their map: exact answers are Tally's promise.
 */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "kernel/memory_map.h"
#include "harness/run.h"
#include "harness/tap.h"
#include "x86/registers.h"

/* With the BIOS's interrupt table instead of the tests' own. LOW_DATA is at DS:0x1000. */
CODE16(int_15, "sidt [0x1000]\n lidt [0x1008]\n int 0x15\n lidt [0x1000]");
CODE16(int_12, "sidt [0x1000]\n lidt [0x1008]\n int 0x12\n lidt [0x1000]");

#define INT_12_VECTOR (0x12 * 4)
#define ROM 0xC0000
#define BIOS_TABLE ((volatile u16 *)(u64)(LOW_DATA + 8))
#define BUFFER ((volatile u32 *)(u64)(LOW_DATA + 0x100))
#define BUFFER_OFFSET (LOW_DATA + 0x100 - LOW_MEMORY)
#define SMAP 0x534D4150u
#define ENTRY_SIZE 20
#define LONG_ENTRY_SIZE 24

static bool call_bios(struct run *bios, struct code code)
{
    bios->mode = MODE_REAL;
    bios->code = code;
    bios->gpr[RDI] = BUFFER_OFFSET;
    BIOS_TABLE[0] = 0x3FF;
    BIOS_TABLE[1] = BIOS_TABLE[2] = 0;
    run(bios);
    return ran_to_end(bios) && !(bios->rflags & RFLAGS_CF);
}

static bool ask(struct run *bios)
{
    return call_bios(bios, (struct code)CODE(int_15));
}

static bool ask_for_range(struct run *bios, u64 index, u64 room, u64 signature)
{
    *bios = (struct run){0};
    bios->gpr[RAX] = 0xE820;
    bios->gpr[RBX] = index;
    bios->gpr[RCX] = room;
    bios->gpr[RDX] = signature;
    for (u32 i = 0; i < LONG_ENTRY_SIZE / 4 + 1; i++)
        BUFFER[i] = 0x5A5A5A5A;
    return ask(bios) && bios->gpr[RAX] == SMAP;
}

static u64 buffer64(u32 index)
{
    return BUFFER[index] | (u64)BUFFER[index + 1] << 32;
}

/* Reads the whole map; false if the BIOS does not keep to the rules. */
static bool read_map(struct memory_map *map, u64 room)
{
    struct run bios;
    u64 index = 0;

    map->count = 0;
    do {
        if (!ask_for_range(&bios, index, room, SMAP) || map->count == MEMORY_RANGES_MAX)
            return false;
        if (bios.gpr[RCX] != ENTRY_SIZE && bios.gpr[RCX] != room)
            return false;
        if (BUFFER[bios.gpr[RCX] / 4] != 0x5A5A5A5A)
            return false;
        if (bios.gpr[RCX] == LONG_ENTRY_SIZE && !(BUFFER[5] & 1))
            return false;
        memory_map_add(map, buffer64(0), buffer64(2), BUFFER[4]);
        index = bios.gpr[RBX];
    } while (index);
    return true;
}

/* All RAM of one map is RAM in the other, too. */
static bool covers(const struct memory_map *map, const struct memory_map *other)
{
    for (u32 i = 0; i < other->count; i++) {
        const struct memory_range *range = &other->range[i];

        if (range->type == MEMORY_RAM && !memory_map_is_ram(map, range->base, range->end)) {
            note("RAM in one map only: %lx to %lx", range->base, range->end);
            return false;
        }
    }
    return true;
}

static void test_map(u64 room)
{
    static struct memory_map map;
    bool read = read_map(&map, room);

    ok(read, "E820 with room for %lu bytes: every range is told", room);
    ok(read && covers(&map, &memory_map) && covers(&memory_map, &map),
       "E820 with room for %lu bytes: the boot loader's RAM, no more and no less", room);
}

/* The end of the RAM that begins at `base`. */
static u64 end_of_ram(u64 base)
{
    for (u32 i = 0; i < memory_map.count; i++)
        if (memory_map.range[i].type == MEMORY_RAM && memory_map.range[i].base <= base &&
            memory_map.range[i].end > base)
            return memory_map.range[i].end;
    return base;
}

static void test_sizes(void)
{
    struct run bios = {.gpr[RAX] = 0xE801};
    u64 end = end_of_ram(MIB);
    u64 low_end = end < 16 * MIB ? end : 16 * MIB, high_end = end > 16 * MIB ? end : 16 * MIB;
    bool answered = ask(&bios);
    u64 low = bios.gpr[RAX] & 0xFFFF, high = bios.gpr[RBX] & 0xFFFF;

    ok(answered, "E801 is answered");
    tally_ok(low == (low_end - MIB) / KIB && high == (high_end - 16 * MIB) / (64 * KIB),
             "E801 ends where RAM ends");
    tally_ok(low == (bios.gpr[RCX] & 0xFFFF) && high == (bios.gpr[RDX] & 0xFFFF),
             "E801 says it twice");

    bios = (struct run){.gpr[RAX] = 0x8800};
    answered = ask(&bios);
    ok(answered && MIB + (bios.gpr[RAX] & 0xFFFF) * KIB <= end, "88h tells no more than there is");

    bios = (struct run){.gpr[RAX] = 0};
    answered = call_bios(&bios, (struct code)CODE(int_12));
    tally_ok(answered && (bios.gpr[RAX] & 0xFFFF) * KIB == end_of_ram(0),
             "INT 12h ends where low RAM ends");
}

static void test_refusals(void)
{
    struct run bios;

    ok(!ask_for_range(&bios, 0, ENTRY_SIZE, 0), "E820 without its signature is refused");
    ok(!ask_for_range(&bios, 0x1000, ENTRY_SIZE, SMAP), "E820 beyond the last range is refused");
    bios = (struct run){.gpr[RAX] = 0xC000};
    ok(ask(&bios), "another function comes to the BIOS: C0h, the configuration");
    bios = (struct run){.gpr[RAX] = 0x7F00};
    ok(!ask(&bios), "and so does one that it does not know");
}

/* After a UEFI boot there is none, and its interrupt table is what memory happens to hold. */
static bool has_bios(void)
{
    u64 place = INT_12_VECTOR;
    u32 vector, address;

    __asm__ volatile("mov (%1), %0" : "=r"(vector) : "r"(place));
    address = (vector >> 16) * 16 + (vector & 0xFFFF);
    return address >= ROM && address < MIB;
}

void test_bios_memory(void)
{
    if (!has_bios()) {
        skip("no BIOS", "what the BIOS tells of memory");
        return;
    }
    test_map(ENTRY_SIZE);
    test_map(LONG_ENTRY_SIZE);
    test_sizes();
    test_refusals();
}
