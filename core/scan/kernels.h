/* The inner loops: dot products of many keys with some queries, and conversions to float16.
 *
 * Every variant computes the same thing as the portable one, which is the reference and the
 * fallback; sums are taken in float32 in an order fixed per variant, so that a variant's answers
 * are the same at every call, with any number of threads and beside any other queries. Thread-safe
 * once selected. */
#ifndef KL_CORE_SCAN_KERNELS_H
#define KL_CORE_SCAN_KERNELS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "core/base/memory.h"

/* A width rounded up to whole vectors of any variant. */
static inline size_t kl_padded(size_t width)
{
    return (width + 15) / 16 * 16;
}

/* The larger one of a size and |number|; infinity for what is not finite. */
static inline float kl_larger(float size, float number)
{
    if (fabsf(number) <= size)
        return size;
    return isfinite(number) ? fabsf(number) : INFINITY;
}

/* How many bits are set, by the instructions of whatever function this stands in. */
__attribute__((always_inline)) static inline size_t kl_count_bits(const uint8_t *bits,
                                                                  size_t n_bytes)
{
    size_t count = 0, i = 0;
    uint64_t word;

    for (; i + sizeof word <= n_bytes; i += sizeof word) {
        memcpy(&word, bits + i, sizeof word);
        count += (unsigned)__builtin_popcountll(word);
    }
    for (; i < n_bytes; i++)
        count += (unsigned)__builtin_popcount(bits[i]);
    return count;
}

#define KL_BYTES_WIDTH_MAX 65536 /* of sums that fit 32 bits */

/* Queries that are asked of the same keys, and where the products go. Those that do not begin at
 * multiples of 64 bytes take up to twice as long. */
#define KL_DOTS_MAX 8
struct kl_dots {
    size_t n;                          /* 1 .. KL_DOTS_MAX */
    const float *queries[KL_DOTS_MAX]; /* (width) each */
    float *out[KL_DOTS_MAX];           /* (keys) each */
};

/* A query in 8-bit numbers, for keys in such. */
struct kl_byte_query {
    const int8_t *numbers; /* (width), from a multiple of 64 bytes on, and zeros to another one */
    int32_t sum;           /* of them */
};

struct kl_kernels {
    const char *name;
    /* Whether this processor runs it. */
    int (*supported)(void);
    /* out[q][i] = sum_j keys[i][j] * queries[q][j]; keys: (n, width) row-major */
    void (*dot_u8)(const uint8_t *keys, size_t n, size_t width, const struct kl_dots *dots);
    void (*dot_f16)(const uint16_t *keys, size_t n, size_t width, const struct kl_dots *dots);
    /* The same of packed keys: what unpack_f16 makes of them, one after the other, to the bit, and
     * as it may be given them. Bits behind a row's last number are 0. */
    void (*dot_packed_f16)(const uint8_t *bits, const void *packed, size_t n, size_t width,
                           const struct kl_dots *dots);
    void (*dot_f32)(const float *keys, size_t n, size_t width, const struct kl_dots *dots);
    /* out[i] = sum_j keys[i][j] * numbers[j] of the query, rounded once, of keys (n, width), width
     * at most KL_BYTES_WIDTH_MAX. With bits they are packed, and what is left out is 0; bits are
     * NULL: rows are whole, and a number k of theirs stands for k - 128. KL_SLACK bytes behind them
     * and behind bits may be read. NULL: float16 is as fast. */
    void (*dot_bytes)(const uint8_t *bits, const uint8_t *keys, size_t n, size_t width,
                      const struct kl_byte_query *query, float *out);
    /* The largest |in[i]|, or infinity if one is not finite. */
    float (*largest)(const float *in, size_t n);
    /* out[i] = in[i] * scale, rounded to nearest even */
    void (*to_f16)(const float *in, size_t n, float scale, uint16_t *out);
    /* out[i] = in[i] */
    void (*from_f16)(const uint16_t *in, size_t n, float *out);
    /* What is not 0 (bit for bit) of in, one after the other: sets bit i % 8 of bits[i / 8] for
     * each, and clears the others to the end of the last byte; returns the end of packed. Up to
     * KL_SLACK bytes behind packed may be written. */
    uint16_t *(*pack_f16)(const uint16_t *in, size_t n, uint8_t *bits, uint16_t *packed);
    /* out[i] = the next of packed, where bit i % 8 of bits[i / 8] is set, otherwise 0: returns what
     * follows in packed, which need not be aligned. Up to KL_SLACK bytes behind what is used of
     * packed may be read. */
    const void *(*unpack_f16)(const uint8_t *bits, const void *packed, size_t n, uint16_t *out);
    /* How many bits are set. */
    size_t (*count_bits)(const uint8_t *bits, size_t n_bytes);
    /* sums[j] += sum_i weights[which[i]] * rows[which[i]][j]; which: (n); rows: (.., width)
     * row-major, and KL_SLACK bytes behind them may be read; sums: kl_padded(width) numbers may
     * change, of which those from width on mean nothing. */
    void (*add_f16)(const uint16_t *rows, const uint16_t *which, size_t n, size_t width,
                    const float *weights, float *sums);
    void (*add_f32)(const float *rows, const uint16_t *which, size_t n, size_t width,
                    const float *weights, float *sums);
};

/* All variants built in, best last; *n of them. A static table. */
const struct kl_kernels *const *kl_kernels_all(size_t *n);

/* Chooses the best supported variant, or the one that the environment variable KEYLIGHT_KERNEL
 * names. Call once, before any thread starts. Errors: KL_ERR_USAGE (no such variant here). */
enum kl_status kl_kernels_select(struct kl_error *err);

/* The chosen variant; the portable one before kl_kernels_select. */
const struct kl_kernels *kl_kernels(void);

/* dot of the given dtype, through the chosen variant. */
void kl_dot(enum kl_dtype dtype, const void *keys, size_t n, size_t width,
            const struct kl_dots *dots);

/* add of KL_F16 or KL_F32, through the chosen variant. */
void kl_add(enum kl_dtype dtype, const void *rows, const uint16_t *which, size_t n, size_t width,
            const float *weights, float *sums);

extern const struct kl_kernels kl_kernels_portable;
#ifdef __x86_64__
extern const struct kl_kernels kl_kernels_avx2;         /* AVX2, FMA and F16C */
extern const struct kl_kernels kl_kernels_avx512;       /* AVX-512 F */
extern const struct kl_kernels kl_kernels_avx512_vbmi2; /* and BW, VBMI2, VNNI, VPOPCNTDQ */
#endif
#ifdef __aarch64__
extern const struct kl_kernels kl_kernels_neon;
#endif

#endif
