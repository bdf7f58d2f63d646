/* How far a run's scores foretell what retraining would change: by retraining, many times. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/json.h"
#include "cli/output/json.h"
#include "cli/output/progress.h"
#include "cli/retraining/retraining.h"
#include "cli/session.h"
#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/explain/inquiry.h"
#include "core/explain/many/batch_query.h"
#include "core/explain/ranks.h"
#include "core/explain/views/sample_totals.h"
#include "core/training/walk.h"

#define SUBSET_SEED 77

/* What is compared: attention, the two signed scores there are, the estimate, and the walk. */
static const char *const compared[] = {"abs", "cosine", "proponents", "influence", KL_WALK};
#define N_SCORES (sizeof compared / sizeof compared[0])
#define N_RANKS (N_SCORES - 1) /* the walk is none, and stands last */

struct check {
    const struct kl_influence_request *request;
    struct kl_session session;
    uint32_t n_queries, *queries; /* (n_queries) ids of test samples */
    uint8_t *left_out;            /* (n_checks, samples of the run) */
    uint32_t n_scores;            /* without the walk, where there is none */
    double *foretold;             /* (n_scores, n_queries, n_checks) what the loss would rise by */
    double *losses;               /* (n_queries, n_checks) after retraining */
};

/* Which training samples subset number m leaves out. */
static enum kl_status choose_subsets(struct check *check, struct kl_error *err)
{
    const struct kl_collection *data = &check->session.run->data;
    uint32_t n_train = kl_collection_train_size(data), n_samples = kl_collection_size(data);
    uint32_t n = (uint32_t)(check->request->share * n_train + 0.5), *order = NULL;
    enum kl_status status = kl_alloc(&order, n_train, sizeof *order, "subsets", err);

    if (!status && (n == 0 || n == n_train))
        status = kl_fail(err, KL_ERR_USAGE,
                         "--leave %g leaves out %s of %u training samples: take another share",
                         check->request->share, n ? "all" : "none", n_train);

    if (!status)
        status = kl_alloc(&check->left_out, (size_t)check->request->n_checks * n_samples, 1,
                          "subsets", err);
    for (uint32_t m = 0; !status && m < check->request->n_checks; m++) {
        struct kl_random random;

        kl_random_seed(&random, SUBSET_SEED, m);
        kl_random_permutation(&random, order, n_train);
        for (uint32_t i = 0; i < n; i++)
            check->left_out[(size_t)m * n_samples + kl_collection_train_id(data, order[i])] = 1;
    }
    free(order);
    return status;
}

static double *row_of(double *numbers, const struct check *check, size_t rank, uint32_t query)
{
    return numbers + (rank * check->n_queries + query) * check->request->n_checks;
}

/* Sums one score, of every sample of the run, over what each subset leaves out. */
static void foretell(const struct check *check, const double *score, double *row)
{
    uint32_t n_samples = kl_collection_size(&check->session.run->data);

    for (uint32_t m = 0; m < check->request->n_checks; m++) {
        const uint8_t *left_out = check->left_out + (size_t)m * n_samples;

        row[m] = 0;
        for (uint32_t id = 0; id < n_samples; id++)
            row[m] += left_out[id] ? score[id] : 0;
    }
}

static enum kl_status score_query(struct check *check, uint32_t q, struct kl_error *err)
{
    struct kl_run *run = check->session.run;
    uint32_t id = check->queries[q], target = kl_collection_target(&run->data, id);
    uint32_t last = run->training.shape.n_layers - 1;
    struct kl_sample_place place = kl_collection_place(&run->data, id);
    const struct kl_dataset *dataset = run->data.datasets[place.dataset];
    struct kl_subject subject = {.dataset = place.dataset,
                                 .stored = id + 1,
                                 .pixels = dataset->splits[place.split].pixels +
                                           place.index * kl_dataset_image_size(dataset)};
    struct kl_inquiry *inquiry = NULL;
    enum kl_status status =
        kl_inquiry_create(check->session.pool, &run->history, &subject, &inquiry, err);

    for (size_t r = 0; !status && r < N_RANKS; r++) {
        struct kl_sample_totals totals = {0};
        const float *scores = NULL;

        status = kl_inquiry_scores(inquiry, kl_rank_find(compared[r]), last, target, target,
                                   &scores, err);
        if (!status)
            status = kl_sample_totals(&run->history, scores, scores, &totals, err);
        if (!status)
            foretell(check, totals.score, row_of(check->foretold, check, r, q));
        kl_sample_totals_clear(&totals);
    }
    kl_inquiry_free(inquiry);
    return status;
}

/* The walk back from queries first on, n of them. */
static enum kl_status walk_some(struct check *check, uint32_t first, uint32_t n, double *influences,
                                struct kl_error *err)
{
    struct kl_run *run = check->session.run;
    uint32_t targets[KL_WALK_MAX];
    const struct kl_walk_queries queries = {n, check->queries + first, targets};
    enum kl_status status;

    for (uint32_t q = 0; q < n; q++)
        targets[q] = kl_collection_target(&run->data, queries.samples[q]);
    status = kl_walk_run(run, &queries, &check->request->parts, influences, err);
    for (uint32_t q = 0; !status && q < n; q++)
        foretell(check, influences + (size_t)q * kl_collection_size(&run->data),
                 row_of(check->foretold, check, N_RANKS, first + q));
    return status;
}

/* That of all, some at a time. A training too unstable for it goes without. */
static enum kl_status walk_queries(struct check *check, struct kl_error *err)
{
    uint32_t n = check->n_queries < KL_WALK_MAX ? check->n_queries : KL_WALK_MAX;
    double *influences = NULL;
    enum kl_status status =
        kl_alloc(&influences, (size_t)n * kl_collection_size(&check->session.run->data),
                 sizeof *influences, "the walk", err);

    for (uint32_t first = 0; !status && first < check->n_queries; first += n) {
        uint32_t left = check->n_queries - first;

        status = walk_some(check, first, left < n ? left : n, influences, err);
    }
    free(influences);
    if (status != KL_ERR_DIVERGED)
        return status;
    fprintf(stderr, "keylight: the walk is left out: %s\n", err->message);
    check->n_scores = N_RANKS;
    return KL_OK;
}

static enum kl_status measure(struct check *check, const struct kl_network *network, uint32_t m,
                              struct kl_error *err)
{
    const struct kl_collection *data = &check->session.run->data;
    enum kl_status status = KL_OK;

    for (uint32_t q = 0; !status && q < check->n_queries; q++) {
        struct kl_sample_place place = kl_collection_place(data, check->queries[q]);
        const struct kl_dataset *dataset = data->datasets[place.dataset];
        struct kl_subject subject = {.dataset = place.dataset,
                                     .pixels = dataset->splits[place.split].pixels +
                                               place.index * kl_dataset_image_size(dataset)};
        uint32_t target = kl_collection_target(data, check->queries[q]);
        struct kl_activations *activations = NULL;

        status = kl_model_read(network, data, &subject, &activations, err);
        if (!status)
            row_of(check->losses, check, 0, q)[m] =
                kl_cross_entropy(activations->keys[network->shape.n_layers], 1,
                                 kl_shape_n_outputs(&network->shape), &target, NULL);
        kl_activations_free(activations);
    }
    return status;
}

static int by_value(const void *a, const void *b)
{
    const double *const *x = a, *const *y = b;

    return (**x > **y) - (**x < **y);
}

/* Ranks of n numbers, ties sharing theirs: out (n). */
static void rank_numbers(const double *numbers, uint32_t n, const double **order, double *out)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = numbers + i;
    qsort(order, n, sizeof *order, by_value);
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && *order[end] == *order[i]; end++)
            ;
        for (uint32_t k = i; k < end; k++)
            out[order[k] - numbers] = (i + end - 1) / 2.0;
    }
}

/* Pearson's correlation of ranks; 0 where one side does not vary. */
static double correlate(const double *x, const double *y, uint32_t n)
{
    double mean = (n - 1) / 2.0, xy = 0, xx = 0, yy = 0;

    for (uint32_t i = 0; i < n; i++) {
        xy += (x[i] - mean) * (y[i] - mean);
        xx += (x[i] - mean) * (x[i] - mean);
        yy += (y[i] - mean) * (y[i] - mean);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

struct row {
    double mean, error;
};

static enum kl_status summarise(struct check *check, struct row rows[N_SCORES],
                                struct kl_error *err)
{
    uint32_t n = check->request->n_checks;
    const double **order = NULL;
    double *ranked = NULL;
    enum kl_status status = kl_alloc(&order, n, sizeof *order, "ranks", err);

    if (!status)
        status = kl_alloc(&ranked, 2 * (size_t)n, sizeof *ranked, "ranks", err);
    for (size_t r = 0; !status && r < check->n_scores; r++) {
        double sum = 0, squares = 0, variance;

        for (uint32_t q = 0; q < check->n_queries; q++) {
            double one;

            rank_numbers(row_of(check->foretold, check, r, q), n, order, ranked);
            rank_numbers(row_of(check->losses, check, 0, q), n, order, ranked + n);
            one = correlate(ranked, ranked + n, n);
            sum += one;
            squares += one * one;
        }
        rows[r].mean = sum / check->n_queries;
        variance = squares / check->n_queries - rows[r].mean * rows[r].mean;
        rows[r].error = sqrt(fmax(variance, 0) / check->n_queries);
    }
    free(order);
    free(ranked);
    return status;
}

static enum kl_status print_json(const struct check *check, const struct row rows[N_SCORES],
                                 struct kl_error *err)
{
    const struct kl_influence_request *request = check->request;
    const struct kl_training *training = &check->session.run->training;
    struct kl_json writer = kl_json_begin(), *json = &writer;

    kl_json_string(json, "run", check->session.run->fingerprint);
    kl_json_count(json, "subsets", request->n_checks);
    kl_json_number(json, "left_out", request->share);
    kl_json_count(json, "queries", check->n_queries);
    kl_json_list(json, "scores");
    for (size_t r = 0; r < check->n_scores; r++) {
        kl_json_object(json, NULL);
        kl_json_string(json, "rank", compared[r]);
        kl_json_number(json, "rank_correlation", rows[r].mean);
        kl_json_number(json, "standard_error", rows[r].error);
        if (r == N_RANKS)
            kl_json_count(json, "first_step", kl_walk_first(training, &request->parts));
        kl_json_end(json);
    }
    kl_json_end(json);
    return kl_print_json(kl_json_finish(json), err);
}

static void print_text(const struct check *check, const struct row rows[N_SCORES])
{
    const struct kl_influence_request *request = check->request;
    const struct kl_training *training = &check->session.run->training;

    printf("%u trainings without %g %% of the training samples, %u test samples:\n\n%-12s %-24s "
           "%16s\n",
           request->n_checks, 100 * request->share, check->n_queries, "rank", "",
           "rank correlation");
    for (size_t r = 0; r < check->n_scores; r++)
        printf("%-12s %-24s %9.3f +- %.3f\n", compared[r], kl_score_label(compared[r]),
               rows[r].mean, rows[r].error);
    if (check->n_scores > N_RANKS)
        printf("\nWalked back over steps %u to %u.\n", kl_walk_first(training, &request->parts),
               training->n_steps);
}

static enum kl_status prepare(struct check *check, struct kl_error *err)
{
    struct kl_run *run = check->session.run;
    size_t n_checks = check->request->n_checks;
    struct kl_error none;
    enum kl_status status;

    if (!run->history.has_dual)
        return kl_fail(err, KL_ERR_USAGE,
                       "%s records no error signals, so that it has no scores to compare: train it "
                       "without --attention-only",
                       run->path);
    status = kl_session_read_trainable(&check->session, err);
    if (!status)
        status = kl_batch_query_choose(&run->history, check->request->n_queries, &check->queries,
                                       &check->n_queries, err);
    if (!status)
        status = choose_subsets(check, err);
    if (!status)
        check->n_scores = kl_walk_check(&run->training, &run->data, &none) ? N_RANKS : N_SCORES;
    if (!status)
        status = kl_alloc(&check->foretold, (size_t)check->n_scores * check->n_queries * n_checks,
                          sizeof *check->foretold, "scores", err);
    return status ? status
                  : kl_alloc(&check->losses, check->n_queries * n_checks, sizeof *check->losses,
                             "losses", err);
}

static enum kl_status run_check(struct check *check, struct kl_error *err)
{
    struct kl_run *run = check->session.run;
    uint32_t n_samples = kl_collection_size(&run->data);
    struct kl_counter counter;
    struct row rows[N_SCORES];
    enum kl_status status = prepare(check, err);

    for (uint32_t q = 0; !status && q < check->n_queries; q++)
        status = score_query(check, q, err);
    if (!status && check->n_scores > N_RANKS)
        status = walk_queries(check, err);
    kl_counter_start(&counter, "trainings");
    for (uint32_t m = 0; !status && m < check->request->n_checks; m++) {
        struct kl_network *network = NULL;

        status = kl_retrain(&run->training, &run->data, run->initial,
                            check->left_out + (size_t)m * n_samples, NULL, &network, err);
        if (!status)
            status = measure(check, network, m, err);
        kl_network_free(network);
        kl_counter_show(&counter, m + 1, check->request->n_checks);
    }
    kl_counter_end(&counter);
    if (!status)
        status = summarise(check, rows, err);
    if (!status && check->request->json)
        return print_json(check, rows, err);
    if (!status)
        print_text(check, rows);
    return status;
}

enum kl_status kl_check_scores(const struct kl_influence_request *request, struct kl_error *err)
{
    struct check check = {.request = request};
    enum kl_status status = kl_session_open(request->path, &check.session, err);

    if (!status)
        status = run_check(&check, err);
    free(check.queries);
    free(check.left_out);
    free(check.foretold);
    free(check.losses);
    kl_session_close(&check.session);
    return status;
}
