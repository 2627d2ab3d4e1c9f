/*
 * The counts of a run in a page that the next start of the same Tally finds again, if the machine
 * was reset without its memory losing what is in it: for PCs without a serial port.
 */
#ifndef TALLY_EXITS_LAST_RUN_H
#define TALLY_EXITS_LAST_RUN_H

#include "platform/memory_map.h"

/* At the start: the page is the last one of Tally's memory, on a boundary of 2 MiB. */
void last_run_init(void *page);

/* At the end of a run, `way` as power_way() has it. All CPUs' counts become one. */
void last_run_keep(const char *way);

/* Looks in all RAM below 4 GiB where such a page can be, the highest first, and prints what the
 * page says; nothing of one whose checksum is wrong or that another build wrote. */
void last_run_show(const struct memory_map *map);

#endif
