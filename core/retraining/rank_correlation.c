#include "core/retraining/rank_correlation.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"

static int by_value(const void *a, const void *b)
{
    const double *const *x = a, *const *y = b;

    return (**x > **y) - (**x < **y);
}

/* Ranks of n numbers, ties sharing theirs: out (n). */
static void rank_numbers(const double *numbers, uint32_t n, const double **order, double *out)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = numbers + i;
    qsort(order, n, sizeof *order, by_value);
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && *order[end] == *order[i]; end++)
            ;
        for (uint32_t k = i; k < end; k++)
            out[order[k] - numbers] = (i + end - 1) / 2.0;
    }
}

/* Pearson's correlation of ranks. */
static double correlate(const double *x, const double *y, uint32_t n)
{
    double mean = (n - 1) / 2.0, xy = 0, xx = 0, yy = 0;

    for (uint32_t i = 0; i < n; i++) {
        xy += (x[i] - mean) * (y[i] - mean);
        xx += (x[i] - mean) * (x[i] - mean);
        yy += (y[i] - mean) * (y[i] - mean);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

enum kl_status kl_rank_correlation(const double *x, const double *y, uint32_t n,
                                   double *correlation, struct kl_error *err)
{
    const double **order = NULL;
    double *ranks = NULL;
    enum kl_status status = kl_alloc(&order, n, sizeof *order, "ranks", err);

    if (!status)
        status = kl_alloc(&ranks, 2 * (size_t)n, sizeof *ranks, "ranks", err);
    if (!status) {
        rank_numbers(x, n, order, ranks);
        rank_numbers(y, n, order, ranks + n);
        *correlation = correlate(ranks, ranks + n, n);
    }
    free(order);
    free(ranks);
    return status;
}
