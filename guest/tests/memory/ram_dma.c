/*
 * A device's DMA arrives where the guest wants it, at the last page of its memory too: sectors of
 * the CD in the first ATAPI drive, by the bus master of a PCI IDE controller.
 */
#include "harness/families.h"
#include "kernel/memory.h"
#include "kernel/memory_map.h"
#include "harness/tap.h"
#include "x86/instructions.h"

#define PCI_ADDRESS 0xCF8
#define PCI_DATA 0xCFC
#define PCI_ENABLE 0x80000000u
#define PCI_FUNCTIONS 0x100 /* of bus 0 */
enum pci_register { PCI_COMMAND = 0x04, PCI_CLASS = 0x08, PCI_BAR4 = 0x20 };
#define CLASS_IDE 0x0101
#define COMMAND_IO_AND_MASTER 5

enum ide_port {
    IDE_DATA = 0x1F0,
    IDE_FEATURES = 0x1F1,
    IDE_LENGTH_LOW = 0x1F4,
    IDE_LENGTH_HIGH = 0x1F5,
    IDE_DRIVE = 0x1F6,
    IDE_COMMAND = 0x1F7,
};
enum { STATUS_ERROR = 1, STATUS_DRQ = 8, STATUS_BUSY = 0x80 };
enum { COMMAND_DEVICE_RESET = 8, COMMAND_PACKET = 0xA0, FEATURE_DMA = 1 };

enum { MASTER_COMMAND = 0, MASTER_STATUS = 2, MASTER_TABLE = 4 }; /* offsets from BAR 4 */
enum { MASTER_START = 1, MASTER_TO_MEMORY = 8 };
enum { MASTER_ACTIVE = 1, MASTER_FAILED = 2, MASTER_INTERRUPT = 4 };

#define SECTOR 2048
#define VOLUME_SECTOR 16 /* ISO 9660: the volume descriptor, whose bytes 1 to 5 are CD001 */
#define PATIENCE 10000000

static struct {
    u32 address, size_and_end;
} table __attribute__((aligned(8)));
#define TABLE_END 0x80000000u

static u32 pci_read(u32 function, enum pci_register reg)
{
    outl(PCI_ADDRESS, PCI_ENABLE | function << 8 | reg);
    return inl(PCI_DATA);
}

static void pci_write(u32 function, enum pci_register reg, u32 value)
{
    outl(PCI_ADDRESS, PCI_ENABLE | function << 8 | reg);
    outl(PCI_DATA, value);
}

/* The ports of the bus master; 0: there is none. */
static u16 find_master(void)
{
    for (u32 function = 0; function < PCI_FUNCTIONS; function++) {
        if (pci_read(function, PCI_CLASS) >> 16 != CLASS_IDE)
            continue;
        pci_write(function, PCI_COMMAND, pci_read(function, PCI_COMMAND) | COMMAND_IO_AND_MASTER);
        return pci_read(function, PCI_BAR4) & 0xFFF0;
    }
    return 0;
}

static bool drive_ready(u8 wanted)
{
    for (u32 i = 0; i < PATIENCE; i++) {
        u8 status = inb(IDE_COMMAND);

        if (!(status & STATUS_BUSY) && (status & wanted) == wanted)
            return true;
    }
    return false;
}

/* After a reset an ATAPI drive shows its signature. */
static bool find_drive(void)
{
    outb(IDE_DRIVE, 0);
    outb(IDE_COMMAND, COMMAND_DEVICE_RESET);
    return drive_ready(0) && inb(IDE_LENGTH_LOW) == 0x14 && inb(IDE_LENGTH_HIGH) == 0xEB;
}

static bool send_read(u32 sector)
{
    const u8 packet[12] = {0x28, 0, 0, 0, (u8)(sector >> 8), (u8)sector, 0, 0, 1};

    outb(IDE_FEATURES, FEATURE_DMA);
    outb(IDE_LENGTH_LOW, (u8)SECTOR);
    outb(IDE_LENGTH_HIGH, SECTOR >> 8);
    outb(IDE_COMMAND, COMMAND_PACKET);
    if (!drive_ready(STATUS_DRQ))
        return false;
    for (u32 i = 0; i < sizeof(packet); i += 2)
        outw(IDE_DATA, (u16)(packet[i] | packet[i + 1] << 8));
    return true;
}

static bool transfer(u16 master, u64 to)
{
    u8 status = 0;

    table.address = (u32)to;
    table.size_and_end = TABLE_END | SECTOR;
    outl(master + MASTER_TABLE, (u32)(u64)&table);
    outb(master + MASTER_STATUS, MASTER_FAILED | MASTER_INTERRUPT);
    outb(master + MASTER_COMMAND, MASTER_TO_MEMORY);
    if (!send_read(VOLUME_SECTOR))
        return false;
    outb(master + MASTER_COMMAND, MASTER_TO_MEMORY | MASTER_START);
    for (u32 i = 0; i < PATIENCE && !(status & MASTER_INTERRUPT); i++)
        status = inb(master + MASTER_STATUS);
    outb(master + MASTER_COMMAND, 0);
    return !(status & MASTER_FAILED) && drive_ready(0) && !(inb(IDE_COMMAND) & STATUS_ERROR);
}

static bool arrives(u16 master, u64 to)
{
    static const char wanted[] = "CD001";
    volatile u8 *bytes = memory_at(to);
    bool same = true;

    for (u32 i = 0; i < SECTOR; i++)
        bytes[i] = 0;
    if (!transfer(master, to))
        return false;
    bytes = memory_at(to);
    for (u32 i = 0; wanted[i]; i++)
        same &= bytes[i + 1] == (u8)wanted[i];
    return same;
}

/* Into the first and the last page of every range that a 32-bit address reaches. */
static bool arrives_everywhere(u16 master)
{
    bool all = true;

    for (u32 i = 0; i < memory_map.count; i++) {
        u64 base = align_up(memory_map.range[i].base, PAGE_SIZE);
        u64 end = align_down(memory_map.range[i].end, PAGE_SIZE);

        if (memory_map.range[i].type != MEMORY_RAM || end <= 2 * MIB || end > 4 * GIB)
            continue;
        if (base < 2 * MIB)
            base = 2 * MIB;
        all &= arrives(master, base) && arrives(master, end - SECTOR);
    }
    return all;
}

void test_ram_dma(void)
{
    static const char name[] = "a device's DMA into the first and the last page of RAM";
    u16 master = find_master();

    if (!master)
        skip("no PCI IDE bus master", name);
    else if (!find_drive())
        skip("no ATAPI drive", name);
    else
        ok(arrives_everywhere(master), name);
    memory_at_end();
}
