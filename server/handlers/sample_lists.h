/* Samples in an order, kept for the pages of it that are asked for next: a gallery scrolls through
 * tens of thousands; and the maps of them. */
#ifndef KL_SERVER_HANDLERS_SAMPLE_LISTS_H
#define KL_SERVER_HANDLERS_SAMPLE_LISTS_H

#include <pthread.h>

#include "core/explain/many/sample_map.h"
#include "db/samples.h"

#define KL_SAMPLE_LISTS_KEPT 8 /* some hundred kilobytes each */

struct kl_known_list;
struct kl_known_run;

struct kl_sample_lists {
    pthread_mutex_t lock;
    pthread_cond_t map_made;
    struct kl_known_list *first; /* the most recently used */
    struct kl_known_run *runs;
};

void kl_sample_lists_init(struct kl_sample_lists *lists);
void kl_sample_lists_clear(struct kl_sample_lists *lists);

/* Lets go of what is kept about a run, which nobody uses any more. Thread-safe. */
void kl_sample_lists_forget(struct kl_sample_lists *lists, const struct kl_run *run);

/* Positions offset .. of the samples that match: ids has room for limit, *n of them are filled;
 * *total are all. at is the id of a sample whose position is wanted, or negative; *position is it,
 * or -1 where it does not match. The filter's votes are found here. Thread-safe. Errors: those of
 * kl_samples_choose, kl_certainty; KL_ERR_NOT_FOUND on "vote": nobody has told them. */
enum kl_status kl_sample_lists_page(struct kl_sample_lists *lists, struct kl_run *run,
                                    const struct kl_sample_filter *filter,
                                    enum kl_sample_order order, uint32_t offset, uint32_t limit,
                                    int64_t at, uint32_t *ids, uint32_t *n, uint32_t *total,
                                    int64_t *position, struct kl_error *err);

/* Tells the votes of a run, by the answer of the errand that counted them. Thread-safe. Errors:
 * those of kl_errand_read_votes. */
enum kl_status kl_sample_lists_learn(struct kl_sample_lists *lists, const struct kl_run *run,
                                     const char *answer, struct kl_error *err);

/* The map of a run that has one, made at its first use; it stays the lists'. Thread-safe. Errors:
 * those of kl_run_read_images and kl_sample_map. */
enum kl_status kl_sample_lists_map(struct kl_sample_lists *lists, struct kl_pool *pool,
                                   struct kl_run *run, const struct kl_sample_map **map,
                                   struct kl_error *err);

#endif
