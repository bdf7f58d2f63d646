#include "core/explain/strips.h"

#include <math.h>
#include <string.h>

#include "core/explain/ranks.h"

static const struct {
    const char *name, *rank;
} kinds[KL_N_STRIPS] = {[KL_STRIP_LOOKS] = {"looks", "abs"},
                        [KL_STRIP_FOR] = {"for", "logit"},
                        [KL_STRIP_AGAINST] = {"against", "against"},
                        [KL_STRIP_LABEL] = {"label", "logit"}};

const char *kl_strip_name(enum kl_strip_kind kind)
{
    return kinds[kind].name;
}

const struct kl_rank *kl_strip_rank(enum kl_strip_kind kind)
{
    return kl_rank_find(kinds[kind].rank);
}

/* Whether a sample argues as its strip says. */
static int belongs(enum kl_strip_kind kind, const struct kl_hit *hit)
{
    switch (kind) {
    case KL_STRIP_LOOKS:
        return 1;
    case KL_STRIP_AGAINST:
        return hit->contribution < 0;
    default:
        return hit->contribution > 0;
    }
}

static enum kl_status find(struct kl_inquiry *inquiry, struct kl_strip *strip,
                           const double *correction, struct kl_error *err)
{
    const struct kl_history *history = kl_inquiry_history(inquiry);
    struct kl_query query = {.subject = *kl_inquiry_subject(inquiry),
                             .target = KL_ANY_CLASS,
                             .layer = history->final->shape.n_layers,
                             .rank = kl_strip_rank(strip->kind),
                             .logit = (int)strip->output,
                             .by_sample = 1,
                             .only_class = KL_ANY_CLASS,
                             .top = KL_STRIP_LENGTH,
                             .parts = KL_ANSWER_SPOTLIGHT};
    struct kl_answer answer;
    enum kl_status status = kl_attend_to(inquiry, &query, &answer, err);

    if (status)
        return status;
    strip->n_samples = answer.scores.count;
    strip->sum = history->has_dual ? 0 : NAN;
    strip->correction = history->has_dual ? correction[strip->output] : NAN;
    for (uint32_t i = 0; i < answer.n_hits; i++) {
        if (!belongs(strip->kind, &answer.spotlight[i]))
            break; /* and so do all that follow */
        strip->hits[strip->n++] = answer.spotlight[i];
        strip->sum += answer.spotlight[i].contribution;
    }
    kl_answer_clear(&answer);
    return KL_OK;
}

enum kl_status kl_strips_find(struct kl_inquiry *inquiry, int target, struct kl_strips *strips,
                              struct kl_error *err)
{
    const struct kl_history *history = kl_inquiry_history(inquiry);
    struct kl_query query = {.subject = *kl_inquiry_subject(inquiry),
                             .target = target,
                             .layer = history->final->shape.n_layers,
                             .rank = kl_rank_at(0),
                             .logit = KL_ANY_CLASS,
                             .only_class = KL_ANY_CLASS,
                             .top = 1,
                             .parts = KL_ANSWER_LOGITS};
    struct kl_answer answer;
    enum kl_status status = kl_attend_to(inquiry, &query, &answer, err);

    memset(strips, 0, sizeof *strips);
    if (status)
        return status;
    for (int kind = 0; !status && kind < KL_N_STRIPS; kind++) {
        struct kl_strip *strip = &strips->strips[strips->n];

        if ((kind != KL_STRIP_LOOKS && !history->has_dual) ||
            (kind == KL_STRIP_LABEL && answer.target == answer.predicted))
            continue;
        strip->kind = (enum kl_strip_kind)kind;
        strip->output = kind == KL_STRIP_LABEL ? answer.target : answer.predicted;
        status = find(inquiry, strip, answer.correction, err);
        strips->n++;
    }
    kl_answer_clear(&answer);
    return status;
}
