/* AVX-512 with VBMI2, which spreads halves and bytes by a mask in one instruction, and VNNI, which
 * multiplies bytes, and VPOPCNTDQ, which counts bits. */
#include "core/scan/kernels.h"

#ifdef __x86_64__

#define TARGET                                                                                     \
    __attribute__((                                                                                \
        target("avx512f,avx512bw,avx512vbmi2,avx512vnni,avx512vpopcntdq,fma,f16c,popcnt")))
#define HAS_PACKING
#define HAS_COUNT

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

TARGET static size_t count_bits(const uint8_t *bits, size_t n_bytes)
{
    __m512i counts = _mm512_setzero_si512();

    for (; n_bytes > 64; n_bytes -= 64, bits += 64)
        counts = _mm512_add_epi64(counts, _mm512_popcnt_epi64(_mm512_loadu_si512(bits)));
    counts = _mm512_add_epi64(counts, _mm512_popcnt_epi64(_mm512_maskz_loadu_epi8(
                                          n_bytes ? UINT64_MAX >> (64 - n_bytes) : 0, bits)));
    return (size_t)_mm512_reduce_add_epi64(counts);
}

/* As spread_32: numbers that bits leave out are 0. */
TARGET static inline __m512i spread_bytes(uint64_t bits, const uint8_t *packed)
{
    __m512i numbers = _mm512_loadu_si512(packed), cleared;

    __asm__("" : "+v"(numbers));
    __asm__ volatile("vpxor %x0, %x0, %x0" : "=x"(cleared));
    return _mm512_mask_expand_epi8(cleared, bits, numbers);
}

/* Multiplies 64 numbers with those of the query. */
TARGET static inline __m512i add_bytes(__m512i sums, __m512i numbers, const int8_t *query)
{
    return _mm512_dpbusd_epi32(sums, numbers, _mm512_load_si512(query));
}

TARGET static inline float dot_packed_bytes(const uint8_t *bits, const uint8_t **keys, size_t width,
                                            const int8_t *query)
{
    __m512i even = _mm512_setzero_si512(), odd = even;
    const uint8_t *next = *keys;
    uint64_t word;
    size_t j = 0;

    for (; j + 128 <= width; j += 128, bits += 16) {
        __builtin_prefetch(next + AHEAD * 4);
        word = next_bits(bits);
        even = add_bytes(even, spread_bytes(word, next), query + j);
        next += __builtin_popcountll(word);
        word = next_bits(bits + 8);
        odd = add_bytes(odd, spread_bytes(word, next), query + j + 64);
        next += __builtin_popcountll(word);
    }
    if (j + 64 <= width) {
        word = next_bits(bits);
        even = add_bytes(even, spread_bytes(word, next), query + j);
        next += __builtin_popcountll(word);
        j += 64;
        bits += 8;
    }
    __builtin_prefetch(next + AHEAD * 4);
    __builtin_prefetch(bits + AHEAD);
    if (j < width) {
        word = next_bits(bits) & (((uint64_t)1 << (width - j)) - 1);
        odd = add_bytes(odd, spread_bytes(word, next), query + j);
        next += __builtin_popcountll(word);
    }
    *keys = next;
    return (float)_mm512_reduce_add_epi32(_mm512_add_epi32(even, odd));
}

TARGET static void dot_bytes(const uint8_t *bits, const uint8_t *keys, size_t n, size_t width,
                             const struct kl_byte_query *query, float *out)
{
    for (size_t i = 0; bits && i < n; i++, bits += (width + 7) / 8)
        out[i] = dot_packed_bytes(bits, &keys, width, query->numbers);
    for (size_t i = 0; !bits && i < n; i++, keys += width) {
        __m512i sums = _mm512_setzero_si512();

        for (size_t j = 0; j < width; j += 64)
            sums = add_bytes(sums, _mm512_loadu_si512(keys + j), query->numbers + j);
        out[i] = (float)(_mm512_reduce_add_epi32(sums) - 128 * query->sum);
    }
}

static int supported(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vnni") &&
           __builtin_cpu_supports("avx512vpopcntdq");
}

const struct kl_kernels kl_kernels_avx512_vbmi2 = {
    "avx512vbmi2", supported, dot_u8,   dot_f16,    dot_packed_f16, dot_f32, dot_bytes, largest,
    to_f16,        from_f16,  pack_f16, unpack_f16, count_bits,     add_f16, add_f32,
};

#endif
