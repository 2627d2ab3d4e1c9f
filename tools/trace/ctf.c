/* The Common Trace Format, 1.8: a stream for each vCPU. */
#include "stats/counters.h"
#include "trace.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* As the metadata say; the events are the records as they lie in memory. */
struct packet {
    u32 magic, stream_id;
    u64 begin, end, content_bits, packet_bits, discarded;
    u32 cpu, reserved;
};

static FILE *create(const char *directory_name, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", directory_name, name);
    FILE *file = fopen(path, "wb");
    if (!file)
        fail("%s: %s", path, strerror(errno));
    return file;
}

/* Records first to end - 1; so many were lost before the packet's end. */
static void write_packet(FILE *file, const struct stream *s, u64 first, u64 end, u64 discarded)
{
    u64 bits = 8 * (sizeof(struct packet) + (end - first) * sizeof(struct trace_record));
    struct packet packet = {.magic = 0xC1FC1FC1,
                            .content_bits = bits,
                            .packet_bits = bits,
                            .discarded = discarded,
                            .cpu = (u32)(s - streams)};
    if (end) {
        packet.begin = record_of(s, first < end ? first : end - 1)->time;
        packet.end = record_of(s, end - 1)->time;
    }
    fwrite(&packet, sizeof(packet), 1, file);
    for (u64 n = first; n < end; n++)
        fwrite(record_of(s, n), sizeof(struct trace_record), 1, file);
}

/* Readers tell how many events were lost between two packets: an empty one is where they lack. */
static void write_stream(FILE *file, const struct stream *s)
{
    u64 lost = s->log->written - s->kept;
    if (lost && s->log->last)
        write_packet(file, s, 0, 0, 0);
    write_packet(file, s, 0, s->kept, s->log->last ? lost : 0);
    if (lost && !s->log->last)
        write_packet(file, s, s->kept, s->kept, lost);
    if (fclose(file) != 0)
        fail("%s", strerror(errno));
}

static void write_metadata(FILE *file)
{
    static const char *const modes[] = {"real", "v8086", "16", "32", "compat", "64"};
    u64 hertz = directory.facts.tsc_khz ? directory.facts.tsc_khz * 1000ull : 1000000000ull;
    fprintf(
        file,
        "/* CTF 1.8 */\n"
        "typealias integer { size = 8; align = 8; signed = false; } := u8;\n"
        "typealias integer { size = 16; align = 8; signed = false; } := u16;\n"
        "typealias integer { size = 32; align = 8; signed = false; } := u32;\n"
        "typealias integer { size = 64; align = 8; signed = false; } := u64;\n"
        "typealias integer { size = 64; align = 8; signed = false; base = hex; } := hex64;\n"
        "trace { major = 1; minor = 8; byte_order = le;\n"
        "    packet.header := struct { u32 magic; u32 stream_id; }; };\n"
        "env { domain = \"hypervisor\"; tracer_name = \"tally\"; version = \"%.64s\"; "
        "cpu = \"%.48s\"; };\n"
        "clock { name = ticks; description = \"TSC, since the guest's start\"; freq = %llu; };\n"
        "typealias integer { size = 64; align = 8; signed = false; map = clock.ticks.value; } "
        ":= ticks;\n"
        "stream { id = 0;\n"
        "    packet.context := struct { ticks timestamp_begin; ticks timestamp_end; "
        "u64 content_size; u64 packet_size; u64 events_discarded; u32 cpu_id; u32 reserved; };\n"
        "    event.header := struct { ticks timestamp; }; };\n"
        "event { name = exit; id = 0; stream_id = 0; fields := struct {\n"
        "    hex64 rip; hex64 detail; u32 cycles; u16 vcpu;\n    enum : u8 {",
        directory.facts.version, directory.facts.cpu, (unsigned long long)hertz);
    for (unsigned reason = 0; reason < REASON_SLOTS; reason++)
        fprintf(file, " %s = %u%s", reason_name(reason), reason,
                reason + 1 < REASON_SLOTS ? "," : "");
    fprintf(file, " } reason;\n    enum : u8 {");
    for (unsigned mode = 0; mode < 24; mode++)
        fprintf(file, " \"%s/%u\" = %u%s", modes[mode / 4], mode % 4, mode, mode < 23 ? "," : "");
    fprintf(file, " } mode; }; };\n");
    if (fclose(file) != 0)
        fail("%s", strerror(errno));
}

void export_ctf(const char *to)
{
    mkdir(to, 0777);
    write_metadata(create(to, "metadata"));
    for (u32 i = 0; i < directory.facts.vcpus; i++) {
        char name[32];
        snprintf(name, sizeof(name), "vcpu_%u", i);
        write_stream(create(to, name), &streams[i]);
    }
}
