#include "platform/acpi.h"
#include "lib/string.h"
#include "host/paging.h"
#include "x86/instructions.h"

struct rsdp {
    char signature[8];
    u8 checksum;
    char oem[6];
    u8 revision;
    u32 rsdt;
    u32 length;
    u64 xsdt;
    u8 extended_checksum, reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct rsdp) == 36, "RSDP of ACPI 2.0");

struct table {
    char signature[4];
    u32 length;
    u8 revision, checksum;
    char oem[6], oem_table[8];
    u32 oem_revision, creator, creator_revision;
} __attribute__((packed));

/* Offsets in the FADT (ACPI, 'Fixed ACPI Description Table'). */
#define FADT_DSDT 40
#define FADT_PM1A_CONTROL 64
#define FADT_PM1B_CONTROL 68
#define FADT_FLAGS 112
#define FADT_RESET_REGISTER 116
#define FADT_RESET_VALUE 128
#define FADT_FLAG_RESET_SUPPORTED BIT(10)
#define FADT_FLAG_HARDWARE_REDUCED BIT(20)
#define FADT_X_DSDT 140
#define FADT_X_PM1A_CONTROL 172
#define FADT_X_PM1B_CONTROL 184
#define FADT_SLEEP_CONTROL 244
#define ADDRESS_SPACE_IO 1
#define ADDRESS_SIZE 12 /* of a generic address: its space, its form, the address itself */

#define MADT_ENTRIES 44
#define MADT_LOCAL_APIC 0
#define MADT_LOCAL_X2APIC 9
#define MADT_ENABLED 1

#define TABLE_MAX (16 * MIB) /* longer is not a table */

static struct rsdp root;
struct acpi_power acpi_power;

static u32 u32_at(const void *table, u32 offset)
{
    u32 value;
    memcpy(&value, (const u8 *)table + offset, sizeof(value));
    return value;
}

static bool is_pointer(const void *p, const char *signature, size_t size)
{
    return !memcmp(p, signature, strlen(signature)) && sums_to_zero(p, size);
}

const void *find_in_bios(const char *signature, size_t size)
{
    u64 ebda = (u64) * (const u16 *)physical(0x40E) << 4;
    const u64 areas[][2] = {{ebda, KIB}, {639 * KIB, KIB}, {0xE0000, 128 * KIB}};
    for (unsigned i = ebda < 512 * KIB; i < ARRAY_SIZE(areas); i++)
        for (u64 at = areas[i][0]; at < areas[i][0] + areas[i][1]; at += 16)
            if (is_pointer(physical(at), signature, size))
                return physical(at);
    return NULL;
}

static bool find_rsdp(const void *given)
{
    enum { SUMMED = 20 };
    if (!is_pointer(given, "RSD PTR ", SUMMED))
        given = find_in_bios("RSD PTR ", SUMMED);
    if (given)
        memcpy(&root, given, sizeof(root));
    return given;
}

/* The direct map covers RAM and everything below 4 GiB; tables lie there. */
static const struct table *valid_table(u64 address)
{
    const struct table *table = physical(address);
    if (!address || address >= 4 * GIB || table->length < sizeof(*table) ||
        table->length > TABLE_MAX)
        return NULL;
    return table;
}

static const struct table *find_table(const char *signature)
{
    bool extended = root.revision >= 2 && root.xsdt && root.xsdt < 4 * GIB;
    unsigned width = extended ? 8 : 4;
    const struct table *list = valid_table(extended ? root.xsdt : root.rsdt);
    for (u32 offset = sizeof(*list); list && offset + width <= list->length; offset += width) {
        u64 address = 0;
        memcpy(&address, (const u8 *)list + offset, width);
        const struct table *table = valid_table(address);
        if (table && !memcmp(table->signature, signature, 4))
            return table;
    }
    return NULL;
}

/* An AML integer of the small kinds that occur in \_S5: ZeroOp, OneOp, BytePrefix n. */
static const u8 *aml_byte(const u8 *p, u8 *value)
{
    *value = *p == 0x0A ? p[1] : *p;
    return p + (*p == 0x0A ? 2 : 1);
}

#define S5_SHORTEST 9 /* name, PackageOp, length, number of elements, two integers of a byte */

/* `\_S5_` is a Name of a Package whose first two elements are the SLP_TYP values. It may end the
 * table. */
static void find_s5(const struct table *dsdt)
{
    const u8 *p = (const u8 *)dsdt + sizeof(*dsdt), *end = (const u8 *)dsdt + dsdt->length;
    for (; p + S5_SHORTEST <= end; p++) {
        if (memcmp(p, "_S5_\x12", 5) != 0)
            continue;
        p += 5;
        p += (*p >> 6) + 1; /* package length */
        p++;                /* number of elements */
        p = aml_byte(p, &acpi_power.s5_type_a);
        aml_byte(p, &acpi_power.s5_type_b);
        acpi_power.s5_known = true;
        return;
    }
}

/* A register's port, from a generic address; 0: it is no port, or the table ends before it. */
static u16 wide_port(const struct table *fadt, u32 offset)
{
    bool is_port =
        fadt->length >= offset + ADDRESS_SIZE && ((const u8 *)fadt)[offset] == ADDRESS_SPACE_IO;
    return is_port ? (u16)u32_at(fadt, offset + 4) : 0;
}

/* Newer tables may have it in the wider field alone. */
static u16 port_of(const struct table *fadt, u32 offset, u32 wide_offset)
{
    u16 port = (u16)u32_at(fadt, offset);
    return port ? port : wide_port(fadt, wide_offset);
}

static u64 dsdt_address(const struct table *fadt)
{
    u64 address = u32_at(fadt, FADT_DSDT);
    if (!address && fadt->length >= FADT_X_DSDT + sizeof(address))
        memcpy(&address, (const u8 *)fadt + FADT_X_DSDT, sizeof(address));
    return address;
}

static void read_fadt(const struct table *fadt)
{
    acpi_power.pm1a_control = port_of(fadt, FADT_PM1A_CONTROL, FADT_X_PM1A_CONTROL);
    acpi_power.pm1b_control = port_of(fadt, FADT_PM1B_CONTROL, FADT_X_PM1B_CONTROL);
    u32 flags = u32_at(fadt, FADT_FLAGS);
    u16 sleep = wide_port(fadt, FADT_SLEEP_CONTROL);
    if (flags & FADT_FLAG_HARDWARE_REDUCED && sleep) /* of a byte, as the upper one of the others */
        acpi_power.pm1a_control = (u16)(sleep - 1);
    const struct table *dsdt = valid_table(dsdt_address(fadt));
    if (dsdt)
        find_s5(dsdt);
    if (fadt->length > FADT_RESET_VALUE && flags & FADT_FLAG_RESET_SUPPORTED) {
        acpi_power.reset_port = wide_port(fadt, FADT_RESET_REGISTER);
        acpi_power.reset_value = ((const u8 *)fadt)[FADT_RESET_VALUE];
    }
}

/* '82371AB PCI-to-ISA/IDE Xcelerator (PIIX4)', 'Power Management Configuration Registers': the
 * function of device 1 that every emulator's chipset of that name has. Its type of soft-off is 0.
 */
enum {
    PIIX4 = 0x80000000 | 1 << 11 | 3 << 8,
    PIIX4_IDENTITY = 0x71138086,
    PIIX4_PM_BASE = 0x40,
    PIIX4_PM_ENABLE = 0x80,
    PIIX4_PM_CONTROL = 4
};

static u32 piix4(u32 configuration_register)
{
    outl(PORT_PCI_ADDRESS, PIIX4 + configuration_register);
    return inl(PORT_PCI_DATA);
}

static void ask_chipset(void)
{
    if (piix4(0) != PIIX4_IDENTITY || !(piix4(PIIX4_PM_ENABLE) & 1))
        return;
    acpi_power.pm1a_control = (u16)((piix4(PIIX4_PM_BASE) & 0xFFC0) + PIIX4_PM_CONTROL);
    acpi_power.s5_known = true;
}

bool has_bios(void)
{
    enum { RESET_VECTOR = 0xFFFF0, FAR_JUMP = 0xEA };
    return *(const u8 *)physical(RESET_VECTOR) == FAR_JUMP;
}

void acpi_init(u8 *rsdp)
{
    const struct table *fadt = find_rsdp(rsdp) ? find_table("FACP") : NULL;
    memcpy(rsdp, &root, sizeof(root));
    if (fadt)
        read_fadt(fadt);
    else
        ask_chipset();
}

/* The flags of the MADT's next usable CPU from `*offset` on, which moves past it; NULL at the end.
 */
static u8 *next_cpu(const struct table *madt, u32 *offset, u32 *apic_id)
{
    while (madt && *offset + 2 <= madt->length) {
        u8 *entry = (u8 *)madt + *offset, type = entry[0];
        u8 *flags = entry + (type == MADT_LOCAL_APIC ? 4 : 8);
        if (entry[1] < 2)
            return NULL;
        *offset += entry[1];
        *apic_id = type == MADT_LOCAL_APIC ? entry[3] : u32_at(entry, 4);
        if ((type == MADT_LOCAL_APIC || type == MADT_LOCAL_X2APIC) && (*flags & MADT_ENABLED))
            return flags;
    }
    return NULL;
}

/* A CPU may be listed as a local APIC and as a local x2APIC. */
static bool is_listed(const u32 *ids, unsigned count, u32 id)
{
    while (count)
        if (ids[--count] == id)
            return true;
    return false;
}

unsigned acpi_cpus(u32 *apic_ids)
{
    const struct table *madt = find_table("APIC");
    unsigned count = 0;
    for (u32 id, offset = MADT_ENTRIES; next_cpu(madt, &offset, &id);) {
        if (apic_ids && is_listed(apic_ids, count, id))
            continue;
        if (apic_ids)
            apic_ids[count] = id;
        count++;
    }
    return count;
}

/* The table's sum stays zero. */
void acpi_hide_cpu(u32 apic_id)
{
    struct table *madt = (struct table *)(u64)find_table("APIC");
    u8 *flags;
    for (u32 id, offset = MADT_ENTRIES; (flags = next_cpu(madt, &offset, &id));) {
        if (id != apic_id)
            continue;
        *flags &= (u8)~MADT_ENABLED;
        madt->checksum += MADT_ENABLED;
    }
}
