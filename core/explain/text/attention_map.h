/* A whole passage against the training history: what every one of its tokens attends to most. One
 * pass over the keys answers all of them, by matrix products. */
#ifndef KL_CORE_EXPLAIN_TEXT_ATTENTION_MAP_H
#define KL_CORE_EXPLAIN_TEXT_ATTENTION_MAP_H

#include "core/explain/history.h"
#include "core/explain/rank.h"

#define KL_MAP_TOKENS_MAX 256
#define KL_MAP_BEST_MAX 20

/* One training position that a token attends to, by its best pattern. */
struct kl_attention_map_best {
    uint32_t sample;
    uint64_t pattern;
    float attention;
};

struct kl_attention_map {
    uint32_t n, n_best, n_columns;
    double *mean, *deviation; /* (n) of every token's scores, by the rank, over the history */
    uint32_t *n_found;        /* (n) */
    struct kl_attention_map_best *best;    /* (n, n_best) best first, every position once */
    struct kl_attention_map_best *columns; /* (n_columns) the positions that stand out most, over
                                     all tokens: by how far above its mean a token's attention is */
    float *attention; /* (n, n_columns) every token's to each column's pattern */
};

struct kl_attention_map_query {
    const uint32_t *tokens;     /* (n_before + n) read from an empty state */
    uint32_t n_before, n;       /* the last n, 1 .. KL_MAP_TOKENS_MAX, are asked about */
    uint32_t layer;             /* from 1 */
    const struct kl_rank *rank; /* one with rows that need no lengths */
    uint32_t n_best;            /* 1 .. KL_MAP_BEST_MAX */
    uint32_t n_columns;         /* at most so many */
};

/* Of a text's history. The caller ends *map with kl_attention_map_clear. Errors: KL_ERR_USAGE
 * (layer, rank, numbers out of range), KL_ERR_MEMORY and those of reading. */
enum kl_status kl_attention_map_find(struct kl_pool *pool, const struct kl_history *history,
                                     const struct kl_attention_map_query *query,
                                     struct kl_attention_map *map, struct kl_error *err);
void kl_attention_map_clear(struct kl_attention_map *map);

#endif
