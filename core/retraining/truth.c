#include "core/retraining/truth.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/explain/inquiry.h"
#include "core/explain/many/batch_query.h"
#include "core/explain/ranks.h"
#include "core/retraining/rank_correlation.h"
#include "core/retraining/retrained.h"
#include "core/explain/views/sample_totals.h"

#define SUBSET_SEED 77

/* What is compared: attention, the two signed scores there are, the estimate, and the walk. */
static const char *const compared[KL_TRUTH_SCORES] = {"abs", "cosine", "proponents", "influence",
                                                      KL_WALK};
#define N_RANKS (KL_TRUTH_SCORES - 1) /* the walk is none, and stands last */

struct check {
    struct kl_pool *pool;
    const struct kl_training *training;
    const struct kl_history *history;
    const struct kl_truth_question *question;
    const struct kl_work *work;
    uint32_t n_done, n_pieces;    /* steps of trainings; of a walk, likewise */
    uint32_t n_samples;           /* of the run */
    uint32_t n_queries, *queries; /* (n_queries) ids of test samples */
    uint32_t *targets;            /* (n_queries) */
    uint8_t *left_out;            /* (n_subsets, n_samples) */
    uint32_t n_scores;            /* without the walk, where there is none */
    double *foretold;             /* (n_scores, n_queries, n_subsets) what losses would rise by */
    double *losses;               /* (n_queries, n_subsets) after retraining */
};

/* Which training samples subset number m leaves out. */
static enum kl_status choose_subsets(struct check *check, uint32_t *n_left_out,
                                     struct kl_error *err)
{
    const struct kl_collection *data = check->history->data;
    uint32_t n_train = kl_collection_train_size(data), n_subsets = check->question->n_subsets;
    uint32_t n = (uint32_t)(check->question->share * n_train + 0.5), *order = NULL;
    enum kl_status status = kl_alloc(&order, n_train, sizeof *order, "subsets", err);

    if (!status && (n == 0 || n == n_train))
        status = kl_fail_on(err, KL_ERR_USAGE, "leave",
                            "a share of %g leaves out %s of %u training samples: take another",
                            check->question->share, n ? "all" : "none", n_train);
    if (!status)
        status =
            kl_alloc(&check->left_out, (size_t)n_subsets * check->n_samples, 1, "subsets", err);
    for (uint32_t m = 0; !status && m < n_subsets; m++) {
        struct kl_random random;

        kl_random_seed(&random, SUBSET_SEED, m);
        kl_random_permutation(&random, order, n_train);
        for (uint32_t i = 0; i < n; i++)
            check->left_out[(size_t)m * check->n_samples + kl_collection_train_id(data, order[i])] =
                1;
    }
    *n_left_out = n;
    free(order);
    return status;
}

/* What of n_queries by n_subsets numbers is of a score and a query. */
static double *row_of(double *numbers, const struct check *check, size_t score, uint32_t query)
{
    return numbers + (score * check->n_queries + query) * check->question->n_subsets;
}

/* Sums one score, of every sample of the run, over what each subset leaves out. */
static void foretell(const struct check *check, const double *score, double *row)
{
    for (uint32_t m = 0; m < check->question->n_subsets; m++) {
        const uint8_t *left_out = check->left_out + (size_t)m * check->n_samples;

        row[m] = 0;
        for (uint32_t id = 0; id < check->n_samples; id++)
            row[m] += left_out[id] ? score[id] : 0;
    }
}

static enum kl_status score_query(struct check *check, uint32_t q, struct kl_error *err)
{
    const struct kl_history *history = check->history;
    uint32_t target = check->targets[q], last = history->final->shape.n_layers - 1;
    struct kl_inquiry *inquiry = NULL;
    struct kl_subject subject;
    enum kl_status status;

    kl_subject_at(history->data, check->queries[q], &subject);
    status = kl_inquiry_create(check->pool, history, &subject, &inquiry, err);

    for (size_t r = 0; !status && r < N_RANKS; r++) {
        struct kl_sample_totals totals = {0};
        const float *scores = NULL;

        status = kl_inquiry_scores(inquiry, kl_rank_find(compared[r]), last, target, target,
                                   &scores, err);
        if (!status)
            status = kl_sample_totals(check->pool, history, scores, scores, &totals, err);
        if (!status)
            foretell(check, totals.score, row_of(check->foretold, check, r, q));
        kl_sample_totals_clear(&totals);
    }
    kl_inquiry_free(inquiry);
    return status;
}

static int tell_piece(void *self, uint32_t done, uint32_t total)
{
    const struct check *check = self;

    (void)total;
    return kl_work_tell(check->work, check->n_done + done, check->n_pieces);
}

static uint32_t n_walked(const struct check *check)
{
    return check->training->n_steps - kl_walk_first(check->training, &check->question->walk.parts) +
           1;
}

/* The walk back from queries first on, n of them. */
static enum kl_status walk_some(struct check *check, uint32_t first, uint32_t n, double *influences,
                                struct kl_error *err)
{
    const struct kl_walk_queries queries = {n, check->queries + first, check->targets + first};
    const struct kl_work work = {tell_piece, check};
    uint32_t n_steps = check->training->n_steps;
    enum kl_status status =
        kl_walk_back(check->pool, check->training, check->history->data, check->history->initial,
                     &queries, &check->question->walk, &work, influences, err);

    for (uint32_t q = 0; !status && q < n; q++)
        foretell(check, influences + (size_t)q * check->n_samples,
                 row_of(check->foretold, check, N_RANKS, first + q));
    check->n_done += n_steps + 2 * n_walked(check);
    return status;
}

/* That of all, some at a time. A training too unstable for it goes without. */
static enum kl_status walk_queries(struct check *check, struct kl_notes *notes,
                                   struct kl_error *err)
{
    uint32_t n = check->n_queries < KL_WALK_QUERIES ? check->n_queries : KL_WALK_QUERIES;
    double *influences = NULL;
    enum kl_status status =
        kl_alloc(&influences, (size_t)n * check->n_samples, sizeof *influences, "the walk", err);

    for (uint32_t first = 0; !status && first < check->n_queries; first += n) {
        uint32_t left = check->n_queries - first;

        status = walk_some(check, first, left < n ? left : n, influences, err);
    }
    free(influences);
    if (status != KL_ERR_DIVERGED)
        return status;
    kl_note(notes, "the walk is left out: %s", err->message);
    check->n_scores = N_RANKS;
    return KL_OK;
}

static enum kl_status measure(struct check *check, const struct kl_network *network, uint32_t m,
                              struct kl_error *err)
{
    uint32_t n_outputs = kl_shape_n_outputs(&network->shape);
    enum kl_status status = KL_OK;

    for (uint32_t q = 0; !status && q < check->n_queries; q++) {
        struct kl_activations *activations = NULL;
        struct kl_subject subject;

        kl_subject_at(check->history->data, check->queries[q], &subject);
        status = kl_model_read(network, check->history->data, &subject, &activations, err);
        if (!status)
            row_of(check->losses, check, 0, q)[m] = kl_cross_entropy(
                activations->keys[network->shape.n_layers], 1, n_outputs, &check->targets[q], NULL);
        kl_activations_free(activations);
    }
    return status;
}

static enum kl_status train_without(struct check *check, uint32_t m, struct kl_error *err)
{
    struct kl_told_steps told = {check->work, check->n_done, check->n_pieces};
    const struct kl_progress progress = kl_tell_steps(&told);
    struct kl_network *network = NULL;
    enum kl_status status =
        kl_retrain(check->pool, check->training, check->history->data, check->history->initial,
                   check->left_out + (size_t)m * check->n_samples, &progress, &network, err);

    if (!status)
        status = measure(check, network, m, err);
    check->n_done += check->training->n_steps;
    kl_network_free(network);
    return status;
}

/* The mean of every score's correlations, and its standard error. */
static enum kl_status summarise(struct check *check, struct kl_truth *truth, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    for (size_t r = 0; !status && r < check->n_scores; r++) {
        struct kl_truth_row *row = &truth->rows[truth->n_rows++];
        double sum = 0, squares = 0, variance;

        for (uint32_t q = 0; !status && q < check->n_queries; q++) {
            double one = 0;

            status = kl_rank_correlation(row_of(check->foretold, check, r, q),
                                         row_of(check->losses, check, 0, q),
                                         check->question->n_subsets, &one, err);
            sum += one;
            squares += one * one;
        }
        row->score = compared[r];
        row->mean = sum / check->n_queries;
        variance = squares / check->n_queries - row->mean * row->mean;
        row->error = sqrt(fmax(variance, 0) / check->n_queries);
    }
    return status;
}

/* The subsets that this process trains without: each is one process's. */
static uint32_t n_own(const struct check *check)
{
    const struct kl_peers *peers = check->history->peers;
    uint32_t n = kl_peers_n(peers), left = check->question->n_subsets - kl_peers_own(peers);

    return kl_peers_own(peers) < check->question->n_subsets ? (left + n - 1) / n : 0;
}

static enum kl_status train_own(struct check *check, struct kl_error *err)
{
    struct kl_peers *peers = check->history->peers;
    uint32_t n_subsets = check->question->n_subsets;
    enum kl_status status = KL_OK;

    for (uint32_t m = kl_peers_own(peers); !status && m < n_subsets; m += kl_peers_n(peers))
        status = train_without(check, m, err);
    return status ? status
                  : kl_peers_sum(peers, check->losses, (size_t)check->n_queries * n_subsets, err);
}

static enum kl_status prepare(struct check *check, struct kl_truth *truth, struct kl_error *err)
{
    const struct kl_collection *data = check->history->data;
    size_t n_subsets = check->question->n_subsets;
    uint32_t n_walks;
    struct kl_error none;
    enum kl_status status = kl_batch_query_choose(check->history, check->question->n_queries,
                                                  &check->queries, &check->n_queries, err);

    if (!status)
        status =
            kl_alloc(&check->targets, check->n_queries, sizeof *check->targets, "queries", err);
    for (uint32_t q = 0; !status && q < check->n_queries; q++)
        check->targets[q] = kl_collection_target(data, check->queries[q]);
    if (!status)
        status = choose_subsets(check, &truth->n_left_out, err);
    if (status)
        return status;
    check->n_scores = kl_walk_check(check->training, data, &none) ? N_RANKS : KL_TRUTH_SCORES;
    n_walks = check->n_scores > N_RANKS && kl_peers_own(check->history->peers) == 0
                  ? (check->n_queries - 1) / KL_WALK_QUERIES + 1
                  : 0;
    check->n_pieces = n_own(check) * check->training->n_steps +
                      n_walks * (check->training->n_steps + 2 * n_walked(check));
    status = kl_alloc(&check->foretold, (size_t)check->n_scores * check->n_queries * n_subsets,
                      sizeof *check->foretold, "scores", err);
    return status ? status
                  : kl_alloc(&check->losses, check->n_queries * n_subsets, sizeof *check->losses,
                             "losses", err);
}

enum kl_status kl_truth_measure(struct kl_pool *pool, const struct kl_training *training,
                                const struct kl_history *history,
                                const struct kl_truth_question *question,
                                const struct kl_work *work, struct kl_truth *truth,
                                struct kl_notes *notes, struct kl_error *err)
{
    struct check check = {.pool = pool,
                          .training = training,
                          .history = history,
                          .question = question,
                          .work = work,
                          .n_samples = kl_collection_size(history->data)};
    double started = kl_now_ms();
    enum kl_status status;

    *truth = (struct kl_truth){.n_subsets = question->n_subsets,
                               .first_step = kl_walk_first(training, &question->walk.parts)};
    status = prepare(&check, truth, err);
    for (uint32_t q = 0; !status && q < check.n_queries; q++)
        status = kl_work_tell(work, 0, check.n_pieces)
                     ? kl_fail(err, KL_ERR_INTERRUPTED, "the check was interrupted")
                     : score_query(&check, q, err);
    if (!status && check.n_scores > N_RANKS && kl_peers_own(history->peers) == 0)
        status = walk_queries(&check, notes, err);
    if (!status)
        status = train_own(&check, err);
    if (!status)
        status = summarise(&check, truth, err);
    truth->n_queries = check.n_queries;
    truth->seconds = (kl_now_ms() - started) / 1e3;
    free(check.queries);
    free(check.targets);
    free(check.left_out);
    free(check.foretold);
    free(check.losses);
    return status;
}
