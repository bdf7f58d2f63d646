/* AVX2 with FMA and F16C. */
#include "core/scan/kernels.h"

#ifdef __x86_64__

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,f16c,popcnt")))
#define LANES 8
#define AT_ONCE 4

typedef __m256 vector;

TARGET static inline vector zero(void)
{
    return _mm256_setzero_ps();
}

TARGET static inline vector add(vector a, vector b)
{
    return _mm256_add_ps(a, b);
}

TARGET static inline vector fma_of(vector a, vector b, vector sum)
{
    return _mm256_fmadd_ps(a, b, sum);
}

TARGET static inline vector all_of(float number)
{
    return _mm256_set1_ps(number);
}

TARGET static inline vector scaled(vector v, float scale)
{
    return _mm256_mul_ps(v, _mm256_set1_ps(scale));
}

TARGET static inline vector larger(vector sizes, vector v)
{
    __m256i bits = _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(INT32_MAX));

    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(sizes), bits));
}

TARGET static inline float sum_of(vector v)
{
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

TARGET static inline vector load_u8(const uint8_t *in)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)in)));
}

TARGET static inline vector load_f16(const uint16_t *in)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)in));
}

TARGET static inline vector load_f32(const float *in)
{
    return _mm256_loadu_ps(in);
}

TARGET static inline void store_f32(vector v, float *out)
{
    _mm256_storeu_ps(out, v);
}

TARGET static inline void store_f16(vector v, uint16_t *out)
{
    _mm_storeu_si128((__m128i *)out,
                     _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

#include "core/scan/kernels_x86.h"

#include "core/scan/kernels_wide.h"

/* The builtin's "avx2" includes the check that the system saves the wide registers. */
static int supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

const struct kl_kernels kl_kernels_avx2 = {
    "avx2", supported, dot_u8,   dot_f16,    dot_packed_f16, dot_f32, NULL,    largest,
    to_f16, from_f16,  pack_f16, unpack_f16, count_bits,     add_f16, add_f32,
};

#endif
