#include "core/explain/views/curves.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/peers/merging.h"

/* Sorted lists of patterns, by their numbers, become points, each told by who has it. */
static enum kl_status tell_points(const struct kl_history *history, const struct kl_top *tops,
                                  const float *attention, struct kl_curves *curves,
                                  struct kl_error *err)
{
    size_t n = (size_t)curves->n_groups * KL_CURVE_LENGTH;
    double *told = NULL; /* (n_groups, KL_CURVE_LENGTH, 2) sample, attention */
    uint64_t t;
    enum kl_status status = kl_alloc(&told, 2 * n, sizeof *told, "the curves", err);

    for (uint32_t c = 0; !status && c < curves->n_groups; c++)
        for (uint32_t i = 0; i < tops[c].n; i++)
            if (kl_history_find(history, tops[c].items[i].index, &t)) {
                double *two = told + 2 * ((size_t)c * KL_CURVE_LENGTH + i);

                two[0] = history->samples[t];
                two[1] = (double)attention[t];
            }
    if (!status)
        status = kl_peers_sum(history->peers, told, 2 * n, err);
    for (uint32_t c = 0; !status && c < curves->n_groups; c++) {
        struct kl_curve *curve = &curves->curves[c];

        curve->n = tops[c].n;
        status = kl_alloc(&curve->points, curve->n, sizeof *curve->points, "the curves", err);
        for (uint32_t i = 0; !status && i < curve->n; i++) {
            const double *two = told + 2 * ((size_t)c * KL_CURVE_LENGTH + i);

            curve->points[i] = (struct kl_curve_point){
                (uint32_t)two[0], kl_history_step_of(history, tops[c].items[i].index), two[1]};
        }
    }
    free(told);
    return status;
}

enum kl_status kl_curves(const struct kl_history *history, const struct kl_groups *groups,
                         const float *attention, struct kl_curves *out, struct kl_error *err)
{
    struct kl_curves curves = {groups->n, NULL};
    struct kl_top *tops = NULL;
    enum kl_status status = kl_alloc(&tops, groups->n, sizeof *tops, "the curves", err);

    if (!status)
        status = kl_alloc(&curves.curves, groups->n, sizeof *curves.curves, "the curves", err);
    for (uint32_t c = 0; !status && c < groups->n; c++) {
        tops[c].capacity = KL_CURVE_LENGTH;
        status =
            kl_alloc(&tops[c].items, KL_CURVE_LENGTH, sizeof *tops[c].items, "the curves", err);
    }
    for (uint64_t t = 0; !status && t < history->n_patterns; t++) {
        struct kl_top *top = &tops[groups->of_class[history->classes[history->samples[t]]]];
        double size = fabsf(attention[t]);

        if (top->n < top->capacity || size > top->items[0].score)
            kl_top_offer(top, size, kl_history_number(history, t));
    }
    if (!status)
        status = kl_peers_merge_tops(history->peers, tops, groups->n, err);
    for (uint32_t c = 0; !status && c < groups->n; c++)
        kl_top_sort(&tops[c]);
    if (!status)
        status = tell_points(history, tops, attention, &curves, err);
    for (uint32_t c = 0; tops && c < groups->n; c++)
        free(tops[c].items);
    free(tops);
    if (status)
        kl_curves_clear(&curves);
    else
        *out = curves;
    return status;
}

void kl_curves_clear(struct kl_curves *curves)
{
    for (uint32_t c = 0; curves->curves && c < curves->n_groups; c++)
        free(curves->curves[c].points);
    free(curves->curves);
    *curves = (struct kl_curves){0, NULL};
}
