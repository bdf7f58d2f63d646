#include "core/models/convolution.h"

#include <stddef.h>
#include <string.h>

#define SIDE_MAX (1 << 16) /* of maps, kernels, steps and borders */

uint32_t kl_convolution_steps(const struct kl_convolution *convolution, int direction)
{
    uint64_t covered =
        (uint64_t)convolution->dilation[direction] * (convolution->kernel[direction] - 1) + 1;
    uint64_t size =
        (uint64_t)convolution->size[direction] + 2 * (uint64_t)convolution->padding[direction];

    return size < covered ? 0 : (uint32_t)((size - covered) / convolution->stride[direction]) + 1;
}

int kl_convolution_fits(const struct kl_convolution *convolution, uint32_t inputs, uint32_t places)
{
    for (int d = 0; d < 2; d++) {
        const uint32_t positive[] = {convolution->size[d], convolution->kernel[d],
                                     convolution->stride[d], convolution->dilation[d]};

        for (int i = 0; i < 4; i++)
            if (positive[i] < 1 || positive[i] > SIDE_MAX)
                return 0;
        if (convolution->padding[d] > SIDE_MAX)
            return 0;
    }
    return convolution->channels >= 1 && convolution->channels <= SIDE_MAX &&
           (uint64_t)convolution->size[0] * convolution->size[1] <=
               KL_ROW_MAX / convolution->channels &&
           (uint64_t)convolution->channels * convolution->kernel[0] * convolution->kernel[1] ==
               inputs &&
           (uint64_t)kl_convolution_steps(convolution, 0) * kl_convolution_steps(convolution, 1) ==
               places;
}

struct place {
    int64_t first[2]; /* where the kernel's first number lies */
};

static struct place place_of(const struct kl_convolution *convolution, uint32_t row,
                             uint32_t column)
{
    return (struct place){
        {(int64_t)row * convolution->stride[0] - (int64_t)convolution->padding[0],
         (int64_t)column * convolution->stride[1] - (int64_t)convolution->padding[1]}};
}

/* Where a number of the kernel lies in one channel of the map, or -1: beyond it. */
static int64_t number_at(const struct kl_convolution *convolution, struct place place, uint32_t i,
                         uint32_t j)
{
    int64_t row = place.first[0] + (int64_t)i * convolution->dilation[0];
    int64_t column = place.first[1] + (int64_t)j * convolution->dilation[1];

    return row >= 0 && row < convolution->size[0] && column >= 0 && column < convolution->size[1]
               ? row * convolution->size[1] + column
               : -1;
}

static void copy_patch(const struct kl_convolution *convolution, struct place place,
                       const float *map, float *patch)
{
    size_t area = (size_t)convolution->size[0] * convolution->size[1];

    for (uint32_t k = 0; k < convolution->channels; k++, map += area)
        for (uint32_t i = 0; i < convolution->kernel[0]; i++)
            for (uint32_t j = 0; j < convolution->kernel[1]; j++) {
                int64_t at = number_at(convolution, place, i, j);

                *patch++ = at < 0 ? 0 : map[at];
            }
}

static void add_patch(const struct kl_convolution *convolution, struct place place, const float *x,
                      float *map)
{
    size_t area = (size_t)convolution->size[0] * convolution->size[1];

    for (uint32_t k = 0; k < convolution->channels; k++, map += area)
        for (uint32_t i = 0; i < convolution->kernel[0]; i++)
            for (uint32_t j = 0; j < convolution->kernel[1]; j++, x++) {
                int64_t at = number_at(convolution, place, i, j);

                if (at >= 0)
                    map[at] += *x;
            }
}

void kl_unfold(const struct kl_convolution *convolution, const float *map, float *patches)
{
    uint32_t rows = kl_convolution_steps(convolution, 0);
    uint32_t columns = kl_convolution_steps(convolution, 1);

    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t c = 0; c < columns; c++, patches += kl_convolution_patch(convolution))
            copy_patch(convolution, place_of(convolution, r, c), map, patches);
}

void kl_fold(const struct kl_convolution *convolution, const float *x, float *folded)
{
    uint32_t rows = kl_convolution_steps(convolution, 0);
    uint32_t columns = kl_convolution_steps(convolution, 1);

    memset(folded, 0, kl_convolution_map(convolution) * sizeof *folded);
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t c = 0; c < columns; c++)
            add_patch(convolution, place_of(convolution, r, c), x, folded);
}
