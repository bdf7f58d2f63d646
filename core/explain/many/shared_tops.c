#include "core/explain/many/shared_tops.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"

#define SLACK 1e-5 /* of sums in float32: nobody is left out by rounding */

/* An item that may be among the best of a list, and its value, by a process or by all. */
struct candidate {
    uint32_t list, item;
    double value;
};

struct candidates {
    struct candidate *all;
    size_t n;
};

/* By list and item, the larger value first. */
static int by_item(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->list != y->list)
        return x->list < y->list ? -1 : 1;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return (x->value < y->value) - (x->value > y->value);
}

/* What all processes found, each item of a list once, with its largest value. */
static enum kl_status gather(struct kl_peers *peers, const struct kl_shared_values *values,
                             const struct candidates *own, struct candidates *out,
                             struct kl_error *err)
{
    size_t n = 0, kept = 0;
    struct candidate *all = NULL;
    enum kl_status status =
        kl_peers_gather_lists(peers, own->all, own->n, sizeof *all, &all, &n, err);

    for (size_t i = 0; !status && i < n; i++)
        if (all[i].list >= values->n || all[i].item >= values->n_items)
            status = kl_fail(err, KL_ERR_PEERS, "the processes of this job list different things");
    if (status) {
        free(all);
        return status;
    }
    qsort(all, n, sizeof *all, by_item);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || all[i].list != all[kept - 1].list || all[i].item != all[kept - 1].item)
            all[kept++] = all[i];
    *out = (struct candidates){all, kept};
    return KL_OK;
}

static void offer_all(const struct kl_shared_values *values, struct kl_top *tops)
{
    for (uint32_t i = 0; i < values->n_items; i++) {
        const float *row = values->values + (size_t)i * values->n;

        for (uint32_t q = 0; q < values->n; q++)
            if (tops[q].n < tops[q].capacity || (double)row[q] > tops[q].items[0].score)
                kl_top_offer(&tops[q], (double)row[q], i);
    }
}

/* Every list's best of this process: tops are used for that, and then empty. */
static enum kl_status list_own(const struct kl_shared_values *values, struct kl_top *tops,
                               struct candidates *own, struct kl_error *err)
{
    enum kl_status status =
        kl_alloc(&own->all, (size_t)values->n * tops->capacity, sizeof *own->all, "the best", err);

    if (status)
        return status;
    offer_all(values, tops);
    for (uint32_t q = 0; q < values->n; q++) {
        for (uint32_t k = 0; k < tops[q].n; k++)
            own->all[own->n++] =
                (struct candidate){q, (uint32_t)tops[q].items[k].index, tops[q].items[k].score};
        tops[q].n = 0;
    }
    return KL_OK;
}

static void fill(const struct candidates *candidates, struct kl_top *tops, uint32_t n)
{
    for (uint32_t q = 0; q < n; q++)
        tops[q].n = 0;
    for (size_t i = 0; i < candidates->n; i++)
        kl_top_offer(&tops[candidates->all[i].list], candidates->all[i].value,
                     candidates->all[i].item);
}

enum kl_status kl_tops_of_largest(struct kl_peers *peers, const struct kl_shared_values *values,
                                  struct kl_top *tops, struct kl_error *err)
{
    struct candidates own = {0}, all = {0};
    enum kl_status status = list_own(values, tops, &own, err);

    if (!status)
        status = gather(peers, values, &own, &all, err);
    if (!status)
        fill(&all, tops, values->n);
    free(own.all);
    free(all.all);
    return status;
}

/* Each candidate's sum over all processes. */
static enum kl_status add_up(struct kl_peers *peers, const struct kl_shared_values *values,
                             struct candidates *candidates, struct kl_error *err)
{
    double *sums = NULL;
    enum kl_status status = kl_alloc(&sums, candidates->n, sizeof *sums, "the best", err);

    for (size_t i = 0; !status && i < candidates->n; i++)
        sums[i] =
            (double)values
                ->values[(size_t)candidates->all[i].item * values->n + candidates->all[i].list];
    if (!status)
        status = kl_peers_sum(peers, sums, candidates->n, err);
    for (size_t i = 0; !status && i < candidates->n; i++)
        candidates->all[i].value = sums[i];
    free(sums);
    return status;
}

/* What an item must have in one of the processes to be as good as the worst of a list. */
static double least_share(const struct kl_top *top, uint32_t n_processes)
{
    double worst = top->items[0].score;

    return top->n < top->capacity ? -HUGE_VAL : (worst - SLACK * fabs(worst)) / n_processes;
}

/* All items that have as much in this process. */
static enum kl_status list_likely(const struct kl_shared_values *values, const struct kl_top *tops,
                                  uint32_t n_processes, struct candidates *own,
                                  struct kl_error *err)
{
    size_t n = 0, n_values = (size_t)values->n_items * values->n;
    double *least = NULL;
    enum kl_status status = kl_alloc(&least, values->n, sizeof *least, "the best", err);

    *own = (struct candidates){NULL, 0};
    for (uint32_t q = 0; !status && q < values->n; q++)
        least[q] = least_share(&tops[q], n_processes);
    for (size_t i = 0; !status && i < n_values; i++)
        n += (double)values->values[i] >= least[i % values->n];
    if (!status)
        status = kl_alloc(&own->all, n, sizeof *own->all, "the best", err);
    for (size_t i = 0; !status && i < n_values; i++)
        if ((double)values->values[i] >= least[i % values->n])
            own->all[own->n++] =
                (struct candidate){(uint32_t)(i % values->n), (uint32_t)(i / values->n), 0};
    free(least);
    return status;
}

enum kl_status kl_tops_of_sums(struct kl_peers *peers, const struct kl_shared_values *values,
                               struct kl_top *tops, struct kl_error *err)
{
    struct candidates own = {0}, all = {0};
    enum kl_status status = list_own(values, tops, &own, err);

    for (int round = 0; !status && round < 2; round++) {
        if (round == 1)
            status = list_likely(values, tops, kl_peers_n(peers), &own, err);
        if (!status)
            status = gather(peers, values, &own, &all, err);
        if (!status)
            status = add_up(peers, values, &all, err);
        if (!status)
            fill(&all, tops, values->n);
        free(own.all);
        free(all.all);
        own = all = (struct candidates){0};
    }
    free(own.all);
    return status;
}
