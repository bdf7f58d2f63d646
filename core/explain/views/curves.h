/* The largest |a_t| of every group, side by side: Irie et al. 2022, figure 2 and its kin. */
#ifndef KL_CORE_EXPLAIN_VIEWS_CURVES_H
#define KL_CORE_EXPLAIN_VIEWS_CURVES_H

#include "core/explain/views/groups.h"

#define KL_CURVE_LENGTH 500 /* as the paper plots */

/* One pattern. */
struct kl_curve_point {
    uint32_t sample, step;
    double attention;
};

struct kl_curve {
    uint32_t n;
    struct kl_curve_point *points; /* (n) largest |a_t| first */
};

struct kl_curves {
    uint32_t n_groups;
    struct kl_curve *curves; /* (n_groups) */
};

/* attention: (n_patterns). The caller ends *curves with kl_curves_clear. Collective. Errors:
 * KL_ERR_MEMORY, KL_ERR_PEERS. */
enum kl_status kl_curves(const struct kl_history *history, const struct kl_groups *groups,
                         const float *attention, struct kl_curves *curves, struct kl_error *err);
void kl_curves_clear(struct kl_curves *curves);

#endif
