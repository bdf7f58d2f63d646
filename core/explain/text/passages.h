/* The spotlight over a text as passages: lit positions that stand near each other, merged, with the
 * text around them. */
#ifndef KL_CORE_EXPLAIN_TEXT_PASSAGES_H
#define KL_CORE_EXPLAIN_TEXT_PASSAGES_H

#include "core/explain/answer.h"

/* Lit positions asked for per passage: of many, most stand near each other or repeat themselves. */
#define KL_HITS_PER_PASSAGE 10

/* One position of a passage that is lit. */
struct kl_hit_place {
    uint32_t hit;         /* its best pattern's place in the answer's spotlight */
    uint32_t position;    /* in the training split: the token whose continuation was learned */
    uint32_t patterns;    /* of it that are in the spotlight */
    uint32_t repetitions; /* of it in the whole training */
};

struct kl_passage {
    uint32_t first, count; /* tokens to show, in the training split, of one document */
    uint32_t n_places;
    struct kl_hit_place *places; /* (n_places) best first; the first made the passage */
};

struct kl_passages {
    uint32_t n;
    struct kl_passage *passages; /* (n) best first */
};

/* The first at most most passages of an answer about a text. The caller ends *passages with
 * kl_passages_clear. Errors: KL_ERR_MEMORY. */
enum kl_status kl_passages_find(const struct kl_history *history, const struct kl_answer *answer,
                                uint32_t most, struct kl_passages *passages, struct kl_error *err);
void kl_passages_clear(struct kl_passages *passages);

#endif
