/* The inner loops, written once for every set of vector instructions. A variant's file defines, and
 * then includes this:
 *
 *   TARGET       the attribute that lets a function use the instructions, or nothing
 *   LANES        floats in a vector
 *   vector       the type, and zero(), add(a, b), fma_of(a, b, sum) = a * b + sum, sum_of(v),
 *                load_f32, load_f16 and load_u8 of LANES stored numbers, store_f32, and
 *                store_f16(v, out), rounded to nearest even, scaled(v, scale) = v * scale,
 *                one_f16(half): a stored number as a float,
 *                all_of(x): x in every lane,
 *                larger(sizes, v): by their bits, the larger ones of sizes and |v|,
 *                shuffled(in, shuffle, out): eight halves, not aligned, by a shuffle of
 *                core/scan/expand.h, and not_zero(in): a bit for each of eight halves that is not 0
 *   HAS_PACKING  if it has pack_f16 and spread_64 of its own
 *   HAS_COUNT    likewise count_bits
 *   HAS_SUMS     likewise sums_of_eight(v, out): sum_of of eight vectors, with the same additions
 *   AT_ONCE      queries whose sums, two vectors each, are in registers at a time: 4 or 8
 *
 * Sums are taken in two vectors per key and query, however many queries are asked: a query's answer
 * does not depend on its company. Keys come one after the other, because two at once are two
 * streams, which halves the speed of memory, and the sums of one fill the registers. */
#include <math.h>
#include <string.h>

#include "core/scan/expand.h"
#include "core/base/half.h"

#define LOAD_PLAIN(number) ((float)(number))

/* Bytes that packed numbers are asked for in advance, their bits an eighth of that: their products
 * take as long as their way from memory, and fewer of them are under way at once than of whole
 * ones. */
#define AHEAD 4096

#define INLINE __attribute__((always_inline)) inline

/* Before a loop over queries: unrolled, so that their sums never leave the registers. */
#ifdef __clang__
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 8")
#endif

_Static_assert(KL_DOTS_MAX == 8 && (AT_ONCE == 4 || AT_ONCE == 8), "queries come by 1, 2, 4 or 8");

/* What is done with LANES numbers of a key and of n queries, 1, 2, 4 or 8: a constant where it is
 * called, so that the sums are registers. */
TARGET static INLINE void add_products(vector key, const float *const *queries, size_t n, size_t j,
                                       vector *sums)
{
    UNROLLED for (size_t q = 0; q < n; q++) sums[q] =
        fma_of(key, load_f32(queries[q] + j), sums[q]);
}

/* Those of dots, and the first one in place of those that are not there. */
static inline void all_queries(const struct kl_dots *dots, const float *queries[KL_DOTS_MAX])
{
    for (size_t q = 0; q < KL_DOTS_MAX; q++)
        queries[q] = dots->queries[q < dots->n ? q : 0];
}

/* The sums of n queries, 1, 2, 4 or 8, from their two vectors each. */
TARGET static INLINE void sums_of(const vector *even, const vector *odd, size_t n, float *out)
{
    vector both[KL_DOTS_MAX];

    UNROLLED for (size_t q = 0; q < n; q++) both[q] = add(even[q], odd[q]);
#ifdef HAS_SUMS
    if (n == 8) {
        sums_of_eight(both, out);
        return;
    }
#endif
    UNROLLED for (size_t q = 0; q < n; q++) out[q] = sum_of(both[q]);
}

/* Of one format: LOAD loads LANES stored numbers, LOAD1 one. */
#define DEFINE_FORMAT(suffix, type, LOAD, LOAD1)                                                   \
    TARGET static INLINE void add_rest_##suffix(const type *key, const float *const *queries,      \
                                                size_t n, size_t j, size_t width, float *out)      \
    {                                                                                              \
        float sums[KL_DOTS_MAX] = {0};                                                             \
                                                                                                   \
        if (j == width)                                                                            \
            return;                                                                                \
        for (; j < width; j++) {                                                                   \
            float number = LOAD1(key[j]);                                                          \
                                                                                                   \
            UNROLLED for (size_t q = 0; q < n; q++) sums[q] =                                      \
                fmaf(number, queries[q][j], sums[q]);                                              \
        }                                                                                          \
        UNROLLED for (size_t q = 0; q < n; q++) out[q] += sums[q];                                 \
    }                                                                                              \
                                                                                                   \
    TARGET static INLINE void dot_some_##suffix(const type *key, const float *const *queries,      \
                                                size_t n, size_t width, float *out)                \
    {                                                                                              \
        vector even[AT_ONCE], odd[AT_ONCE];                                                        \
        size_t j = 0;                                                                              \
                                                                                                   \
        UNROLLED for (size_t q = 0; q < n; q++) even[q] = odd[q] = zero();                         \
        for (; j + 2 * LANES <= width; j += 2 * LANES) {                                           \
            add_products(LOAD(key + j), queries, n, j, even);                                      \
            add_products(LOAD(key + j + LANES), queries, n, j + LANES, odd);                       \
        }                                                                                          \
        if (j + LANES <= width) {                                                                  \
            add_products(LOAD(key + j), queries, n, j, even);                                      \
            j += LANES;                                                                            \
        }                                                                                          \
        sums_of(even, odd, n, out);                                                                \
        add_rest_##suffix(key, queries, n, j, width, out);                                         \
    }                                                                                              \
                                                                                                   \
    TARGET static void dot_##suffix(const type *keys, size_t n, size_t width,                      \
                                    const struct kl_dots *dots)                                    \
    {                                                                                              \
        const float *queries[KL_DOTS_MAX];                                                         \
        float sums[KL_DOTS_MAX];                                                                   \
                                                                                                   \
        all_queries(dots, queries);                                                                \
        for (size_t i = 0; i < n; i++, keys += width) {                                            \
            if (dots->n == 1)                                                                      \
                dot_some_##suffix(keys, queries, 1, width, sums);                                  \
            else if (dots->n == 2)                                                                 \
                dot_some_##suffix(keys, queries, 2, width, sums);                                  \
            else if (dots->n <= 4)                                                                 \
                dot_some_##suffix(keys, queries, 4, width, sums);                                  \
            else                                                                                   \
                for (size_t from = 0; from < KL_DOTS_MAX; from += AT_ONCE)                         \
                    dot_some_##suffix(keys, queries + from, AT_ONCE, width, sums + from);          \
            for (size_t q = 0; q < dots->n; q++)                                                   \
                dots->out[q][i] = sums[q];                                                         \
        }                                                                                          \
    }

DEFINE_FORMAT(u8, uint8_t, load_u8, LOAD_PLAIN)
DEFINE_FORMAT(f16, uint16_t, load_f16, one_f16)
DEFINE_FORMAT(f32, float, load_f32, LOAD_PLAIN)

/* Magnitudes are in the order of their bits, NaN above all. */
TARGET static float largest(const float *in, size_t n)
{
    vector sizes = zero();
    float lanes[LANES], largest = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        sizes = larger(sizes, load_f32(in + i));
    store_f32(sizes, lanes);
    for (size_t k = 0; k < LANES; k++)
        largest = kl_larger(largest, lanes[k]);
    for (; i < n; i++)
        largest = kl_larger(largest, in[i]);
    return largest;
}

TARGET static void to_f16(const float *in, size_t n, float scale, uint16_t *out)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        store_f16(scaled(load_f32(in + i), scale), out + i);
    for (; i < n; i++)
        out[i] = kl_half_from_float(in[i] * scale);
}

TARGET static void from_f16(const uint16_t *in, size_t n, float *out)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        store_f32(load_f16(in + i), out + i);
    for (; i < n; i++)
        out[i] = one_f16(in[i]);
}

#ifndef HAS_PACKING
/* Eight numbers at a time. */
TARGET static uint16_t *pack_f16(const uint16_t *in, size_t n, uint8_t *bits, uint16_t *packed)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        uint8_t byte = not_zero(in + i);

        shuffled((const uint8_t *)(in + i), kl_pack_shuffles[byte], packed);
        packed += __builtin_popcount(byte);
        *bits++ = byte;
    }
    if (i < n)
        *bits = 0;
    for (unsigned k = 0; i < n; i++, k++) {
        *bits = (uint8_t)(*bits | (in[i] != 0) << k);
        *packed = in[i];
        packed += in[i] != 0;
    }
    return packed;
}

/* How many bits are set in the bytes of a word up to and with each byte: in that byte. */
static inline uint64_t counts_so_far(uint64_t word)
{
    uint64_t pairs = word - (word >> 1 & 0x5555555555555555u);
    uint64_t fours = (pairs & 0x3333333333333333u) + (pairs >> 2 & 0x3333333333333333u);

    return ((fours + (fours >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u;
}

/* The next of packed where a bit is set, otherwise 0; returns what follows in packed. Eight numbers
 * at a time; where each eight begin in packed is found for all at once, so that they need not wait
 * for one another. */
TARGET static inline const uint8_t *spread_64(uint64_t bits, const uint8_t *packed, uint16_t *out)
{
    uint64_t counts = counts_so_far(bits);

    for (unsigned k = 0; k < 64; k += 8)
        shuffled(packed + (counts << 8 >> k & 255) * sizeof *out,
                 kl_expand_shuffles[bits >> k & 255], out + k);
    return packed + (counts >> 56) * sizeof *out;
}
#endif

static inline uint64_t next_bits(const uint8_t *bits)
{
    uint64_t word;

    memcpy(&word, bits, sizeof word);
    return word;
}

/* The bits of fewer than 64 numbers; without a call, as every row has some. */
static inline uint64_t last_bits(const uint8_t *bits, size_t n)
{
    uint64_t word = 0;
    uint32_t half = 0;
    size_t at = 0;

    if (n >= 32) {
        memcpy(&half, bits, sizeof half);
        at = sizeof half;
    }
    for (; at < (n + 7) / 8; at++)
        word |= (uint64_t)bits[at] << 8 * at;
    return word | half;
}

TARGET static const void *unpack_f16(const uint8_t *bits, const void *packed, size_t n,
                                     uint16_t *out)
{
    const uint8_t *next = packed;
    uint16_t last[64];
    size_t i = 0, k = 0;

    for (; i + 64 <= n; i += 64, bits += 8)
        next = spread_64(next_bits(bits), next, out + i);
    if (i < n) {
        next = spread_64(last_bits(bits, n - i), next, last);
        if (n - i >= 32) {
            memcpy(out + i, last, 32 * sizeof *out);
            k = 32;
        }
        for (; i + k < n; k++)
            out[i + k] = last[k];
    }
    return next;
}

/* Adds the products of n_numbers, a constant where it is called, with the queries from j on. */
TARGET static INLINE void add_spread(const uint16_t *numbers, size_t n_numbers,
                                     const float *const *queries, size_t n, size_t j, vector *even,
                                     vector *odd)
{
    size_t at_once = n < AT_ONCE ? n : AT_ONCE;

    UNROLLED for (size_t from = 0; from < n; from += at_once)
    {
        UNROLLED for (size_t k = 0; k < n_numbers; k += 2 * LANES)
        {
            add_products(load_f16(numbers + k), queries + from, at_once, j + k, even + from);
            add_products(load_f16(numbers + k + LANES), queries + from, at_once, j + k + LANES,
                         odd + from);
        }
    }
}

/* As dot_some_f16, of numbers that are spread 64 at a time on the way, once for all queries: the
 * same sums. */
TARGET static INLINE const uint8_t *dot_some_packed(const uint8_t *bits, const uint8_t *packed,
                                                    const float *const *queries, size_t n,
                                                    size_t width, float *out)
{
    vector even[KL_DOTS_MAX], odd[KL_DOTS_MAX];
    uint16_t numbers[64];
    size_t j = 0, k = 0, left;

    UNROLLED for (size_t q = 0; q < n; q++) even[q] = odd[q] = zero();
    for (; j + 64 <= width; j += 64, bits += 8) {
        __builtin_prefetch(packed + AHEAD);
        __builtin_prefetch(packed + AHEAD + 64); /* they take more than a line by now and then */
        packed = spread_64(next_bits(bits), packed, numbers);
        add_spread(numbers, 64, queries, n, j, even, odd);
    }
    __builtin_prefetch(packed + AHEAD);
    __builtin_prefetch(bits + AHEAD / 8);
    left = width - j;
    if (left)
        packed = spread_64(last_bits(bits, left), packed, numbers);
    if (left >= 32) {
        add_spread(numbers, 32, queries, n, j, even, odd);
        k = 32;
    }
    for (; k + 2 * LANES <= left; k += 2 * LANES) {
        add_products(load_f16(numbers + k), queries, n, j + k, even);
        add_products(load_f16(numbers + k + LANES), queries, n, j + k + LANES, odd);
    }
    if (k + LANES <= left) {
        add_products(load_f16(numbers + k), queries, n, j + k, even);
        k += LANES;
    }
    sums_of(even, odd, n, out);
    if (k < left) {
        const float *rest[KL_DOTS_MAX];

        UNROLLED for (size_t q = 0; q < n; q++) rest[q] = queries[q] + j;
        add_rest_f16(numbers, rest, n, k, left, out);
    }
    return packed;
}

TARGET static void dot_packed_f16(const uint8_t *bits, const void *packed, size_t n, size_t width,
                                  const struct kl_dots *dots)
{
    const float *queries[KL_DOTS_MAX];
    const uint8_t *next = packed;
    size_t bits_bytes = (width + 7) / 8;
    float sums[KL_DOTS_MAX];

    all_queries(dots, queries);
    for (size_t i = 0; i < n; i++, bits += bits_bytes) {
        if (dots->n == 1)
            next = dot_some_packed(bits, next, queries, 1, width, sums);
        else if (dots->n == 2)
            next = dot_some_packed(bits, next, queries, 2, width, sums);
        else if (dots->n <= 4)
            next = dot_some_packed(bits, next, queries, 4, width, sums);
        else
            next = dot_some_packed(bits, next, queries, 8, width, sums);
        for (size_t q = 0; q < dots->n; q++)
            dots->out[q][i] = sums[q];
    }
}

#ifndef HAS_COUNT
TARGET static size_t count_bits(const uint8_t *bits, size_t n_bytes)
{
    return kl_count_bits(bits, n_bytes);
}
#endif

#define WAYS 4 /* rows that follow each other are added to different sums */

#define DEFINE_ADD(suffix, type, LOAD)                                                             \
    TARGET static void add_##suffix(const type *rows, const uint16_t *which, size_t n,             \
                                    size_t width, const float *weights, float *sums)               \
    {                                                                                              \
        for (size_t j = 0; j < width; j += LANES) {                                                \
            vector ways[WAYS] = {load_f32(sums + j), zero(), zero(), zero()};                      \
            const type *column = rows + j;                                                         \
            size_t i = 0;                                                                          \
                                                                                                   \
            for (; i + WAYS <= n; i += WAYS)                                                       \
                UNROLLED for (size_t k = 0; k < WAYS; k++) ways[k] = fma_of(                       \
                    LOAD(column + which[i + k] * width), all_of(weights[which[i + k]]), ways[k]);  \
            for (; i < n; i++)                                                                     \
                ways[0] =                                                                          \
                    fma_of(LOAD(column + which[i] * width), all_of(weights[which[i]]), ways[0]);   \
            store_f32(add(add(ways[0], ways[1]), add(ways[2], ways[3])), sums + j);                \
        }                                                                                          \
    }

DEFINE_ADD(f16, uint16_t, load_f16)
DEFINE_ADD(f32, float, load_f32)
