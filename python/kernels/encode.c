/* What the recorder hands over to keylight's own kernels: rows of float32 as a chunk stores them
 * (docs/format.md). A shared library of its own, loaded by python/keylight/kernels.py; the
 * same in NumPy is python/keylight/file.py's Encoder. Not thread-safe before its first call has
 * returned; after that for different memory. */
#include <math.h>

#include "core/scan/kernels.h"
#include "core/scan/packing.h"

#define LARGEST 0x1p100f         /* of error signals */
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
    size_t row_bits = kl_bits_bytes(width), n_rows = 0, stored;
    uint16_t *to = rows;
    float largest = 0;
    struct kl_error err;

    if (kernels == &kl_kernels_portable && !kl_kernels_select(&err))
        kernels = kl_kernels();
    for (size_t i = 0; i < n_parts; i++) {
        largest = fmaxf(largest, kernels->largest(parts[i], part_rows[i] * width));
        n_rows += part_rows[i];
    }
    if (!isfinite(largest) || (is_scaled && largest > LARGEST))
        return BEYOND_BOUNDS;
    if (!is_scaled && largest >= ROUNDS_TO_INFINITY)
        return BEYOND_HALF;
    *exponent = is_scaled ? kl_scale_exponent(largest) : 0;
    for (size_t i = 0; i < n_parts; i++) {
        kernels->to_f16(parts[i], part_rows[i] * width, ldexpf(1, *exponent), to);
        to += part_rows[i] * width;
    }
    stored = kl_pack(KL_F16, rows, n_rows, width, packed, packed + n_rows * row_bits);
    return n_rows * row_bits + stored * sizeof *rows < n_rows * width * sizeof *rows
               ? (int64_t)stored
               : (int64_t)(n_rows * width);
}
