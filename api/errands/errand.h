/* Questions that take long to answer, most of them training, from their words to the JSON of their
 * answers, which are kept beside the run (db/results.h):
 *
 *   retrain   what a network says that never saw some of its training samples
 *   walk      whom test samples would miss, by walking back through the training
 *   truth     how far the scores of a run foretell what retraining would change
 *   votes     for which samples the vote of what is attended to is not the answer
 * (core/explain/many/votes.h)
 *
 * What server and command line share. The answers are described in docs/api.md. */
#ifndef KL_API_ERRANDS_ERRAND_H
#define KL_API_ERRANDS_ERRAND_H

#include "api/asked/question.h"
#include "core/retraining/retrained.h"
#include "core/retraining/truth.h"
#include "db/run.h"

enum kl_errand_kind {
    KL_ERRAND_RETRAIN,
    KL_ERRAND_WALK,
    KL_ERRAND_TRUTH,
    KL_ERRAND_VOTES,
    KL_N_ERRANDS
};

/* What a walk tells of those who would be missed, and of those who would not, at most. */
#define KL_MISSED_MAX 1000
#define KL_MISSED_KEPT 50

struct kl_errand {
    enum kl_errand_kind kind;
    uint32_t n_samples, samples[KL_WALK_QUERIES]; /* that are asked about */
    char *without;                                /* who is left out, in terms; owned, as */
    int names_top;                                /* whether its terms name a spotlight's first */
    uint32_t *marked, n_marked;                   /* (n_marked) whom its term marked named then */
    char rank[24];                                /* as it was said, or "" */
    struct kl_question spotlight;                 /* whose first samples top:N are */
    int has_seed;
    uint32_t seed;
    struct kl_truth_question truth; /* its walk is that of a walk, too */
};

/* What came of it: the member of its kind, and notes. */
struct kl_errand_result {
    struct kl_retrained retrained;
    double *influences; /* (n_samples, samples of the run) */
    double walk_seconds;
    struct kl_truth truth;
    uint32_t n_asked, *asked, *votes, *predicted; /* (n_asked) samples; outputs */
    struct kl_notes notes;
};

/* "retrain", "walk", "truth", "votes"; a static string; and the reverse: 0, or -1 for another word.
 */
const char *kl_errand_name(enum kl_errand_kind kind);
int kl_errand_parse(const char *name, enum kl_errand_kind *kind);

/* Whether a run can do such an errand. Errors: KL_ERR_USAGE, with the reason. */
enum kl_status kl_errand_possible(enum kl_errand_kind kind, const struct kl_run *run,
                                  struct kl_error *err);

/* An errand of which nothing has been said yet, but for defaults. The caller ends it with
 * kl_errand_clear. */
void kl_errand_init(enum kl_errand_kind kind, const struct kl_run *run, struct kl_errand *errand);
void kl_errand_clear(struct kl_errand *errand);

/* The same, as another, which the caller ends too. Errors: KL_ERR_MEMORY. */
enum kl_status kl_errand_copy(const struct kl_errand *from, struct kl_errand *to,
                              struct kl_error *err);

/* Sets one of its words from a text:
 *
 *   sample    retrain: one sample that is asked about, or none; walk: at least one, parted by
 *             commas, of any split
 *   without   retrain: a list of top:N, class:NUMBER, dataset:NAME, sample:ID and marked
 *   rank, layer   retrain: of the spotlight, by sample, whose first top:N are (influence)
 *   seed      retrain: other initial weights and another order; a number
 *   parts     walk, truth: A/B, the last A of B equal parts of the training are walked (1/1)
 *   damping   walk, truth: of core/training/walk.h (2.3)
 *   check     truth: how many subsets (20)
 *   leave     truth: the share of the training samples in each (0.1)
 *   queries   truth: how many test samples (64)
 *
 * Errors: KL_ERR_USAGE (no such word of this errand, or not one of its values), KL_ERR_NOT_FOUND,
 * naming it; KL_ERR_MEMORY. */
enum kl_status kl_errand_set(struct kl_errand *errand, const struct kl_run *run, const char *word,
                             const char *text, struct kl_error *err);

/* Whether all has been said that it needs. Errors: KL_ERR_USAGE. */
enum kl_status kl_errand_check(const struct kl_errand *errand, struct kl_error *err);

/* Its words in their one order and spelling, without those that say the default: what it is kept
 * under, "sample=test/mnist/8&without=top:10". The caller's to free; NULL: memory ran out. */
char *kl_errand_question(const struct kl_errand *errand, const struct kl_run *run);

/* Does it. The caller ends *result with kl_errand_result_clear, also on failure. Thread-safe; one
 * training at a time is what a machine has room for. Errors: those of kl_retrain_without,
 * kl_walk_back, kl_truth_measure, kl_votes; reading's. */
enum kl_status kl_errand_do(const struct kl_errand *errand, struct kl_run *run,
                            struct kl_pool *pool, const struct kl_work *work,
                            struct kl_errand_result *result, struct kl_error *err);
void kl_errand_result_clear(struct kl_errand_result *result);

/* The answer; most is how many who would be missed, and would not, a walk tells of each sample. The
 * caller's to free; NULL: memory ran out. */
char *kl_errand_json(const struct kl_errand *errand, const struct kl_run *run,
                     const struct kl_errand_result *result, uint32_t most);

/* Keeps the answer beside the run, that of a walk for every sample by itself, too. Errors: those of
 * kl_results_keep. */
enum kl_status kl_errand_keep(const struct kl_errand *errand, const struct kl_run *run,
                              const struct kl_errand_result *result, struct kl_error *err);

/* The votes of a run, for kl_samples_choose, out of their answer as it was kept: *votes (samples of
 * the run, enum kl_vote_is) is the caller's to free. Errors: KL_ERR_DAMAGED, KL_ERR_MEMORY. */
enum kl_status kl_errand_read_votes(const struct kl_run *run, const char *answer, uint8_t **votes,
                                    struct kl_error *err);

/* A training sample, and what a loss would rise by without it. */
struct kl_missed {
    uint32_t sample;
    double influence;
};

/* All training samples, those first that a sample of a walk would miss most: missed (training
 * samples of the run). */
void kl_errand_missed(const struct kl_run *run, const struct kl_errand_result *result, uint32_t q,
                      struct kl_missed *missed);

#endif
