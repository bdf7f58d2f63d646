/* Copies of sources in memory: made when somebody reads, given back when there is no room, and
 * never seen by who reads but for their speed. */
#include <pthread.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/pool.h"
#include "core/scan/keeper.h"
#include "tests/lib/suite.h"

#define BLOCKS 16
#define ROWS 64 /* of a block */
#define WIDTH 8
#define SOURCES 3
#define WORKERS 3
#define BYTES (BLOCKS * ROWS * WIDTH * sizeof(float))

/* Rows of a number that says where they are of, written anew for each worker whenever it reads. */
struct made {
    struct kl_block_source source;
    unsigned number;
    uint32_t damaged; /* block that cannot be read; BLOCKS: none */
    unsigned n_reads; /* atomic */
    float rows[WORKERS][ROWS * WIDTH];
};

/* Nothing is waited for. */
#define HASTY ((struct kl_keeper_times){0, 0})

static float value(unsigned source, uint64_t row, uint32_t column)
{
    return (float)(source * 100000 + row * WIDTH + column);
}

static enum kl_status read_made(void *self, unsigned worker, uint32_t block, uint32_t row,
                                uint32_t count, struct kl_block *out, struct kl_error *err)
{
    struct made *made = self;
    float *rows = made->rows[worker];
    uint64_t first = (uint64_t)block * ROWS + row;

    if (block == made->damaged)
        return kl_fail(err, KL_ERR_DAMAGED, "block %u is damaged: on purpose", block);
    __atomic_add_fetch(&made->n_reads, 1, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < count * WIDTH; i++)
        rows[i] = value(made->number, first + i / WIDTH, i % WIDTH);
    *out = (struct kl_block){.first = first, .count = count, .dtype = KL_F32, .numbers = rows};
    return KL_OK;
}

static struct made *make(unsigned number, uint32_t damaged)
{
    struct made *made = calloc(1, sizeof *made);
    struct kl_extent *extents = calloc(BLOCKS, sizeof *extents);

    ck_assert(made && extents);
    for (uint32_t i = 0; i < BLOCKS; i++)
        extents[i] = (struct kl_extent){(uint64_t)i * ROWS, ROWS, 0};
    made->number = number;
    made->damaged = damaged;
    made->source = (struct kl_block_source){.self = made,
                                            .n_rows = BLOCKS * ROWS,
                                            .width = WIDTH,
                                            .dtype = KL_F32,
                                            .n_blocks = BLOCKS,
                                            .extents = extents,
                                            .read = read_made};
    return made;
}

static void end(struct made *made)
{
    free((void *)made->source.extents);
    free(made);
}

static enum kl_status compare(void *argument, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct kl_block_source *source = argument;
    struct kl_block block;
    enum kl_status status = source->read(source->self, worker, task, 1, ROWS - 1, &block, err);
    const float *rows = block.numbers;

    for (int again = 0; !status && again < 3; again++) /* it stays until the task ends */
        for (uint32_t i = 0; i < (ROWS - 1) * WIDTH; i++)
            if (rows[i] - rows[0] != (float)i || block.first != task * ROWS + 1)
                return kl_fail(err, KL_ERR_INEXACT, "row %u of block %u is another", i, task);
    return status;
}

static void scan(struct kl_pool *pool, const struct kl_block_source *source)
{
    struct kl_error err;

    ck_ok(kl_pool_run(pool, compare, (void *)source, BLOCKS, &err), err);
}

/* Until so many bytes are copied, or some seconds have passed. */
static uint64_t wait_for(struct kl_keeper *keeper, uint64_t n_bytes)
{
    const struct timespec pause = {0, 5000000};

    for (int i = 0; i < 1000 && kl_keeper_bytes(keeper) != n_bytes; i++)
        nanosleep(&pause, NULL);
    return kl_keeper_bytes(keeper);
}

START_TEST(what_is_read_is_copied_and_what_nobody_reads_makes_room)
{
    struct kl_pool *pool = NULL;
    struct kl_keeper *keeper = NULL;
    struct made *made[SOURCES];
    const struct kl_block_source *kept[SOURCES];
    struct kl_error err;
    unsigned n_reads;

    ck_ok(kl_pool_create(WORKERS, &pool, &err), err);
    ck_ok(kl_keeper_create(pool, 2 * BYTES + 100, HASTY, &keeper, &err), err);
    for (unsigned i = 0; i < SOURCES; i++) {
        made[i] = make(i, BLOCKS);
        ck_ok(kl_keeper_take(keeper, &made[i]->source, 0, NULL, NULL, &kept[i], &err), err);
    }
    ck_assert_uint_eq(kl_keeper_bytes(keeper), 0);
    scan(pool, kept[0]);
    ck_assert_uint_eq(wait_for(keeper, BYTES), BYTES);
    scan(pool, kept[1]);
    ck_assert_uint_eq(wait_for(keeper, 2 * BYTES), 2 * BYTES);
    n_reads = __atomic_load_n(&made[1]->n_reads, __ATOMIC_RELAXED);
    scan(pool, kept[1]); /* from its copy */
    ck_assert_uint_eq(__atomic_load_n(&made[1]->n_reads, __ATOMIC_RELAXED), n_reads);
    scan(pool, kept[2]); /* in the place of the first */
    for (int i = 0; i < 1000 && kept[2]; i++) {
        const struct timespec pause = {0, 5000000};

        n_reads = __atomic_load_n(&made[2]->n_reads, __ATOMIC_RELAXED);
        scan(pool, kept[2]);
        if (__atomic_load_n(&made[2]->n_reads, __ATOMIC_RELAXED) == n_reads)
            break;
        nanosleep(&pause, NULL);
    }
    ck_assert_uint_eq(kl_keeper_bytes(keeper), 2 * BYTES);
    n_reads = __atomic_load_n(&made[1]->n_reads, __ATOMIC_RELAXED);
    scan(pool, kept[1]);
    ck_assert_uint_eq(__atomic_load_n(&made[1]->n_reads, __ATOMIC_RELAXED), n_reads);
    n_reads = __atomic_load_n(&made[0]->n_reads, __ATOMIC_RELAXED);
    scan(pool, kept[0]);
    ck_assert_uint_gt(__atomic_load_n(&made[0]->n_reads, __ATOMIC_RELAXED), n_reads);
    for (unsigned i = 0; i < SOURCES; i++)
        kl_keeper_let_go(keeper, kept[i]);
    ck_assert_uint_eq(kl_keeper_bytes(keeper), 0);
    kl_keeper_free(keeper);
    kl_pool_free(pool);
    for (unsigned i = 0; i < SOURCES; i++)
        end(made[i]);
}
END_TEST

static unsigned n_told;

static void count_told(void *self, const struct kl_error *err)
{
    ck_assert_ptr_eq(self, &n_told);
    ck_assert_int_eq(err->status, KL_ERR_DAMAGED);
    __atomic_add_fetch(&n_told, 1, __ATOMIC_RELAXED);
}

START_TEST(damage_is_told_once_though_nobody_reads_and_refused_ever_after)
{
    struct kl_pool *pool = NULL;
    struct kl_keeper *keeper = NULL;
    struct made *made = make(1, BLOCKS - 1);
    const struct kl_block_source *kept = NULL;
    const struct timespec pause = {0, 5000000};
    struct kl_error err;

    ck_ok(kl_pool_create(WORKERS, &pool, &err), err);
    ck_ok(kl_keeper_create(pool, 2 * BYTES, HASTY, &keeper, &err), err);
    ck_ok(kl_keeper_take(keeper, &made->source, 0, count_told, &n_told, &kept, &err), err);
    for (int i = 0; i < 1000 && !__atomic_load_n(&n_told, __ATOMIC_RELAXED); i++)
        nanosleep(&pause, NULL);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(kl_pool_run(pool, compare, (void *)kept, BLOCKS, &err), KL_ERR_DAMAGED);
    kl_keeper_fill(keeper);
    ck_assert_uint_eq(kl_keeper_bytes(keeper), 0);
    kl_keeper_let_go(keeper, kept);
    kl_keeper_free(keeper);
    kl_pool_free(pool);
    end(made);
    ck_assert_uint_eq(n_told, 1);
}
END_TEST

struct reader {
    struct kl_pool *pool;
    struct kl_keeper *keeper;
    const struct kl_block_source *const *kept;
    unsigned n;
};

static unsigned n_copies; /* that came after there was none, or another one */

static void *read_all(void *argument)
{
    struct reader *reader = argument;

    double until = kl_now_ms() + 30000;
    uint64_t before = 0;

    for (unsigned i = 0;
         i < 400 || (kl_now_ms() < until && __atomic_load_n(&n_copies, __ATOMIC_RELAXED) < 5);
         i++) {
        uint64_t now;

        scan(reader->pool, reader->kept[(i + reader->n) % SOURCES]);
        now = kl_keeper_bytes(reader->keeper);
        if (now > before)
            __atomic_add_fetch(&n_copies, 1, __ATOMIC_RELAXED);
        before = now;
    }
    return NULL;
}

START_TEST(copies_come_and_go_under_those_who_read)
{
    struct kl_pool *pool = NULL;
    struct kl_keeper *keeper = NULL;
    struct made *made[SOURCES];
    const struct kl_block_source *kept[SOURCES];
    pthread_t threads[SOURCES];
    struct reader readers[SOURCES];
    struct kl_error err;

    ck_ok(kl_pool_create(WORKERS, &pool, &err), err);
    ck_ok(kl_keeper_create(pool, BYTES + 100, HASTY, &keeper, &err), err);
    for (unsigned i = 0; i < SOURCES; i++) {
        made[i] = make(i, BLOCKS);
        ck_ok(kl_keeper_take(keeper, &made[i]->source, 0, NULL, NULL, &kept[i], &err), err);
    }
    for (unsigned i = 0; i < SOURCES; i++) {
        readers[i] = (struct reader){pool, keeper, kept, i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    }
    for (unsigned i = 0; i < SOURCES; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_ge(n_copies, 5);
    for (unsigned i = 0; i < SOURCES; i++)
        kl_keeper_let_go(keeper, kept[i]);
    ck_assert_uint_eq(kl_keeper_bytes(keeper), 0);
    kl_keeper_free(keeper);
    kl_pool_free(pool);
    for (unsigned i = 0; i < SOURCES; i++)
        end(made[i]);
}
END_TEST

MAIN("keeper", what_is_read_is_copied_and_what_nobody_reads_makes_room,
     damage_is_told_once_though_nobody_reads_and_refused_ever_after,
     copies_come_and_go_under_those_who_read)
