/* The command line: only=FAMILY[,FAMILY…] and single words. */
#ifndef GUEST_OPTIONS_H
#define GUEST_OPTIONS_H

#include "multiboot.h"

/* Keeps a copy of the command line; a leading word with the kernel's own name is dropped. */
void options_read(const struct multiboot_info *information);

bool option_given(const char *word);
/* What stands behind `name`, which ends with '='; NULL if it was not given. */
const char *option_value(const char *name);
/* True if the family is to run: all do unless only= names some. */
bool family_wanted(const char *name, bool by_default);
/* The first word, or name in only=, that is not known; NULL if there is none. */
const char *unknown_word(bool (*is_family)(const char *name, u32 length));

#endif
