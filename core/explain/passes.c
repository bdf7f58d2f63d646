#include "core/explain/passes.h"

#include <string.h>

#include "core/base/memory.h"
#include "core/explain/places/places.h"

/* Which of a layer's places attention is of: the one that is asked about, of texts otherwise the
 * last, whose token is asked about. */
static uint32_t attended_place(const struct kl_history *history, const struct kl_subject *subject,
                               const struct kl_activations *activations, uint32_t layer)
{
    uint32_t n = activations->places[layer]->n;

    if (subject->place && subject->place_layer == layer + 1 && subject->place <= n)
        return subject->place - 1;
    return kl_history_is_text(history) && kl_shape_places(&history->final->shape, layer) == 1
               ? n - 1
               : KL_ALL_PLACES;
}

/* Who has what was recorded of a subject: who asks, or the file; NULL: the network is run here. */
static const struct kl_queries *queries_of(const struct kl_history *history,
                                           const struct kl_subject *subject)
{
    return history->queries && subject->recorded ? subject->recorded : history->queries;
}

enum kl_status kl_pass_forward(const struct kl_history *history, const struct kl_subject *subject,
                               struct kl_activations **out, struct kl_error *err)
{
    const struct kl_queries *queries = queries_of(history, subject);
    const struct kl_shape *final = &history->final->shape;
    struct kl_activations *activations = NULL;
    enum kl_status status;

    if (!queries)
        return kl_model_read(history->final, history->data, subject, out, err);
    if (!subject->stored && !subject->recorded)
        return kl_fail_on(
            err, KL_ERR_USAGE, "sample",
            "this network was recorded: only the framework that trained it can run "
            "it, so that only its recorded test samples can be asked about, or what a client "
            "of that framework recorded");
    status = kl_activations_create(final, 1, &activations, err);
    if (!status)
        status = queries->read(queries->self, subject->stored - 1, activations, err);
    for (uint32_t l = 0; !status && l < final->n_layers; l++)
        if (activations->places[l])
            kl_attend_to_place(l, attended_place(history, subject, activations, l), activations);
    if (status)
        kl_activations_free(activations);
    else
        *out = activations;
    return status;
}

enum kl_status kl_pass_back(const struct kl_history *history, const struct kl_subject *subject,
                            enum kl_gradient_of what, uint32_t output, uint32_t layer,
                            struct kl_activations *activations, struct kl_error *err)
{
    const struct kl_network *final = history->final;
    const struct kl_queries *queries = queries_of(history, subject);
    uint32_t last = final->shape.n_layers - 1;

    if (queries && layer < last)
        return queries->back(queries->self, subject->stored - 1, what == KL_GRADIENT_OF_LOGIT,
                             output, activations, err);
    if (what == KL_GRADIENT_OF_LOGIT)
        kl_model_back_logit(final, output, layer, activations);
    else if (queries)
        kl_cross_entropy(activations->keys[last + 1], 1, final->shape.outputs[last], &output,
                         activations->errors[last]);
    else
        kl_model_back_loss(final, output, activations);
    return KL_OK;
}

const float *kl_pass_weights(struct kl_activations *activations, int is_logit, uint32_t output)
{
    const struct kl_shape *shape = &activations->shape;
    uint32_t last = shape->n_layers - 1;

    for (uint32_t l = 0; l <= last; l++) {
        memset(activations->errors[l], 0, shape->outputs[l] * sizeof(float));
        if (activations->places[l])
            memset(activations->places[l]->errors, 0,
                   (size_t)activations->places[l]->n * shape->outputs[l] * sizeof(float));
    }
    if (is_logit)
        activations->errors[last][output] = 1;
    else
        kl_cross_entropy(activations->keys[last + 1], 1, shape->outputs[last], &output,
                         activations->errors[last]);
    return activations->errors[last];
}

/* Numbers of what kl_pass_gradients tells of a layer. */
static size_t gradient_size(const struct kl_activations *activations, uint32_t layer)
{
    const struct kl_shape *shape = &activations->shape;

    return shape->outputs[layer] *
           (activations->places[layer] ? (size_t)shape->inputs[layer] + 1 : 1);
}

enum kl_status kl_pass_gradients(const struct kl_history *history, const struct kl_subject *subject,
                                 enum kl_gradient_of what, uint32_t output, uint32_t layer,
                                 struct kl_activations *activations, float **block,
                                 const float *gradients[KL_LAYERS_MAX], struct kl_error *err)
{
    const struct kl_shape *shape = &history->final->shape;
    size_t n = 0;
    float *next;
    enum kl_status status;

    for (uint32_t l = layer; l < shape->n_layers; l++)
        n += gradient_size(activations, l);
    if (kl_alloc(block, n, sizeof(float), "gradients", err))
        return err->status;
    next = *block;
    status = kl_pass_back(history, subject, what, output, layer, activations, err);
    for (uint32_t l = layer; !status && l < shape->n_layers; l++) {
        if (activations->places[l])
            kl_places_matrix(activations, l, history->layers[l].bias > 0, next);
        else
            memcpy(next, activations->errors[l], shape->outputs[l] * sizeof(float));
        gradients[l] = next;
        next += gradient_size(activations, l);
    }
    return status;
}
