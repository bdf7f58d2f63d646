/* How far numbers that were computed are from those that are stored. Internal to
 * core/explain/verify/. */
#ifndef KL_CORE_EXPLAIN_VERIFY_DISTANCE_H
#define KL_CORE_EXPLAIN_VERIFY_DISTANCE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* Sums of squares over weights W, computed as W': zeros at first. */
struct kl_distance {
    double off, way, size; /* of W' - W, W - W_0, and W */
};

static inline void kl_distance_add(struct kl_distance *distance, double computed, double stored,
                                   double initial)
{
    distance->off += (computed - stored) * (computed - stored);
    distance->way += (stored - initial) * (stored - initial);
    distance->size += stored * stored;
}

/* |W' - W| / |W - W_0| (Frobenius). */
static inline double kl_distance_relative(const struct kl_distance *distance)
{
    if (distance->way > 0)
        return sqrt(distance->off / distance->way);
    return distance->off == 0 ? 0 : INFINITY;
}

/* What of it float32 cannot explain after so many steps: training rounds every weight once a step,
 * by up to 2^-24 of its size, so that a random walk has gone some sqrt(steps) of that. 0 if it is
 * less; infinite of numbers that are not finite. */
static inline double kl_distance_excess(const struct kl_distance *distance, uint32_t steps)
{
    double rounding = ldexp(sqrt(distance->size * steps), -24), off = sqrt(distance->off);

    if (!isfinite(off) || !isfinite(distance->way))
        return INFINITY;
    off -= off < rounding ? off : rounding;
    if (distance->way > 0)
        return off / sqrt(distance->way);
    return off > 0 ? INFINITY : 0;
}

/* Sums of squares over numbers that were recorded, computed anew: zeros at first. */
struct kl_misfit {
    double off, rounding, size; /* of what they differ by, of what of that rounding explains, and of
                                   what is recorded */
    uint64_t n;                 /* numbers */
};

static inline void kl_misfit_add(struct kl_misfit *misfit, double computed, double recorded,
                                 double rounding)
{
    misfit->off += (computed - recorded) * (computed - recorded);
    misfit->rounding += rounding * rounding;
    misfit->size += recorded * recorded;
    misfit->n++;
}

/* What rounding does not explain, over what is recorded (Frobenius); infinite of numbers that are
 * not finite. */
static inline double kl_misfit_excess(const struct kl_misfit *misfit)
{
    double excess = sqrt(misfit->off) - sqrt(misfit->rounding);

    if (!isfinite(excess))
        return INFINITY;
    if (excess <= 0)
        return 0;
    return misfit->size > 0 ? excess / sqrt(misfit->size) : INFINITY;
}

static inline double kl_length(const float *numbers, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)numbers[i] * numbers[i];
    return sqrt(sum);
}

#endif
