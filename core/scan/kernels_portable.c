/* The reference: plain loops with eight accumulators, which any compiler can turn into vectors. */
#include <math.h>
#include <string.h>

#include "core/base/half.h"
#include "core/scan/kernels.h"

#define LANES 8

static float sum_lanes(const float lanes[LANES])
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/* One loop for three number formats: LOAD turns one stored number into a float. */
#define DEFINE_DOT(name, type, LOAD)                                                               \
    static float name##_one(const type *key, const float *query, size_t width)                     \
    {                                                                                              \
        float lanes[LANES] = {0};                                                                  \
        size_t j = 0;                                                                              \
                                                                                                   \
        for (; j + LANES <= width; j += LANES)                                                     \
            for (size_t k = 0; k < LANES; k++)                                                     \
                lanes[k] += LOAD(key[j + k]) * query[j + k];                                       \
        for (; j < width; j++)                                                                     \
            lanes[j % LANES] += LOAD(key[j]) * query[j];                                           \
        return sum_lanes(lanes);                                                                   \
    }                                                                                              \
                                                                                                   \
    static void name(const type *keys, size_t n, size_t width, const struct kl_dots *dots)         \
    {                                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            for (size_t q = 0; q < dots->n; q++)                                                   \
                dots->out[q][i] = name##_one(keys + i * width, dots->queries[q], width);           \
    }

#define LOAD_PLAIN(number) ((float)(number))

DEFINE_DOT(dot_u8, uint8_t, LOAD_PLAIN)
DEFINE_DOT(dot_f16, uint16_t, kl_half_to_float)
DEFINE_DOT(dot_f32, float, LOAD_PLAIN)

static float largest(const float *in, size_t n)
{
    float largest = 0;

    for (size_t i = 0; i < n; i++)
        largest = kl_larger(largest, in[i]);
    return largest;
}

static void to_f16(const float *in, size_t n, float scale, uint16_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = kl_half_from_float(in[i] * scale);
}

static void from_f16(const uint16_t *in, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = kl_half_to_float(in[i]);
}

static uint16_t *pack_f16(const uint16_t *in, size_t n, uint8_t *bits, uint16_t *packed)
{
    memset(bits, 0, (n + 7) / 8);
    for (size_t i = 0; i < n; i++) {
        bits[i / 8] = (uint8_t)(bits[i / 8] | (in[i] != 0) << (i % 8));
        *packed = in[i];
        packed += in[i] != 0;
    }
    return packed;
}

/* The next of packed numbers, which need not be aligned. */
static uint16_t take(const uint8_t **packed)
{
    uint16_t number;

    memcpy(&number, *packed, sizeof number);
    *packed += sizeof number;
    return number;
}

static const void *unpack_f16(const uint8_t *bits, const void *packed, size_t n, uint16_t *out)
{
    const uint8_t *next = packed;

    for (size_t i = 0; i < n; i++)
        out[i] = bits[i / 8] >> (i % 8) & 1 ? take(&next) : 0;
    return next;
}

/* As dot_f16_one: what is left out would add 0. */
static void dot_packed_f16(const uint8_t *bits, const void *packed, size_t n, size_t width,
                           const struct kl_dots *dots)
{
    const uint8_t *next = packed;

    for (size_t i = 0; i < n; i++, bits += (width + 7) / 8) {
        float lanes[KL_DOTS_MAX][LANES] = {0};

        for (size_t j = 0; j < width; j++) {
            float number = bits[j / 8] >> (j % 8) & 1 ? kl_half_to_float(take(&next)) : 0;

            for (size_t q = 0; q < dots->n; q++)
                lanes[q][j % LANES] += number * dots->queries[q][j];
        }
        for (size_t q = 0; q < dots->n; q++)
            dots->out[q][i] = sum_lanes(lanes[q]);
    }
}

static void dot_bytes(const uint8_t *bits, const uint8_t *keys, size_t n, size_t width,
                      const struct kl_byte_query *query, float *out)
{
    int zero = bits ? 0 : 128;

    for (size_t i = 0; i < n; i++) {
        int32_t sum = 0;

        for (size_t j = 0; j < width; j++) {
            if (!bits || bits[j / 8] >> (j % 8) & 1)
                sum += (*keys++ - zero) * query->numbers[j];
        }
        out[i] = (float)sum;
        bits = bits ? bits + (width + 7) / 8 : NULL;
    }
}

static size_t count_bits(const uint8_t *bits, size_t n_bytes)
{
    return kl_count_bits(bits, n_bytes);
}

#define DEFINE_ADD(name, type, LOAD)                                                               \
    static void name(const type *rows, const uint16_t *which, size_t n, size_t width,              \
                     const float *weights, float *sums)                                            \
    {                                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            for (size_t j = 0; j < width; j++)                                                     \
                sums[j] += weights[which[i]] * LOAD(rows[which[i] * width + j]);                   \
    }

DEFINE_ADD(add_f16, uint16_t, kl_half_to_float)
DEFINE_ADD(add_f32, float, LOAD_PLAIN)

static int supported(void)
{
    return 1;
}

const struct kl_kernels kl_kernels_portable = {
    "portable", supported, dot_u8,   dot_f16,    dot_packed_f16, dot_f32, dot_bytes, largest,
    to_f16,     from_f16,  pack_f16, unpack_f16, count_bits,     add_f16, add_f32,
};
