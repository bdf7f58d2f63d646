#include "core/explain/views/learning.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

struct job {
    const struct kl_history *history;
    const struct kl_subject *subject;
    struct kl_learning *learning;
};

/* One point: reads the network as it was and runs the query through it. */
static enum kl_status replay(void *argument, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct job *job = argument;
    const struct kl_history *history = job->history;
    const struct kl_network *then = task == 0 ? history->initial : history->final;
    struct kl_learning *learning = job->learning;
    struct kl_network *read = NULL;
    struct kl_activations *activations = NULL;
    enum kl_status status = KL_OK;

    if (task > 0 && task + 1 < learning->n_points) {
        status = kl_network_create(&history->final->shape, &read, err);
        if (!status)
            status = history->snapshots.read(history->snapshots.self, worker, task - 1, read, err);
        then = read;
    }
    if (status)
        goto out;
    status = kl_model_read(then, history->data, job->subject, &activations, err);
    if (status)
        goto out;
    memcpy(learning->logits + (size_t)task * learning->n_logits,
           activations->keys[history->final->shape.n_layers], learning->n_logits * sizeof(float));
out:
    kl_activations_free(activations);
    kl_network_free(read);
    return status;
}

static void find_turning_points(struct kl_learning *learning)
{
    uint32_t n = learning->n_logits, last = learning->n_points - 1;
    uint32_t answer = kl_argmax(learning->logits + (size_t)last * n, n), point;

    for (point = 0; kl_argmax(learning->logits + (size_t)point * n, n) != answer;)
        point++;
    learning->first_won = learning->steps[point];
    for (point = last; point > 0; point--)
        if (kl_argmax(learning->logits + (size_t)(point - 1) * n, n) != answer)
            break;
    learning->last_changed = learning->steps[point];
}

enum kl_status kl_learn(struct kl_pool *pool, const struct kl_history *history,
                        const struct kl_subject *subject, struct kl_learning *out,
                        struct kl_error *err)
{
    uint32_t n_snapshots = history->snapshots.n;
    struct kl_learning learning = {.n_points = n_snapshots + 2,
                                   .n_logits = kl_shape_n_outputs(&history->final->shape)};
    struct job job = {history, subject, &learning};
    enum kl_status status =
        kl_alloc(&learning.steps, learning.n_points, sizeof(uint32_t), "the points", err);

    if (!status)
        status = kl_alloc(&learning.logits, (size_t)learning.n_points * learning.n_logits,
                          sizeof(float), "the points", err);
    if (!status) {
        memcpy(learning.steps + 1, history->snapshots.steps, n_snapshots * sizeof(uint32_t));
        learning.steps[n_snapshots + 1] = history->n_steps;
        status = kl_pool_run(pool, replay, &job, learning.n_points, err);
    }
    if (status) {
        kl_learning_clear(&learning);
        return status;
    }
    find_turning_points(&learning);
    *out = learning;
    return KL_OK;
}

void kl_learning_clear(struct kl_learning *learning)
{
    free(learning->steps);
    free(learning->logits);
    memset(learning, 0, sizeof *learning);
}
