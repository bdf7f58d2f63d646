#include "core/base/random.h"

#include <math.h>

static const double two_pi = 6.283185307179586476925;

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

void kl_random_seed(struct kl_random *random, uint64_t seed, uint64_t stream)
{
    uint64_t x = stream;

    x = seed ^ splitmix(&x);
    for (int i = 0; i < 4; i++)
        random->state[i] = splitmix(&x);
}

uint64_t kl_random_next(struct kl_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint32_t kl_random_below(struct kl_random *random, uint32_t bound)
{
    uint32_t threshold = -bound % bound;
    uint64_t product;

    do {
        product = (kl_random_next(random) >> 32) * bound;
    } while ((uint32_t)product < threshold);
    return (uint32_t)(product >> 32);
}

double kl_random_uniform(struct kl_random *random)
{
    return (double)(kl_random_next(random) >> 11) * 0x1p-53;
}

double kl_random_normal(struct kl_random *random)
{
    double radius = sqrt(-2.0 * log(1.0 - kl_random_uniform(random)));

    return radius * cos(two_pi * kl_random_uniform(random));
}

void kl_random_permutation(struct kl_random *random, uint32_t *order, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = kl_random_below(random, i + 1);

        order[i] = order[j];
        order[j] = i;
    }
}
