#include "core/retraining/retrained.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/explain/ranks.h"

static int tell_step(void *self, uint32_t step, double loss)
{
    const struct kl_told_steps *told = self;

    (void)loss;
    return kl_work_tell(told->work, told->offset + step, told->total);
}

struct kl_progress kl_tell_steps(struct kl_told_steps *told)
{
    return (struct kl_progress){.step = tell_step, .self = told};
}

static enum kl_status say(const struct kl_network *network, const struct kl_collection *data,
                          const struct kl_subject *subject, uint32_t target, struct kl_said *said,
                          struct kl_error *err)
{
    uint32_t n_outputs = kl_shape_n_outputs(&network->shape);
    struct kl_activations *activations = NULL;
    enum kl_status status = kl_alloc(&said->logits, n_outputs, sizeof(float), "logits", err);

    if (!status)
        status = kl_alloc(&said->probabilities, n_outputs, sizeof(float), "logits", err);
    if (!status)
        status = kl_model_read(network, data, subject, &activations, err);
    if (!status) {
        memcpy(said->logits, activations->keys[network->shape.n_layers],
               n_outputs * sizeof *said->logits);
        kl_softmax(said->logits, n_outputs, said->probabilities);
        said->loss = kl_cross_entropy(said->logits, 1, n_outputs, &target, NULL);
    }
    kl_activations_free(activations);
    return status;
}

/* Over the test splits of all data sets. */
static enum kl_status evaluate(struct kl_pool *pool, const struct kl_network *network,
                               const struct kl_collection *data, struct kl_said *said,
                               struct kl_error *err)
{
    double right = 0, loss = 0, n = 0;
    enum kl_status status = KL_OK;

    for (uint32_t d = 0; !status && d < data->n_datasets; d++) {
        struct kl_evaluation evaluation = {0};
        double count = data->datasets[d]->splits[KL_SPLIT_TEST].count;

        if (count < 1)
            continue;
        status = network->shape.model->evaluate(pool, network, data, d, KL_SPLIT_TEST, &evaluation,
                                                NULL, err);
        right += evaluation.correct;
        loss += count * evaluation.loss;
        n += count;
    }
    said->accuracy = n > 0 ? right / n : NAN;
    said->test_loss = n > 0 ? loss / n : NAN;
    return status;
}

static enum kl_status judge(struct kl_pool *pool, const struct kl_network *network,
                            const struct kl_history *history, const struct kl_inquiry *inquiry,
                            uint32_t target, struct kl_said *said, struct kl_error *err)
{
    enum kl_status status = evaluate(pool, network, history->data, said, err);

    said->loss = NAN;
    if (!status && inquiry)
        status = say(network, history->data, kl_inquiry_subject(inquiry), target, said, err);
    return status;
}

/* What a score foretold: its sum over all that is left out. */
static enum kl_status foretell(const struct kl_history *history, struct kl_inquiry *inquiry,
                               const struct kl_retraining *retraining, const char *rank,
                               double *sum, struct kl_error *err)
{
    const float *scores = NULL;
    enum kl_status status;

    *sum = NAN;
    if (!inquiry || !history->has_dual)
        return KL_OK;
    status = kl_inquiry_scores(inquiry, kl_rank_find(rank), history->final->shape.n_layers - 1,
                               retraining->target, retraining->target, &scores, err);
    *sum = 0;
    for (uint64_t t = 0; !status && t < history->n_patterns; t++)
        *sum += retraining->without[history->samples[t]] ? (double)scores[t] : 0;
    return status ? status : kl_peers_sum(history->peers, sum, 1, err);
}

static enum kl_status train_again(struct kl_pool *pool, const struct kl_training *training,
                                  const struct kl_history *history,
                                  const struct kl_retraining *retraining,
                                  const struct kl_work *work, struct kl_network **network,
                                  struct kl_error *err)
{
    struct kl_training again = *training;
    struct kl_told_steps told = {.work = work, .total = training->n_steps};
    const struct kl_progress progress = kl_tell_steps(&told);

    if (retraining->has_seed)
        again.seed = retraining->seed;
    return kl_retrain(pool, &again, history->data, retraining->has_seed ? NULL : history->initial,
                      retraining->without, &progress, network, err);
}

enum kl_status kl_retrain_without(struct kl_pool *pool, const struct kl_training *training,
                                  const struct kl_history *history, struct kl_inquiry *inquiry,
                                  const struct kl_retraining *retraining,
                                  const struct kl_work *work, struct kl_retrained *retrained,
                                  struct kl_error *err)
{
    struct kl_network *network = NULL;
    double started;
    enum kl_status status;

    *retrained = (struct kl_retrained){.n_outputs = kl_shape_n_outputs(&training->shape)};
    for (uint32_t id = 0; id < kl_collection_size(history->data); id++)
        retrained->n_without += retraining->without[id];
    status = foretell(history, inquiry, retraining, "influence", &retrained->influence, err);
    if (!status)
        status = foretell(history, inquiry, retraining, "proponents", &retrained->proponents, err);
    if (!status)
        status = judge(pool, history->final, history, inquiry, retraining->target,
                       &retrained->before, err);
    if (kl_peers_own(history->peers) > 0)
        return status; /* process 0 trains: more would train the same */
    started = kl_now_ms();
    if (!status)
        status = train_again(pool, training, history, retraining, work, &network, err);
    retrained->seconds = (kl_now_ms() - started) / 1e3;
    if (!status)
        status = judge(pool, network, history, inquiry, retraining->target, &retrained->after, err);
    kl_network_free(network);
    return status;
}

void kl_retrained_clear(struct kl_retrained *retrained)
{
    free(retrained->before.logits);
    free(retrained->before.probabilities);
    free(retrained->after.logits);
    free(retrained->after.probabilities);
    *retrained = (struct kl_retrained){0};
}
