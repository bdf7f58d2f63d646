#include "core/scan/packing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/scan/blocks.h"

#define TOP_EXPONENT 14
#define EXPONENT_MAX 100 /* 2^-100 and less is as good as nothing */

int kl_scale_exponent(float largest)
{
    int exponent = largest > 0 ? TOP_EXPONENT - ilogbf(largest) : 0;

    return exponent < EXPONENT_MAX ? exponent : EXPONENT_MAX;
}

static uint32_t *pack_row_of_four_bytes(const uint32_t *row, size_t width, uint8_t *bits,
                                        uint32_t *numbers)
{
    memset(bits, 0, kl_bits_bytes(width));
    for (size_t j = 0; j < width; j++) {
        bits[j / 8] = (uint8_t)(bits[j / 8] | (row[j] != 0) << (j % 8));
        *numbers = row[j];
        numbers += row[j] != 0;
    }
    return numbers;
}

size_t kl_pack(enum kl_dtype dtype, const void *rows, size_t n_rows, size_t width, uint8_t *bits,
               void *numbers)
{
    uint16_t *halves = numbers;
    uint32_t *floats = numbers;

    for (size_t i = 0; i < n_rows; i++, bits += kl_bits_bytes(width)) {
        if (dtype == KL_F16)
            halves =
                kl_kernels()->pack_f16((const uint16_t *)rows + i * width, width, bits, halves);
        else
            floats =
                pack_row_of_four_bytes((const uint32_t *)rows + i * width, width, bits, floats);
    }
    return dtype == KL_F16 ? (size_t)(halves - (uint16_t *)numbers)
                           : (size_t)(floats - (uint32_t *)numbers);
}

size_t kl_packed_count(const uint8_t *bits, size_t n_rows, size_t width)
{
    size_t row_bytes = kl_bits_bytes(width);

    for (size_t i = 1; width % 8 && i <= n_rows; i++)
        if (bits[i * row_bytes - 1] >> (width % 8))
            return SIZE_MAX;
    return kl_kernels()->count_bits(bits, n_rows * row_bytes);
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
    const void *halves = numbers;
    const uint32_t *floats = numbers;

    for (size_t i = 0; i < n_rows; i++, bits += kl_bits_bytes(width)) {
        if (dtype == KL_F16)
            halves = kl_kernels()->unpack_f16(bits, halves, width, (uint16_t *)rows + i * width);
        else
            floats = unpack_row_of_four_bytes(bits, floats, width, (uint32_t *)rows + i * width);
    }
}

enum kl_status kl_decode(enum kl_dtype dtype, int exponent, const uint8_t *bits, const void *stored,
                         size_t n_stored, size_t n_rows, size_t width, float **out,
                         struct kl_error *err)
{
    size_t n = n_rows * width, number = kl_dtype_size(dtype);
    char *aligned = NULL, *rows = NULL;
    struct kl_block block = {.dtype = dtype, .exponent = exponent};
    enum kl_status status =
        kl_alloc_scanned(&aligned, (bits ? n_stored : n) * number, 1, "a sample's layer", err);

    if (!status)
        memcpy(aligned, stored, (bits ? n_stored : n) * number);
    if (!status && bits)
        status = kl_alloc_scanned(&rows, n * number, 1, "a sample's layer", err);
    if (!status && bits)
        kl_unpack(dtype, bits, aligned, n_rows, width, rows);
    block.numbers = bits ? rows : aligned;
    if (!status)
        status = kl_alloc(out, n, sizeof **out, "a sample's layer", err);
    if (!status)
        kl_block_to_float(&block, 0, n, *out);
    free(rows);
    free(aligned);
    return status;
}
