#include "db/packing.h"

#include <string.h>

/* For one type of number as wide as the dtype's, whatever it stands for. */
#define DEFINE_PACK(name, type)                                                                    \
    static size_t name(const type *rows, size_t n_rows, size_t width, uint8_t *bits,               \
                       uint8_t *numbers)                                                           \
    {                                                                                              \
        size_t n = 0;                                                                              \
                                                                                                   \
        for (size_t i = 0; i < n_rows; i++, rows += width) {                                       \
            for (size_t j = 0; j < width; j += 8) {                                                \
                unsigned byte = 0;                                                                 \
                                                                                                   \
                for (size_t k = 0; k < 8 && j + k < width; k++) {                                  \
                    memcpy(numbers + n * sizeof(type), rows + j + k, sizeof(type));                \
                    byte |= (unsigned)(rows[j + k] != 0) << k;                                     \
                    n += rows[j + k] != 0;                                                         \
                }                                                                                  \
                *bits++ = (uint8_t)byte;                                                           \
            }                                                                                      \
        }                                                                                          \
        return n;                                                                                  \
    }

DEFINE_PACK(pack_two_bytes, uint16_t)
DEFINE_PACK(pack_four_bytes, uint32_t)

size_t kl_pack(enum kl_dtype dtype, const void *rows, size_t n_rows, size_t width, void *out)
{
    uint8_t *bits = out, *numbers = bits + n_rows * kl_bits_bytes(width);

    return dtype == KL_F16 ? pack_two_bytes(rows, n_rows, width, bits, numbers)
                           : pack_four_bytes(rows, n_rows, width, bits, numbers);
}

static unsigned count_bits(const uint8_t *bits, size_t n_bytes)
{
    unsigned count = 0;
    uint64_t word;
    size_t i = 0;

    for (; i + sizeof word <= n_bytes; i += sizeof word) {
        memcpy(&word, bits + i, sizeof word);
        count += (unsigned)__builtin_popcountll(word);
    }
    for (; i < n_bytes; i++)
        count += (unsigned)__builtin_popcount(bits[i]);
    return count;
}

size_t kl_packed_count(const uint8_t *bits, size_t n_rows, size_t width)
{
    size_t row_bytes = kl_bits_bytes(width);

    for (size_t i = 1; width % 8 && i <= n_rows; i++)
        if (bits[i * row_bytes - 1] >> (width % 8))
            return SIZE_MAX;
    return count_bits(bits, n_rows * row_bytes);
}

static const uint32_t *unpack_row_of_four_bytes(const uint8_t *bits, const uint32_t *numbers,
                                                size_t width, uint32_t *row)
{
    for (size_t j = 0; j < width; j++)
        row[j] = bits[j / 8] >> (j % 8) & 1 ? *numbers++ : 0;
    return numbers;
}

void kl_unpack(enum kl_dtype dtype, const uint8_t *bits, const void *numbers, size_t n_rows,
               size_t width, void *rows)
{
    const uint16_t *halves = numbers;
    const uint32_t *floats = numbers;

    for (size_t i = 0; i < n_rows; i++, bits += kl_bits_bytes(width)) {
        if (dtype == KL_F16)
            halves = kl_kernels()->unpack_f16(bits, halves, width, (uint16_t *)rows + i * width);
        else
            floats = unpack_row_of_four_bytes(bits, floats, width, (uint32_t *)rows + i * width);
    }
}
