/* Drawing a part of labelled samples so that every class has its share. */
#ifndef KL_CORE_DATA_DRAW_H
#define KL_CORE_DATA_DRAW_H

#include <stdint.h>

#include "core/base/error.h"

#define KL_DRAW_MEMBERS 3 /* a class of at least so many is in both parts, where both have room */

/* Draws n of count samples, by a seeded shuffle within each class: every class gives its share of
 * n (by largest remainders), at least one if it has KL_DRAW_MEMBERS and n has room for all such,
 * and never its last one unless keeps_none. Fills drawn (count) with 1 and 0. Deterministic in the
 * labels, seed and stream. n is at most count. Errors: KL_ERR_MEMORY. */
enum kl_status kl_draw(const uint8_t *labels, uint32_t count, uint32_t n, int keeps_none,
                       uint64_t seed, uint32_t stream, uint8_t *drawn, struct kl_error *err);

#endif
