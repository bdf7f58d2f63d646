/* What the x86 variants do with one half and with eight at a time, for core/scan/kernels_wide.h:
 * included with TARGET defined, which has F16C. */
#include <cpuid.h>
#include <immintrin.h>

/* By cpuid, because clang 14 does not know "f16c" in __builtin_cpu_supports. */
static inline int has_f16c(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

TARGET static inline float one_f16(uint16_t half)
{
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half)));
}

TARGET static inline void shuffled(const uint8_t *in, const uint8_t shuffle[16], uint16_t *out)
{
    _mm_storeu_si128((__m128i *)out, _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)in),
                                                      _mm_loadu_si128((const __m128i *)shuffle)));
}

TARGET static inline uint8_t not_zero(const uint16_t *in)
{
    __m128i zeros = _mm_cmpeq_epi16(_mm_loadu_si128((const __m128i *)in), _mm_setzero_si128());

    return (uint8_t)~_mm_movemask_epi8(_mm_packs_epi16(zeros, _mm_setzero_si128()));
}
