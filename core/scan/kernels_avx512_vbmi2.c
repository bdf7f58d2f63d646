/* AVX-512 with VBMI2, which spreads halves by a mask in one instruction. */
#include "core/scan/kernels.h"

#ifdef __x86_64__

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vbmi2,fma,f16c,popcnt")))
#define HAS_PACKING

#include "core/scan/kernels_avx512.h"

TARGET static uint16_t *pack_f16(const uint16_t *in, size_t n, uint8_t *bits, uint16_t *packed)
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

/* The processor takes the instruction to need what stood in the register before, even where it
 * leaves zeros: a register that was just cleared does not make it wait. From memory it is slow. */
TARGET static inline void spread_32(uint32_t bits, const uint8_t *packed, uint16_t *out)
{
    __m512i numbers = _mm512_loadu_si512(packed), cleared;

    __asm__("" : "+v"(numbers));
    __asm__ volatile("vpxor %x0, %x0, %x0" : "=x"(cleared));
    _mm512_storeu_si512(out, _mm512_mask_expand_epi16(cleared, bits, numbers));
}

TARGET static inline const uint8_t *spread_64(uint64_t bits, const uint8_t *packed, uint16_t *out)
{
    spread_32((uint32_t)bits, packed, out);
    spread_32((uint32_t)(bits >> 32),
              packed + (size_t)__builtin_popcount((uint32_t)bits) * sizeof *out, out + 32);
    return packed + (size_t)__builtin_popcountll(bits) * sizeof *out;
}

#include "core/scan/kernels_wide.h"

static int supported(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vbmi2");
}

const struct kl_kernels kl_kernels_avx512_vbmi2 = {
    "avx512vbmi2", supported, dot_u8,   dot_f16,    dot_packed_f16, dot_f32, largest,
    to_f16,        from_f16,  pack_f16, unpack_f16, count_bits,     add_f16, add_f32,
};

#endif
