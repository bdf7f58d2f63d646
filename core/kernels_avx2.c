/* AVX2 with FMA and F16C: one key at a time, four accumulators of eight floats, which is enough to
 * run at the speed of memory (docs/performance.md is the place for figures). */
#include "core/kernels.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>

#include "core/half.h"

#define TARGET __attribute__((target("avx2,fma,f16c")))
#define WIDTH 8 /* floats in a vector */
#define UNROLL 4

TARGET static inline __m256 load_u8(const uint8_t *key)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)key)));
}

TARGET static inline __m256 load_f16(const uint16_t *key)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)key));
}

TARGET static inline __m256 load_f32(const float *key)
{
    return _mm256_loadu_ps(key);
}

TARGET static inline float sum_vectors(const __m256 sums[UNROLL])
{
    __m256 all = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));

    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

/* One loop for three number formats: LOAD8 loads eight stored numbers, LOAD1 one. */
#define DEFINE_DOT(name, type, LOAD8, LOAD1)                                                       \
    TARGET static void name(const type *keys, size_t n, size_t width, const float *query,          \
                            float *out)                                                            \
    {                                                                                              \
        for (size_t i = 0; i < n; i++) {                                                           \
            const type *key = keys + i * width;                                                    \
            __m256 sums[UNROLL] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),  \
                                   _mm256_setzero_ps()};                                           \
            float rest = 0;                                                                        \
            size_t j = 0;                                                                          \
                                                                                                   \
            for (; j + UNROLL * WIDTH <= width; j += UNROLL * WIDTH)                               \
                for (size_t k = 0; k < UNROLL; k++)                                                \
                    sums[k] = _mm256_fmadd_ps(LOAD8(key + j + k * WIDTH),                          \
                                              _mm256_loadu_ps(query + j + k * WIDTH), sums[k]);    \
            for (; j + WIDTH <= width; j += WIDTH)                                                 \
                sums[0] = _mm256_fmadd_ps(LOAD8(key + j), _mm256_loadu_ps(query + j), sums[0]);    \
            for (; j < width; j++)                                                                 \
                rest += LOAD1(key[j]) * query[j];                                                  \
            out[i] = sum_vectors(sums) + rest;                                                     \
        }                                                                                          \
    }

#define LOAD_PLAIN(number) ((float)(number))

DEFINE_DOT(dot_u8, uint8_t, load_u8, LOAD_PLAIN)
DEFINE_DOT(dot_f16, uint16_t, load_f16, kl_half_to_float)
DEFINE_DOT(dot_f32, float, load_f32, LOAD_PLAIN)

TARGET static void to_f16(const float *in, size_t n, float scale, uint16_t *out)
{
    __m256 scales = _mm256_set1_ps(scale);
    size_t i = 0;

    for (; i + WIDTH <= n; i += WIDTH)
        _mm_storeu_si128((__m128i *)(out + i),
                         _mm256_cvtps_ph(_mm256_mul_ps(_mm256_loadu_ps(in + i), scales),
                                         _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    for (; i < n; i++)
        out[i] = kl_half_from_float(in[i] * scale);
}

TARGET static void from_f16(const uint16_t *in, size_t n, float *out)
{
    size_t i = 0;

    for (; i + WIDTH <= n; i += WIDTH)
        _mm256_storeu_ps(out + i, load_f16(in + i));
    for (; i < n; i++)
        out[i] = kl_half_to_float(in[i]);
}

/* By cpuid, because clang 14 does not know "f16c" in __builtin_cpu_supports. The builtin's "avx2"
 * includes the check that the system saves the wide registers. */
static int supported(void)
{
    unsigned a, b, c, d;

    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

const struct kl_kernels kl_kernels_avx2 = {
    "avx2", supported, dot_u8, dot_f16, dot_f32, to_f16, from_f16,
};

#endif
