#include "server/handlers/sample_lists.h"

#include <stdlib.h>
#include <string.h>

#include "api/errands/errand.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"

struct kl_known_list {
    struct kl_known_list *next;
    const struct kl_run *run;
    uint64_t generation; /* of what was recorded of the run, as in all of these */
    struct kl_sample_filter filter;
    char *name; /* the filter's */
    enum kl_sample_order order;
    uint32_t n, *ids;
};

struct kl_known_certainty {
    struct kl_known_certainty *next;
    const struct kl_run *run;
    struct kl_certainty certainty;
};

struct kl_known_map {
    struct kl_known_map *next;
    const struct kl_run *run;
    uint64_t generation;
    int is_made;
    struct kl_sample_map map;
};

struct kl_known_votes {
    struct kl_known_votes *next;
    const struct kl_run *run;
    uint64_t generation;
    uint8_t *votes;
};

void kl_sample_lists_init(struct kl_sample_lists *lists)
{
    pthread_mutex_init(&lists->lock, NULL);
    pthread_cond_init(&lists->map_made, NULL);
    lists->first = NULL;
    lists->certainties = NULL;
    lists->maps = NULL;
    lists->votes = NULL;
}

static void free_list(struct kl_known_list *list)
{
    free(list->name);
    free(list->ids);
    free(list);
}

/* Lets go of what is kept about a run; NULL: about any. */
static void drop(struct kl_sample_lists *lists, const struct kl_run *run)
{
    struct kl_known_list **list = &lists->first;
    struct kl_known_certainty **certainty = &lists->certainties;
    struct kl_known_map **map = &lists->maps;
    struct kl_known_votes **votes = &lists->votes;

    while (*list) {
        struct kl_known_list *known = *list;

        if (run && known->run != run) {
            list = &known->next;
            continue;
        }
        *list = known->next;
        free_list(known);
    }
    while (*certainty) {
        struct kl_known_certainty *known = *certainty;

        if (run && known->run != run) {
            certainty = &known->next;
            continue;
        }
        *certainty = known->next;
        kl_certainty_clear(&known->certainty);
        free(known);
    }
    while (*map) {
        struct kl_known_map *known = *map;

        if (run && known->run != run) {
            map = &known->next;
            continue;
        }
        *map = known->next;
        kl_sample_map_clear(&known->map);
        free(known);
    }
    while (*votes) {
        struct kl_known_votes *known = *votes;

        if (run && known->run != run) {
            votes = &known->next;
            continue;
        }
        *votes = known->next;
        free(known->votes);
        free(known);
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

/* With the lock held, as the next two. */
static enum kl_status find_certainty(struct kl_sample_lists *lists, struct kl_run *run,
                                     const struct kl_certainty **certainty, struct kl_error *err)
{
    struct kl_known_certainty *known = lists->certainties;
    enum kl_status status = KL_OK;

    while (known && known->run != run)
        known = known->next;
    if (!known) {
        status = kl_alloc(&known, 1, sizeof *known, "the samples", err);
        if (!status)
            status = kl_run_read_images(run, err);
        if (!status)
            status = kl_certainty(&run->history, &known->certainty, err);
        if (status) {
            if (known)
                kl_certainty_clear(&known->certainty);
            free(known);
            return status;
        }
        known->run = run;
        known->next = lists->certainties;
        lists->certainties = known;
    }
    *certainty = &known->certainty;
    return KL_OK;
}

static enum kl_status find_votes(const struct kl_sample_lists *lists, const struct kl_run *run,
                                 const uint8_t **votes, struct kl_error *err)
{
    const struct kl_known_votes *known = lists->votes;

    while (known && (known->run != run || known->generation != generation_of(run)))
        known = known->next;
    if (!known)
        return kl_fail_on(err, KL_ERR_NOT_FOUND, "vote",
                          "the votes of this run are not counted yet: POST to its votes first");
    *votes = known->votes;
    return KL_OK;
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
    struct kl_known_votes *known = NULL;
    enum kl_status status = kl_alloc(&known, 1, sizeof *known, "votes", err);

    if (status)
        return status;
    known->run = run;
    known->generation = generation_of(run);
    status = kl_errand_read_votes(run, answer, &known->votes, err);
    if (status) {
        free(known);
        return status;
    }
    pthread_mutex_lock(&lists->lock);
    known->next = lists->votes;
    lists->votes = known;
    pthread_mutex_unlock(&lists->lock);
    return KL_OK;
}

static enum kl_status make_map(struct kl_pool *pool, struct kl_run *run, struct kl_sample_map *map,
                               struct kl_error *err)
{
    enum kl_status status = run->history.queries ? KL_OK : kl_run_read_images(run, err);

    return status ? status : kl_sample_map(pool, &run->history, map, err);
}

/* With the lock held. */
static void remove_map(struct kl_sample_lists *lists, struct kl_known_map *known)
{
    struct kl_known_map **link = &lists->maps;

    while (*link != known)
        link = &(*link)->next;
    *link = known->next;
    kl_sample_map_clear(&known->map);
    free(known);
}

/* Makes a map, which takes seconds, without the lock: who asks for the same one waits, nobody else
 * does. */
static enum kl_status make_known_map(struct kl_sample_lists *lists, struct kl_pool *pool,
                                     struct kl_run *run, struct kl_known_map **out,
                                     struct kl_error *err)
{
    struct kl_known_map *known = NULL;
    enum kl_status status = kl_alloc(&known, 1, sizeof *known, "a map", err);

    if (status)
        return status;
    known->run = run;
    known->generation = generation_of(run);
    known->next = lists->maps;
    lists->maps = known;
    pthread_mutex_unlock(&lists->lock);
    status = make_map(pool, run, &known->map, err);
    pthread_mutex_lock(&lists->lock);
    if (status)
        remove_map(lists, known);
    else
        known->is_made = 1;
    pthread_cond_broadcast(&lists->map_made);
    *out = status ? NULL : known;
    return status;
}

enum kl_status kl_sample_lists_map(struct kl_sample_lists *lists, struct kl_pool *pool,
                                   struct kl_run *run, const struct kl_sample_map **map,
                                   struct kl_error *err)
{
    struct kl_known_map *known;
    enum kl_status status = KL_OK;

    pthread_mutex_lock(&lists->lock);
    do {
        known = lists->maps;
        while (known && (known->run != run || known->generation != generation_of(run)))
            known = known->next;
        if (known && !known->is_made)
            pthread_cond_wait(&lists->map_made, &lists->lock);
    } while (known && !known->is_made);
    if (!known)
        status = make_known_map(lists, pool, run, &known, err);
    if (!status)
        *map = &known->map;
    pthread_mutex_unlock(&lists->lock);
    return status;
}
