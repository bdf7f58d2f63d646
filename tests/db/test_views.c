/* What is made of attention, each against its definition: the largest scores, norms, signed sums,
 * ranges of steps, sample totals, and what a removal names. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/random.h"
#include "core/base/top.h"
#include "core/explain/norms.h"
#include "core/explain/removal.h"
#include "core/explain/views/bins.h"
#include "core/explain/views/class_order.h"
#include "core/explain/views/sample_totals.h"
#include "core/explain/views/signed_sums.h"
#include "tests/lib/run_file.h"
#include "tests/lib/suite.h"

#define N 400 /* patterns of the small run, ten a step */

static int is_better(const void *a, const void *b)
{
    const struct kl_top_item *one = a, *other = b;

    if (one->score > other->score || one->score < other->score)
        return one->score > other->score ? -1 : 1;
    return one->index < other->index ? -1 : 1;
}

START_TEST(the_best_of_a_stream_are_those_of_a_sort)
{
    struct kl_top_item all[300], items[300];
    struct kl_random random;

    kl_random_seed(&random, 3, 0);
    for (uint32_t round = 0; round < 200; round++) {
        uint32_t n = kl_random_below(&random, 300), capacity = 1 + kl_random_below(&random, 40);
        struct kl_top top = {items, 0, capacity};

        for (uint32_t i = 0; i < n; i++) /* many are equal */
            all[i] = (struct kl_top_item){kl_random_below(&random, 1 + round), i};
        for (uint32_t i = n; i > 0; i--)
            kl_top_offer(&top, all[i - 1].score, all[i - 1].index);
        kl_top_sort(&top);
        qsort(all, n, sizeof all[0], is_better);
        ck_assert_uint_eq(top.n, n < capacity ? n : capacity);
        for (uint32_t i = 0; i < top.n; i++) {
            ck_assert_uint_eq(items[i].index, all[i].index);
            ck_assert_double_eq(items[i].score, all[i].score);
        }
    }
}
END_TEST

static void fill(float numbers[N])
{
    struct kl_random random;

    kl_random_seed(&random, 7, 0);
    for (int t = 0; t < N; t++)
        numbers[t] = (float)kl_random_normal(&random);
}

/* A history of long steps, whose blocks of error signals end elsewhere. */
START_TEST(the_order_of_classes_has_every_pattern_once)
{
    enum { STEPS = 3, STEP = 5000, ALL = STEPS * STEP, BLOCK = 3001, CLASSES = 7 };
    static uint32_t samples[ALL], classes[ALL];
    static uint8_t seen[ALL];
    uint64_t starts[STEPS + 1];
    struct kl_extent extents[(ALL + BLOCK - 1) / BLOCK];
    struct kl_block_source errors = {.extents = extents};
    struct kl_network network = {.shape.n_layers = 1};
    struct kl_history history = {.final = &network,
                                 .n_patterns = ALL,
                                 .n_steps = STEPS,
                                 .starts = starts,
                                 .samples = samples,
                                 .classes = classes,
                                 .n_classes = CLASSES,
                                 .errors = {&errors}};
    const struct kl_class_order *order = NULL;
    const struct kl_stretch *stretch;
    struct kl_pool *pool = NULL;
    struct kl_error err;
    uint64_t next = 0;

    for (uint32_t t = 0; t < ALL; t++) {
        samples[t] = ALL - 1 - t;
        classes[t] = t * t % 11 % CLASSES;
    }
    for (uint32_t step = 0; step <= STEPS; step++)
        starts[step] = (uint64_t)step * STEP;
    for (uint32_t i = 0; i < sizeof extents / sizeof extents[0]; i++)
        extents[i] = (struct kl_extent){(uint64_t)i * BLOCK,
                                        i * BLOCK + BLOCK < ALL ? BLOCK : ALL - i * BLOCK, 0};
    ck_ok(kl_pool_create(2, &pool, &err), err);
    ck_ok(kl_class_orders_create(&history.class_orders, &err), err);
    ck_ok(kl_class_order_of(pool, &history, &order, &err), err);
    stretch = order->stretches;
    for (uint32_t i = 0; i < order->n_segments; i++) {
        const struct kl_segment *segment = &order->segments[i];
        uint64_t last = segment->first + segment->n - 1;
        const uint16_t *places = order->order + segment->first;

        ck_assert_uint_eq(segment->first, next);
        ck_assert_ptr_eq(stretch, order->stretches + segment->first_stretch);
        ck_assert_uint_le(segment->n, KL_SEGMENT_MAX);
        ck_assert_uint_eq(segment->first / BLOCK, last / BLOCK);
        ck_assert_uint_eq(segment->first / STEP, segment->bin);
        ck_assert_uint_eq(last / STEP, segment->bin);
        ck_assert_uint_ge(i, order->starts[segment->bin]);
        ck_assert_uint_lt(i, order->starts[segment->bin + 1]);
        for (uint32_t k = 0; k < segment->n_stretches; k++, stretch++) {
            for (uint32_t p = 0; p < stretch->n; p++, places++) {
                ck_assert_uint_lt(*places, segment->n);
                ck_assert(p == 0 || places[-1] < *places);
                ck_assert_uint_eq(classes[samples[segment->first + *places]], stretch->class);
                seen[segment->first + *places]++;
            }
        }
        next += segment->n;
        ck_assert_ptr_eq(places, order->order + next);
    }
    ck_assert_uint_eq(next, ALL);
    for (uint32_t t = 0; t < ALL; t++)
        ck_assert_uint_eq(seen[t], 1);
    kl_class_orders_free(history.class_orders);
    kl_pool_free(pool);
}
END_TEST

START_TEST(sums_by_sign_are_those_of_the_definition)
{
    static const uint32_t groups[] = {1, 0, 1};
    struct opened opened;
    float numbers[N];

    write_run(KL_F16);
    opened = open_run();
    fill(numbers);
    for (int in_groups = 0; in_groups < 2; in_groups++) {
        const struct kl_history *history = &opened.run->history;
        uint32_t n_groups = in_groups ? 2 : 3, n_bins = kl_n_bins(history);
        double expected[2][N] = {{0}};
        struct kl_signed_sum *sums = NULL;
        struct kl_error err;

        ck_assert_uint_le(n_bins * n_groups, N);
        for (uint64_t t = 0; t < N; t++) {
            uint32_t class = history->classes[history->samples[t]];
            uint32_t bin = kl_bin_of(history, kl_history_step(history, t));

            expected[numbers[t] < 0][bin * n_groups + (in_groups ? groups[class] : class)] +=
                (double)numbers[t];
        }
        ck_ok(kl_signed_sums(opened.pool, history, numbers, in_groups ? groups : NULL, n_groups,
                             n_bins, &sums, &err),
              err);
        for (uint32_t i = 0; i < n_bins * n_groups; i++) {
            ck_assert_double_eq_tol(kl_sum_positive(sums[i]), expected[0][i], 1e-9);
            ck_assert_double_eq_tol(kl_sum_negative(sums[i]), expected[1][i], 1e-9);
            ck_assert_double_eq_tol(kl_sum_abs(sums[i]), expected[0][i] - expected[1][i], 1e-9);
        }
        free(sums);
    }
    close_run(&opened);
}
END_TEST

START_TEST(ranges_of_steps_follow_each_other)
{
    struct opened opened;
    const struct kl_history *history;

    write_run(KL_F16);
    opened = open_run();
    history = &opened.run->history;
    ck_assert_uint_eq(kl_bin_first_step(history, 0), 1);
    for (uint32_t step = 1; step <= history->n_steps; step++) {
        uint32_t bin = kl_bin_of(history, step);

        ck_assert_uint_lt(bin, kl_n_bins(history));
        ck_assert_uint_le(kl_bin_first_step(history, bin), step);
        if (bin + 1 < kl_n_bins(history))
            ck_assert_uint_gt(kl_bin_first_step(history, bin + 1), step);
    }
    close_run(&opened);
}
END_TEST

START_TEST(totals_of_samples_are_sums_over_their_showings)
{
    struct opened opened;
    const struct kl_history *history;
    struct kl_sample_totals totals;
    struct kl_error err;
    float attention[N], scores[N];

    write_run(KL_F16);
    opened = open_run();
    history = &opened.run->history;
    fill(attention);
    for (int t = 0; t < N; t++)
        scores[t] = attention[t] * attention[t];
    ck_ok(kl_sample_totals(history, attention, scores, &totals, &err), err);
    for (uint32_t id = 0; id < totals.n; id++) {
        double sum = 0, sum_abs = 0, score = 0;
        uint32_t repetitions = 0;

        for (uint64_t t = N; t-- > 0;) {
            if (history->samples[t] != id)
                continue;
            sum += (double)attention[t];
            sum_abs += fabs((double)attention[t]);
            score += (double)scores[t];
            repetitions++;
            if (totals.first[id] > t)
                ck_abort_msg("sample %u was shown at %u", id, (unsigned)t);
        }
        ck_assert_uint_eq(totals.repetitions[id], repetitions);
        ck_assert_double_eq_tol(totals.sum[id], sum, 1e-9);
        ck_assert_double_eq_tol(totals.sum_abs[id], sum_abs, 1e-9);
        ck_assert_double_eq_tol(totals.score[id], score, 1e-9);
    }
    kl_sample_totals_clear(&totals);
    close_run(&opened);
}
END_TEST

START_TEST(norms_are_lengths_of_keys)
{
    struct opened opened;
    const struct kl_history *history;
    struct kl_error err;

    write_run(KL_F32);
    opened = open_run();
    history = &opened.run->history;
    for (uint32_t layer = 1; layer < 3; layer++) {
        const float *norms, *again;
        float key[16];

        ck_ok(kl_norms_of(opened.pool, history, layer, &norms, &err), err);
        ck_ok(kl_norms_of(opened.pool, history, layer, &again, &err), err);
        ck_assert_ptr_eq(norms, again);
        for (uint64_t t = 0; t < N; t++) {
            double sum = 0;

            ck_ok(kl_read_rows(history->keys[layer], 0, t, 1, key, &err), err);
            for (uint32_t j = 0; j < history->final->shape.inputs[layer]; j++)
                sum += (double)key[j] * (double)key[j];
            ck_assert_double_eq_tol((double)norms[t], sqrt(sum), 1e-5 * (1 + sqrt(sum)));
        }
    }
    close_run(&opened);
}
END_TEST

START_TEST(a_removal_marks_the_union_of_what_it_names)
{
    static struct kl_removal removal = {.n_classes = 1,
                                        .classes = {2},
                                        .n_ranges = 2,
                                        .first_steps = {3, 39},
                                        .last_steps = {5, 40},
                                        .n_samples = 2,
                                        .samples = {0, 7}};
    static struct kl_removal none, all = {.all = 1}, dataset = {.n_datasets = 1};
    struct opened opened;
    const struct kl_history *history;
    struct kl_error err;
    uint8_t removed[N] = {0};

    write_run(KL_F16);
    opened = open_run();
    history = &opened.run->history;
    ck_ok(kl_removal_mark(history, &none, removed, &err), err);
    for (int t = 0; t < N; t++)
        ck_assert_int_eq(removed[t], 0);
    removed[11] = 1; /* as the spotlight's first are, before */
    ck_ok(kl_removal_mark(history, &removal, removed, &err), err);
    for (uint64_t t = 0; t < N; t++) {
        uint32_t id = history->samples[t], step = kl_history_step(history, t);

        ck_assert_int_eq(removed[t], t == 11 || history->classes[id] == 2 || id == 0 || id == 7 ||
                                         (step >= 3 && step <= 5) || step >= 39);
    }
    for (int i = 0; i < 2; i++) {
        memset(removed, 0, sizeof removed);
        ck_ok(kl_removal_mark(history, i ? &all : &dataset, removed, &err), err);
        for (int t = 0; t < N; t++)
            ck_assert_int_eq(removed[t], 1);
    }
    close_run(&opened);
}
END_TEST

MAIN("views", the_best_of_a_stream_are_those_of_a_sort, the_order_of_classes_has_every_pattern_once,
     sums_by_sign_are_those_of_the_definition, ranges_of_steps_follow_each_other,
     totals_of_samples_are_sums_over_their_showings, norms_are_lengths_of_keys,
     a_removal_marks_the_union_of_what_it_names)
