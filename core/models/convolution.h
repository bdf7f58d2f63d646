/* A convolution is a linear layer over patches: pattern (r, c) is what the kernel covers there,
 *
 *   x[k, i, j] = map[k, r * stride + i * dilation - padding, c * stride + j * dilation - padding],
 *
 * 0 beyond the map's borders, k over the channels, i and j over the kernel. The patches of a map
 * are its places, numbered row by row. All arrays are float32 and row-major. Thread-safe. */
#ifndef KL_CORE_MODELS_CONVOLUTION_H
#define KL_CORE_MODELS_CONVOLUTION_H

#include <stdint.h>

#define KL_ROW_MAX (1 << 24) /* numbers that a layer sees, or puts out, of one showing */

/* Of two directions: down, and to the right. */
struct kl_convolution {
    uint32_t channels, size[2]; /* of the map that it reads */
    uint32_t kernel[2], stride[2], padding[2], dilation[2];
};

/* Whether it is one: all zeros stand for none. */
static inline int kl_is_convolution(const struct kl_convolution *convolution)
{
    return convolution->channels > 0;
}

/* Numbers of a map, and of a patch. */
static inline uint32_t kl_convolution_map(const struct kl_convolution *convolution)
{
    return convolution->channels * convolution->size[0] * convolution->size[1];
}

static inline uint32_t kl_convolution_patch(const struct kl_convolution *convolution)
{
    return convolution->channels * convolution->kernel[0] * convolution->kernel[1];
}

/* Places in a direction; 0: the kernel is larger than the map. */
uint32_t kl_convolution_steps(const struct kl_convolution *convolution, int direction);

/* Whether every number is one that a convolution can have, with so many inputs and places. */
int kl_convolution_fits(const struct kl_convolution *convolution, uint32_t inputs, uint32_t places);

/* patches (places, patch) of a map (map). */
void kl_unfold(const struct kl_convolution *convolution, const float *map, float *patches);

/* The opposite: map . folded is the sum over all places of their patch . x, for any map; x (patch),
 * folded (map). */
void kl_fold(const struct kl_convolution *convolution, const float *x, float *folded);

#endif
