#include "core/data/draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/data/dataset.h"

struct shares {
    uint32_t members[KL_CLASSES_MAX], least[KL_CLASSES_MAX], most[KL_CLASSES_MAX];
    uint32_t share[KL_CLASSES_MAX], total;
    double quota[KL_CLASSES_MAX];
};

/* The class that is furthest below its quota and can give more, or furthest above and can give
 * less; -1: none. */
static int furthest(const struct shares *shares, int below)
{
    int best = -1;
    double most = -HUGE_VAL;

    for (int c = 0; c < KL_CLASSES_MAX; c++) {
        double distance = shares->quota[c] - shares->share[c];
        int can = below ? shares->share[c] < shares->most[c] : shares->share[c] > shares->least[c];

        distance = below ? distance : -distance;
        if (can && distance > most) {
            most = distance;
            best = c;
        }
    }
    return best;
}

static void apportion(struct shares *shares, uint32_t count, uint32_t n, int keeps_none)
{
    uint32_t n_large = 0;

    for (int c = 0; c < KL_CLASSES_MAX; c++)
        n_large += shares->members[c] >= KL_DRAW_MEMBERS;
    for (int c = 0; c < KL_CLASSES_MAX; c++) {
        uint32_t members = shares->members[c];

        shares->quota[c] = (double)n * members / count;
        shares->least[c] = members >= KL_DRAW_MEMBERS && n >= n_large;
        shares->most[c] = keeps_none || members == 0 ? members : members - 1;
        shares->share[c] = (uint32_t)shares->quota[c];
        if (shares->share[c] < shares->least[c])
            shares->share[c] = shares->least[c];
        if (shares->share[c] > shares->most[c])
            shares->share[c] = shares->most[c];
        shares->total += shares->share[c];
    }
    while (shares->total != n) {
        int below = shares->total < n, c = furthest(shares, below);

        if (c < 0) /* nothing can be kept back: then the rest comes from anywhere */
            for (c = 0; shares->share[c] == shares->members[c];)
                c++;
        shares->share[c] = below ? shares->share[c] + 1 : shares->share[c] - 1;
        shares->total = below ? shares->total + 1 : shares->total - 1;
    }
}

enum kl_status kl_draw(const uint8_t *labels, uint32_t count, uint32_t n, int keeps_none,
                       uint64_t seed, uint32_t stream, uint8_t *drawn, struct kl_error *err)
{
    struct shares *shares = NULL;
    uint32_t *order = NULL;
    struct kl_random random;
    enum kl_status status = kl_alloc(&order, count, sizeof *order, "the order", err);

    if (status)
        goto out;
    status = kl_alloc(&shares, 1, sizeof *shares, "the order", err);
    if (status)
        goto out;
    for (uint32_t i = 0; i < count; i++)
        shares->members[labels[i]]++;
    if (count)
        apportion(shares, count, n, keeps_none);
    kl_random_seed(&random, seed, stream);
    kl_random_permutation(&random, order, count);
    memset(drawn, 0, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *share = &shares->share[labels[order[i]]];

        drawn[order[i]] = *share > 0;
        *share -= *share > 0;
    }
out:
    free(shares);
    free(order);
    return status;
}
