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
#include "core/explain/views/sample_order.h"
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

#define STEPS 3
#define STEP 5000
#define MADE (STEPS * STEP)
#define BLOCK 3001 /* error signals */
#define CLASSES 7

/* A history of long steps, whose blocks of error signals end elsewhere. */
struct made {
    struct kl_history history;
    struct kl_network network;
    struct kl_block_source errors;
    struct kl_extent extents[(MADE + BLOCK - 1) / BLOCK];
    uint64_t starts[STEPS + 1];
    uint32_t samples[MADE], classes[MADE];
    struct kl_pool *pool;
};

/* starts: (STEPS + 1) of the history's steps. */
static struct made *make(const uint64_t *starts, uint32_t n_classes)
{
    struct made *made = calloc(1, sizeof *made);
    struct kl_error err;

    ck_assert_ptr_nonnull(made);
    made->network.shape.n_layers = 1;
    made->errors.extents = made->extents;
    made->history = (struct kl_history){.final = &made->network,
                                        .peers = kl_peers_none,
                                        .n_patterns = starts[STEPS],
                                        .n_steps = STEPS,
                                        .starts = made->starts,
                                        .samples = made->samples,
                                        .classes = made->classes,
                                        .n_classes = n_classes,
                                        .errors = {&made->errors}};
    for (uint32_t t = 0; t < MADE; t++) {
        made->samples[t] = MADE - 1 - t;
        made->classes[t] = t * (t % 1000) % 10007 % n_classes;
    }
    memcpy(made->starts, starts, sizeof made->starts);
    for (uint32_t i = 0; i < sizeof made->extents / sizeof made->extents[0]; i++)
        made->extents[i] = (struct kl_extent){
            (uint64_t)i * BLOCK, i * BLOCK + BLOCK < MADE ? BLOCK : MADE - i * BLOCK, 0};
    ck_ok(kl_pool_create(2, &made->pool, &err), err);
    ck_ok(kl_class_order_store_create(&made->history.class_order_store, &err), err);
    return made;
}

static void free_made(struct made *made)
{
    kl_class_order_store_free(made->history.class_order_store);
    kl_pool_free(made->pool);
    free(made);
}

static uint32_t class_of(const struct made *made, uint64_t pattern)
{
    return made->classes[made->samples[pattern]];
}

/* One segment: its patterns once each, those of a class together. */
static void check_segment(const struct made *made, const struct kl_class_order *order,
                          const struct kl_segment *segment, uint8_t *seen)
{
    const struct kl_stretch *stretch = order->stretches + segment->first_stretch;
    const uint16_t *places = order->places + segment->first;
    uint8_t met[MADE] = {0};

    for (uint32_t k = 0; k < segment->n_stretches; k++, stretch++) {
        ck_assert_uint_eq(met[stretch->class]++, 0);
        for (uint32_t p = 0; p < stretch->n; p++, places++) {
            ck_assert_uint_lt(*places, segment->n);
            ck_assert(p == 0 || places[-1] < *places);
            ck_assert_uint_eq(class_of(made, segment->first + *places), stretch->class);
            seen[segment->first + *places]++;
        }
    }
    ck_assert_ptr_eq(places, order->places + segment->first + segment->n);
}

static void check_order(const struct made *made)
{
    const struct kl_history *history = &made->history;
    const struct kl_class_order *order = NULL;
    uint8_t seen[MADE] = {0};
    struct kl_error err;
    uint64_t next = 0, stretch = 0;

    ck_ok(kl_class_order_of(made->pool, history, &order, &err), err);
    for (uint32_t i = 0; i < order->n_segments; i++) {
        const struct kl_segment *segment = &order->segments[i];
        uint64_t last = segment->first + segment->n - 1;

        ck_assert_uint_eq(segment->first, next);
        ck_assert_uint_eq(segment->first_stretch, stretch);
        ck_assert_uint_le(segment->n, KL_SEGMENT_MAX);
        if (history->errors[0])
            ck_assert_uint_eq(segment->first / BLOCK, last / BLOCK);
        ck_assert_uint_eq(kl_history_step(history, segment->first) - 1, segment->bin);
        ck_assert_uint_eq(kl_history_step(history, last) - 1, segment->bin);
        ck_assert_uint_ge(i, order->starts[segment->bin]);
        ck_assert_uint_lt(i, order->starts[segment->bin + 1]);
        check_segment(made, order, segment, seen);
        next += segment->n;
        stretch += segment->n_stretches;
    }
    ck_assert_uint_eq(next, history->n_patterns);
    for (uint64_t t = 0; t < history->n_patterns; t++)
        ck_assert_uint_eq(seen[t], 1);
}

static const uint64_t even_starts[STEPS + 1] = {0, STEP, 2 * STEP, 3 * STEP};

START_TEST(the_order_of_classes_has_every_pattern_once)
{
    /* others have the patterns of steps that have none here; or of all */
    static const uint64_t starts[][STEPS + 1] = {
        {0, STEP, 2 * STEP, 3 * STEP}, {0, 0, 9000, 9000}, {0, 7, 7, 10}, {0, 0, 0, 0}};

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        for (int has_errors = 0; has_errors < 2; has_errors++) {
            for (uint32_t n_classes = 1; n_classes < MADE; n_classes = n_classes * 12 + 1) {
                struct made *made = make(starts[i], n_classes);

                if (!has_errors)
                    made->history.errors[0] = NULL;
                check_order(made);
                free_made(made);
            }
        }
    }
}
END_TEST

/* Classes of many patterns each, of both signs, or one; by range of steps, and all together. */
START_TEST(sums_by_sign_of_long_stretches_are_those_of_the_definition)
{
    struct made *made = make(even_starts, CLASSES);
    static float numbers[MADE];
    struct kl_random random;
    struct kl_error err;

    kl_random_seed(&random, 8, 0);
    for (int is_mixed = 0; is_mixed < 2; is_mixed++) {
        for (uint32_t n_bins = 1; n_bins <= STEPS; n_bins += STEPS - 1) {
            double expected[2][STEPS * CLASSES] = {{0}};
            struct kl_signed_sum *sums = NULL;

            for (uint64_t t = 0; t < MADE; t++) {
                numbers[t] = (float)kl_random_normal(&random);
                if (!is_mixed)
                    numbers[t] = class_of(made, t) % 2 ? fabsf(numbers[t]) : -fabsf(numbers[t]);
                expected[numbers[t] < 0][(n_bins > 1 ? t / STEP * CLASSES : 0) +
                                         class_of(made, t)] += (double)numbers[t];
            }
            ck_ok(kl_signed_sums(made->pool, &made->history, numbers, NULL, CLASSES, n_bins, &sums,
                                 &err),
                  err);
            for (uint32_t i = 0; i < n_bins * CLASSES; i++) {
                ck_assert_double_eq_tol(kl_sum_positive(sums[i]), expected[0][i], 1e-8);
                ck_assert_double_eq_tol(kl_sum_negative(sums[i]), expected[1][i], 1e-8);
                ck_assert(is_mixed || sums[i].of[i % CLASSES % 2] == 0);
            }
            free(sums);
        }
    }
    free_made(made);
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

START_TEST(the_order_of_samples_has_every_pattern_once)
{
    struct opened opened;
    const struct kl_history *history;
    const struct kl_sample_order *order, *again;
    struct kl_error err;
    uint32_t n;

    write_run(KL_F16);
    opened = open_run();
    history = &opened.run->history;
    n = kl_collection_size(history->data);
    ck_ok(kl_sample_order_of(history, &order, &err), err);
    ck_ok(kl_sample_order_of(history, &again, &err), err);
    ck_assert_ptr_eq(order, again);
    ck_assert_uint_eq(order->starts[0], 0);
    ck_assert_uint_eq(order->starts[n], history->n_patterns);
    for (uint32_t id = 0; id < n; id++) {
        ck_assert_uint_eq(order->starts[id + 1] - order->starts[id], history->repetitions_here[id]);
        for (uint64_t k = order->starts[id]; k < order->starts[id + 1]; k++) {
            ck_assert_uint_eq(history->samples[order->patterns[k]], id);
            if (k > order->starts[id])
                ck_assert_uint_gt(order->patterns[k], order->patterns[k - 1]);
        }
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
    ck_ok(kl_sample_totals(opened.pool, history, attention, scores, &totals, &err), err);
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
     the_order_of_samples_has_every_pattern_once,
     sums_by_sign_of_long_stretches_are_those_of_the_definition,
     sums_by_sign_are_those_of_the_definition, ranges_of_steps_follow_each_other,
     totals_of_samples_are_sums_over_their_showings, norms_are_lengths_of_keys,
     a_removal_marks_the_union_of_what_it_names)
