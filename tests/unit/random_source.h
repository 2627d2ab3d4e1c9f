/* Where random states come from: a generator of numbers, or bytes that a fuzzer chose. */
#ifndef TALLY_TESTS_RANDOM_SOURCE_H
#define TALLY_TESTS_RANDOM_SOURCE_H

#include "types.h"

extern u64 random_state; /* of the generator; not 0 */

/* From now on the bytes, and after them a generator that they have set. */
void random_from(const u8 *bytes, size_t size);
/* The generator alone, set by the bytes. */
void random_seeded_by(const u8 *bytes, size_t size);

u64 random64(void);
u64 below(u64 limit); /* takes as many bytes as the limit needs */
bool one_in(u64 n);

#define PICK(...)                                                                                  \
    ({                                                                                             \
        static const u64 choices_[] = {__VA_ARGS__};                                               \
        choices_[below(ARRAY_SIZE(choices_))];                                                     \
    })

#endif
