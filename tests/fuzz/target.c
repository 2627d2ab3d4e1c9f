/* A series of exits that libFuzzer makes up: `make fuzz-host`. FUZZ_PROFILE in the environment
 * takes one profile only. At the end, and each ten million exits, lines say how many there were. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "exit_series.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size);
int LLVMFuzzerInitialize(int *count, char ***arguments);

#define PROGRESS 10000000

static u64 all_exits(u64 *fewest)
{
    u64 sum = 0;
    *fewest = ~0ull;
    for (unsigned profile = 0; profile < PROFILES; profile++)
        for (unsigned reason = 0; reason < REASON_SLOTS; reason++) {
            u64 count = series_count[profile][reason];
            sum += count;
            if (count < *fewest && (series_profile == PROFILES || series_profile == profile))
                *fewest = count;
        }
    return sum;
}

static void say_counts(void)
{
    u64 fewest, sum = all_exits(&fewest);
    fprintf(stderr, "exits: %" PRIu64 ", of a reason in a profile at least %" PRIu64 "\n", sum,
            fewest);
    fprintf(stderr, "most steps of an exit: %u\n", series_most_steps);
    for (unsigned reason = 0; reason < REASON_SLOTS; reason++)
        fprintf(stderr, "reason %2u: %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n", reason,
                series_count[0][reason], series_count[1][reason], series_count[2][reason]);
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count, (void)arguments;
    const char *profile = getenv("FUZZ_PROFILE");
    if (profile)
        series_profile = (unsigned)atoi(profile);
    atexit(say_counts);
    return 0;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
    static u64 told;
    series_run(bytes, size);
    u64 fewest, sum;
    static u64 inputs;
    if (++inputs % 0x10000 == 0 && (sum = all_exits(&fewest)) / PROGRESS != told) {
        told = sum / PROGRESS;
        say_counts();
    }
    return 0;
}
