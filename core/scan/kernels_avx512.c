/* AVX-512: F alone, and with VBMI2, which spreads halves by a mask in one instruction. */
#include "core/scan/kernels.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx512f,fma,f16c,popcnt")))
#define LANES 16

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

#include "core/scan/kernels_x86.h"

#include "core/scan/kernels_wide.h"

/* Includes the check that the system saves the wide registers. */
static int supported(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma") && has_f16c();
}

const struct kl_kernels kl_kernels_avx512 = {
    "avx512", supported, dot_u8,     dot_f16,    dot_f32, largest, to_f16,
    from_f16, pack_f16,  unpack_f16, count_bits, add_f16, add_f32,
};

#define TARGET_VBMI2 __attribute__((target("avx512f,avx512bw,avx512vbmi2,popcnt")))

TARGET_VBMI2 static uint16_t *pack_f16_vbmi2(const uint16_t *in, size_t n, uint8_t *bits,
                                             uint16_t *packed)
{
    for (size_t i = 0; i < n; i += 32, bits += 4) {
        size_t left = n - i;
        __mmask32 there = left >= 32 ? UINT32_MAX : ((__mmask32)1 << left) - 1;
        __m512i numbers = _mm512_maskz_loadu_epi16(there, in + i);
        uint32_t mask = _mm512_cmpneq_epi16_mask(numbers, _mm512_setzero_si512());

        memcpy(bits, &mask, left >= 32 ? sizeof mask : (left + 7) / 8);
        _mm512_storeu_si512(packed, _mm512_maskz_compress_epi16(mask, numbers));
        packed += __builtin_popcount(mask);
    }
    return packed;
}

TARGET_VBMI2 static const uint16_t *unpack_f16_vbmi2(const uint8_t *bits, const uint16_t *packed,
                                                     size_t n, uint16_t *out)
{
    for (size_t i = 0; i < n; i += 32, bits += 4) {
        uint32_t mask = 0;

        if (n - i >= 32)
            memcpy(&mask, bits, sizeof mask);
        else
            memcpy(&mask, bits, (n - i + 7) / 8);
        _mm512_storeu_si512(out + i, _mm512_maskz_expand_epi16(mask, _mm512_loadu_si512(packed)));
        packed += __builtin_popcount(mask);
    }
    return packed;
}

static int supported_vbmi2(void)
{
    return supported() && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vbmi2");
}

const struct kl_kernels kl_kernels_avx512_vbmi2 = {
    "avx512vbmi2", supported_vbmi2, dot_u8,           dot_f16,    dot_f32, largest, to_f16,
    from_f16,      pack_f16_vbmi2,  unpack_f16_vbmi2, count_bits, add_f16, add_f32,
};

#endif
