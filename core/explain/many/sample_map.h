/* A map of the samples: where they lie along the two principal axes of the last layer's keys,
 *
 *   (x, y)_s = (v1, v2)^T (k_s - mean k),
 *
 * v1, v2 the eigenvectors of the largest eigenvalues of the keys' covariance. Keys are those of the
 * final weights; of a network that cannot be run here, a training sample's is the one that was
 * recorded when it was shown last, and only samples that were recorded have one. */
#ifndef KL_CORE_EXPLAIN_MANY_SAMPLE_MAP_H
#define KL_CORE_EXPLAIN_MANY_SAMPLE_MAP_H

#include "core/base/pool.h"
#include "core/explain/history.h"

struct kl_sample_map {
    uint32_t n;      /* samples of the run */
    float *x, *y;    /* (n) in units of the keys; NaN: it has no key */
    double share[2]; /* of the keys' variance, along each axis */
};

/* Whether a run has such a map: of images or described samples, seen by the last layer at one
 * place. */
int kl_sample_map_applies(const struct kl_history *history);

/* Makes the map; data sets of a network that is run here have their pixels. The covariance is that
 * of some thousand samples, evenly over all. The signs of the axes are such that the coordinate of
 * the largest size is positive in each. The caller ends *map with kl_sample_map_clear, also on
 * failure. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_sample_map(struct kl_pool *pool, const struct kl_history *history,
                             struct kl_sample_map *map, struct kl_error *err);
void kl_sample_map_clear(struct kl_sample_map *map);

#endif
