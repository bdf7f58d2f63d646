#include "core/training/walk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/training/sample_gradient.h"
#include "core/training/task.h"

struct walk {
    struct kl_pool *pool;
    const struct kl_training *training;
    const struct kl_collection *data;
    const struct kl_model *model;
    const struct kl_optimiser *optimiser;
    const struct kl_work *work;
    const struct kl_walk_queries *queries;
    struct kl_task task;
    void *trainer;
    struct kl_training_state state; /* of the training that is run again */
    struct kl_network *gradient, *direction, *product;
    struct kl_adjoint *adjoints; /* (queries) */
    float *slopes;               /* (rows of a minibatch) */
    float *carried;              /* (numbers carried) of a step that is walked */
    uint32_t first, length;      /* steps before it are not walked; of a segment */
    uint32_t n_kept;             /* segments whose beginnings are kept */
    struct kl_training_state *kept;
    struct kl_training_state *along; /* (length) before each step of a segment; without moments,
                                        where the optimiser does not need them */
    uint32_t n_told;
    double damping;
    double rates; /* learning rates of all steps, */
    double later; /* and of those after the one that is walked */
    double *influences;
};

enum kl_status kl_walk_check(const struct kl_training *training, const struct kl_collection *data,
                             struct kl_error *err)
{
    const struct kl_model *model = kl_training_model(training);

    if (kl_collection_kind(data) == KL_DATA_DESCRIBED || !model->curve)
        return kl_fail(err, KL_ERR_USAGE, "only what keylight trained can be walked back");
    return KL_OK;
}

uint32_t kl_walk_first(const struct kl_training *training, const struct kl_parts *parts)
{
    uint32_t n = (uint32_t)((uint64_t)training->n_steps * parts->last / parts->of);

    return training->n_steps - (n ? n : 1) + 1;
}

static enum kl_status tell(struct walk *walk, struct kl_error *err)
{
    uint32_t n_steps = walk->training->n_steps;

    if (kl_work_tell(walk->work, ++walk->n_told, n_steps + 2 * (n_steps - walk->first)))
        return kl_fail(err, KL_ERR_INTERRUPTED, "the walk was interrupted");
    return KL_OK;
}

/* The gradient of a step, of weights before it, and its rule; carried is moved along. */
static enum kl_status find_gradient(struct walk *walk, uint32_t step,
                                    const struct kl_network *weights, float *carried,
                                    struct kl_minibatch *minibatch, const uint32_t **samples,
                                    struct kl_step_rule *rule, struct kl_error *err)
{
    struct kl_step_result result = {0};
    enum kl_status status;

    walk->task.load(walk->task.self, step, minibatch, samples);
    status =
        walk->model->step(walk->trainer, weights, minibatch, carried, walk->gradient, &result, err);
    if (!status && !isfinite(result.loss))
        return kl_fail(err, KL_ERR_DIVERGED, "the training diverged at step %u", step);
    *rule = kl_training_rule(walk->training, step);
    rule->clip_factor = kl_clip_factor(walk->pool, walk->gradient, walk->training->clip_norm);
    return status;
}

static void copy_state(const struct kl_training_state *from, struct kl_training_state *to)
{
    size_t n_bytes = from->network->n_parameters * sizeof(float);

    to->steps_done = from->steps_done;
    memcpy(to->network->parameters, from->network->parameters, n_bytes);
    if (to->n_carried)
        memcpy(to->carried, from->carried, to->n_carried * sizeof(float));
    for (uint32_t i = 0; i < KL_MOMENTS_MAX && to->moments[i]; i++)
        memcpy(to->moments[i]->parameters, from->moments[i]->parameters, n_bytes);
}

/* Steps of the training up to last; kept says where the state before each of them goes, or NULL. */
static enum kl_status run_to(struct walk *walk, uint32_t last, struct kl_training_state *kept,
                             struct kl_error *err)
{
    enum kl_status status = KL_OK;

    while (!status && walk->state.steps_done < last) {
        uint32_t step = walk->state.steps_done + 1;
        struct kl_minibatch minibatch;
        struct kl_step_rule rule;
        const uint32_t *samples;

        if (kept)
            copy_state(&walk->state, kept++);
        status = find_gradient(walk, step, walk->state.network, walk->state.carried, &minibatch,
                               &samples, &rule, err);
        if (status)
            return status;
        kl_optimiser_update(walk->pool, walk->optimiser, &rule, step, walk->gradient,
                            walk->state.moments, walk->state.network);
        walk->state.steps_done = step;
        status = tell(walk, err);
    }
    return status;
}

/* Runs the training again, and keeps where every segment begins. */
static enum kl_status go_forward(struct walk *walk, struct kl_error *err)
{
    enum kl_status status = run_to(walk, walk->first, NULL, err);

    for (uint32_t k = 0; !status && k < walk->n_kept; k++) {
        uint32_t end = walk->first + (k + 1) * walk->length;

        status = kl_training_start(walk->training, &walk->kept[k], err);
        if (status)
            return status;
        copy_state(&walk->state, &walk->kept[k]);
        status =
            run_to(walk, end < walk->training->n_steps ? end : walk->training->n_steps, NULL, err);
    }
    return status;
}

/* Begins with the gradient of every query's loss by the final weights. */
static enum kl_status begin_adjoints(struct walk *walk, struct kl_error *err)
{
    const struct kl_shape *shape = &walk->training->shape;
    enum kl_status status = KL_OK;

    for (uint32_t q = 0; !status && q < walk->queries->n; q++) {
        struct kl_adjoint *adjoint = &walk->adjoints[q];

        status = kl_network_create(shape, &adjoint->network, err);
        for (uint32_t i = 0; !status && i < walk->optimiser->n_moments; i++)
            status = kl_network_create(shape, &adjoint->moments[i], err);
        if (!status)
            status = kl_sample_gradient(walk->state.network, walk->data, walk->queries->samples[q],
                                        walk->queries->targets[q], adjoint->network, err);
    }
    return status;
}

static double dot(const struct kl_network *a, const struct kl_network *b)
{
    double sum = 0;

    for (size_t i = 0; i < a->n_parameters; i++)
        sum += (double)a->parameters[i] * (double)b->parameters[i];
    return sum;
}

/* direction = the derivative of the clipped gradient, transposed, times direction. */
static void clip_direction(const struct walk *walk, const struct kl_step_rule *rule)
{
    double norm, share;

    if (rule->clip_factor >= 1)
        return;
    norm = sqrt(dot(walk->gradient, walk->gradient));
    share = norm > 0 ? dot(walk->gradient, walk->direction) / (norm * (norm + 1e-6)) : 0;
    for (size_t i = 0; i < walk->direction->n_parameters; i++)
        walk->direction->parameters[i] =
            (float)(rule->clip_factor * ((double)walk->direction->parameters[i] -
                                         share * (double)walk->gradient->parameters[i]));
}

/* One query over one step, from the state before it, whose minibatch the trainer holds. */
static enum kl_status walk_query(struct walk *walk, uint32_t step, const struct kl_step_rule *rule,
                                 const struct kl_training_state *before,
                                 const struct kl_minibatch *minibatch, uint32_t q,
                                 struct kl_error *err)
{
    const struct kl_adjoint *adjoint = &walk->adjoints[q];
    float *a = adjoint->network->parameters;
    enum kl_status status;

    walk->optimiser->reverse(rule, step, walk->gradient, before->moments, before->network, adjoint,
                             walk->direction);
    clip_direction(walk, rule);
    status = walk->model->curve(walk->trainer, before->network, minibatch, walk->direction,
                                walk->product, walk->slopes, err);
    for (size_t i = 0; !status && i < walk->product->n_parameters; i++)
        a[i] += walk->product->parameters[i];
    return status;
}

static enum kl_status walk_step(struct walk *walk, uint32_t step,
                                const struct kl_training_state *before, struct kl_error *err)
{
    uint32_t n_samples = kl_collection_size(walk->data);
    double weight = walk->rates > 0 ? exp(-walk->damping * walk->later / walk->rates) : 1;
    struct kl_minibatch minibatch;
    struct kl_step_rule rule;
    const uint32_t *samples;
    enum kl_status status;

    if (before->n_carried)
        memcpy(walk->carried, before->carried, before->n_carried * sizeof(float));
    status =
        find_gradient(walk, step, before->network, walk->carried, &minibatch, &samples, &rule, err);

    for (uint32_t q = 0; !status && q < walk->queries->n; q++) {
        double *row = walk->influences + (size_t)q * n_samples;

        status = walk_query(walk, step, &rule, before, &minibatch, q, err);
        for (uint32_t i = 0; !status && i < minibatch.n; i++) {
            if (!isfinite(walk->slopes[i]))
                return kl_fail(err, KL_ERR_DIVERGED,
                               "the training is too unstable to be walked back further than to "
                               "step %u of %u: there derivatives are no longer numbers",
                               step + 1, walk->training->n_steps);
            row[samples[i]] -= weight * (double)walk->slopes[i];
        }
    }
    walk->later += kl_training_learning_rate(walk->training, step);
    return status ? status : tell(walk, err);
}

/* Segment after segment from the end: its weights are found again, then it is walked. */
static enum kl_status go_back(struct walk *walk, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    for (uint32_t k = walk->n_kept; !status && k-- > 0;) {
        uint32_t begin = walk->first + k * walk->length, n = walk->length;

        if (begin + n > walk->training->n_steps)
            n = walk->training->n_steps - begin;
        copy_state(&walk->kept[k], &walk->state);
        status = run_to(walk, begin + n, walk->along, err);
        for (uint32_t i = n; !status && i-- > 0;)
            status = walk_step(walk, begin + i + 1, &walk->along[i], err);
    }
    return status;
}

static enum kl_status prepare(struct walk *walk, const struct kl_network *initial,
                              struct kl_error *err)
{
    const struct kl_training *training = walk->training;
    uint32_t n = training->n_steps - walk->first;
    int is_text = kl_collection_kind(walk->data) == KL_DATA_TEXT;
    struct kl_trainer_settings settings = {.shape = training->shape,
                                           .streams = training->batch_size,
                                           .unroll = is_text ? training->unroll : 1,
                                           .pool = walk->pool,
                                           .seed = training->seed,
                                           .dropout = training->dropout};
    enum kl_status status = is_text ? kl_text_task(training, walk->data, &walk->task, err)
                                    : kl_sample_task(training, walk->data, &walk->task, err);

    walk->length = (uint32_t)ceil(sqrt(n));
    walk->n_kept = (n + walk->length - 1) / walk->length;
    if (!status)
        status = walk->model->trainer_create(&settings, &walk->trainer, err);
    if (!status)
        status = kl_training_start(training, &walk->state, err);
    if (!status)
        memcpy(walk->state.network->parameters, initial->parameters,
               initial->n_parameters * sizeof(float));
    if (!status)
        status = kl_network_create(&training->shape, &walk->gradient, err);
    if (!status)
        status = kl_network_create(&training->shape, &walk->direction, err);
    if (!status)
        status = kl_network_create(&training->shape, &walk->product, err);
    if (!status)
        status =
            kl_alloc(&walk->slopes, kl_training_patterns(training), sizeof(float), "the walk", err);
    if (!status)
        status = kl_alloc(&walk->carried, walk->state.n_carried, sizeof(float), "the walk", err);
    if (!status)
        status =
            kl_alloc(&walk->adjoints, walk->queries->n, sizeof *walk->adjoints, "the walk", err);
    if (!status)
        status = kl_alloc(&walk->kept, walk->n_kept, sizeof *walk->kept, "the walk", err);
    if (!status)
        status = kl_alloc(&walk->along, walk->length, sizeof *walk->along, "the walk", err);
    for (uint32_t i = 0; !status && i < walk->length; i++)
        status = walk->optimiser->reverses_by_values || walk->state.n_carried
                     ? kl_training_state_create(training, &walk->along[i], err)
                     : kl_network_create(&training->shape, &walk->along[i].network, err);
    return status;
}

static void end(struct walk *walk)
{
    for (uint32_t q = 0; walk->adjoints && q < walk->queries->n; q++) {
        kl_network_free(walk->adjoints[q].network);
        for (uint32_t i = 0; i < KL_MOMENTS_MAX; i++)
            kl_network_free(walk->adjoints[q].moments[i]);
    }
    for (uint32_t k = 0; walk->kept && k < walk->n_kept; k++)
        kl_training_state_clear(&walk->kept[k]);
    for (uint32_t i = 0; walk->along && i < walk->length; i++)
        kl_training_state_clear(&walk->along[i]);
    kl_training_state_clear(&walk->state);
    kl_network_free(walk->gradient);
    kl_network_free(walk->direction);
    kl_network_free(walk->product);
    free(walk->adjoints);
    free(walk->kept);
    free(walk->along);
    free(walk->slopes);
    free(walk->carried);
    if (walk->trainer)
        walk->model->trainer_free(walk->trainer);
    if (walk->task.free)
        walk->task.free(walk->task.self);
}

enum kl_status kl_walk_back(struct kl_pool *pool, const struct kl_training *training,
                            const struct kl_collection *data, const struct kl_network *initial,
                            const struct kl_walk_queries *queries,
                            const struct kl_walk_extent *extent, const struct kl_work *work,
                            double *influences, struct kl_error *err)
{
    struct walk walk = {.pool = pool,
                        .training = training,
                        .data = data,
                        .model = kl_training_model(training),
                        .optimiser = kl_training_optimiser(training),
                        .work = work,
                        .queries = queries,
                        .first = kl_walk_first(training, &extent->parts) - 1,
                        .damping = extent->damping,
                        .influences = influences};
    enum kl_status status = kl_walk_check(training, data, err);

    if (status)
        return status;
    memset(influences, 0, (size_t)queries->n * kl_collection_size(data) * sizeof *influences);
    for (uint32_t step = 1; step <= training->n_steps; step++)
        walk.rates += kl_training_learning_rate(training, step);
    status = prepare(&walk, initial, err);
    if (!status)
        status = go_forward(&walk, err);
    if (!status)
        status = begin_adjoints(&walk, err);
    if (!status)
        status = go_back(&walk, err);
    end(&walk);
    return status;
}
