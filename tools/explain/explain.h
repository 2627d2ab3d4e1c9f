/* From a dump to sentences. */
#ifndef TALLY_EXPLAIN_EXPLAIN_H
#define TALLY_EXPLAIN_EXPLAIN_H

#include <stdio.h>

#include "dump.h"
#include "vmx/capabilities.h"

/* Where lines go, and how they end: as those of the console do. */
extern FILE *tell_to;
extern const char *tell_end;

/* One line: `explain: ` + text. */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The cause, the rules that the state breaks, all registers and fields by their names; of
 * capabilities, which of them Tally uses. */
void explain_dump(const struct dump *dump);

/* What a line of the console says of a triple fault, if it is one of Tally's with the registers. */
void explain_triple_fault(const char *line);

/* The last of these. */
void explain_capabilities(const struct vmx_capabilities *c, const struct dump *dump);

#endif
