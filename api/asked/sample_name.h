/* The one name of a sample everywhere: in addresses, in the API, on the command line and the page.
 */
#ifndef KL_API_ASKED_SAMPLE_NAME_H
#define KL_API_ASKED_SAMPLE_NAME_H

#include "core/data/collection.h"

#define KL_SAMPLE_NAME_MAX (KL_NAME_MAX + 32)

/* SPLIT/DATASET/INDEX of a sample: name (KL_SAMPLE_NAME_MAX). */
void kl_sample_name(const struct kl_collection *data, uint32_t sample,
                    char name[KL_SAMPLE_NAME_MAX]);

/* Finds the sample that a text names among a run's: SPLIT/DATASET/INDEX ("test/fashion-mnist/42"),
 * path:FILE (that of several data sets the first's), or its id, a number. Errors, on parameter:
 * KL_ERR_USAGE (no such name), KL_ERR_NOT_FOUND (the run has no such sample). */
enum kl_status kl_sample_named(const struct kl_collection *data, const char *text,
                               const char *parameter, uint32_t *sample, struct kl_error *err);

#endif
