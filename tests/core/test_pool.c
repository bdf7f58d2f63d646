/* Workers: every task once, also those that tasks have done, and sums that are the same with any
 * number of them. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/pool.h"
#include "tests/lib/suite.h"

static enum kl_status count_task(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    (void)worker;
    atomic_fetch_add(&((atomic_uint *)job)[task], 1);
    return task == 700 ? kl_fail(err, KL_ERR_IO, "task 700") : KL_OK;
}

START_TEST(the_pool_runs_every_task_once_and_reports_a_failure)
{
    atomic_uint counts[1000];
    struct kl_pool *pool = NULL;
    struct kl_error err;

    memset(counts, 0, sizeof counts);
    ck_ok(kl_pool_create(3, &pool, &err), err);
    for (int round = 0; round < 50; round++)
        ck_ok(kl_pool_run(pool, count_task, counts, 600, &err), err);
    for (int i = 0; i < 600; i++)
        ck_assert_uint_eq(atomic_load(&counts[i]), 50);
    ck_assert_int_eq(kl_pool_run(pool, count_task, counts, 1000, &err), KL_ERR_IO);
    ck_assert_str_eq(err.message, "task 700");
    ck_ok(kl_pool_run(pool, count_task, counts, 10, &err), err);
    kl_pool_free(pool);
}
END_TEST

static enum kl_status mark_part(void *job, const struct kl_part *part, struct kl_error *err)
{
    (void)err;
    for (uint64_t i = part->first; i < part->end; i++)
        ((uint8_t *)job)[i]++;
    return KL_OK;
}

START_TEST(the_pool_splits_numbers_into_parts_without_gaps)
{
    static const uint64_t sizes[] = {0, 1, 4095, 4096, 10000, 999999};
    static uint8_t marks[999999];
    struct kl_pool *pool = NULL;
    struct kl_error err;

    ck_ok(kl_pool_create(3, &pool, &err), err);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(marks, 0, sizeof marks);
        ck_ok(kl_pool_split(pool, sizes[i], KL_PARTS_MAX, mark_part, marks, &err), err);
        for (uint64_t k = 0; k < sizeof marks; k++)
            ck_assert_uint_eq(marks[k], k < sizes[i]);
    }
    ck_assert_uint_eq(kl_pool_n_parts(999999, KL_PARTS_MAX), KL_PARTS_MAX);
    ck_assert_uint_eq(kl_pool_n_parts(999999, 3), 3);
    ck_assert_uint_eq(kl_pool_n_parts(999999, 0), 1);
    kl_pool_free(pool);
}
END_TEST

START_TEST(without_a_pool_the_caller_does_all_up_to_a_failure)
{
    atomic_uint counts[1000];
    struct kl_error err;

    memset(counts, 0, sizeof counts);
    ck_ok(kl_pool_run(NULL, count_task, counts, 0, &err), err);
    ck_ok(kl_pool_run(NULL, count_task, counts, 700, &err), err);
    ck_assert_int_eq(kl_pool_run(NULL, count_task, counts, 1000, &err), KL_ERR_IO);
    ck_assert_str_eq(err.message, "task 700");
    for (unsigned i = 0; i < 1000; i++)
        ck_assert_uint_eq(atomic_load(&counts[i]), i < 700 ? 2 : i == 700);
}
END_TEST

/* Work whose tasks have others done, down to some depth. */
struct nest {
    struct kl_pool *pool;
    unsigned depth, fails_at; /* a task of the innermost, or 0 */
    atomic_uint *n_done;      /* of the innermost */
};

#define WIDTH 5

static enum kl_status go_deeper(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct nest *nest = job;
    struct nest inner = *nest;

    if (worker >= kl_pool_n_workers(nest->pool))
        return kl_fail(err, KL_ERR_USAGE, "there is no worker %u", worker);
    if (nest->depth == 0) {
        atomic_fetch_add(nest->n_done, 1);
        return nest->fails_at && task == nest->fails_at ? kl_fail(err, KL_ERR_IO, "task %u", task)
                                                        : KL_OK;
    }
    inner.depth--;
    return kl_pool_run(nest->pool, go_deeper, &inner, WIDTH, err);
}

/* With one worker, too, who then does all himself. */
START_TEST(a_task_may_have_others_done)
{
    for (unsigned n_workers = 1; n_workers <= 4; n_workers++) {
        atomic_uint n_done = 0;
        struct nest nest = {.depth = 3, .n_done = &n_done};
        struct kl_error err = {0};

        ck_ok(kl_pool_create(n_workers, &nest.pool, &err), err);
        ck_ok(kl_pool_run(nest.pool, go_deeper, &nest, WIDTH, &err), err);
        ck_assert_uint_eq(atomic_load(&n_done), WIDTH * WIDTH * WIDTH * WIDTH);
        nest.fails_at = 2;
        ck_assert_int_eq(kl_pool_run(nest.pool, go_deeper, &nest, WIDTH, &err), KL_ERR_IO);
        ck_assert_str_eq(err.message, "task 2");
        nest.fails_at = 0;
        ck_ok(kl_pool_run(nest.pool, go_deeper, &nest, WIDTH, &err), err);
        kl_pool_free(nest.pool);
    }
}
END_TEST

static void *run_nest(void *argument)
{
    struct kl_error err = {0};

    for (int i = 0; i < 20; i++)
        if (kl_pool_run(((struct nest *)argument)->pool, go_deeper, argument, WIDTH, &err))
            break;
    return err.status ? argument : NULL;
}

START_TEST(several_callers_may)
{
    atomic_uint n_done = 0;
    struct nest nest = {.depth = 2, .n_done = &n_done};
    pthread_t callers[4];
    struct kl_error err;

    ck_ok(kl_pool_create(2, &nest.pool, &err), err);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&callers[i], NULL, run_nest, &nest), 0);
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;

        pthread_join(callers[i], &failed);
        ck_assert_ptr_null(failed);
    }
    ck_assert_uint_eq(atomic_load(&n_done), 4 * 20 * WIDTH * WIDTH * WIDTH);
    kl_pool_free(nest.pool);
}
END_TEST

#define PIECES 40
#define CALLERS 40 /* of each of two keys, more than are done together */

/* A caller's pass, and what all callers saw. */
struct pass {
    struct kl_shared shared; /* first */
    struct kl_pool *pool;
    atomic_uint *n_came, *n_together, *n_most;
    unsigned fails_at; /* piece + 1, or 0 */
    atomic_uint seen[PIECES];
    enum kl_status status;
    struct kl_error err;
};

static enum kl_status see(struct kl_shared *const *requests, unsigned n, unsigned worker,
                          unsigned piece, struct kl_error *err)
{
    const struct pass *any = (const void *)requests[0];
    unsigned most = atomic_load(any->n_most);

    (void)worker;
    atomic_fetch_add(any->n_together, 1);
    while (n > most && !atomic_compare_exchange_weak(any->n_most, &most, n))
        ;
    for (unsigned i = 0; i < n; i++)
        atomic_fetch_add(&((struct pass *)(void *)requests[i])->seen[piece], 1);
    return any->fails_at == piece + 1 ? kl_fail(err, KL_ERR_IO, "piece %u", piece) : KL_OK;
}

static void *make_pass(void *argument)
{
    struct pass *pass = argument;

    atomic_fetch_add(pass->n_came, 1);
    pass->status = kl_pool_share(pass->pool, &pass->shared, PIECES, see, &pass->err);
    return NULL;
}

/* Holds a worker until all callers are there, and a little longer. */
static enum kl_status wait_for_all(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    (void)worker;
    (void)task;
    (void)err;
    while (atomic_load((atomic_uint *)job) < CALLERS)
        usleep(100);
    usleep(20000);
    return KL_OK;
}

static void *hold(void *argument)
{
    const struct pass *pass = argument;
    struct kl_error err = {0};

    (void)kl_pool_run(pass->pool, wait_for_all, pass->n_came, kl_pool_n_workers(pass->pool), &err);
    return NULL;
}

/* CALLERS passes of two keys at the same time; which of them fail. */
static struct pass *make_passes(unsigned n_workers, unsigned fails_at, atomic_uint counts[3])
{
    struct pass *passes = calloc(CALLERS, sizeof *passes);
    pthread_t callers[CALLERS], holder;
    struct kl_error err;
    struct kl_pool *pool = NULL;

    ck_assert_ptr_nonnull(passes);
    ck_ok(kl_pool_create(n_workers, &pool, &err), err);
    for (int i = 0; i < CALLERS; i++) {
        passes[i].shared.key = i % 2 ? &counts[0] : &counts[1];
        passes[i].pool = pool;
        passes[i].n_came = &counts[0];
        passes[i].n_together = &counts[1];
        passes[i].n_most = &counts[2];
        passes[i].fails_at = i % 2 ? fails_at : 0;
    }
    ck_assert_int_eq(pthread_create(&holder, NULL, hold, &passes[0]), 0);
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&callers[i], NULL, make_pass, &passes[i]), 0);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    pthread_join(holder, NULL);
    kl_pool_free(pool);
    return passes;
}

START_TEST(passes_of_one_key_are_made_together)
{
    for (unsigned n_workers = 1; n_workers <= 4; n_workers++) {
        atomic_uint counts[3] = {0};
        struct pass *passes = make_passes(n_workers, 0, counts);

        for (int i = 0; i < CALLERS; i++) {
            ck_assert_int_eq(passes[i].status, KL_OK);
            for (int piece = 0; piece < PIECES; piece++)
                ck_assert_uint_eq(atomic_load(&passes[i].seen[piece]), 1);
        }
        ck_assert_uint_ge(atomic_load(&counts[1]), 2 * 2 * PIECES); /* 20 want each piece */
        ck_assert_uint_lt(atomic_load(&counts[1]), CALLERS * PIECES);
        ck_assert_uint_gt(atomic_load(&counts[2]), 1);
        ck_assert_uint_le(atomic_load(&counts[2]), KL_SHARED_MAX);
        free(passes);
    }
}
END_TEST

/* More than can be done together stay behind, and have all pieces, too. */
START_TEST(a_pass_that_fails_fails_those_who_shared_it)
{
    for (unsigned n_workers = 1; n_workers <= 3; n_workers++) {
        atomic_uint counts[3] = {0};
        struct pass *passes = make_passes(n_workers, 8, counts);
        unsigned n_failed = 0;

        for (int i = 0; i < CALLERS; i++) {
            ck_assert(passes[i].status == KL_OK || (i % 2 && passes[i].status == KL_ERR_IO));
            if (passes[i].status)
                ck_assert_str_eq(passes[i].err.message, "piece 7");
            for (int piece = 0; piece < PIECES; piece++)
                ck_assert_uint_le(atomic_load(&passes[i].seen[piece]), 1);
            n_failed += passes[i].status != KL_OK;
        }
        ck_assert_uint_eq(n_failed, CALLERS / 2);
        free(passes);
    }
}
END_TEST

static enum kl_status share_in_task(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    struct pass *pass = (struct pass *)job + task;

    (void)worker;
    return kl_pool_share(pass->pool, &pass->shared, PIECES, see, err);
}

START_TEST(a_task_may_share_a_pass)
{
    for (unsigned n_workers = 1; n_workers <= 3; n_workers++) {
        struct pass *passes = calloc(CALLERS, sizeof *passes);
        atomic_uint counts[3] = {0};
        struct kl_error err = {0};
        struct kl_pool *pool = NULL;

        ck_assert_ptr_nonnull(passes);
        ck_ok(kl_pool_create(n_workers, &pool, &err), err);
        for (int i = 0; i < CALLERS; i++) {
            passes[i].shared.key = pool;
            passes[i].pool = pool;
            passes[i].n_together = &counts[1];
            passes[i].n_most = &counts[2];
        }
        ck_ok(kl_pool_run(pool, share_in_task, passes, CALLERS, &err), err);
        for (int i = 0; i < CALLERS; i++)
            for (int piece = 0; piece < PIECES; piece++)
                ck_assert_uint_eq(atomic_load(&passes[i].seen[piece]), 1);
        kl_pool_free(pool);
        free(passes);
    }
}
END_TEST

struct turn {
    struct kl_pool *pool;
    atomic_uint n_begun;
    unsigned begun_when_other_ended;
};

static enum kl_status count_turn(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    struct turn *turn = job;

    (void)worker;
    (void)task;
    (void)err;
    atomic_fetch_add(&turn->n_begun, 1);
    usleep(500);
    return KL_OK;
}

static void *run_short(void *argument)
{
    struct turn *longer = argument;
    struct turn own = {.pool = longer->pool};
    struct kl_error err = {0};

    while (atomic_load(&longer->n_begun) < 5)
        usleep(50);
    if (kl_pool_run(own.pool, count_turn, &own, 3, &err))
        return NULL;
    longer->begun_when_other_ended = atomic_load(&longer->n_begun);
    return argument;
}

/* The short one does not wait for the end of the long one. */
START_TEST(jobs_take_turns)
{
    struct turn longer = {0};
    pthread_t caller;
    struct kl_error err;
    void *done = NULL;

    ck_ok(kl_pool_create(1, &longer.pool, &err), err);
    ck_assert_int_eq(pthread_create(&caller, NULL, run_short, &longer), 0);
    ck_ok(kl_pool_run(longer.pool, count_turn, &longer, 2000, &err), err);
    pthread_join(caller, &done);
    ck_assert_ptr_nonnull(done);
    ck_assert_uint_lt(longer.begun_when_other_ended, 2000);
    kl_pool_free(longer.pool);
}
END_TEST

struct late {
    struct kl_shared shared; /* first */
    struct kl_pool *pool;
    atomic_uint *n_begun, n_done;
};

static enum kl_status take_time(struct kl_shared *const *requests, unsigned n, unsigned worker,
                                unsigned piece, struct kl_error *err)
{
    (void)worker;
    (void)piece;
    (void)err;
    for (unsigned i = 0; i < n; i++) {
        struct late *one = (void *)requests[i];

        atomic_fetch_add(one->n_begun, 1);
        atomic_fetch_add(&one->n_done, 1);
    }
    usleep(1000);
    return KL_OK;
}

static void *come_late(void *argument)
{
    struct late *late = argument;
    struct kl_error err = {0};

    while (atomic_load(late->n_begun) < 100)
        usleep(100);
    return kl_pool_share(late->pool, &late->shared, 400, take_time, &err) ? NULL : argument;
}

/* Who came first does not wait for what the other one missed: its tasks that have nothing to do
 * need no turns. */
START_TEST(a_pass_ends_when_its_pieces_are_done)
{
    for (unsigned n_workers = 1; n_workers <= 2; n_workers++) {
        atomic_uint n_begun = 0;
        struct late late = {.n_begun = &n_begun}, first = {.n_begun = &n_begun};
        pthread_t caller;
        struct kl_error err;
        void *done = NULL;

        ck_ok(kl_pool_create(n_workers, &first.pool, &err), err);
        late.pool = first.pool;
        late.shared.key = first.shared.key = &n_begun;
        ck_assert_int_eq(pthread_create(&caller, NULL, come_late, &late), 0);
        ck_ok(kl_pool_share(first.pool, &first.shared, 400, take_time, &err), err);
        ck_assert_uint_lt(atomic_load(&late.n_done), 400); /* 100 are missed, of 1 ms each */
        pthread_join(caller, &done);
        ck_assert_ptr_nonnull(done);
        ck_assert_uint_eq(atomic_load(&late.n_done), 400);
        kl_pool_free(first.pool);
    }
}
END_TEST

MAIN("pool", without_a_pool_the_caller_does_all_up_to_a_failure,
     the_pool_runs_every_task_once_and_reports_a_failure,
     the_pool_splits_numbers_into_parts_without_gaps, a_task_may_have_others_done,
     several_callers_may, jobs_take_turns, passes_of_one_key_are_made_together,
     a_pass_that_fails_fails_those_who_shared_it, a_task_may_share_a_pass,
     a_pass_ends_when_its_pieces_are_done)
