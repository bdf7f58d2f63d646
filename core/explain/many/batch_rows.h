/* Training samples as rows of a layer, and many samples run through the network at once: what batch
 * queries (core/explain/many/batch_query.h) are asked of, and about. */
#ifndef KL_CORE_EXPLAIN_MANY_BATCH_ROWS_H
#define KL_CORE_EXPLAIN_MANY_BATCH_ROWS_H

#include "core/explain/history.h"

/* Shared by all slices. */
struct kl_batch_rows {
    const struct kl_history *history;
    uint32_t *places;  /* (samples of the run) place among those trained on */
    uint32_t *trained; /* (n_trained) ids */
    uint32_t n_trained;
    uint64_t *last;        /* (samples of the run) their last pattern of this process, */
    uint8_t *is_last_here; /* (samples of the run) and whether it is the last of all */
};

/* Collective. The caller ends *rows with kl_batch_rows_free. Errors: KL_ERR_MEMORY, KL_ERR_PEERS.
 */
enum kl_status kl_batch_rows_create(const struct kl_history *history, struct kl_batch_rows **rows,
                                    struct kl_error *err);
void kl_batch_rows_free(struct kl_batch_rows *rows);

/* What a layer, from 0, that sees samples whole saw of a training sample at its last showing: key
 * (inputs); 0 where another process has that, so that the sum over processes is it,
 * unless kl_batch_rows_has_all. Within a pool's task. Errors: those of reading. */
enum kl_status kl_batch_rows_key(const struct kl_batch_rows *rows, uint32_t layer, uint32_t sample,
                                 unsigned worker, float *key, struct kl_error *err);

/* Whether every process has such a key of a layer by itself. */
int kl_batch_rows_has_all(const struct kl_batch_rows *rows, uint32_t layer);

/* Runs n samples of the run through the network: activations' rows. Within a pool's task; after
 * that, not within one and collectively, what only other processes have is added. Errors:
 * KL_ERR_MEMORY, KL_ERR_PEERS and those of reading. */
enum kl_status kl_batch_rows_read(const struct kl_batch_rows *rows, const uint32_t *ids, uint32_t n,
                                  unsigned worker, struct kl_activations *activations,
                                  struct kl_error *err);
enum kl_status kl_batch_rows_share(const struct kl_batch_rows *rows, const uint32_t *ids,
                                   uint32_t n, struct kl_activations *activations,
                                   struct kl_error *err);

#endif
