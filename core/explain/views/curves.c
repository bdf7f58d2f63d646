#include "core/explain/views/curves.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"

enum kl_status kl_curves(const struct kl_history *history, const struct kl_groups *groups,
                         const float *attention, struct kl_curves *out, struct kl_error *err)
{
    struct kl_curves curves = {groups->n, NULL};
    enum kl_status status =
        kl_alloc(&curves.tops, curves.n_groups, sizeof *curves.tops, "the curves", err);

    for (uint32_t c = 0; !status && c < curves.n_groups; c++) {
        curves.tops[c].capacity = KL_CURVE_LENGTH;
        status = kl_alloc(&curves.tops[c].items, KL_CURVE_LENGTH, sizeof *curves.tops[c].items,
                          "the curves", err);
    }
    if (status) {
        kl_curves_clear(&curves);
        return status;
    }
    for (uint64_t t = 0; t < history->n_patterns; t++) {
        struct kl_top *top = &curves.tops[groups->of_class[history->classes[history->samples[t]]]];
        double size = fabsf(attention[t]);

        if (top->n < top->capacity || size > top->items[0].score)
            kl_top_offer(top, size, t);
    }
    for (uint32_t c = 0; c < curves.n_groups; c++)
        kl_top_sort(&curves.tops[c]);
    *out = curves;
    return KL_OK;
}

void kl_curves_clear(struct kl_curves *curves)
{
    for (uint32_t c = 0; curves->tops && c < curves->n_groups; c++)
        free(curves->tops[c].items);
    free(curves->tops);
    curves->tops = NULL;
}
