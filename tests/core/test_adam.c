/* The dual form of Adam, against networks that PyTorch trained. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/half.h"
#include "core/models/adam_dual.h"
#include "tests/core/adam_trajectory.h"
#include "tests/lib/suite.h"

enum { WIDTH = ADAM_INPUTS + 1, N = ADAM_OUTPUTS * WIDTH };

struct trajectory {
    const float *initial, *final, *keys, *errors, *rates, *clip_factors;
    double decay;
    int is_decoupled;
};

static const struct trajectory trajectories[] = {
    {adam_initial, adam_final, adam_keys, adam_errors, adam_rates, adam_clip_factors, 0, 0},
    {adam_l2_initial, adam_l2_final, adam_l2_keys, adam_l2_errors, adam_l2_rates,
     adam_l2_clip_factors, 1e-2, 0},
    {adamw_initial, adamw_final, adamw_keys, adamw_errors, adamw_rates, adamw_clip_factors, 1e-1,
     1},
};

/* As it is stored: in float32, or in float16 with the exponent that error signals get. */
static float stored(float number, int is_half, int exponent)
{
    uint16_t half = kl_half_from_float(ldexpf(number, exponent));

    return is_half ? ldexpf(kl_half_to_float(half), -exponent) : number;
}

static struct kl_step_rule rule_of(const struct trajectory *one, uint32_t step)
{
    return (struct kl_step_rule){.learning_rate = one->rates[step - 1],
                                 .weight_decay = one->decay,
                                 .clip_factor = one->clip_factors[step - 1],
                                 .beta_1 = 0.9,
                                 .beta_2 = 0.999,
                                 .epsilon = 1e-8};
}

static float gradients[ADAM_STEPS][N], coefficients[ADAM_STEPS][N];

static void find_gradients(const struct trajectory *one, int is_half)
{
    memset(gradients, 0, sizeof gradients);
    for (int t = 0; t < ADAM_STEPS * ADAM_BATCH; t++)
        for (int j = 0; j < ADAM_OUTPUTS; j++)
            for (int i = 0; i < WIDTH; i++) {
                float key = i < ADAM_INPUTS ? one->keys[t * ADAM_INPUTS + i] : 1;
                float error = one->errors[t * ADAM_OUTPUTS + j];

                gradients[t / ADAM_BATCH][j * WIDTH + i] +=
                    stored(error, is_half, 10) * stored(key, is_half, 0);
            }
}

/* Finds all coefficients, and P in p. */
static void find_coefficients(const struct trajectory *one, float p[N])
{
    int is_penalised = one->decay > 0 && !one->is_decoupled;
    float squares[N] = {0}, mean[N] = {0}, weights[N], q[N] = {0};
    double share = 1;

    memcpy(weights, one->initial, sizeof weights);
    for (int i = 0; i < N; i++)
        p[i] = 1;
    for (uint32_t step = 1; step <= ADAM_STEPS; step++) {
        struct kl_step_rule rule = rule_of(one, step);

        kl_adam_forward(&rule, step, N, gradients[step - 1], squares, mean,
                        is_penalised ? weights : NULL, coefficients[step - 1]);
    }
    for (uint32_t step = ADAM_STEPS; step > 0; step--) {
        struct kl_step_rule rule = rule_of(one, step);

        kl_adam_backward(&rule, N, coefficients[step - 1], share, is_penalised ? p : NULL, q,
                         coefficients[step - 1]);
        share *= one->is_decoupled ? 1 - rule.learning_rate * rule.weight_decay : 1;
    }
    for (int i = 0; !is_penalised && i < N; i++)
        p[i] = (float)share;
}

/* |W_dual - W| / |W - W_0|, and the largest difference of an output for the key of the first
 * pattern. */
static double distance(const struct trajectory *one, const float p[N], double *off_output)
{
    double off = 0, way = 0;

    *off_output = 0;
    for (int j = 0; j < ADAM_OUTPUTS; j++) {
        double output = 0;

        for (int i = 0; i < WIDTH; i++) {
            int k = j * WIDTH + i;
            double dual = (double)p[k] * one->initial[k];

            for (int s = 0; s < ADAM_STEPS; s++)
                dual += (double)coefficients[s][k] * gradients[s][k];
            off += pow(dual - one->final[k], 2);
            way += pow((double)one->final[k] - one->initial[k], 2);
            output += (dual - one->final[k]) * (i < ADAM_INPUTS ? (double)one->keys[i] : 1);
        }
        *off_output = fmax(*off_output, fabs(output));
    }
    return sqrt(off / way);
}

static void follow(int is_half, double bound, double output_bound)
{
    for (size_t c = 0; c < sizeof trajectories / sizeof trajectories[0]; c++) {
        double off, off_output;
        float p[N];

        find_gradients(&trajectories[c], is_half);
        find_coefficients(&trajectories[c], p);
        off = distance(&trajectories[c], p, &off_output);
        ck_assert_double_lt(off, bound);
        ck_assert_double_lt(off_output, output_bound);
        ck_assert_double_gt(off_output, 0); /* it was found, not copied */
    }
}

START_TEST(the_dual_form_is_what_pytorch_trained_in_float32)
{
    follow(0, 2e-5, 2e-5);
}
END_TEST

START_TEST(the_dual_form_is_what_pytorch_trained_in_float16)
{
    follow(1, 5e-3, 5e-3);
}
END_TEST

START_TEST(without_a_step_of_the_history_it_is_not)
{
    double off_output;
    float p[N];

    find_gradients(&trajectories[0], 0);
    find_coefficients(&trajectories[0], p);
    memset(gradients[ADAM_STEPS / 2], 0, sizeof gradients[0]);
    ck_assert_double_gt(distance(&trajectories[0], p, &off_output), 1e-3);
}
END_TEST

MAIN("adam", the_dual_form_is_what_pytorch_trained_in_float32,
     the_dual_form_is_what_pytorch_trained_in_float16, without_a_step_of_the_history_it_is_not)
