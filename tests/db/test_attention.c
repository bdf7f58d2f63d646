/* Attention over a history file, against its naive twin: the definitions, pattern by pattern. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/explain/attention.h"
#include "core/explain/ranks.h"
#include "tests/lib/run_file.h"
#include "tests/lib/suite.h"

/* Keys and error signals of one pattern, in double. */
static void read_pattern(const struct kl_run *run, uint32_t layer, uint64_t t, float *key,
                         float *error)
{
    const struct kl_history *history = &run->history;
    const struct kl_dataset *dataset = run->data.datasets[0];
    struct kl_error err;

    if (layer == 0) {
        ck_ok(kl_read_rows(history->keys[0], 0, history->samples[t], 1, key, &err), err);
        for (int j = 0; j < 12; j++)
            key[j] = (key[j] - (float)dataset->mean[0]) / (float)dataset->deviation[0];
    } else {
        ck_ok(kl_read_rows(history->keys[layer], 0, t, 1, key, &err), err);
    }
    ck_ok(kl_read_rows(history->errors[layer], 0, t, 1, error, &err), err);
}

struct twin {
    double attention[400], contribution[400];
};

/* The definition, pattern by pattern: a_t = x_t . x; contribution (a_t + 1) (c_s d_t . gradient).
 */
static void naive_attention(const struct kl_run *run, uint32_t layer, const float *query,
                            const float *gradient, struct twin *twin)
{
    const struct kl_shape *shape = &run->training.shape;
    float key[16], error[16];

    for (uint64_t t = 0; t < 400; t++) {
        double a = 0, e = 0;

        read_pattern(run, layer, t, key, error);
        for (uint32_t j = 0; j < shape->inputs[layer]; j++)
            a += (double)key[j] * query[j];
        for (uint32_t j = 0; j < shape->outputs[layer]; j++)
            e += (double)error[j] * gradient[j];
        twin->attention[t] = a;
        twin->contribution[t] = run->history.layers[0].coefficients[t / 10] * (a + 1) * e;
    }
}

static double naive_score(const struct twin *twin, const struct kl_rank *rank, uint64_t t)
{
    double a = twin->attention[t];

    return !strcmp(rank->name, "abs")        ? fabs(a)
           : !strcmp(rank->name, "positive") ? a
           : !strcmp(rank->name, "negative") ? -a
                                             : twin->contribution[t];
}

static void check_answer(const struct opened *opened, uint32_t layer, const struct kl_rank *rank,
                         int by_sample, int only_class)
{
    const struct kl_run *run = opened->run;
    struct kl_query query = {.layer = layer + 1,
                             .rank = rank,
                             .logit = 1,
                             .by_sample = by_sample,
                             .only_class = only_class,
                             .top = 9,
                             .parts = KL_ANSWER_ALWAYS};
    struct kl_activations *batch = NULL;
    struct kl_answer answer;
    struct kl_error err;
    struct twin twin;
    double scores[400] = {0}, attention[400] = {0}, contribution[400] = {0}, abs_total = 0;
    int used[400] = {0}, n = by_sample ? 24 : 400;
    uint8_t pixels[12];

    ck_ok(kl_run_image(opened->run, 26, pixels, &err), err);
    query.subject.pixels = pixels;
    ck_ok(kl_attend(opened->pool, &run->history, &query, &answer, &err), err);
    ck_ok(kl_activations_create(&run->final->shape, 1, &batch, &err), err);
    kl_dataset_standardise(run->data.datasets[0], pixels, batch->keys[0]);
    kl_mlp.forward(run->final, 1, batch);
    memset(batch->errors[2], 0, 3 * sizeof(float));
    batch->errors[2][1] = 1;
    kl_mlp.back(run->final, 1, batch);
    naive_attention(run, layer, batch->keys[layer], batch->errors[layer], &twin);
    for (uint64_t t = 0; t < 400; t++) {
        uint64_t place = by_sample ? run->history.samples[t] : t;

        attention[place] += twin.attention[t];
        contribution[place] += twin.contribution[t];
        scores[place] += naive_score(&twin, rank, t);
        abs_total += fabs(twin.attention[t]);
    }
    ck_assert_uint_eq(answer.n_hits, only_class == KL_ANY_CLASS || !by_sample ? 9 : 8);
    for (uint32_t i = 0; i < answer.n_hits; i++) { /* the largest not used yet, by exhaustion */
        const struct kl_hit *hit = &answer.spotlight[i];
        uint64_t place = by_sample ? hit->sample : hit->pattern;
        double best = -1e30;

        for (int p = 0; p < n; p++) {
            uint32_t sample = by_sample ? (uint32_t)p : run->history.samples[p];

            if (!used[p] && (only_class == KL_ANY_CLASS ||
                             kl_collection_label(&run->data, sample) == (uint32_t)only_class))
                best = scores[p] > best ? scores[p] : best;
        }
        ck_assert_double_eq_tol(hit->score, best, 1e-4 * (1 + fabs(best)));
        ck_assert_double_eq_tol(scores[place], best, 1e-4 * (1 + fabs(best)));
        ck_assert_double_eq_tol(hit->attention, attention[place],
                                1e-4 * (1 + fabs(attention[place])));
        ck_assert_double_eq_tol(hit->contribution, contribution[place], 1e-5);
        ck_assert_int_eq(used[place], 0);
        used[place] = 1;
    }
    for (uint32_t c = 0; c < answer.n_classes; c++)
        abs_total -= answer.by_class[c].sum_abs;
    ck_assert_double_eq_tol(abs_total, 0, 1e-2);
    kl_answer_clear(&answer);
    kl_activations_free(batch);
}

START_TEST(attention_agrees_with_its_naive_twin_streaming_and_resident)
{
    /* The others: tests/server/test_views.py. */
    static const char *const ranks[] = {"abs", "positive", "negative", "logit"};
    struct opened opened;

    write_run(KL_F16);
    opened = open_run();
    for (int resident = 0; resident < 2; resident++) {
        for (uint32_t layer = 0; layer < 3; layer++)
            for (size_t r = 0; r < sizeof ranks / sizeof ranks[0]; r++)
                for (int by_sample = 0; by_sample < 2; by_sample++)
                    for (int only = KL_ANY_CLASS; only < 3; only += 3)
                        check_answer(&opened, layer, kl_rank_find(ranks[r]), by_sample, only);
        if (!resident)
            load_run(&opened);
    }
    close_run(&opened);
}
END_TEST

START_TEST(initial_guess_and_contributions_sum_to_the_logits)
{
    struct kl_query query = {.layer = 3,
                             .rank = kl_rank_at(0),
                             .logit = KL_ANY_CLASS,
                             .only_class = KL_ANY_CLASS,
                             .top = 1,
                             .parts = KL_ANSWER_ALWAYS};
    struct kl_answer answer;
    struct opened opened;
    struct kl_error err;
    uint8_t pixels[12];

    write_run(KL_F32);
    opened = open_run();
    query.subject.pixels = pixels;
    for (uint32_t id = 0; id < 30; id++) {
        ck_ok(kl_run_image(opened.run, id, pixels, &err), err);
        ck_ok(kl_attend(opened.pool, &opened.run->history, &query, &answer, &err), err);
        ck_assert_double_lt(answer.max_abs_error, 1e-4);
        for (uint32_t j = 0; j < 3; j++) {
            double sum = answer.initial_guess[j];

            for (uint32_t c = 0; c < answer.n_classes; c++)
                sum += answer.contributions->by_class[c * answer.n_logits + j];
            ck_assert_double_eq_tol(sum, answer.logits[j], 1e-4);
        }
        kl_answer_clear(&answer);
    }
    close_run(&opened);
}
END_TEST

START_TEST(impossible_queries_are_refused)
{
    uint8_t pixels[12] = {0};
    const struct kl_query good = {.subject = {.pixels = pixels},
                                  .layer = 3,
                                  .rank = kl_rank_at(0),
                                  .logit = KL_ANY_CLASS,
                                  .only_class = KL_ANY_CLASS,
                                  .top = 1};
    struct kl_query bad[5] = {good, good, good, good, good};
    struct kl_answer answer;
    struct opened opened;
    struct kl_error err;

    bad[0].layer = 0;
    bad[1].layer = 4;
    bad[2].logit = 3;
    bad[3].only_class = 3;
    bad[4].top = KL_TOP_MAX + 1;
    write_run(KL_F16);
    opened = open_run();
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(kl_attend(opened.pool, &opened.run->history, &bad[i], &answer, &err),
                         KL_ERR_USAGE);
    close_run(&opened);
}
END_TEST

MAIN("attention", attention_agrees_with_its_naive_twin_streaming_and_resident,
     initial_guess_and_contributions_sum_to_the_logits, impossible_queries_are_refused)
