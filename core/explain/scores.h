/* What the spotlight is ordered by: one score per pattern, a function for every rank of
 * core/explain/ranks.h. */
#ifndef KL_CORE_EXPLAIN_SCORES_H
#define KL_CORE_EXPLAIN_SCORES_H

#include "core/explain/inquiry.h"

/* scores[t], (n_patterns). COSINE reads the lengths of the keys; LOGIT the layer's error signals;
 * EFFECT and OPPONENTS all keys and error signals that are recorded. Errors:
 * KL_ERR_MEMORY and those of reading. */
enum kl_status kl_score_abs(const struct kl_scoring *, float *scores, struct kl_error *err);
enum kl_status kl_score_positive(const struct kl_scoring *, float *scores, struct kl_error *err);
enum kl_status kl_score_negative(const struct kl_scoring *, float *scores, struct kl_error *err);
enum kl_status kl_score_cosine(const struct kl_scoring *, float *scores, struct kl_error *err);
enum kl_status kl_score_logit(const struct kl_scoring *, float *scores, struct kl_error *err);
enum kl_status kl_score_effect(const struct kl_scoring *, float *scores, struct kl_error *err);
enum kl_status kl_score_opponents(const struct kl_scoring *, float *scores, struct kl_error *err);

/* What the loss of the target would fall by without a pattern, as an estimate:
 * core/explain/influence/decorrelation.h. */
enum kl_status kl_score_hindrance(const struct kl_scoring *, float *scores, struct kl_error *err);

/* Those of the rank's opposite, with the other sign: known, or made for both. */
enum kl_status kl_score_opposite(const struct kl_scoring *, float *scores, struct kl_error *err);

/* Scores of one pattern and n queries, in place, up to a factor per query. */
void kl_row_abs(float *row, uint32_t n, float length);
void kl_row_positive(float *row, uint32_t n, float length);
void kl_row_negative(float *row, uint32_t n, float length);
void kl_row_cosine(float *row, uint32_t n, float length);

#endif
