/* A site in words. docs/sites.md lists them. */
#ifndef TALLY_SITES_WORDS_H
#define TALLY_SITES_WORDS_H

#include "sites_layout.h"

/* Each like snprintf. */
size_t site_detail_text(char *text, size_t size, unsigned reason, u64 detail);
size_t site_mode_text(char *text, size_t size, unsigned mode); /* "64/0": 64-bit mode, ring 0 */

#endif
