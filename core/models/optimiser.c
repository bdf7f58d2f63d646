#include "core/models/optimiser.h"

#include <math.h>

#include "core/models/adam.h"
#include "core/models/sgd.h"

#define LANES 8

double kl_clip_factor(const struct kl_network *gradient, double clip_norm)
{
    const float *g = gradient->parameters;
    double sums[LANES] = {0}, sum = 0, factor; /* in lanes: no addition waits for the one before */
    size_t i = 0;

    if (clip_norm <= 0)
        return 1;
    for (; i + LANES <= gradient->n_parameters; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            sums[k] += (double)g[i + k] * g[i + k];
    for (; i < gradient->n_parameters; i++)
        sum += (double)g[i] * g[i];
    for (size_t k = 0; k < LANES; k++)
        sum += sums[k];
    factor = clip_norm / (sqrt(sum) + 1e-6);
    return factor < 1 ? factor : 1;
}

static void update_sgd(const struct kl_step_rule *rule, uint32_t step,
                       const struct kl_network *gradient, struct kl_network *const *moments,
                       struct kl_network *network)
{
    (void)step;
    kl_sgd_update(rule, gradient, moments[0], network);
}

static void update_adam(const struct kl_step_rule *rule, uint32_t step,
                        const struct kl_network *gradient, struct kl_network *const *moments,
                        struct kl_network *network)
{
    kl_adam_update(rule, step, gradient, moments[0], moments[1], network);
}

static void update_adamw(const struct kl_step_rule *rule, uint32_t step,
                         const struct kl_network *gradient, struct kl_network *const *moments,
                         struct kl_network *network)
{
    kl_adamw_update(rule, step, gradient, moments[0], moments[1], network);
}

static void reverse_sgd(const struct kl_step_rule *rule, uint32_t step,
                        const struct kl_network *gradient, struct kl_network *const *moments,
                        const struct kl_network *network, const struct kl_adjoint *adjoint,
                        struct kl_network *direction)
{
    (void)step;
    (void)gradient;
    (void)moments;
    (void)network;
    kl_sgd_reverse(rule, adjoint->network, adjoint->moments[0], direction);
}

static void reverse_adam(const struct kl_step_rule *rule, uint32_t step,
                         const struct kl_network *gradient, struct kl_network *const *moments,
                         const struct kl_network *network, const struct kl_adjoint *adjoint,
                         struct kl_network *direction)
{
    kl_adam_reverse(rule, step, gradient, moments, network, adjoint, direction);
}

static void reverse_adamw(const struct kl_step_rule *rule, uint32_t step,
                          const struct kl_network *gradient, struct kl_network *const *moments,
                          const struct kl_network *network, const struct kl_adjoint *adjoint,
                          struct kl_network *direction)
{
    kl_adamw_reverse(rule, step, gradient, moments, network, adjoint, direction);
}

static const struct kl_optimiser optimisers[] = {
    {.name = "sgd", /* with momentum: core/models/sgd.h */
     .n_moments = 1,
     .update = update_sgd,
     .reverse = reverse_sgd},
    {.name = "adam",
     .is_adaptive = 1,
     .n_moments = 2,
     .update = update_adam,
     .reverse = reverse_adam,
     .reverses_by_values = 1},
    {.name = "adamw",
     .is_adaptive = 1,
     .is_decoupled = 1,
     .n_moments = 2,
     .update = update_adamw,
     .reverse = reverse_adamw,
     .reverses_by_values = 1},
};

const struct kl_optimiser *kl_optimiser_at(uint32_t i)
{
    return i < sizeof optimisers / sizeof optimisers[0] ? &optimisers[i] : NULL;
}
