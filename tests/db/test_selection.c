/* What is chosen of many scores, each against a sort of all of them: the spotlight, by pattern and
 * by sample; batch queries, by every unit; attention over time by groups. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/random.h"
#include "core/explain/many/batch_query.h"
#include "core/explain/ranks.h"
#include "core/explain/spotlight.h"
#include "core/explain/views/timeline.h"
#include "tests/lib/run_file.h"
#include "tests/lib/suite.h"

#define N 400 /* patterns of the small run, ten a step */
#define SAMPLES 30
#define QUERIES 6
#define TOP 7

struct scored {
    double score;
    uint32_t place; /* of equal scores the smaller is first */
};

static int is_better(const void *a, const void *b)
{
    const struct scored *one = a, *other = b;

    if (one->score > other->score || one->score < other->score)
        return one->score > other->score ? -1 : 1;
    return one->place < other->place ? -1 : 1;
}

/* Small whole numbers, so that many are equal and sums are exact. */
static void fill(float numbers[N], uint64_t seed)
{
    struct kl_random random;

    kl_random_seed(&random, seed, 0);
    for (int t = 0; t < N; t++)
        numbers[t] = (float)kl_random_below(&random, 41) - 20;
}

static void check_moments(const struct kl_answer *answer, const struct scored *all, uint32_t n)
{
    double sum = 0, squares = 0;

    for (uint32_t i = 0; i < n; i++) {
        sum += all[i].score;
        squares += all[i].score * all[i].score;
    }
    ck_assert_uint_eq(answer->scores.count, n);
    ck_assert_double_eq_tol(answer->scores.mean, sum / n, 1e-9);
    ck_assert_double_eq_tol(answer->scores.deviation, sqrt(squares / n - sum / n * (sum / n)),
                            1e-9);
    ck_assert_double_eq(answer->scores.max, all[0].score);
}

/* The naive spotlight: everything that may be lit, sorted. */
static uint32_t list(const struct kl_history *history, const struct kl_query *query,
                     const float scores[N], struct scored all[N])
{
    uint32_t n = 0;

    if (!query->by_sample) {
        for (uint32_t t = 0; t < N; t++)
            if (query->only_class == KL_ANY_CLASS ||
                history->classes[history->samples[t]] == (uint32_t)query->only_class)
                all[n++] = (struct scored){(double)scores[t], t};
    } else {
        for (uint32_t id = 0; id < SAMPLES; id++) {
            struct scored sum = {0, id};
            uint32_t repetitions = 0;

            for (uint32_t t = 0; t < N; t++)
                if (history->samples[t] == id) {
                    sum.score += (double)scores[t];
                    repetitions++;
                }
            if (repetitions && (query->only_class == KL_ANY_CLASS ||
                                history->classes[id] == (uint32_t)query->only_class))
                all[n++] = sum;
        }
    }
    qsort(all, n, sizeof all[0], is_better);
    return n;
}

START_TEST(a_spotlight_is_the_head_of_a_sort)
{
    static const struct kl_query queries[] = {
        {.only_class = KL_ANY_CLASS},
        {.only_class = 1},
        {.only_class = KL_ANY_CLASS, .by_sample = 1},
        {.only_class = 2, .by_sample = 1},
    };
    struct opened opened;
    const struct kl_history *history;
    float attention[N], scores[N];

    write_run(KL_F16);
    opened = open_run();
    history = &opened.run->history;
    fill(attention, 3);
    fill(scores, 5);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        for (uint32_t top = 1; top <= N; top += 57) {
            struct kl_answer answer = {0};
            struct kl_sample_totals totals = {0};
            struct scored all[N];
            uint32_t n = list(history, &queries[i], scores, all);
            struct kl_error err;

            ck_ok(kl_sample_totals(opened.pool, history, attention, scores, &totals, &err), err);
            ck_ok(kl_spotlight(opened.pool, history, &queries[i], top, attention, scores, &totals,
                               &answer, &err),
                  err);
            ck_assert_uint_eq(answer.n_hits, n < top ? n : top);
            check_moments(&answer, all, n);
            for (uint32_t k = 0; k < answer.n_hits; k++) {
                const struct kl_hit *hit = &answer.spotlight[k];

                ck_assert_double_eq(hit->score, all[k].score);
                ck_assert_uint_eq(queries[i].by_sample ? hit->sample : hit->pattern, all[k].place);
                ck_assert_uint_eq(history->samples[hit->pattern], hit->sample);
                ck_assert_uint_eq(hit->step, hit->pattern / 10 + 1);
                if (!queries[i].by_sample)
                    ck_assert_double_eq(hit->attention, (double)attention[hit->pattern]);
            }
            kl_sample_totals_clear(&totals);
            kl_answer_clear(&answer);
        }
    close_run(&opened);
}
END_TEST

/* Attention of one query to every pattern, by its definition: key . key of the query. */
static void attend(const struct kl_history *history, const struct kl_slice *slice, uint32_t layer,
                   uint32_t q, float attention[N])
{
    uint32_t width = history->final->shape.inputs[layer];
    const float *x = slice->activations->keys[layer] + (size_t)q * width;
    float key[16];
    struct kl_error err;

    for (uint32_t t = 0; t < N; t++) {
        uint32_t row = layer == 0 ? history->samples[t] : t;
        double sum = 0;

        ck_ok(kl_read_rows(history->keys[layer], 0, row, 1, key, &err), err);
        if (layer == 0)
            kl_dataset_standardise_floats(history->data->datasets[0], key);
        for (uint32_t j = 0; j < width; j++)
            sum += (double)key[j] * (double)x[j];
        attention[t] = (float)sum;
    }
}

/* The score of a sample or pattern in a list, whichever the unit says. */
static double best_score(const struct kl_history *history, const float attention[N],
                         enum kl_unit unit, uint32_t sample)
{
    double value = unit == KL_UNIT_SAMPLE ? 0 : -HUGE_VAL;

    for (uint32_t t = 0; t < N; t++) {
        double score = fabs((double)attention[t]);

        if (history->samples[t] != sample)
            continue;
        value = unit == KL_UNIT_SAMPLE ? value + score : fmax(value, score);
    }
    return value;
}

static void check_list(const struct kl_history *history, const struct kl_slice *slice, uint32_t q,
                       enum kl_unit unit, const float attention[N])
{
    struct scored all[SAMPLES];
    const uint32_t *best = slice->best + (size_t)q * TOP;
    uint32_t n = 0;

    for (uint32_t id = 0; id < SAMPLES; id++)
        if (history->repetitions[id])
            all[n++] = (struct scored){best_score(history, attention, unit, id), id};
    qsort(all, n, sizeof all[0], is_better);
    /* Among the best patterns a sample can be several times, so there may be fewer. */
    ck_assert(unit == KL_UNIT_PATTERN ? slice->n_best[q] >= 1 : slice->n_best[q] == TOP);
    for (uint32_t i = 0; i < slice->n_best[q]; i++)
        ck_assert_double_eq_tol(best_score(history, attention, unit, best[i]), all[i].score,
                                1e-4 * (1 + all[i].score));
}

START_TEST(batch_queries_agree_with_one_by_one)
{
    static const uint32_t ids[QUERIES] = {24, 25, 26, 27, 28, 29};
    struct opened opened;
    const struct kl_history *history;
    struct kl_batch_rows *rows = NULL;
    struct kl_slice *slice = NULL;
    struct kl_error err;

    write_run(KL_F32);
    opened = open_run();
    history = &opened.run->history;
    ck_ok(kl_batch_rows_create(history, &rows, &err), err);
    ck_ok(kl_slices_create(opened.pool, rows, ids, QUERIES, QUERIES, &slice, &err), err);
    for (uint32_t layer = 0; layer < 3; layer++)
        for (int unit = KL_UNIT_PATTERN; unit <= KL_UNIT_DISTINCT; unit++) {
            struct kl_batch_query query = {layer, kl_rank_find("abs"), (enum kl_unit)unit, TOP, 1};
            uint32_t n_blocks = history->keys[layer]->n_blocks;
            double samples[SAMPLES] = {0}, classes[3][QUERIES] = {{0}};

            ck_ok(kl_slice_begin(slice, &query, NULL, &err), err);
            for (uint32_t b = n_blocks; b > 0; b--) /* in any order */
                ck_ok(kl_slice_scan(slice, 0, b - 1, b, &err), err);
            ck_ok(kl_slice_share(slice, &err), err);
            ck_ok(kl_slice_finish(slice, &err), err);
            for (uint32_t q = 0; q < QUERIES; q++) {
                float attention[N];

                attend(history, slice, layer, q, attention);
                check_list(history, slice, q, query.unit, attention);
                for (uint32_t t = 0; t < N; t++) {
                    samples[history->samples[t]] += fabs((double)attention[t]);
                    classes[history->classes[history->samples[t]]][q] += fabs((double)attention[t]);
                }
            }
            for (uint32_t id = 0; id < SAMPLES; id++)
                ck_assert_double_eq_tol(slice->sample_totals[id], samples[id],
                                        1e-4 * (1 + samples[id]));
            for (uint32_t c = 0; c < 3; c++)
                for (uint32_t q = 0; q < QUERIES; q++)
                    ck_assert_double_eq_tol(slice->class_totals[c * QUERIES + q], classes[c][q],
                                            1e-4 * (1 + classes[c][q]));
        }
    kl_slice_free(slice);
    kl_batch_rows_free(rows);
    close_run(&opened);
}
END_TEST

START_TEST(queries_are_spread_over_the_test_split)
{
    struct opened opened;
    struct kl_error err;
    uint32_t *ids = NULL, n = 0;

    write_run(KL_F16);
    opened = open_run();
    for (uint32_t limit = 1; limit <= 9; limit++) {
        ck_ok(kl_batch_query_choose(&opened.run->history, limit, &ids, &n, &err), err);
        ck_assert_uint_eq(n, limit < QUERIES ? limit : QUERIES);
        for (uint32_t i = 0; i < n; i++) {
            ck_assert_uint_ge(ids[i], 24);
            ck_assert_uint_lt(ids[i], SAMPLES);
            ck_assert(i == 0 || ids[i] > ids[i - 1]);
        }
        ck_assert_uint_eq(ids[0], 24);
        free(ids);
    }
    close_run(&opened);
}
END_TEST

START_TEST(attention_over_time_is_split_by_class)
{
    struct opened opened;
    const struct kl_history *history;
    struct kl_groups groups = {0};
    struct kl_timeline timeline = {0};
    struct kl_error err;
    float attention[N];

    write_run(KL_F16);
    opened = open_run();
    history = &opened.run->history;
    fill(attention, 11);
    ck_ok(kl_groups_create(history, 0, 1, &groups, &err), err);
    ck_ok(kl_timeline(opened.pool, history, &groups, attention, &timeline, &err), err);
    ck_assert_uint_eq(timeline.n_bins, 40);
    ck_assert_uint_eq(timeline.n_groups, 3);
    for (uint32_t bin = 0; bin < 40; bin++)
        for (uint32_t class = 0; class < 3; class ++) {
            const struct kl_signed_sum sum = timeline.sums[bin * 3 + class];
            double positive = 0, negative = 0;

            for (uint32_t t = 10 * bin; t < 10 * bin + 10; t++) {
                if (history->classes[history->samples[t]] != class)
                    continue;
                *(attention[t] < 0 ? &negative : &positive) += (double)attention[t];
            }
            ck_assert_double_eq(kl_sum_positive(sum), positive);
            ck_assert_double_eq(kl_sum_negative(sum), negative);
        }
    kl_timeline_clear(&timeline);
    kl_groups_clear(&groups);
    close_run(&opened);
}
END_TEST

MAIN("selection", a_spotlight_is_the_head_of_a_sort, batch_queries_agree_with_one_by_one,
     queries_are_spread_over_the_test_split, attention_over_time_is_split_by_class)
