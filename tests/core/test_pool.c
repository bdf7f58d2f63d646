/* Workers: every task once, also those that tasks have done, and sums that are the same with any
 * number of them. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

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

MAIN("pool", without_a_pool_the_caller_does_all_up_to_a_failure,
     the_pool_runs_every_task_once_and_reports_a_failure,
     the_pool_splits_numbers_into_parts_without_gaps, a_task_may_have_others_done,
     several_callers_may)
