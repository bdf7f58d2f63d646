/* A layer's keys in 8 bits: a block source of bytes made of one of float16, to be kept in memory
 * beside it, where a pass over it is some two times as fast; and how far what they say may be from
 * what the float16 keys do.
 *
 * Key i is scale_i * k_i and a remainder r_i, with numbers k_i of 0 to 255 where zeros are left out
 * (as ReLU leaves them), or of -127 to 127; a query is s * q, with numbers q of -127 to 127, and a
 * remainder w. So their product is scale_i * s * (k_i . q) up to |r_i| |s q + w| + |scale_i k_i|
 * |w| (Cauchy and Schwarz). */
#ifndef KL_CORE_SCAN_QUANTISED_H
#define KL_CORE_SCAN_QUANTISED_H

#include <pthread.h>

#include "core/scan/blocks.h"

struct kl_quantised {
    struct kl_block_source source; /* KL_U8, without read; read_packed reads some rows at a time;
                                      packed where from is */
    const struct kl_block_source *from;
    struct kl_extent *extents; /* (n_blocks) */
    pthread_mutex_t lock;      /* of making what follows */
    float *scales; /* (n_rows) scale_i, known of the rows that were read; NULL: none was */
    /* Of every group of KL_QUANTISED_GROUP rows (kl_quantised_group): */
    float *lengths; /* the largest |scale_i k_i|, */
    float *errors;  /* and the largest |r_i|, with what float32 sums of the float16 key are off by,
                       per length of the query; infinity: 8 bits say nothing about them */
    unsigned n_workers;
    struct kl_quantised_room *rooms; /* (n_workers) */
};

/* The group of a row of a block, among all groups; some numbers stand for none. */
#define KL_QUANTISED_GROUP 64
static inline uint64_t kl_quantised_group(const struct kl_block_source *source, uint32_t block,
                                          uint32_t row)
{
    return source->extents[block].first / KL_QUANTISED_GROUP + block + row / KL_QUANTISED_GROUP;
}

static inline uint64_t kl_quantised_n_groups(const struct kl_block_source *source)
{
    return source->n_rows / KL_QUANTISED_GROUP + source->n_blocks;
}

/* Bytes that are kept beside a copy, once there is one, and after it is given back. */
static inline uint64_t kl_quantised_beside(const struct kl_block_source *source)
{
    return (source->n_rows + 2 * kl_quantised_n_groups(source)) * sizeof(float);
}

/* Whether keys of a source can be had in 8 bits, and there is a kernel that multiplies them. */
int kl_quantised_applies(const struct kl_block_source *from);

/* Takes little memory until it is read. The caller ends *quantised with kl_quantised_free; from
 * must outlive it. Errors: KL_ERR_MEMORY. */
enum kl_status kl_quantised_create(const struct kl_block_source *from, unsigned n_workers,
                                   struct kl_quantised **quantised, struct kl_error *err);
void kl_quantised_free(struct kl_quantised *quantised);

/* A query as a pass over such keys wants it, and what its estimates are off by. */
struct kl_quantised_query {
    struct kl_byte_query query;
    float scale;     /* s */
    float length;    /* |s q + w| */
    float remainder; /* |w|, and what is rounded */
    int8_t *numbers; /* the query's */
};

/* query: (width). The caller ends *asking with kl_quantised_query_clear. Errors: KL_ERR_MEMORY,
 * KL_ERR_USAGE (its largest number is not between 2^-40 and 2^40: 8 bits say nothing then). */
enum kl_status kl_quantised_query_make(const float *query, size_t width,
                                       struct kl_quantised_query *asking, struct kl_error *err);
void kl_quantised_query_clear(struct kl_quantised_query *asking);

/* Of some rows that were read of the source or of a copy of it: out[i], (count), is the product of
 * each with the query, up to kl_quantised_bound of its group. */
void kl_quantised_products(const struct kl_quantised *quantised, const struct kl_block *rows,
                           const struct kl_quantised_query *asking, float *out);

/* What a group's products, as kl_scan_dot has them, may be from those of kl_quantised_products. */
static inline float kl_quantised_bound(const struct kl_quantised *quantised,
                                       const struct kl_quantised_query *asking, uint64_t group)
{
    return quantised->errors[group] * asking->length +
           quantised->lengths[group] * asking->remainder;
}

#endif
