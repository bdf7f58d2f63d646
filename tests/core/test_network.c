/* Networks: gradients by finite differences, the update rule, coefficients, learning rates. */
#include <math.h>
#include <string.h>

#include "core/models/coefficients.h"
#include "core/models/network.h"
#include "core/base/random.h"
#include "core/models/sgd.h"
#include "core/training/settings.h"
#include "tests/lib/shapes.h"
#include "tests/lib/suite.h"

#define BATCH 5
static const uint32_t widths[] = {6, 7, 5, 4};

static struct kl_network *make_network(uint64_t seed)
{
    struct kl_shape shape;
    struct kl_network *network = NULL;
    struct kl_error err;
    struct kl_random random;

    ck_ok(shape_mlp(3, widths, &shape, &err), err);
    ck_ok(kl_network_create(&shape, &network, &err), err);
    kl_random_seed(&random, seed, 0);
    for (size_t i = 0; i < network->n_parameters; i++)
        network->parameters[i] = (float)(0.5 * kl_random_normal(&random));
    return network;
}

static void fill_inputs(struct kl_activations *batch, uint32_t targets[BATCH])
{
    struct kl_random random;

    kl_random_seed(&random, 3, 0);
    for (int i = 0; i < BATCH * 6; i++)
        batch->keys[0][i] = (float)kl_random_normal(&random);
    for (int i = 0; i < BATCH; i++)
        targets[i] = kl_random_below(&random, 4);
}

static double loss_of(const struct kl_network *network, struct kl_activations *batch,
                      const uint32_t *targets, float *errors)
{
    kl_mlp.forward(network, BATCH, batch);
    return kl_cross_entropy(batch->keys[3], BATCH, 4, targets, errors);
}

START_TEST(gradients_agree_with_finite_differences)
{
    struct kl_network *network = make_network(1), *gradient = make_network(2);
    struct kl_activations *batch = NULL;
    struct kl_trainer_settings settings = {
        .shape = network->shape, .streams = BATCH, .unroll = 1, .records_last = 1};
    struct kl_step_result result;
    struct kl_error err;
    uint32_t targets[BATCH];
    struct kl_minibatch minibatch = {.step = 1, .n = BATCH, .targets = targets};
    void *trainer = NULL;

    ck_ok(kl_activations_create(&network->shape, BATCH, &batch, &err), err);
    fill_inputs(batch, targets);
    minibatch.inputs = batch->keys[0];
    ck_ok(kl_mlp.trainer_create(&settings, &trainer, &err), err);
    ck_ok(kl_mlp.step(trainer, network, &minibatch, NULL, gradient, &result, &err), err);
    ck_assert_double_eq_tol(result.loss, loss_of(network, batch, targets, NULL), 1e-9);
    for (size_t i = 0; i < network->n_parameters; i++) {
        float kept = network->parameters[i], step = 4e-3f;
        double up, down, slope;

        network->parameters[i] = kept + step;
        up = loss_of(network, batch, targets, NULL);
        network->parameters[i] = kept - step;
        down = loss_of(network, batch, targets, NULL);
        network->parameters[i] = kept;
        slope = (up - down) / (2 * (double)step);
        ck_assert_msg(fabs(slope - (double)gradient->parameters[i]) < 1e-3,
                      "parameter %zu: gradient %g, difference %g", i,
                      (double)gradient->parameters[i], slope);
    }
    kl_mlp.trainer_free(trainer);
    kl_activations_free(batch);
    kl_network_free(network);
    kl_network_free(gradient);
}
END_TEST

START_TEST(the_forward_pass_agrees_with_its_naive_twin)
{
    struct kl_network *network = make_network(1);
    struct kl_activations *batch = NULL;
    struct kl_error err;
    uint32_t targets[BATCH];
    double x[8], z[8];

    ck_ok(kl_activations_create(&network->shape, BATCH, &batch, &err), err);
    fill_inputs(batch, targets);
    kl_mlp.forward(network, BATCH, batch);
    for (int n = 0; n < BATCH; n++) {
        for (int j = 0; j < 6; j++)
            x[j] = batch->keys[0][n * 6 + j];
        for (uint32_t l = 0; l < 3; l++) {
            for (uint32_t i = 0; i < widths[l + 1]; i++) {
                z[i] = network->biases[l][i];
                for (uint32_t j = 0; j < widths[l]; j++)
                    z[i] += (double)network->weights[l][i * widths[l] + j] * x[j];
                if (l < 2 && z[i] < 0)
                    z[i] = 0;
            }
            memcpy(x, z, sizeof x);
        }
        for (int j = 0; j < 4; j++)
            ck_assert_double_eq_tol(batch->keys[3][n * 4 + j], x[j], 1e-5);
    }
    kl_activations_free(batch);
    kl_network_free(network);
}
END_TEST

/* Random gradients for some steps, by the update rule and by the coefficients. */
static void rebuild(double dampening, int is_nesterov)
{
    enum { STEPS = 40 };
    struct kl_step_rule rules[STEPS];
    struct kl_network *network = make_network(1), *initial = make_network(1);
    struct kl_network *velocity = make_network(5), *gradients[STEPS];
    double coefficients[STEPS], alpha;
    struct kl_random random;

    memset(velocity->parameters, 0, velocity->n_parameters * sizeof(float));
    kl_random_seed(&random, 11, 0);
    for (int s = 0; s < STEPS; s++) {
        gradients[s] = make_network(100 + (uint64_t)s);
        rules[s] = (struct kl_step_rule){.learning_rate = 0.1 * kl_random_uniform(&random),
                                         .momentum = 0.9 * kl_random_uniform(&random),
                                         .weight_decay = 0.05 * kl_random_uniform(&random),
                                         .clip_factor = kl_random_uniform(&random),
                                         .dampening = s ? dampening : 0,
                                         .is_nesterov = is_nesterov};
        kl_sgd_update(&rules[s], gradients[s], velocity, network);
    }
    kl_coefficients(rules, STEPS, coefficients, &alpha);
    for (size_t i = 0; i < network->n_parameters; i++) {
        double dual = alpha * initial->parameters[i];

        for (int s = 0; s < STEPS; s++)
            dual += coefficients[s] * gradients[s]->parameters[i];
        ck_assert_double_eq_tol(dual, network->parameters[i], 2e-6);
    }
    for (int s = 0; s < STEPS; s++)
        kl_network_free(gradients[s]);
    kl_network_free(network);
    kl_network_free(initial);
    kl_network_free(velocity);
}

START_TEST(coefficients_rebuild_what_sgd_does)
{
    rebuild(0, 0);
}
END_TEST

START_TEST(coefficients_rebuild_dampened_momentum)
{
    rebuild(0.4, 0);
}
END_TEST

START_TEST(coefficients_rebuild_nesterovs_momentum)
{
    rebuild(0, 1);
}
END_TEST

START_TEST(plain_sgd_has_minus_the_learning_rate_as_coefficient)
{
    struct kl_step_rule rules[3] = {{.learning_rate = 0.5, .clip_factor = 1},
                                    {.learning_rate = 0.25, .clip_factor = 1},
                                    {.learning_rate = 0.125, .clip_factor = 0.5}};
    double coefficients[3], alpha;

    kl_coefficients(rules, 3, coefficients, &alpha);
    ck_assert_double_eq(alpha, 1);
    ck_assert_double_eq(coefficients[0], -0.5);
    ck_assert_double_eq(coefficients[1], -0.25);
    ck_assert_double_eq(coefficients[2], -0.0625);
}
END_TEST

START_TEST(the_clip_factor_brings_the_gradient_to_the_norm)
{
    struct kl_network *gradient = make_network(1);
    double norm = 0;

    for (size_t i = 0; i < gradient->n_parameters; i++)
        norm += (double)gradient->parameters[i] * gradient->parameters[i];
    norm = sqrt(norm);
    ck_assert_double_eq_tol(kl_clip_factor(NULL, gradient, norm / 2), 0.5, 1e-5);
    ck_assert_double_eq(kl_clip_factor(NULL, gradient, 2 * norm), 1);
    ck_assert_double_eq(kl_clip_factor(NULL, gradient, 0), 1);
    kl_network_free(gradient);
}
END_TEST

START_TEST(learning_rates_follow_their_schedules)
{
    struct kl_training training = {
        .n_steps = 100, .learning_rate = 0.4, .lr_period = 30, .lr_gamma = 0.5};

    ck_assert_double_eq(kl_training_learning_rate(&training, 77), 0.4);
    training.lr_schedule = KL_LR_COSINE;
    ck_assert_double_eq(kl_training_learning_rate(&training, 1), 0.4);
    ck_assert_double_eq_tol(kl_training_learning_rate(&training, 51), 0.2, 1e-12);
    ck_assert_double_lt(kl_training_learning_rate(&training, 100), 2e-4);
    training.lr_schedule = KL_LR_STEP;
    ck_assert_double_eq(kl_training_learning_rate(&training, 30), 0.4);
    ck_assert_double_eq(kl_training_learning_rate(&training, 31), 0.2);
    ck_assert_double_eq(kl_training_learning_rate(&training, 91), 0.05);
}
END_TEST

START_TEST(initial_weights_have_the_deviation_of_their_kind)
{
    const uint32_t wide[] = {400, 300, 200};
    struct kl_shape shape;
    struct kl_network *network = NULL;
    struct kl_error err;

    ck_ok(shape_mlp(2, wide, &shape, &err), err);
    ck_ok(kl_network_create(&shape, &network, &err), err);
    for (int kind = KL_INIT_XAVIER; kind <= KL_INIT_HE; kind++) {
        kl_mlp.initialise(network, (enum kl_initialisation)kind, 3);
        for (uint32_t l = 0; l < 2; l++) {
            size_t n = (size_t)wide[l] * wide[l + 1];
            double squares = 0, in = wide[l], out = wide[l + 1], gain = l == 0 ? 2 : 1;
            double expected = kind == KL_INIT_XAVIER ? gain * 2 / (in + out) : gain / in;

            for (size_t i = 0; i < n; i++)
                squares += (double)network->weights[l][i] * network->weights[l][i];
            ck_assert_double_eq_tol(squares / (double)n / expected, 1, 0.03);
        }
    }
    kl_network_free(network);
}
END_TEST

START_TEST(settings_that_cannot_be_trained_are_refused)
{
    struct kl_training good, bad;
    const char *const *datasets;
    struct kl_error err;

    ck_ok(kl_training_preset("quick", &good, &datasets, &err), err);
    good.evaluation_steps = good.checkpoint_steps = 1;
    ck_ok(kl_training_check(&good, &err), err);
    ck_assert_str_eq(datasets[0], "fashion-mnist");
    ck_assert_ptr_null(datasets[1]);
#define REFUSES(setting)                                                                           \
    bad = good;                                                                                    \
    bad.setting;                                                                                   \
    ck_assert_int_eq(kl_training_check(&bad, &err), KL_ERR_USAGE)
    REFUSES(n_steps = 0);
    REFUSES(batch_size = 0);
    REFUSES(learning_rate = 0);
    REFUSES(learning_rate = (double)NAN);
    REFUSES(momentum = 1);
    REFUSES(weight_decay = -1);
    REFUSES(clip_norm = (double)INFINITY);
    REFUSES(dtype = KL_U8);
    ck_assert_int_eq(kl_training_preset("slow", &bad, &datasets, &err), KL_ERR_USAGE);
}
END_TEST

MAIN("network", gradients_agree_with_finite_differences,
     the_forward_pass_agrees_with_its_naive_twin, coefficients_rebuild_what_sgd_does,
     coefficients_rebuild_dampened_momentum, coefficients_rebuild_nesterovs_momentum,
     plain_sgd_has_minus_the_learning_rate_as_coefficient,
     the_clip_factor_brings_the_gradient_to_the_norm, learning_rates_follow_their_schedules,
     initial_weights_have_the_deviation_of_their_kind, settings_that_cannot_be_trained_are_refused)
