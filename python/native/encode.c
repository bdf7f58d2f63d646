/* What the recorder hands over to keylight's own kernels: rows of float32 as a chunk stores them
 * (docs/format.md). A shared library of its own, loaded by python/keylight/kernels.py; the
 * same in NumPy is python/keylight/file.py's Encoder. Not thread-safe before its first call has
 * returned; after that for different memory. */
#include <math.h>

#include "core/scan/kernels.h"

#define TOP_EXPONENT 14 /* the largest error signal of a chunk lies below 2^15 */
#define EXPONENT_MAX 100
#define ROUNDS_TO_INFINITY 65520 /* as float16 */

enum { BEYOND_BOUNDS = -1, BEYOND_HALF = -2 };

/* Bytes behind rows and packed that keylight_encode may write. */
size_t keylight_slack(void);
int64_t keylight_encode(const float *const *parts, const uint64_t *part_rows, uint64_t n_parts,
                        uint64_t width, int is_scaled, uint16_t *rows, uint8_t *packed,
                        int32_t *exponent);

size_t keylight_slack(void)
{
    return KL_SLACK;
}

/* Rows of parts, (part_rows[i], width) each, as float16, into rows, which has room for all numbers
 * and the slack; and without zeros into packed, which has room for bits, all numbers and the slack:
 * bits first, then numbers, which are aligned there, as the caller sees to. Returns how many
 * numbers are stored, all where packed would not be shorter; BEYOND_BOUNDS, if one is not finite;
 * BEYOND_HALF, if float16 cannot hold a key. is_scaled: error signals, which get an exponent. */
int64_t keylight_encode(const float *const *parts, const uint64_t *part_rows, uint64_t n_parts,
                        uint64_t width, int is_scaled, uint16_t *rows, uint8_t *packed,
                        int32_t *exponent)
{
    const struct kl_kernels *kernels = kl_kernels();
    size_t row_bits = (width + 7) / 8, n_rows = 0, stored;
    uint16_t *to = rows, *numbers, *end;
    float largest = 0;
    struct kl_error err;

    if (kernels == &kl_kernels_portable && !kl_kernels_select(&err))
        kernels = kl_kernels();
    for (size_t i = 0; i < n_parts; i++) {
        largest = fmaxf(largest, kernels->largest(parts[i], part_rows[i] * width));
        n_rows += part_rows[i];
    }
    if (!isfinite(largest) || (is_scaled && largest > ldexpf(1, EXPONENT_MAX)))
        return BEYOND_BOUNDS;
    if (!is_scaled && largest >= ROUNDS_TO_INFINITY)
        return BEYOND_HALF;
    *exponent = is_scaled && largest > 0 ? TOP_EXPONENT - ilogbf(largest) : 0;
    if (*exponent > EXPONENT_MAX)
        *exponent = EXPONENT_MAX;
    for (size_t i = 0; i < n_parts; i++) {
        kernels->to_f16(parts[i], part_rows[i] * width, ldexpf(1, *exponent), to);
        to += part_rows[i] * width;
    }
    numbers = (uint16_t *)(void *)(packed + n_rows * row_bits);
    end = numbers;
    for (size_t i = 0; i < n_rows; i++)
        end = kernels->pack_f16(rows + i * width, width, packed + i * row_bits, end);
    stored = (size_t)(end - numbers);
    return n_rows * row_bits + stored * sizeof *rows < n_rows * width * sizeof *rows
               ? (int64_t)stored
               : (int64_t)(n_rows * width);
}
