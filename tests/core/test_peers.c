/* What processes tell each other, by threads instead of processes: sums, lists, the best of all;
 * and that nobody waits for who has failed. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/random.h"
#include "core/explain/many/shared_tops.h"
#include "core/peers/merging.h"
#include "core/peers/peers.h"
#include "tests/lib/suite.h"

#define MOST 5
#define ITEMS 300
#define LISTS 7
#define TOP 9

/* A room in which n threads meet. */
struct room {
    uint32_t n;
    pthread_barrier_t door;
    const void *brought[MOST];
};

struct member {
    struct room *room;
    uint32_t own;
    struct kl_peers *peers;
    struct kl_error err;
    enum kl_status status, ended;
    int number; /* of the case */
};

static int gather(void *self, const void *own, size_t n_bytes, void *all)
{
    struct member *member = self;
    struct room *room = member->room;

    room->brought[member->own] = own;
    pthread_barrier_wait(&room->door);
    for (uint32_t p = 0; p < room->n; p++)
        memcpy((char *)all + p * n_bytes, room->brought[p], n_bytes);
    pthread_barrier_wait(&room->door);
    return 0;
}

static int broadcast(void *self, void *bytes, size_t n_bytes)
{
    char *all = malloc(MOST * n_bytes);

    gather(self, bytes, n_bytes, all);
    memcpy(bytes, all, n_bytes);
    free(all);
    return 0;
}

static int combine(void *self, enum kl_combined how, void *numbers, size_t n)
{
    uint32_t n_members = ((struct member *)self)->room->n;
    size_t size = how == KL_SUM_FLOATS ? sizeof(float) : sizeof(double);
    char *all = malloc(n_members * n * size);

    gather(self, numbers, n * size, all);
    for (uint32_t p = 0; p < n_members; p++)
        for (size_t i = 0; i < n; i++) {
            const void *one = all + (p * n + i) * size;

            if (how == KL_SUM_FLOATS)
                ((float *)numbers)[i] = (p ? ((float *)numbers)[i] : 0) + *(const float *)one;
            else if (how == KL_SUM_DOUBLES)
                ((double *)numbers)[i] = (p ? ((double *)numbers)[i] : 0) + *(const double *)one;
            else if (how == KL_SUM_COUNTS)
                ((uint64_t *)numbers)[i] =
                    (p ? ((uint64_t *)numbers)[i] : 0) + *(const uint64_t *)one;
            else if (!p || *(const uint64_t *)one > ((uint64_t *)numbers)[i])
                ((uint64_t *)numbers)[i] = *(const uint64_t *)one;
        }
    free(all);
    return 0;
}

/* Runs a function in n threads, each with peers of its own. */
static void together(uint32_t n, void *(*run)(void *), int number, struct member members[MOST])
{
    struct room room = {.n = n};
    pthread_t threads[MOST];
    struct kl_error err;

    pthread_barrier_init(&room.door, NULL, n);
    for (uint32_t p = 0; p < n; p++) {
        struct kl_transport transport = {&members[p], p, n, gather, combine, broadcast};

        members[p] = (struct member){.room = &room, .own = p, .number = number};
        ck_ok(kl_peers_create(&transport, &members[p].peers, &err), err);
    }
    for (uint32_t p = 0; p < n; p++)
        ck_assert_int_eq(pthread_create(&threads[p], NULL, run, &members[p]), 0);
    for (uint32_t p = 0; p < n; p++) {
        pthread_join(threads[p], NULL);
        kl_peers_free(members[p].peers);
    }
    pthread_barrier_destroy(&room.door);
}

static void *tell_everything(void *self)
{
    struct member *member = self;
    struct kl_peers *peers = member->peers;
    struct kl_error *err = &member->err;
    uint32_t own = member->own, n = kl_peers_n(peers);
    double sums[3] = {own, 1, -2.5};
    float floats[2] = {0.5f * (float)own, 1};
    uint64_t counts[2] = {own, 10}, largest[2] = {own, 7 - own}, list[MOST], *all = NULL;
    uint64_t each[MOST];
    size_t n_all = 0;
    int yes = 0, no = 1;

    kl_peers_begin(peers);
    ck_ok(kl_peers_sum(peers, sums, 3, err), *err);
    ck_ok(kl_peers_sum_floats(peers, floats, 2, err), *err);
    ck_ok(kl_peers_sum_counts(peers, counts, 2, err), *err);
    ck_ok(kl_peers_largest(peers, largest, 2, err), *err);
    ck_ok(kl_peers_gather(peers, &counts[0], sizeof counts[0], each, err), *err);
    for (uint32_t i = 0; i < own; i++)
        list[i] = 100 * own + i;
    ck_ok(kl_peers_gather_lists(peers, list, own, sizeof *list, &all, &n_all, err), *err);
    ck_ok(kl_peers_agree(peers, 1, &yes, err), *err);
    ck_ok(kl_peers_agree(peers, own != 1, &no, err), *err);
    ck_ok(kl_peers_meet(peers, err), *err);
    ck_ok(kl_peers_end(peers, KL_OK, err), *err);
    ck_assert(fabs(sums[0] - n * (n - 1) / 2.0) < 1e-9 && fabs(sums[1] - n) < 1e-9);
    ck_assert(fabs(sums[2] + 2.5 * n) < 1e-9 && fabs((double)floats[1] - n) < 1e-6);
    ck_assert_uint_eq(counts[0], n * (n - 1) / 2);
    ck_assert_uint_eq(largest[0], n - 1);
    ck_assert_uint_eq(largest[1], 7);
    ck_assert_uint_eq(n_all, n * (n - 1) / 2);
    for (uint32_t p = 0, i = 0; p < n; p++) {
        ck_assert_uint_eq(each[p], n * (n - 1) / 2);
        for (uint32_t k = 0; k < p; k++)
            ck_assert_uint_eq(all[i++], 100 * p + k);
    }
    ck_assert(yes && (n == 1 || !no));
    ck_assert(n == 1 || kl_peers_told(peers).n_calls > 8);
    free(all);
    return NULL;
}

START_TEST(all_hear_what_each_tells)
{
    struct member members[MOST];

    for (uint32_t n = 1; n <= MOST; n++)
        together(n, tell_everything, 0, members);
}
END_TEST

/* Values that each process makes up for itself: of all signs, or of one, with ties. */
static void make_values(int number, uint32_t process, float *values)
{
    struct kl_random random;

    kl_random_seed(&random, (uint64_t)number, process);
    for (uint32_t i = 0; i < ITEMS * LISTS; i++) {
        float value = (float)(kl_random_next(&random) % 1000) / 500;

        values[i] = number % 3 == 0 ? value - 1 : number % 3 == 1 ? value : (float)(int)(value * 3);
    }
}

static void *list_best(void *self)
{
    struct member *member = self;
    struct kl_error *err = &member->err;
    uint32_t n = kl_peers_n(member->peers);
    float *own = malloc(ITEMS * LISTS * sizeof *own), *other = malloc(ITEMS * LISTS * sizeof *own);
    double *sums = calloc(ITEMS * LISTS, sizeof *sums), *most = calloc(ITEMS * LISTS, sizeof *most);
    struct kl_shared_values values = {own, ITEMS, LISTS};

    for (uint32_t p = 0; p < n; p++) {
        make_values(member->number, p, other);
        for (uint32_t i = 0; i < ITEMS * LISTS; i++) {
            sums[i] += (double)other[i];
            most[i] = p == 0 || (double)other[i] > most[i] ? (double)other[i] : most[i];
        }
    }
    make_values(member->number, member->own, own);
    kl_peers_begin(member->peers);
    for (int is_sum = 0; is_sum < 2; is_sum++) {
        struct kl_top tops[LISTS], naive = {malloc(TOP * sizeof *naive.items), 0, TOP};

        for (uint32_t q = 0; q < LISTS; q++)
            tops[q] = (struct kl_top){malloc(TOP * sizeof *naive.items), 0, TOP};
        ck_ok((is_sum ? kl_tops_of_sums : kl_tops_of_largest)(member->peers, &values, tops, err),
              *err);
        for (uint32_t q = 0; q < LISTS; q++) {
            naive.n = 0;
            for (uint32_t i = 0; i < ITEMS; i++)
                kl_top_offer(&naive, (is_sum ? sums : most)[i * LISTS + q], i);
            kl_top_sort(&naive);
            kl_top_sort(&tops[q]);
            ck_assert_uint_eq(tops[q].n, TOP);
            for (uint32_t k = 0; k < TOP; k++) {
                ck_assert(fabs(tops[q].items[k].score - naive.items[k].score) < 1e-9);
                ck_assert_uint_eq(tops[q].items[k].index, naive.items[k].index);
            }
            free(tops[q].items);
        }
        free(naive.items);
    }
    ck_ok(kl_peers_end(member->peers, KL_OK, err), *err);
    free(own);
    free(other);
    free(sums);
    free(most);
    return NULL;
}

START_TEST(the_best_of_sums_and_of_the_largest_are_those_of_all_values)
{
    struct member members[MOST];

    for (int number = 1; number <= 12; number++)
        together(1 + (uint32_t)number % MOST, list_best, number, members);
}
END_TEST

static void *merge(void *self)
{
    struct member *member = self;
    struct kl_top_item items[2][4];
    struct kl_top tops[2] = {{items[0], 0, 4}, {items[1], 0, 4}};

    for (uint32_t i = 0; i < 6; i++) {
        kl_top_offer(&tops[0], 10 * member->own + i, 100 * member->own + i);
        kl_top_offer(&tops[1], 1, 100 * member->own + i); /* ties: the smallest indices */
    }
    kl_peers_begin(member->peers);
    ck_ok(kl_peers_merge_tops(member->peers, tops, 2, &member->err), member->err);
    ck_ok(kl_peers_end(member->peers, KL_OK, &member->err), member->err);
    for (int k = 0; k < 2; k++)
        kl_top_sort(&tops[k]);
    ck_assert_uint_eq(tops[0].items[0].index, 205);
    ck_assert_uint_eq(tops[0].items[3].index, 202);
    ck_assert_uint_eq(tops[1].items[0].index, 0);
    ck_assert_uint_eq(tops[1].items[3].index, 3);
    return NULL;
}

START_TEST(lists_merge)
{
    struct member members[MOST];

    together(3, merge, 0, members);
}
END_TEST

/* Process 1 fails before call number number; the others go on until they hear of it. */
static void *fail_at(void *self)
{
    struct member *member = self;
    struct kl_error *err = &member->err;
    double numbers[2] = {1, 2};
    int all;
    enum kl_status status = KL_OK;

    kl_peers_begin(member->peers);
    for (int call = 0; !status && call < 5; call++) {
        if (member->own == 1 && call == member->number)
            status = kl_fail(err, KL_ERR_DAMAGED, "process 1 failed at call %d", call);
        else
            status = call % 2 ? kl_peers_agree(member->peers, 1, &all, err)
                              : kl_peers_sum(member->peers, numbers, 2, err);
    }
    member->status = status;
    member->ended = kl_peers_end(member->peers, status, err);
    return NULL;
}

START_TEST(who_fails_is_not_waited_for_and_all_know_why)
{
    struct member members[MOST];

    for (int number = 0; number <= 5; number++) { /* 5: nobody fails */
        together(3, fail_at, number, members);
        for (uint32_t p = 0; p < 3; p++) {
            ck_assert_int_eq(members[p].ended, number < 5 ? KL_ERR_DAMAGED : KL_OK);
            if (number < 5)
                ck_assert_ptr_nonnull(strstr(members[p].err.message, "process 1 failed"));
        }
    }
}
END_TEST

/* Process 2 does something else than the others, and nothing of it is a failure. */
static void *part_ways(void *self)
{
    struct member *member = self;
    double numbers[4] = {0};
    int all;
    enum kl_status status;

    kl_peers_begin(member->peers);
    if (member->own < 2)
        status = kl_peers_sum(member->peers, numbers, 2, &member->err);
    else if (member->number == 0)
        status = kl_peers_sum(member->peers, numbers, 3, &member->err);
    else if (member->number == 1)
        status = kl_peers_agree(member->peers, 1, &all, &member->err);
    else
        status = KL_OK; /* it is at its end already */
    member->ended = kl_peers_end(member->peers, status, &member->err);
    return NULL;
}

START_TEST(processes_that_part_ways_are_told_so)
{
    struct member members[MOST];

    for (int number = 0; number < 3; number++) {
        together(3, part_ways, number, members);
        for (uint32_t p = 0; p < 3; p++)
            ck_assert_int_eq(members[p].ended, KL_ERR_PEERS);
    }
}
END_TEST

static void *speak_unasked(void *self)
{
    struct member *member = self;
    double number = 1;

    member->status = kl_peers_sum(member->peers, &number, 1, &member->err);
    return NULL;
}

START_TEST(who_has_not_begun_is_refused_at_once)
{
    struct member members[MOST];

    together(2, speak_unasked, 0, members);
    for (uint32_t p = 0; p < 2; p++)
        ck_assert_int_eq(members[p].status, KL_ERR_PEERS);
}
END_TEST

MAIN("peers", all_hear_what_each_tells, the_best_of_sums_and_of_the_largest_are_those_of_all_values,
     lists_merge, who_fails_is_not_waited_for_and_all_know_why,
     processes_that_part_ways_are_told_so, who_has_not_begun_is_refused_at_once)
