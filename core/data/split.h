/* What the samples of data sets are divided into, and how long names are. */
#ifndef KL_CORE_DATA_SPLIT_H
#define KL_CORE_DATA_SPLIT_H

#include "core/base/error.h"

#define KL_NAME_MAX 64 /* bytes of a name with its NUL; names of runs and data sets */

enum kl_split { KL_SPLIT_TRAIN, KL_SPLIT_VALIDATION, KL_SPLIT_TEST, KL_N_SPLITS };

/* "train", "validation", "test"; a static string. */
const char *kl_split_name(enum kl_split split);

/* The split of that name. Errors: KL_ERR_USAGE. */
enum kl_status kl_split_parse(const char *name, enum kl_split *split, struct kl_error *err);

/* One rule for images and text, whatever the case: train and training; val, valid, validation, dev
 * and eval; test and testing. The split that a folder of that name is, or a file by a word of its
 * name ("wiki.valid.tokens"); -1: neither says one. */
int kl_split_called(const char *name);
int kl_split_named(const char *name);

#endif
