#include "core/explain/places/heat.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/explain/dual/dual.h"
#include "core/explain/places/places.h"

/* grown (outputs, inputs + 1): what training added. */
static enum kl_status find_grown(const struct kl_inquiry *inquiry, uint32_t layer, float *grown,
                                 struct kl_error *err)
{
    const struct kl_network *final = kl_inquiry_history(inquiry)->final;
    size_t inputs = final->shape.inputs[layer], outputs = final->shape.outputs[layer];
    double *left = NULL;
    enum kl_status status =
        kl_alloc(&left, outputs * (inputs + 1), sizeof *left, "a layer's weights", err);

    if (!status)
        status = kl_left(kl_inquiry_pool(inquiry), kl_inquiry_history(inquiry), layer, left, err);
    for (size_t k = 0; !status && k < outputs * (inputs + 1); k++) {
        size_t j = k / (inputs + 1), i = k % (inputs + 1);
        double now =
            (double)(i < inputs ? final->weights[layer][j * inputs + i] : final->biases[layer][j]);

        grown[k] = (float)(now - left[k]);
    }
    free(left);
    return status;
}

enum kl_status kl_place_heat_find(struct kl_inquiry *inquiry, uint32_t layer, uint32_t logit,
                                  struct kl_place_heat *out, struct kl_error *err)
{
    const struct kl_history *history = kl_inquiry_history(inquiry);
    const struct kl_places *places = kl_inquiry_places(inquiry, layer);
    size_t inputs = history->final->shape.inputs[layer];
    size_t outputs = history->final->shape.outputs[layer];
    struct kl_place_heat heat = {.n = places ? places->n : 0};
    float *grown = NULL, *gradients = NULL, *made = NULL;
    enum kl_status status;

    *out = heat;
    if (!places || !history->errors[layer])
        return KL_OK;
    status = kl_alloc(&grown, outputs * (inputs + 1), sizeof(float), "a layer's weights", err);
    if (!status)
        status = kl_alloc(&gradients, heat.n * outputs, sizeof(float), "gradients", err);
    if (!status)
        status = kl_alloc(&made, heat.n * outputs, sizeof(float), "a layer's outputs", err);
    if (!status)
        status = kl_alloc(&heat.contributions, heat.n, sizeof(double), "contributions", err);
    if (!status)
        status = find_grown(inquiry, layer, grown, err);
    if (!status)
        status = kl_inquiry_place_gradients(inquiry, logit, layer, gradients, err);
    if (!status)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)heat.n, (int)outputs, (int)inputs,
                    1, places->keys, (int)inputs, grown, (int)inputs + 1, 0, made, (int)outputs);
    for (size_t k = 0; !status && k < heat.n * outputs; k++)
        heat.contributions[k / outputs] +=
            (double)gradients[k] *
            ((double)made[k] + (double)grown[k % outputs * (inputs + 1) + inputs]);
    free(grown);
    free(gradients);
    free(made);
    if (status)
        kl_place_heat_clear(&heat);
    else
        *out = heat;
    return status;
}

void kl_place_heat_clear(struct kl_place_heat *heat)
{
    free(heat->contributions);
    *heat = (struct kl_place_heat){0};
}

struct job {
    struct kl_inquiry *inquiry;
    uint32_t layer, n, *places;
    const uint64_t *showings;
};

/* The pool's only task, so that it may read as a worker. */
static enum kl_status find_most(void *argument, unsigned worker, unsigned task,
                                struct kl_error *err)
{
    const struct job *job = argument;
    const struct kl_history *history = kl_inquiry_history(job->inquiry);
    const float *x = kl_inquiry_places(job->inquiry, job->layer)->attended;
    int inputs = (int)history->final->shape.inputs[job->layer];
    uint32_t n_places = kl_shape_places(&history->final->shape, job->layer);
    float *keys = NULL;
    enum kl_status status =
        kl_alloc(&keys, (size_t)n_places * (size_t)inputs, sizeof *keys, "keys", err);

    (void)task;
    for (uint32_t i = 0; !status && i < job->n; i++) {
        float most = -1;

        status = kl_read_keys(history, history->keys[job->layer], job->layer, worker,
                              job->showings[i], 1, keys, err);
        for (uint32_t p = 0; !status && p < n_places; p++) {
            float size = fabsf(cblas_sdot(inputs, keys + (size_t)p * (size_t)inputs, 1, x, 1));

            if (size > most) {
                most = size;
                job->places[i] = p;
            }
        }
    }
    free(keys);
    return status;
}

enum kl_status kl_most_attended_places(struct kl_inquiry *inquiry, uint32_t layer,
                                       const uint64_t *showings, uint32_t n, uint32_t *places,
                                       struct kl_error *err)
{
    struct job job = {inquiry, layer, n, places, showings};

    return kl_pool_run(kl_inquiry_pool(inquiry), find_most, &job, 1, err);
}
