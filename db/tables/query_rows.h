/* What one file says of samples that only the framework could run that trained the network. Not
 * thread-safe. Internal to db/. */
#ifndef KL_DB_TABLES_QUERY_ROWS_H
#define KL_DB_TABLES_QUERY_ROWS_H

#include <sqlite3.h>

#include "core/explain/history.h"

/* One file that holds some of them: the run itself, or the one beside it. */
struct kl_query_rows {
    const struct kl_shape *shape;
    uint32_t n_samples; /* of the run */
    sqlite3 *db;        /* NULL: there is none */
    sqlite3_stmt *logits, *label, *numbers;
    sqlite3_stmt *places; /* NULL: no layer is seen at several places */
    uint32_t n, *samples; /* (n) ids, rising */
};

/* Opens path for samples of a run, whose shape and n_samples are there already. The caller ends it
 * with kl_query_close, which may be called at any time. Errors: those of opening, KL_ERR_MEMORY,
 * KL_ERR_DAMAGED. */
enum kl_status kl_query_open(struct kl_query_rows *source, const char *path, struct kl_error *err);
void kl_query_close(struct kl_query_rows *source);

/* Whether a file has a sample. */
int kl_query_has(const struct kl_query_rows *source, uint32_t sample);

/* logits (outputs of the last layer); or with them row 0 of the keys, and the places. Errors:
 * KL_ERR_NOT_FOUND, KL_ERR_IO, KL_ERR_DAMAGED, KL_ERR_MEMORY. */
enum kl_status kl_query_logits(const struct kl_query_rows *source, uint32_t sample, float *logits,
                               struct kl_error *err);
enum kl_status kl_query_keys(const struct kl_query_rows *source, uint32_t sample,
                             struct kl_activations *activations, struct kl_error *err);

/* Errors of all layers but the last += weight times the gradient of an output, at every place; row
 * (the widest layer's outputs) is room for it. Or += the gradient of the loss, if it is recorded
 * and output is the sample's label: *is_done says whether. Errors: likewise. */
enum kl_status kl_query_add_gradient(const struct kl_query_rows *source, uint32_t sample,
                                     int64_t output, float weight, float *row,
                                     struct kl_activations *activations, struct kl_error *err);
enum kl_status kl_query_add_loss(const struct kl_query_rows *source, uint32_t sample,
                                 uint32_t output, float *row, struct kl_activations *activations,
                                 int *is_done, struct kl_error *err);

#endif
