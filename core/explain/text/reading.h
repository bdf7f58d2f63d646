/* A language model at work: how it reads a text, and how it goes on. */
#ifndef KL_CORE_EXPLAIN_TEXT_READING_H
#define KL_CORE_EXPLAIN_TEXT_READING_H

#include "core/data/text/corpus.h"
#include "core/explain/history.h"
#include "core/models/network.h"

#define KL_READING_MAX 2000 /* tokens of a text that somebody typed, or of one page */

/* What it thought of every token but the first. */
struct kl_reading {
    uint32_t n;
    float *bits;         /* (n) surprise at token i, -log2 of its probability; NaN for the first */
    uint32_t *predicted; /* (n) what it expected instead of token i; the first's is no use */
};

/* Reads n tokens from an empty state. The caller ends *reading with kl_reading_clear. Errors:
 * KL_ERR_MEMORY, KL_ERR_USAGE (the network cannot be run here). */
enum kl_status kl_read_text(const struct kl_network *network, const uint32_t *tokens, uint32_t n,
                            struct kl_reading *reading, struct kl_error *err);
/* The same of the tokens of a text of the run, whose network cannot be run here: tokens first .. n
 * - 1 are samples from sample on. Only what follows those that can be asked about is judged; the
 * others' bits are NaN. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_read_recorded_text(const struct kl_history *history, uint32_t sample,
                                     const uint32_t *tokens, uint32_t first, uint32_t n,
                                     struct kl_reading *reading, struct kl_error *err);
void kl_reading_clear(struct kl_reading *reading);

struct kl_continuing {
    uint32_t n;         /* tokens to write */
    double temperature; /* 0: always the most expected; 1: as the network's probabilities say */
    uint64_t seed;
};

/* Goes on after n tokens: written (how->n). Never writes the unknown token, unless nothing else is
 * left. Errors: KL_ERR_MEMORY, KL_ERR_USAGE (likewise). */
enum kl_status kl_continue(const struct kl_network *network, const struct kl_corpus *corpus,
                           const uint32_t *tokens, uint32_t n, const struct kl_continuing *how,
                           uint32_t *written, struct kl_error *err);

#endif
