/* A run that Adam trained, against its naive twin: every coefficient C_s by the recurrence in
 * double, every contribution by its definition, from the rows of the file. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/explain/attention.h"
#include "core/explain/dual/adam_private.h"
#include "core/explain/dual/dual.h"
#include "core/explain/dual/sweep.h"
#include "core/explain/ranks.h"
#include "core/explain/verify/layers.h"
#include "core/explain/views/bins.h"
#include "tests/lib/run_file.h"
#include "tests/lib/suite.h"

enum { PATTERNS = 400, PER_STEP = 10, STEPS = 40, WIDEST = 13, OUT_MOST = 9 };

static const char *const optimisers[][2] = {{"adam", "0"}, {"adam", "0.01"}, {"adamw", "0.1"}};

/* One layer of the history. */
struct twin {
    uint32_t width, outputs; /* width with the bias */
    double keys[PATTERNS][WIDEST], errors[PATTERNS][OUT_MOST];
    double c[STEPS][OUT_MOST][WIDEST], p[OUT_MOST][WIDEST];
};

static void read_layer(const struct kl_run *run, uint32_t layer, struct twin *twin)
{
    const struct kl_history *history = &run->history;
    const struct kl_dataset *dataset = run->data.datasets[0];
    struct kl_error err;

    twin->width = run->training.shape.inputs[layer] + 1;
    twin->outputs = run->training.shape.outputs[layer];
    for (uint64_t t = 0; t < PATTERNS; t++) {
        float key[WIDEST], error[OUT_MOST];

        ck_ok(kl_read_rows(history->keys[layer], 0, layer ? t : history->samples[t], 1, key, &err),
              err);
        ck_ok(kl_read_rows(history->errors[layer], 0, t, 1, error, &err), err);
        for (uint32_t i = 0; i + 1 < twin->width; i++)
            twin->keys[t][i] = layer ? (double)key[i]
                                     : ((double)key[i] - dataset->mean[0]) / dataset->deviation[0];
        twin->keys[t][twin->width - 1] = 1;
        for (uint32_t j = 0; j < twin->outputs; j++)
            twin->errors[t][j] = (double)error[j];
    }
}

/* The recurrences of core/models/adam_dual.h, for one parameter. */
static void find_coefficients(const struct kl_run *run, uint32_t layer, uint32_t j, uint32_t i,
                              struct twin *twin)
{
    const struct kl_network *initial = run->initial;
    int is_decoupled = run->history.is_decoupled;
    double v = 0, m = 0, d[STEPS], p = 1, q = 0;
    double w = (double)(i + 1 < twin->width ? initial->weights[layer][j * (twin->width - 1) + i]
                                            : initial->biases[layer][j]);

    for (int s = 0; s < STEPS; s++) {
        const struct kl_step_rule *rule = &run->rules[s];
        double g = is_decoupled ? 0 : rule->weight_decay * w;

        for (int t = s * PER_STEP; t < (s + 1) * PER_STEP; t++)
            g += rule->clip_factor * twin->errors[t][j] * twin->keys[t][i];
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        d[s] = v > 0 ? rule->learning_rate / (1 - pow(0.9, s + 1)) /
                           (sqrt(v / (1 - pow(0.999, s + 1))) + 1e-8)
                     : 0;
        w = (is_decoupled ? 1 - rule->learning_rate * rule->weight_decay : 1) * w - d[s] * m;
    }
    for (int s = STEPS - 1; s >= 0; s--) {
        const struct kl_step_rule *rule = &run->rules[s];

        q -= d[s] * p;
        twin->c[s][j][i] = rule->clip_factor * 0.1 * q;
        if (is_decoupled)
            p *= 1 - rule->learning_rate * rule->weight_decay;
        else
            p += rule->weight_decay * 0.1 * q;
        q *= 0.9;
    }
    twin->p[j][i] = p;
}

static void find_twin(const struct kl_run *run, uint32_t layer, struct twin *twin)
{
    read_layer(run, layer, twin);
    for (uint32_t j = 0; j < twin->outputs; j++)
        for (uint32_t i = 0; i < twin->width; i++)
            find_coefficients(run, layer, j, i, twin);
}

/* What pattern t gives output j for an input. */
static double given(const struct twin *twin, uint64_t t, uint32_t j, const float *x)
{
    double sum = 0;

    for (uint32_t i = 0; i < twin->width; i++)
        sum += twin->c[t / PER_STEP][j][i] * twin->keys[t][i] *
               (i + 1 < twin->width ? (double)x[i] : 1);
    return twin->errors[t][j] * sum;
}

static double guessed(const struct kl_run *run, const struct twin *twin, uint32_t layer, uint32_t j,
                      const float *x)
{
    double sum = twin->p[j][twin->width - 1] * (double)run->initial->biases[layer][j];

    for (uint32_t i = 0; i + 1 < twin->width; i++)
        sum += twin->p[j][i] * (double)run->initial->weights[layer][j * (twin->width - 1) + i] *
               (double)x[i];
    return sum;
}

static struct opened open_adam(size_t number, enum kl_dtype dtype)
{
    write_run_with(dtype, optimisers[number][0], optimisers[number][1]);
    return open_run();
}

static const struct kl_subject *subject_of(const struct kl_run *run)
{
    static struct kl_subject subject;
    static uint8_t pixels[12];
    struct kl_error err;

    ck_ok(kl_run_image((struct kl_run *)run, 26, pixels, &err), err);
    subject = (struct kl_subject){.pixels = pixels};
    return &subject;
}

static const float query_keys[12] = {0.3F, -1.2F, 0.8F,  1.1F, -0.4F, 0.2F,
                                     0.9F, 0.5F,  -0.7F, 1.6F, 0.1F,  -0.2F};
static struct twin twin;

START_TEST(every_layer_is_its_dual_form)
{
    struct kl_error err;

    for (size_t o = 0; o < 3; o++)
        for (int is_half = 0; is_half < 2; is_half++) {
            struct opened opened = open_adam(o, is_half ? KL_F16 : KL_F32);

            for (uint32_t layer = 0; layer < 3; layer++) {
                struct kl_layer_check check;

                ck_ok(kl_layer_check(opened.pool, &opened.run->history, layer, &check, &err), err);
                ck_assert_double_lt(check.weight_distance, is_half ? 5e-3 : 2e-5);
                ck_assert_double_lt(check.output_distance, is_half ? 2e-2 : 1e-4);
                ck_assert_double_gt(check.weight_distance, 0);
            }
            close_run(&opened);
        }
}
END_TEST

START_TEST(contributions_through_every_layer_agree_with_their_naive_twins)
{
    static float scores[2][PATTERNS];
    const float gradients[2][OUT_MOST] = {{0.3F, -2, 1, 0.5F, 0, 1, -1, 2, 0.1F}, {0, 1}};
    const float *each[] = {gradients[0], gradients[1]};
    float *into[] = {scores[0], scores[1]};
    struct kl_error err;

    for (size_t o = 0; o < 3; o++) {
        struct opened opened = open_adam(o, KL_F32);

        for (uint32_t layer = 0; layer < 3; layer++) {
            find_twin(opened.run, layer, &twin);
            memset(scores, 0, sizeof scores);
            scores[0][7] = 100; /* they are added */
            ck_ok(kl_adam_effects(opened.pool, &opened.run->history, layer, query_keys, 2, each,
                                  into, &err),
                  err);
            scores[0][7] -= 100;
            for (uint64_t t = 0; t < PATTERNS; t++)
                for (int k = 0; k < 2; k++) {
                    double sum = 0;

                    for (uint32_t j = 0; j < twin.outputs; j++)
                        sum += (double)gradients[k][j] * given(&twin, t, j, query_keys);
                    ck_assert_double_eq_tol((double)scores[k][t], sum, 2e-5 * (1 + fabs(sum)));
                }
        }
        close_run(&opened);
    }
}
END_TEST

START_TEST(outputs_of_the_last_layer_are_weighed_in_the_pass_that_finds_attention)
{
    static float attention[PATTERNS], weighted[PATTERNS];
    struct kl_error err;

    for (size_t o = 0; o < 3; o++)
        for (int resident = 0; resident < 2; resident++) {
            struct opened opened = open_adam(o, KL_F32);

            opened.run->history.adam->room = resident ? KL_ADAM_ROOM : 1;
            if (resident)
                load_run(&opened);
            find_twin(opened.run, 2, &twin);
            for (uint32_t j = 0; j < 3; j++) {
                ck_ok(kl_adam_weigh(opened.pool, &opened.run->history, j, query_keys,
                                    j ? NULL : attention, weighted, &err),
                      err);
                for (uint64_t t = 0; t < PATTERNS; t++) {
                    double a = 0;

                    for (uint32_t i = 0; i + 1 < twin.width; i++)
                        a += twin.keys[t][i] * (double)query_keys[i];
                    ck_assert_double_eq_tol((double)attention[t], a, 1e-5 * (1 + fabs(a)));
                    ck_assert_double_eq_tol((double)weighted[t] * twin.errors[t][j],
                                            given(&twin, t, j, query_keys), 5e-5);
                }
            }
            close_run(&opened);
        }
}
END_TEST

START_TEST(guess_and_correction_are_the_logit_by_class_and_over_time)
{
    struct kl_error err;

    for (size_t n = 0; n < 6; n++) { /* with room for what is kept, and without */
        struct opened opened = open_adam(n % 3, KL_F32);
        const struct kl_run *run = opened.run;
        const struct kl_history *history = &run->history;
        double by_class[3][3] = {{0}}, by_bin[STEPS][3] = {{0}};
        struct kl_inquiry *inquiry = NULL;
        struct kl_query query = {.subject = *subject_of(run),
                                 .layer = 3,
                                 .rank = kl_rank_find("logit"),
                                 .logit = 1,
                                 .target = KL_ANY_CLASS,
                                 .only_class = KL_ANY_CLASS,
                                 .top = 5,
                                 .parts = KL_ANSWER_ALWAYS};
        struct kl_answer answer;
        const float *x;

        history->adam->room = n < 3 ? KL_ADAM_ROOM : 1;
        ck_ok(kl_inquiry_create(opened.pool, history, &query.subject, &inquiry, &err), err);
        ck_ok(kl_attend_to(inquiry, &query, &answer, &err), err);
        x = kl_inquiry_key(inquiry, 2);
        find_twin(run, 2, &twin);
        for (uint64_t t = 0; t < PATTERNS; t++)
            for (uint32_t j = 0; j < 3; j++) {
                double one = given(&twin, t, j, x);

                by_class[history->classes[history->samples[t]]][j] += one;
                by_bin[kl_bin_of(history, kl_history_step(history, t))][j] += one;
            }
        for (uint32_t j = 0; j < 3; j++) {
            double sum = 0;

            for (uint32_t c = 0; c < 3; c++) {
                ck_assert_double_eq_tol(answer.contributions->by_class[c * 3 + j], by_class[c][j],
                                        2e-5);
                sum += by_class[c][j];
            }
            for (uint32_t b = 0; b < STEPS; b++)
                ck_assert_double_eq_tol(answer.contributions->by_bin[b * 3 + j], by_bin[b][j],
                                        2e-5);
            ck_assert_double_eq_tol(answer.correction[j], sum, 2e-5);
            ck_assert_double_eq_tol(answer.initial_guess[j], guessed(run, &twin, 2, j, x), 2e-5);
            ck_assert_double_eq_tol(answer.initial_guess[j] + answer.correction[j],
                                    (double)answer.logits[j], 1e-4);
        }
        for (uint32_t i = 0; i < answer.n_hits; i++) {
            const struct kl_hit *hit = &answer.spotlight[i];

            ck_assert_double_eq_tol(hit->contribution, given(&twin, hit->pattern, 1, x), 1e-5);
            ck_assert(i == 0 || hit->score <= answer.spotlight[i - 1].score);
        }
        ck_assert(!!history->adam->sums.by_class == (n < 3));
        kl_answer_clear(&answer);
        kl_inquiry_free(inquiry);
        close_run(&opened);
    }
}
END_TEST

START_TEST(ranks_over_all_layers_sum_their_contributions)
{
    static float expected[PATTERNS];
    struct opened opened = open_adam(1, KL_F32);
    const struct kl_history *history = &opened.run->history;
    struct kl_inquiry *inquiry = NULL;
    struct kl_error err;

    ck_ok(kl_inquiry_create(opened.pool, history, subject_of(opened.run), &inquiry, &err), err);
    for (int of_loss = 0; of_loss < 2; of_loss++) {
        const float *scores, *gradients[KL_LAYERS_MAX];
        float *block = NULL;

        ck_ok(kl_inquiry_scores(inquiry, kl_rank_find(of_loss ? "opponents" : "effect"), 0, 2, 1,
                                &scores, &err),
              err);
        ck_ok(kl_inquiry_gradients(inquiry, of_loss ? KL_GRADIENT_OF_LOSS : KL_GRADIENT_OF_LOGIT,
                                   of_loss ? 1 : 2, 0, &block, gradients, &err),
              err);
        memset(expected, 0, sizeof expected);
        for (uint32_t layer = 0; layer < 3; layer++) {
            find_twin(opened.run, layer, &twin);
            for (uint64_t t = 0; t < PATTERNS; t++)
                for (uint32_t j = 0; j < twin.outputs; j++)
                    expected[t] += (float)((double)gradients[layer][j] *
                                           given(&twin, t, j, kl_inquiry_key(inquiry, layer)));
        }
        for (uint64_t t = 0; t < PATTERNS; t++)
            ck_assert_double_eq_tol((double)scores[t], (double)expected[t], 1e-5);
        free(block);
    }
    kl_inquiry_free(inquiry);
    close_run(&opened);
}
END_TEST

/* Removing patterns leaves P W_0 and what the others made, in every layer. */
START_TEST(removal_takes_what_the_patterns_made_out_of_every_layer)
{
    static uint8_t removed[PATTERNS];
    struct kl_error err;

    for (size_t o = 0; o < 3; o++)
        for (int few = 0; few < 2; few++) {
            struct opened opened = open_adam(o, KL_F32);
            struct kl_inquiry *inquiry = NULL;
            double logits[3], y[OUT_MOST];
            float x[12];

            for (uint64_t t = 0; t < PATTERNS; t++)
                removed[t] = few ? t % 7 == 0 : t % 7 != 0;
            ck_ok(kl_inquiry_create(opened.pool, &opened.run->history, subject_of(opened.run),
                                    &inquiry, &err),
                  err);
            memcpy(x, kl_inquiry_key(inquiry, 0), sizeof x);
            ck_ok(kl_logits_without(opened.pool, &opened.run->history, 0, x, removed, logits, &err),
                  err);
            for (uint32_t layer = 0; layer < 3; layer++) {
                find_twin(opened.run, layer, &twin);
                for (uint32_t j = 0; j < twin.outputs; j++) {
                    y[j] = guessed(opened.run, &twin, layer, j, x);
                    for (uint64_t t = 0; t < PATTERNS; t++)
                        y[j] += removed[t] ? 0 : given(&twin, t, j, x);
                }
                for (uint32_t j = 0; j < twin.outputs && layer < 2; j++)
                    x[j] = y[j] > 0 ? (float)y[j] : 0;
            }
            for (uint32_t j = 0; j < 3; j++)
                ck_assert_double_eq_tol(logits[j], y[j], 1e-4 * (1 + fabs(y[j])));
            kl_inquiry_free(inquiry);
            close_run(&opened);
        }
}
END_TEST

struct sums {
    double weights[OUT_MOST][WIDEST];
    unsigned n_begun, n_segments;
};

static enum kl_status begin(void *self, unsigned n_tasks, uint64_t n_patterns, struct kl_error *err)
{
    struct sums *sums = self;

    (void)n_tasks;
    (void)n_patterns;
    (void)err;
    sums->n_begun++;
    return KL_OK;
}

static void add_step(void *self, const struct kl_sweep_rows *rows, uint32_t step,
                     const float *coefficients, const float *gradient)
{
    struct sums *sums = self;

    (void)step;
    for (uint32_t r = 0; r < rows->n; r++)
        for (uint32_t i = 0; i < rows->width; i++)
            sums->weights[rows->first + r][i] +=
                (double)coefficients[r * rows->width + i] * (double)gradient[r * rows->width + i];
}

static void end_segment(void *self, uint64_t first, uint64_t n)
{
    (void)first;
    (void)n;
    ((struct sums *)self)->n_segments++;
}

START_TEST(a_sweep_in_little_room_is_the_same)
{
    struct kl_error err;

    for (size_t o = 0; o < 3; o++) {
        struct opened opened = open_adam(o, KL_F32);

        for (uint32_t layer = 0; layer < 3; layer++) {
            struct sums large = {0}, little = {0};
            unsigned n_off = 0;
            struct kl_sweep sweep = {.pool = opened.pool,
                                     .history = &opened.run->history,
                                     .layer = layer,
                                     .n = opened.run->training.shape.outputs[layer],
                                     .self = &large,
                                     .begin = begin,
                                     .step = add_step,
                                     .segment = end_segment};

            ck_ok(kl_sweep(&sweep, &err), err);
            sweep.self = &little;
            sweep.room = 1000;
            ck_ok(kl_sweep(&sweep, &err), err);
            ck_assert_uint_eq(large.n_begun, 1);
            ck_assert_uint_eq(large.n_segments, 1);
            ck_assert_uint_gt(little.n_begun, 1);
            ck_assert_uint_gt(little.n_segments, 5);
            /* Sums of float32 in another order: only where a gradient nearly cancels, which Adam
             * divides by, do they differ by more. */
            for (uint32_t j = 0; j < sweep.n; j++) {
                for (uint32_t i = 0; i <= opened.run->training.shape.inputs[layer]; i++) {
                    double off = fabs((double)(little.weights[j][i] - large.weights[j][i]));

                    ck_assert_double_le(off, 1e-5);
                    n_off += off > 1e-6;
                }
            }
            ck_assert_uint_le(n_off, 1);
        }
        close_run(&opened);
    }
}
END_TEST

MAIN("adam", every_layer_is_its_dual_form,
     contributions_through_every_layer_agree_with_their_naive_twins,
     outputs_of_the_last_layer_are_weighed_in_the_pass_that_finds_attention,
     guess_and_correction_are_the_logit_by_class_and_over_time,
     ranks_over_all_layers_sum_their_contributions,
     removal_takes_what_the_patterns_made_out_of_every_layer, a_sweep_in_little_room_is_the_same)
