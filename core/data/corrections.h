/* Labels that somebody has looked at and corrected: a table of CSV, as keylight exports marks. */
#ifndef KL_CORE_DATA_CORRECTIONS_H
#define KL_CORE_DATA_CORRECTIONS_H

#include "core/data/dataset.h"

struct kl_correction {
    char *dataset, *split, *file; /* owned; file may be empty */
    char *label, *correct_label;  /* owned: which was seen to be wrong, and the right one */
    uint32_t index;               /* within its split, of what has no file */
    int is_used;
};

struct kl_corrections {
    struct kl_correction *list; /* (n) */
    uint32_t n;
    uint32_t n_without; /* rows that are wrong, but do not say what would be right */
};

/* Reads the rows of a file whose decision is wrong and that name a correct_label. Its first row
 * names the columns: dataset, split, index, file, label, decision, correct_label, in any order,
 * others besides. The caller ends *corrections with kl_corrections_clear, also on failure. Errors:
 * KL_ERR_NOT_FOUND, KL_ERR_INPUT (no such table, or a row that says nothing clear), KL_ERR_MEMORY.
 */
enum kl_status kl_corrections_read(const char *path, struct kl_corrections *corrections,
                                   struct kl_error *err);
void kl_corrections_clear(struct kl_corrections *corrections);

/* Gives the images of a data set the labels that are theirs: found by their files, or, without
 * files, by split and index (which name the same images only if the data is selected as it was).
 * Notes how many. Errors: KL_ERR_INPUT (a class that the data set does not have, or an image whose
 * label is neither the wrong nor the right one). */
enum kl_status kl_corrections_apply(struct kl_corrections *corrections, struct kl_dataset *dataset,
                                    struct kl_error *err);

/* The first correction that fitted no image, or NULL. */
const struct kl_correction *kl_corrections_unused(const struct kl_corrections *corrections);

#endif
