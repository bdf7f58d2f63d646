/* The words in which a question is put, in addresses, request bodies and on the command line. */
#ifndef KL_API_ASKED_QUESTION_H
#define KL_API_ASKED_QUESTION_H

#include "core/explain/attention.h"
#include "core/explain/ranks.h"

#define KL_DEFAULT_TOP 20

struct kl_question {
    struct kl_query query;
    struct kl_removal removal; /* that query points to, if something is to be removed */
};

/* The question of which nothing has been said yet: the last layer, by |attention|, the strongest
 * patterns of all. query points into *question, which must not move. */
void kl_question_init(const struct kl_history *history, struct kl_question *question);

/* Sets one word of a question about a run's history from its text:
 *
 *   layer   a number from 1, or its name
 *   place   of those at which the layer sees the sample, a number from 0
 *   rank    of core/explain/ranks.h, "logit:3"
 *   by      pattern, sample
 *   class   a number over all data sets, or the name of one
 *   k       how many, 1 to KL_TOP_MAX
 *   scan    full, 8-bit
 *   views   a list of curves, time, samples, learning, places
 *   remove  a list of top:N, class:NUMBER or class:NAME, dataset:NAME, steps:FIRST-LAST, sample:ID,
 * all
 *
 * Errors: KL_ERR_USAGE (no such word, or not one of its values), naming it. */
enum kl_status kl_question_set(struct kl_question *question, const struct kl_history *history,
                               const char *word, const char *text, struct kl_error *err);

/* The terms of the word remove, for another word of the same terms: *removal is whole on success.
 * Errors: KL_ERR_USAGE, on the word. */
enum kl_status kl_question_terms(const char *word, const char *text,
                                 const struct kl_history *history, struct kl_removal *removal,
                                 struct kl_error *err);

/* Number i of the words, NULL behind the last. */
const char *kl_question_word(uint32_t i);

/* A rank whose scores are functions of the attention alone: of hubness, or, without lengths, of
 * attention maps. Errors: KL_ERR_USAGE. */
enum kl_status kl_question_row_rank(const char *text, int may_need_lengths,
                                    const struct kl_rank **rank, struct kl_error *err);

#endif
