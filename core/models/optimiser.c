#include "core/models/optimiser.h"

#include <math.h>

#include "core/models/adam.h"
#include "core/models/sgd.h"

#define LANES 8

/* Parameters are worked on in parts. */
#define PART ((size_t)1 << 16)
#define UNIT ((size_t)64)

static unsigned parts_of(size_t n)
{
    size_t parts = (n + PART - 1) / PART;

    return parts < KL_PARTS_MAX ? (unsigned)parts : KL_PARTS_MAX;
}

/* Where a part begins of n parameters in so many: full vectors, but for the last one. */
static size_t border(size_t n, unsigned part, unsigned n_parts)
{
    return part == n_parts ? n : n / UNIT * part / n_parts * UNIT;
}

/* Runs a task that does not fail for every part of a job. */
static void do_parts(struct kl_pool *pool, kl_pool_task task, void *job, unsigned n)
{
    struct kl_error none;

    (void)kl_pool_run(n > 1 ? pool : NULL, task, job, n, &none);
}

struct squares {
    const struct kl_network *gradient;
    unsigned n;
    double sums[KL_PARTS_MAX];
};

static enum kl_status add_squares(void *job, unsigned worker, unsigned part, struct kl_error *err)
{
    struct squares *squares = job;
    const float *g = squares->gradient->parameters;
    size_t n = squares->gradient->n_parameters;
    size_t i = border(n, part, squares->n), end = border(n, part + 1, squares->n);
    double sums[LANES] = {0}, sum = 0; /* in lanes: no addition waits for the one before */

    (void)worker;
    (void)err;
    for (; i + LANES <= end; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            sums[k] += (double)g[i + k] * g[i + k];
    for (; i < end; i++)
        sum += (double)g[i] * g[i];
    for (size_t k = 0; k < LANES; k++)
        sum += sums[k];
    squares->sums[part] = sum;
    return KL_OK;
}

double kl_clip_factor(struct kl_pool *pool, const struct kl_network *gradient, double clip_norm)
{
    struct squares squares = {.gradient = gradient, .n = parts_of(gradient->n_parameters)};
    double sum = 0, factor;

    if (clip_norm <= 0)
        return 1;
    do_parts(pool, add_squares, &squares, squares.n);
    for (unsigned i = 0; i < squares.n; i++)
        sum += squares.sums[i];
    factor = clip_norm / (sqrt(sum) + 1e-6);
    return factor < 1 ? factor : 1;
}

struct learning {
    const struct kl_optimiser *optimiser;
    const struct kl_step_rule *rule;
    uint32_t step;
    unsigned n;
    const struct kl_network *gradient;
    struct kl_network *const *moments;
    struct kl_network *network;
};

/* The parameters of a network from first to before end. */
static struct kl_network stretch(const struct kl_network *network, size_t first, size_t end)
{
    return (struct kl_network){.parameters = network->parameters + first,
                               .n_parameters = end - first};
}

static enum kl_status update_part(void *job, unsigned worker, unsigned part, struct kl_error *err)
{
    const struct learning *learning = job;
    size_t n = learning->network->n_parameters;
    size_t first = border(n, part, learning->n), end = border(n, part + 1, learning->n);
    struct kl_network network = stretch(learning->network, first, end), kept[KL_MOMENTS_MAX];
    struct kl_network gradient = stretch(learning->gradient, first, end);
    struct kl_network *moments[KL_MOMENTS_MAX] = {NULL};

    (void)worker;
    (void)err;
    for (uint32_t i = 0; i < learning->optimiser->n_moments; i++) {
        kept[i] = stretch(learning->moments[i], first, end);
        moments[i] = &kept[i];
    }
    learning->optimiser->update(learning->rule, learning->step, &gradient, moments, &network);
    return KL_OK;
}

void kl_optimiser_update(struct kl_pool *pool, const struct kl_optimiser *optimiser,
                         const struct kl_step_rule *rule, uint32_t step,
                         const struct kl_network *gradient, struct kl_network *const *moments,
                         struct kl_network *network)
{
    struct learning learning = {optimiser, rule,    step,   parts_of(network->n_parameters),
                                gradient,  moments, network};

    do_parts(pool, update_part, &learning, learning.n);
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
