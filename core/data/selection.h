/* Which samples of a data set's files a run takes, and which labels it is told wrongly. */
#ifndef KL_CORE_DATA_SELECTION_H
#define KL_CORE_DATA_SELECTION_H

#include "core/data/corrections.h"
#include "core/data/dataset.h"
#include "core/data/text/corpus.h"

enum kl_ground {
    KL_GROUND_AUTO, /* white, or black where that shows what is on it */
    KL_GROUND_WHITE,
    KL_GROUND_BLACK
};

struct kl_selection {
    uint32_t validation; /* so many training samples become the validation split, */
    uint32_t limit;      /* and of the rest so many are taken (0: all), evenly from every class */
    uint64_t split_seed; /* of what is drawn: these, and a test split where there is none */
    uint32_t background; /* enum kl_ground: what transparent images of folders are laid on */
    double label_noise;  /* share of the training labels to flip, 0 to 1 */
    uint64_t noise_seed;
    struct kl_image_size image_size; /* that images of folders are brought to; 0 x 0: not said */
    struct kl_corpus_settings text;  /* of a text, which nothing else here applies to */
};

/* Applies the selection to a loaded data set, the run's number-th (from 0), measures its
 * standardisation anew, notes what is missing or the same in several splits, corrects labels
 * (corrections may be NULL), and flips some: exactly round(label_noise * count) of them, each to
 * one of the other classes with equal chance; splits[KL_SPLIT_TRAIN].true_labels then remembers
 * what they were. Deterministic. Errors: KL_ERR_USAGE (more than there is), KL_ERR_MEMORY. */
enum kl_status kl_select(struct kl_dataset *dataset, uint32_t number,
                         const struct kl_selection *selection, struct kl_corrections *corrections,
                         struct kl_error *err);

#endif
