/* Names from files and folders on a terminal: nothing in them moves the cursor, and columns stay in
 * line whatever letters they are of. */
#ifndef KL_CLI_OUTPUT_NAMES_H
#define KL_CLI_OUTPUT_NAMES_H

#include "core/data/dataset.h"

/* A text with signs for what cannot be seen: the caller's, to free. NULL: memory ran out. */
char *kl_shown(const char *text);

/* Prints a name with signs for what cannot be seen; filled up with spaces to so many columns, and
 * cut between two letters, with an ellipsis, where it is wider. 0 columns: as wide as it is. */
void kl_print_name(const char *name, int columns);

/* Prints what tells a person which sample it is, after what stands before: its file, or the
 * beginning of its description, in at most 60 columns. Returns whether it has one. */
int kl_print_words(const char *before, const struct kl_dataset *dataset, enum kl_split split,
                   uint32_t index);

#endif
