#ifndef TALLY_SITES_SITES_PRINT_H
#define TALLY_SITES_SITES_PRINT_H

/* JSON lines of the sites, histograms and traces that the window has. */
void sites_print(void);

#endif
