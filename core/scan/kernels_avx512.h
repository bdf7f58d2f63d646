/* Vectors of AVX-512, for core/scan/kernels_wide.h: included with TARGET defined, which has AVX-512
 * F, FMA and F16C. */
#include <immintrin.h>

#include "core/scan/kernels_x86.h"

#define LANES 16
#define AT_ONCE 8
#define HAS_SUMS

typedef __m512 vector;

TARGET static inline vector zero(void)
{
    return _mm512_setzero_ps();
}

TARGET static inline vector add(vector a, vector b)
{
    return _mm512_add_ps(a, b);
}

TARGET static inline vector fma_of(vector a, vector b, vector sum)
{
    return _mm512_fmadd_ps(a, b, sum);
}

TARGET static inline vector all_of(float number)
{
    return _mm512_set1_ps(number);
}

TARGET static inline vector scaled(vector v, float scale)
{
    return _mm512_mul_ps(v, _mm512_set1_ps(scale));
}

TARGET static inline vector larger(vector sizes, vector v)
{
    __m512i bits = _mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(INT32_MAX));

    return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(sizes), bits));
}

TARGET static inline float sum_of(vector v)
{
    __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
    __m256 both = _mm256_add_ps(_mm512_castps512_ps256(v), upper);
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1));

    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

/* Adds the same lanes as sum_of, of several vectors at a time: 16 shuffles instead of 32. */
TARGET static inline void sums_of_eight(const vector v[8], float out[8])
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 2, 6, 10, 14, 0, 0, 0, 0, 0, 0, 0, 0);
    vector halves[4], fourths[2], eighths;

    for (int i = 0; i < 4; i++)
        halves[i] = _mm512_add_ps(_mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0xee),
                                  _mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0x44));
    for (int i = 0; i < 2; i++)
        fourths[i] = _mm512_add_ps(_mm512_shuffle_f32x4(halves[2 * i], halves[2 * i + 1], 0x88),
                                   _mm512_shuffle_f32x4(halves[2 * i], halves[2 * i + 1], 0xdd));
    eighths = _mm512_castpd_ps(
        _mm512_unpacklo_pd(_mm512_castps_pd(fourths[0]), _mm512_castps_pd(fourths[1])));
    eighths =
        _mm512_add_ps(eighths, _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(fourths[0]),
                                                                   _mm512_castps_pd(fourths[1]))));
    eighths = _mm512_add_ps(eighths, _mm512_movehdup_ps(eighths));
    _mm256_storeu_ps(out, _mm512_castps512_ps256(_mm512_permutexvar_ps(order, eighths)));
}

TARGET static inline vector load_u8(const uint8_t *in)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)in)));
}

TARGET static inline vector load_f16(const uint16_t *in)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)in));
}

TARGET static inline vector load_f32(const float *in)
{
    return _mm512_loadu_ps(in);
}

TARGET static inline void store_f32(vector v, float *out)
{
    _mm512_storeu_ps(out, v);
}

TARGET static inline void store_f16(vector v, uint16_t *out)
{
    _mm256_storeu_si256((__m256i *)out,
                        _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* Includes the check that the system saves the wide registers. */
static inline int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma") && has_f16c();
}
