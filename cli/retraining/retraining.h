/* keylight influence: what scores foretell of retraining, and how far that is true. */
#ifndef KL_CLI_RETRAINING_RETRAINING_H
#define KL_CLI_RETRAINING_RETRAINING_H

#include "core/training/walk.h"
#include "db/run.h"

#define KL_WALK "walk"  /* the score that is no rank */
#define KL_WALK_MAX 64u /* samples at a time: each takes the room of two networks */

/* The last parts of a training, of so many. */
struct kl_parts {
    uint32_t last, of;
};

struct kl_influence_request {
    const char *path,
        *samples; /* samples: a list, to be walked back from; NULL: check the scores */
    uint32_t n_checks, n_queries, top;
    double share;
    struct kl_parts parts;
    int json, helped;
};

/* Retrains without random subsets, and prints each score's rank correlation with what came of it.
 */
enum kl_status kl_check_scores(const struct kl_influence_request *request, struct kl_error *err);

/* Walks back from samples, and prints whom they would miss most, and least. */
enum kl_status kl_print_walk(const struct kl_influence_request *request, struct kl_error *err);

/* The first step that is walked, from 1: of the last parts, and at least the last one. */
uint32_t kl_walk_first(const struct kl_training *training, const struct kl_parts *parts);

/* A walk back over the last parts of a run's training, with a bar: core/training/walk.h. */
enum kl_status kl_walk_run(const struct kl_run *run, const struct kl_walk_queries *queries,
                           const struct kl_parts *parts, double *influences, struct kl_error *err);

/* What people call a score. */
const char *kl_score_label(const char *score);

#endif
