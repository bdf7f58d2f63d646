#include "server/handlers/sample_lists.h"

#include <stdlib.h>
#include <string.h>

#include "api/errands/errand.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"

struct kl_known_list {
    struct kl_known_list *next;
    const struct kl_run *run;
    uint64_t generation; /* of what was recorded of the run */
    struct kl_sample_filter filter;
    char *name; /* the filter's */
    enum kl_sample_order order;
    uint32_t n, *ids;
};

/* What is known of a run, as far as somebody asked for it. */
struct kl_known_run {
    struct kl_known_run *next;
    const struct kl_run *run;
    uint64_t generation;
    int has_certainty;
    struct kl_certainty certainty;
    uint8_t *votes; /* or NULL */
    enum { MAP_NONE, MAP_IN_THE_MAKING, MAP_MADE } map_state;
    struct kl_sample_map map;
};

void kl_sample_lists_init(struct kl_sample_lists *lists)
{
    pthread_mutex_init(&lists->lock, NULL);
    pthread_cond_init(&lists->map_made, NULL);
    lists->first = NULL;
    lists->runs = NULL;
}

static void free_list(struct kl_known_list *list)
{
    free(list->name);
    free(list->ids);
    free(list);
}

static void free_run(struct kl_known_run *known)
{
    kl_certainty_clear(&known->certainty);
    kl_sample_map_clear(&known->map);
    free(known->votes);
    free(known);
}

/* Lets go of what is kept about a run; NULL: about any. */
static void drop(struct kl_sample_lists *lists, const struct kl_run *run)
{
    struct kl_known_list **list = &lists->first;
    struct kl_known_run **about = &lists->runs;

    while (*list) {
        struct kl_known_list *known = *list;

        if (run && known->run != run) {
            list = &known->next;
            continue;
        }
        *list = known->next;
        free_list(known);
    }
    while (*about) {
        struct kl_known_run *known = *about;

        if (run && known->run != run) {
            about = &known->next;
            continue;
        }
        *about = known->next;
        free_run(known);
    }
}

void kl_sample_lists_forget(struct kl_sample_lists *lists, const struct kl_run *run)
{
    pthread_mutex_lock(&lists->lock);
    drop(lists, run);
    pthread_mutex_unlock(&lists->lock);
}

void kl_sample_lists_clear(struct kl_sample_lists *lists)
{
    drop(lists, NULL);
    pthread_cond_destroy(&lists->map_made);
    pthread_mutex_destroy(&lists->lock);
}

/* Changes when further samples of a run are recorded. */
static uint64_t generation_of(const struct kl_run *run)
{
    const struct kl_queries *queries = run->history.queries;

    return queries ? queries->generation(queries->self) : 0;
}

static int is_same(const struct kl_known_list *list, const struct kl_run *run,
                   const struct kl_sample_filter *filter, enum kl_sample_order order)
{
    const struct kl_sample_filter *own = &list->filter;

    return list->run == run && list->generation == generation_of(run) && list->order == order &&
           own->dataset == filter->dataset && own->split == filter->split &&
           own->label == filter->label && own->predicted == filter->predicted &&
           own->correct == filter->correct && own->flipped == filter->flipped &&
           own->differs == filter->differs && !own->name == !filter->name &&
           (!own->name || !strcmp(own->name, filter->name));
}

/* What is known of a run as it is now. With the lock held, as the next ones. */
static enum kl_status find_run(struct kl_sample_lists *lists, const struct kl_run *run,
                               struct kl_known_run **out, struct kl_error *err)
{
    struct kl_known_run *known = lists->runs;
    uint64_t generation = generation_of(run);
    enum kl_status status;

    while (known && (known->run != run || known->generation != generation))
        known = known->next;
    if (!known) {
        status = kl_alloc(&known, 1, sizeof *known, "what is known of a run", err);
        if (status)
            return status;
        known->run = run;
        known->generation = generation;
        known->next = lists->runs;
        lists->runs = known;
    }
    *out = known;
    return KL_OK;
}

static enum kl_status find_certainty(struct kl_sample_lists *lists, struct kl_run *run,
                                     const struct kl_certainty **certainty, struct kl_error *err)
{
    struct kl_known_run *known = NULL;
    enum kl_status status = find_run(lists, run, &known, err);

    if (!status && !known->has_certainty) {
        status = kl_run_read_images(run, err);
        if (!status)
            status = kl_certainty(&run->history, &known->certainty, err);
        if (status)
            kl_certainty_clear(&known->certainty);
        known->has_certainty = !status;
    }
    if (!status)
        *certainty = &known->certainty;
    return status;
}

static enum kl_status find_votes(struct kl_sample_lists *lists, const struct kl_run *run,
                                 const uint8_t **votes, struct kl_error *err)
{
    struct kl_known_run *known = NULL;
    enum kl_status status = find_run(lists, run, &known, err);

    if (!status && !known->votes)
        status = kl_fail_on(err, KL_ERR_NOT_FOUND, "vote",
                            "the votes of this run are not counted yet: POST to its votes first");
    if (!status)
        *votes = known->votes;
    return status;
}

static enum kl_status make_list(struct kl_sample_lists *lists, struct kl_run *run,
                                const struct kl_sample_filter *filter, enum kl_sample_order order,
                                struct kl_known_list **out, struct kl_error *err)
{
    const struct kl_certainty *certainty = NULL;
    struct kl_known_list *list = NULL;
    enum kl_status status = kl_alloc(&list, 1, sizeof *list, "samples", err);

    if (status)
        return status;
    list->run = run;
    list->generation = generation_of(run);
    list->order = order;
    list->filter = *filter;
    list->filter.name = NULL;
    if (order == KL_ORDER_LOSS || order == KL_ORDER_MARGIN)
        status = find_certainty(lists, run, &certainty, err);
    if (!status && filter->differs != KL_ANY)
        status = find_votes(lists, run, &list->filter.votes, err);
    if (!status && filter->name)
        status = kl_copy_text(&list->name, filter->name, err);
    list->filter.name = list->name;
    if (!status)
        status = kl_samples_choose(run, &list->filter, order, certainty, &list->ids, &list->n, err);
    if (status)
        free_list(list);
    else
        *out = list;
    return status;
}

/* The list, which becomes the most recently used; those used longest ago are let go of. */
static enum kl_status find_list(struct kl_sample_lists *lists, struct kl_run *run,
                                const struct kl_sample_filter *filter, enum kl_sample_order order,
                                struct kl_known_list **out, struct kl_error *err)
{
    struct kl_known_list **link = &lists->first, *list;
    unsigned n = 0;

    while (*link && !is_same(*link, run, filter, order))
        link = &(*link)->next;
    list = *link;
    if (list)
        *link = list->next;
    else if (make_list(lists, run, filter, order, &list, err))
        return err->status;
    list->next = lists->first;
    lists->first = *out = list;
    for (link = &lists->first; *link; n++) {
        struct kl_known_list *old = *link;

        if (n < KL_SAMPLE_LISTS_KEPT) {
            link = &old->next;
            continue;
        }
        *link = old->next;
        free_list(old);
    }
    return KL_OK;
}

enum kl_status kl_sample_lists_page(struct kl_sample_lists *lists, struct kl_run *run,
                                    const struct kl_sample_filter *filter,
                                    enum kl_sample_order order, uint32_t offset, uint32_t limit,
                                    int64_t at, uint32_t *ids, uint32_t *n, uint32_t *total,
                                    int64_t *position, struct kl_error *err)
{
    struct kl_known_list *list = NULL;
    enum kl_status status;

    pthread_mutex_lock(&lists->lock);
    status = find_list(lists, run, filter, order, &list, err);
    if (!status) {
        *total = list->n;
        *n = offset >= list->n ? 0 : limit < list->n - offset ? limit : list->n - offset;
        if (*n)
            memcpy(ids, list->ids + offset, *n * sizeof *ids);
        *position = -1;
        for (uint32_t i = 0; at >= 0 && i < list->n && *position < 0; i++)
            *position = list->ids[i] == at ? (int64_t)i : -1;
    }
    pthread_mutex_unlock(&lists->lock);
    return status;
}

enum kl_status kl_sample_lists_learn(struct kl_sample_lists *lists, const struct kl_run *run,
                                     const char *answer, struct kl_error *err)
{
    struct kl_known_run *known = NULL;
    uint8_t *votes = NULL;
    enum kl_status status = kl_errand_read_votes(run, answer, &votes, err);

    if (status)
        return status;
    pthread_mutex_lock(&lists->lock);
    status = find_run(lists, run, &known, err);
    if (!status && !known->votes) { /* another one may have told them */
        known->votes = votes;
        votes = NULL;
    }
    pthread_mutex_unlock(&lists->lock);
    free(votes);
    return status;
}

/* Makes a map, which takes seconds, without the lock: who asks for the same one waits, nobody else
 * does. */
static enum kl_status make_map(struct kl_sample_lists *lists, struct kl_pool *pool,
                               struct kl_run *run, struct kl_known_run *known, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    known->map_state = MAP_IN_THE_MAKING;
    pthread_mutex_unlock(&lists->lock);
    if (!run->history.queries)
        status = kl_run_read_images(run, err);
    if (!status)
        status = kl_sample_map(pool, &run->history, &known->map, err);
    if (status)
        kl_sample_map_clear(&known->map);
    pthread_mutex_lock(&lists->lock);
    known->map_state = status ? MAP_NONE : MAP_MADE;
    pthread_cond_broadcast(&lists->map_made);
    return status;
}

enum kl_status kl_sample_lists_map(struct kl_sample_lists *lists, struct kl_pool *pool,
                                   struct kl_run *run, const struct kl_sample_map **map,
                                   struct kl_error *err)
{
    struct kl_known_run *known = NULL;
    enum kl_status status;

    pthread_mutex_lock(&lists->lock);
    status = find_run(lists, run, &known, err);
    while (!status && known->map_state == MAP_IN_THE_MAKING)
        pthread_cond_wait(&lists->map_made, &lists->lock);
    if (!status && known->map_state == MAP_NONE)
        status = make_map(lists, pool, run, known, err);
    if (!status)
        *map = &known->map;
    pthread_mutex_unlock(&lists->lock);
    return status;
}
