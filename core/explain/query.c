#include "core/explain/query.h"

#include "core/explain/history.h"

/* Refuses what takes contributions where there are none. */
static enum kl_status check_contributions(const struct kl_history *history,
                                          const struct kl_query *query, struct kl_error *err)
{
    if (query->rank->needs_dual && !history->has_dual)
        return kl_fail_on(err, KL_ERR_USAGE, "rank",
                          "%s, so there is attention without contributions: rank by abs, positive, "
                          "negative or cosine, or %s",
                          kl_history_why_not(history), kl_history_what_helps(history));
    if (query->rank->needs_dual && query->rank->uses_layer && !history->errors[query->layer - 1])
        return kl_fail_on(err, KL_ERR_USAGE, "layer",
                          "the error signals of layer %u are not recorded, so there are no "
                          "contributions: %sask for another layer",
                          query->layer, history->queries ? "" : "train with gate_errors, or ");
    if (query->removal && !history->has_dual)
        return kl_fail_on(err, KL_ERR_USAGE, "remove",
                          "nothing can be taken out of this run, because %s: %s",
                          kl_history_why_not(history), kl_history_what_helps(history));
    return KL_OK;
}

enum kl_status kl_query_check(const struct kl_history *history, const struct kl_query *query,
                              struct kl_error *err)
{
    uint32_t n_layers = history->final->shape.n_layers,
             n_logits = kl_shape_n_outputs(&history->final->shape);

    if (query->layer < 1 || query->layer > n_layers)
        return kl_fail_on(err, KL_ERR_USAGE, "layer", "layer is 1 to %u in this run", n_layers);
    if (query->top < 1 || query->top > KL_TOP_MAX)
        return kl_fail_on(err, KL_ERR_USAGE, "k", "the length of the spotlight is 1 to %d",
                          KL_TOP_MAX);
    if (query->logit != KL_ANY_CLASS && (query->logit < 0 || (uint32_t)query->logit >= n_logits))
        return kl_fail_on(err, KL_ERR_USAGE, "rank", "the logit is 0 to %u in this run",
                          n_logits - 1);
    if (query->only_class != KL_ANY_CLASS &&
        (query->only_class < 0 || (uint32_t)query->only_class >= history->n_classes))
        return kl_fail_on(err, KL_ERR_USAGE, "class", "the class is 0 to %u in this run",
                          history->n_classes - 1);
    if ((query->parts & KL_ANSWER_LEARNING) && history->queries)
        return kl_fail_on(
            err, KL_ERR_USAGE, "views",
            "how an answer was learned takes the network along the way, which only the "
            "framework that trained it can run");
    return check_contributions(history, query, err);
}
