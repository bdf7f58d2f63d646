/* One pass over a source's rows. */
#ifndef KL_CORE_SCAN_SCAN_H
#define KL_CORE_SCAN_SCAN_H

#include "core/scan/blocks.h"

#define KL_FACTORS_MAX 16

/* What some of a source's rows are multiplied with. */
struct kl_scan_factor {
    uint64_t first, end; /* the rows */
    const float *query;  /* (width) */
    float offset;        /* added to every product */
};

/* out[row] = rows[row] . query + offset, for every row of the source, each with the factor that has
 * it: n <= KL_FACTORS_MAX of them, by rising rows, the same rows in every call for a source; out:
 * (n_rows) float32. Runs on all workers; the result does not depend on how many there are, nor on
 * the scans of the same source that are under way at the same time, whose pass it joins. Errors:
 * those of reading. */
enum kl_status kl_scan_factors(struct kl_pool *pool, const struct kl_block_source *source,
                               const struct kl_scan_factor *factors, uint32_t n, float *out,
                               struct kl_error *err);

/* The same of one factor for all rows. */
enum kl_status kl_scan_dot(struct kl_pool *pool, const struct kl_block_source *source,
                           const float *query, float offset, float *out, struct kl_error *err);

/* The same of some rows alone, n of them by rising numbers: out (n_rows), of which only theirs are
 * written, to the bit as kl_scan_dot does. */
enum kl_status kl_scan_rows(struct kl_pool *pool, const struct kl_block_source *source,
                            const float *query, const uint64_t *rows, uint32_t n, float *out,
                            struct kl_error *err);

#endif
