/* Numbers of which many are zero, as ReLU leaves them, stored without these: first a bit for every
 * number, row by row, every row padded to whole bytes with zeros (bit j % 8 of byte j / 8: number j
 * is stored), then the stored numbers. What is left out is +0, bit for bit. Thread-safe. */
#ifndef KL_CORE_SCAN_PACKING_H
#define KL_CORE_SCAN_PACKING_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/scan/kernels.h"

/* Bytes of the bits of one row. */
static inline size_t kl_bits_bytes(size_t width)
{
    return (width + 7) / 8;
}

/* The exponent that numbers of float16 are stored with, so that the largest lies below 2^15, far
 * from where float16 ends, and few below its normal range: n is stored as n * 2^exponent. */
int kl_scale_exponent(float largest);

/* Packs rows of KL_F16 or KL_F32: returns how many numbers are stored. bits has room for those of
 * all rows; numbers, which is aligned, for all numbers and KL_SLACK bytes. */
size_t kl_pack(enum kl_dtype dtype, const void *rows, size_t n_rows, size_t width, uint8_t *bits,
               void *numbers);

/* How many numbers the bits of n_rows rows stand for; SIZE_MAX if padding is not zero. */
size_t kl_packed_count(const uint8_t *bits, size_t n_rows, size_t width);

/* The reverse: numbers holds as many as kl_packed_count says, with KL_SLACK bytes behind them that
 * may be read, as there are behind rows that may be written. */
void kl_unpack(enum kl_dtype dtype, const uint8_t *bits, const void *numbers, size_t n_rows,
               size_t width, void *rows);

/* Rows as floats: numbers (n_rows, width), the caller's to free, each stored one times 2^-exponent.
 * bits: those of packed rows, of which n_stored numbers follow; or NULL: all are stored. Neither
 * need be aligned. Errors: KL_ERR_MEMORY. */
enum kl_status kl_decode(enum kl_dtype dtype, int exponent, const uint8_t *bits, const void *stored,
                         size_t n_stored, size_t n_rows, size_t width, float **numbers,
                         struct kl_error *err);

#endif
