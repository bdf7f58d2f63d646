/* Deterministic random numbers: xoshiro256** (Blackman and Vigna 2018) seeded by splitmix64.
 *
 * A generator is named by a seed and a stream, so that independent parts of a training (initial
 * weights, the order of epoch e) need no shared state and a resumed training none to restore. */
#ifndef KL_CORE_BASE_RANDOM_H
#define KL_CORE_BASE_RANDOM_H

#include <stdint.h>

struct kl_random {
    uint64_t state[4];
};

/* Starts the generator of (seed, stream). */
void kl_random_seed(struct kl_random *random, uint64_t seed, uint64_t stream);

/* Uniform over all 64-bit integers. */
uint64_t kl_random_next(struct kl_random *random);

/* Uniform over 0 .. bound-1 without bias (Lemire 2019); bound > 0. */
uint32_t kl_random_below(struct kl_random *random, uint32_t bound);

/* Uniform in [0, 1). */
double kl_random_uniform(struct kl_random *random);

/* Standard normal (Box-Muller). */
double kl_random_normal(struct kl_random *random);

/* Fills order with a uniformly random permutation of 0 .. n-1 (Fisher-Yates). */
void kl_random_permutation(struct kl_random *random, uint32_t *order, uint32_t n);

#endif
