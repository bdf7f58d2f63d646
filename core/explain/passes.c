#include "core/explain/passes.h"

enum kl_status kl_pass_forward(const struct kl_history *history, const struct kl_subject *subject,
                               struct kl_activations **out, struct kl_error *err)
{
    const struct kl_queries *queries = history->queries;
    struct kl_activations *activations = NULL;
    enum kl_status status;

    if (!queries)
        return kl_model_read(history->final, history->data, subject, out, err);
    if (!subject->stored)
        return kl_fail_on(err, KL_ERR_USAGE, "sample",
                          "this network was recorded: only the framework that trained it can run "
                          "it, so that only its recorded test samples can be asked about");
    status = kl_activations_create(&history->final->shape, 1, &activations, err);
    if (!status)
        status = queries->read(queries->self, subject->stored - 1, activations, err);
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
    const struct kl_queries *queries = history->queries;
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
