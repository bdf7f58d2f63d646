/* Multilayer perceptrons, with an activation f between the layers and softmax at the end.
 *
 *   x_1 = input,  z_l = W_l x_l + b_l,  x_{l+1} = f(z_l),  logits = z_L */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/models/linear.h"
#include "core/models/mlp_curvature.h"
#include "core/models/model.h"

#define EVALUATION_ROWS 500 /* samples at a time */

static int fits(const struct kl_shape *shape)
{
    for (uint32_t l = 0; l + 1 < shape->n_layers; l++)
        if (shape->outputs[l] != shape->inputs[l + 1])
            return 0;
    return shape->embedding == 0 && shape->vocabulary == 0;
}

static enum kl_status make_shape(const struct kl_model_settings *settings, uint32_t n_inputs,
                                 uint32_t n_outputs, struct kl_shape *out, struct kl_error *err)
{
    struct kl_shape shape = {.model = &kl_mlp,
                             .n_layers = settings->n_hidden + 1,
                             .activation = (enum kl_activation)settings->activation};
    uint32_t before = n_inputs;
    enum kl_status status;

    for (uint32_t l = 0; l < shape.n_layers && l < KL_LAYERS_MAX; l++) {
        shape.inputs[l] = before;
        before = l < settings->n_hidden ? settings->hidden[l] : n_outputs;
        shape.outputs[l] = before;
    }
    status = kl_shape_check(&shape, err);
    if (!status)
        *out = shape;
    return status;
}

/* Normal weights with deviation gain * sqrt(2 / (inputs + outputs)), gain sqrt 2 and 1 in the last
 * layer; or sqrt(2 / inputs) and sqrt(1 / inputs) in the last. Zero biases. */
static void initialise(struct kl_network *network, enum kl_initialisation initialisation,
                       uint64_t seed)
{
    for (uint32_t l = 0; l < network->shape.n_layers; l++) {
        double inputs = network->shape.inputs[l], outputs = network->shape.outputs[l];
        double gain_squared = l + 1 < network->shape.n_layers ? 2 : 1;
        double variance = initialisation == KL_INIT_XAVIER ? gain_squared * 2 / (inputs + outputs)
                                                           : gain_squared / inputs;
        size_t n = (size_t)network->shape.inputs[l] * network->shape.outputs[l];
        struct kl_random random;

        kl_random_seed(&random, seed, l);
        for (size_t i = 0; i < n; i++)
            network->weights[l][i] = (float)(sqrt(variance) * kl_random_normal(&random));
        memset(network->biases[l], 0, network->shape.outputs[l] * sizeof(float));
    }
}

static void layer_forward(const struct kl_network *network, uint32_t l, uint32_t n,
                          const struct kl_activations *activations, float *sums)
{
    int inputs = (int)network->shape.inputs[l], width = (int)network->shape.outputs[l];

    if (n > 1) {
        kl_linear_forward(activations->pool, network, l, n, activations->keys[l], sums);
        return;
    }
    /* a query: a matrix product would copy all weights to another order first */
    memcpy(sums, network->biases[l], (size_t)width * sizeof *sums);
    cblas_sgemv(CblasRowMajor, CblasNoTrans, width, inputs, 1, network->weights[l], inputs,
                activations->keys[l], 1, 1, sums, 1);
}

static void forward(const struct kl_network *network, uint32_t n,
                    struct kl_activations *activations)
{
    for (uint32_t l = 0; l < network->shape.n_layers; l++) {
        size_t n_outputs = (size_t)n * network->shape.outputs[l];

        float *sums = activations->sums[l] ? activations->sums[l] : activations->keys[l + 1];

        layer_forward(network, l, n, activations, sums);
        if (l + 1 < network->shape.n_layers)
            kl_activate(network->shape.activation, sums, n_outputs, activations->keys[l + 1]);
    }
}

static void back(const struct kl_network *network, uint32_t n, struct kl_activations *activations)
{
    for (uint32_t l = network->shape.n_layers - 1; l > 0; l--) {
        size_t n_inputs = (size_t)n * network->shape.inputs[l];

        kl_linear_back(activations->pool, network, l, n, activations->errors[l],
                       activations->errors[l - 1]);
        kl_activation_slope(network->shape.activation, kl_activations_sums(activations, l - 1),
                            n_inputs, activations->errors[l - 1]);
    }
}

static enum kl_status trainer_create(const struct kl_trainer_settings *settings, void **trainer,
                                     struct kl_error *err)
{
    struct kl_activations *activations = NULL;
    enum kl_status status =
        kl_activations_create(&settings->shape, settings->streams, &activations, err);

    if (!status) {
        activations->pool = settings->pool;
        *trainer = activations;
    }
    return status;
}

static void trainer_free(void *trainer)
{
    kl_activations_free(trainer);
}

static enum kl_status step(void *trainer, const struct kl_network *network,
                           const struct kl_minibatch *minibatch, float *carried,
                           struct kl_network *gradient, struct kl_step_result *result,
                           struct kl_error *err)
{
    struct kl_activations *activations = trainer;
    uint32_t n = minibatch->n, last = network->shape.n_layers - 1;

    (void)carried;
    (void)err;
    memcpy(activations->keys[0], minibatch->inputs,
           (size_t)n * network->shape.inputs[0] * sizeof(float));
    forward(network, n, activations);
    result->loss = kl_cross_entropy(activations->keys[last + 1], n, network->shape.outputs[last],
                                    minibatch->targets, activations->errors[last]);
    for (uint32_t i = 0; minibatch->ignored && i < n; i++)
        if (minibatch->ignored[i])
            memset(activations->errors[last] + (size_t)i * network->shape.outputs[last], 0,
                   network->shape.outputs[last] * sizeof(float));
    back(network, n, activations);
    for (uint32_t l = 0; l <= last; l++)
        kl_linear_gradient(activations->pool, l, n, activations->errors[l], activations->keys[l], 0,
                           gradient);
    for (uint32_t l = 0; l <= last; l++) {
        result->keys[l] = activations->keys[l];
        result->errors[l] = activations->errors[l];
        result->keys_at[l] = &activations->keys[l];
        result->errors_at[l] = &activations->errors[l];
    }
    return KL_OK;
}

static enum kl_status curve(void *trainer, const struct kl_network *network,
                            const struct kl_minibatch *minibatch,
                            const struct kl_network *direction, struct kl_network *product,
                            float *slopes, struct kl_error *err)
{
    return kl_mlp_curve(trainer, network, minibatch, direction, product, slopes, err);
}

/* Counts the answers to n rows of a split, from its sample first on. */
static void judge(const struct kl_activations *activations, const struct kl_image_set *set,
                  uint32_t first_output, uint32_t first, uint32_t n,
                  struct kl_evaluation *evaluation, struct kl_prediction *predictions)
{
    uint32_t n_classes = kl_shape_n_outputs(&activations->shape);

    for (uint32_t i = 0; i < n; i++) {
        const float *row = activations->keys[activations->shape.n_layers] + (size_t)i * n_classes;
        uint32_t target = first_output + set->labels[first + i],
                 predicted = kl_argmax(row, n_classes);
        float probabilities[KL_CLASSES_MAX];

        kl_softmax(row, n_classes, probabilities);
        evaluation->correct += predicted == target;
        evaluation->loss += kl_cross_entropy(row, 1, n_classes, &target, NULL);
        if (predictions)
            predictions[first + i] = (struct kl_prediction){predicted, probabilities[predicted]};
    }
}

static enum kl_status evaluate(struct kl_pool *pool, const struct kl_network *network,
                               const struct kl_collection *data, uint32_t number,
                               enum kl_split split, struct kl_evaluation *out,
                               struct kl_prediction *predictions, struct kl_error *err)
{
    const struct kl_dataset *dataset = data->datasets[number];
    const struct kl_image_set *set = &dataset->splits[split];
    size_t size = kl_dataset_image_size(dataset);
    struct kl_evaluation evaluation = {0};
    struct kl_activations *activations = NULL;
    enum kl_status status =
        kl_activations_create(&network->shape, EVALUATION_ROWS, &activations, err);

    if (status)
        return status;
    activations->pool = pool;
    for (uint32_t first = 0; first < set->count; first += EVALUATION_ROWS) {
        uint32_t n = set->count - first < EVALUATION_ROWS ? set->count - first : EVALUATION_ROWS;

        for (uint32_t i = 0; i < n; i++)
            kl_dataset_standardise(dataset, set->pixels + (first + i) * size,
                                   activations->keys[0] + i * size);
        forward(network, n, activations);
        judge(activations, set, kl_collection_first_output(data, number), first, n, &evaluation,
              predictions);
    }
    if (set->count) {
        evaluation.accuracy = (double)evaluation.correct / set->count;
        evaluation.loss /= set->count;
    }
    kl_activations_free(activations);
    *out = evaluation;
    return KL_OK;
}

static enum kl_status read_subject(const struct kl_network *network,
                                   const struct kl_collection *data,
                                   const struct kl_subject *subject,
                                   struct kl_activations *activations, struct kl_error *err)
{
    (void)err;
    kl_dataset_standardise(data->datasets[subject->dataset], subject->pixels, activations->keys[0]);
    forward(network, 1, activations);
    return KL_OK;
}

static uint32_t first_removable(const struct kl_shape *shape)
{
    (void)shape;
    return 0;
}

const struct kl_model kl_mlp = {
    .name = "mlp",
    .kind = KL_DATA_IMAGES,
    .layer_name = "hidden",
    .reads_samples = 1,
    .has_predictions = 1,
    .shape = make_shape,
    .fits = fits,
    .initialise = initialise,
    .trainer_create = trainer_create,
    .step = step,
    .curve = curve,
    .trainer_free = trainer_free,
    .evaluate = evaluate,
    .read = read_subject,
    .back = back,
    .forward = forward,
    .first_removable = first_removable,
};
