/* Keys in 8 bits: what they say is as far from the float16 keys as they say at most, and the best
 * that are found by them are the best. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/half.h"
#include "core/base/random.h"
#include "core/base/top.h"
#include "core/explain/quick.h"
#include "core/explain/ranks.h"
#include "core/scan/keeper.h"
#include "core/scan/resident.h"
#include "core/scan/scan.h"
#include "tests/lib/packed_rows.h"
#include "tests/lib/suite.h"

#define WIDTH 70
#define BLOCKS 8
#define ROWS 1450 /* of a block: no whole groups */
#define N_ROWS (BLOCKS * ROWS)

static int is_packed(uint32_t block)
{
    return block % 3 != 2;
}

/* A number of a row, to be read or changed. */
static uint16_t *number_of(struct packed_rows *made, uint64_t row, uint32_t j)
{
    return (uint16_t *)made->whole + row * WIDTH + j;
}

/* Blocks of keys as ReLU leaves them, packed, but for every third one, which is whole, with
 * negative numbers. */
static struct packed_rows *make(uint64_t seed)
{
    struct packed_rows *made = packed_rows_create(KL_F16, WIDTH, BLOCKS, ROWS);
    struct kl_random random;

    kl_random_seed(&random, seed, 0);
    for (uint64_t t = 0; t < N_ROWS; t++) {
        for (uint32_t j = 0; j < WIDTH; j++) {
            float number = (float)kl_random_normal(&random) * (float)(1 + t % 7);

            *number_of(made, t, j) = t / 3 == 2 || (is_packed((uint32_t)(t / ROWS)) && number < 0)
                                         ? 0
                                         : kl_half_from_float(number);
        }
    }
    packed_rows_pack(made, is_packed);
    return made;
}

static void make_query(uint64_t seed, float query[WIDTH])
{
    struct kl_random random;

    kl_random_seed(&random, seed, 1);
    for (int j = 0; j < WIDTH; j++)
        query[j] = (float)kl_random_normal(&random) + (seed % 2 ? 1.0f : 0.0f);
}

/* Every product of a copy against what kl_scan_dot says; bad: a row that says nothing. */
static void check_bounds(struct packed_rows *made, uint64_t bad)
{
    struct kl_quantised *quantised = NULL;
    struct kl_resident *copy = NULL;
    struct kl_pool *pool = NULL;
    struct kl_quantised_query asking;
    struct kl_error err;
    float query[WIDTH], expected[N_ROWS], out[ROWS];

    ck_ok(kl_pool_create(2, &pool, &err), err);
    ck_ok(kl_quantised_create(&made->source, 2, &quantised, &err), err);
    ck_ok(kl_resident_create(&quantised->source, pool, &copy, &err), err);
    for (uint64_t seed = 0; seed < 6; seed++) {
        make_query(seed, query);
        ck_ok(kl_scan_dot(pool, &made->source, query, 0, expected, &err), err);
        ck_ok(kl_quantised_query_make(query, WIDTH, &asking, &err), err);
        for (uint32_t b = 0; b < BLOCKS; b++) {
            struct kl_block rows;

            ck_ok(kl_read_packed(&copy->source, 0, b, 0, ROWS, &rows, &err), err);
            ck_assert_uint_eq(rows.count, ROWS);
            ck_assert_int_eq(rows.bits != NULL, is_packed(b));
            kl_quantised_products(quantised, &rows, &asking, out);
            for (uint32_t i = 0; i < ROWS; i++) {
                uint64_t group = kl_quantised_group(&copy->source, b, i);
                float bound = kl_quantised_bound(quantised, &asking, group);

                if (rows.first + i == bad)
                    ck_assert(isinf(bound));
                if (isinf(bound))
                    ck_assert_uint_eq(group,
                                      kl_quantised_group(&copy->source, (uint32_t)(bad / ROWS),
                                                         (uint32_t)(bad % ROWS)));
                else
                    ck_assert_double_le(fabs((double)out[i] - expected[b * ROWS + i]), bound);
                if (!isinf(bound)) /* it is of use: the longest keys are some 60 long */
                    ck_assert_double_lt(ldexp(bound, (int)(b % 4) - 1), 0.02 * 60 * asking.length);
                ck_assert(isfinite(out[i]));
            }
        }
        kl_quantised_query_clear(&asking);
    }
    kl_resident_free(copy);
    kl_quantised_free(quantised);
    kl_pool_free(pool);
}

START_TEST(products_are_within_their_bounds)
{
    for (int tells_packed = 0; tells_packed < 2; tells_packed++) {
        struct packed_rows *made = make(3);

        if (!tells_packed)
            made->source.read_packed = NULL;
        check_bounds(made, N_ROWS);
        packed_rows_free(made);
    }
}
END_TEST

START_TEST(what_eight_bits_cannot_say_is_in_question)
{
    const uint16_t cases[] = {0x7c00, 0x7e00, 0xbc00}; /* infinity, NaN, -1 among packed ones */

    for (size_t i = 0; i < 3; i++) {
        struct packed_rows *made = make(4);

        *number_of(made, 130, 9) = cases[i];
        packed_rows_pack(made, is_packed);
        check_bounds(made, 130);
        packed_rows_free(made);
    }
}
END_TEST

struct asked {
    struct packed_rows *made;
    struct kl_pool *pool;
    struct kl_keeper *keeper;
    struct kl_history history;
};

static void wait_for(const struct kl_block_source *kept)
{
    for (int i = 0; i < 3000 && !kl_keeper_copy(kept); i++)
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    ck_assert_ptr_nonnull(kl_keeper_copy(kept));
}

static struct asked begin(struct packed_rows *made)
{
    struct asked asked = {.made = made};
    struct kl_quantised_keys *bytes = &asked.history.quantised[0];
    struct kl_error err;

    asked.history.n_patterns = N_ROWS;
    asked.history.peers = kl_peers_none;
    asked.history.keys[0] = &asked.made->source;
    ck_assert(kl_quantised_applies(&asked.made->source));
    ck_ok(kl_pool_create(2, &asked.pool, &err), err);
    ck_ok(
        kl_keeper_create(asked.pool, 1 << 24, (struct kl_keeper_times){1, 1}, &asked.keeper, &err),
        err);
    ck_ok(kl_quantised_create(&asked.made->source, 2, &bytes->keys, &err), err);
    ck_ok(kl_keeper_take(asked.keeper, &bytes->keys->source,
                         kl_quantised_beside(&bytes->keys->source), NULL, NULL, &bytes->kept, &err),
          err);
    return asked;
}

static void end(struct asked *asked)
{
    kl_keeper_let_go(asked->keeper, asked->history.quantised[0].kept);
    kl_quantised_free(asked->history.quantised[0].keys);
    kl_keeper_free(asked->keeper);
    kl_pool_free(asked->pool);
    packed_rows_free(asked->made);
}

static void pick(const float *scores, struct kl_top *top)
{
    for (uint64_t t = 0; t < N_ROWS; t++)
        kl_top_offer(top, scores[t], t);
    kl_top_sort(top);
}

/* Whether it was found by 8 bits; then it is the same, to the bit. */
static int check_best(struct asked *asked, const char *rank_name, const float *query, uint32_t n)
{
    const struct kl_rank *rank = kl_rank_find(rank_name);
    float attention[N_ROWS], scores[N_ROWS], exact[N_ROWS], exact_scores[N_ROWS];
    struct kl_top_item items[N_ROWS], expected_items[N_ROWS];
    struct kl_top top = {items, 0, n}, expected = {expected_items, 0, n};
    struct kl_error err;
    int is_done = 0;

    if (!kl_quick_applies(&asked->history, 0, rank))
        return 0;
    ck_ok(kl_quick_attention(asked->pool, &asked->history, 0, query, rank, n, attention, scores,
                             &is_done, &err),
          err);
    if (!is_done)
        return 0;
    ck_ok(kl_scan_dot(asked->pool, &asked->made->source, query, 0, exact, &err), err);
    memcpy(exact_scores, exact, sizeof exact);
    rank->row(exact_scores, N_ROWS, 0);
    pick(scores, &top);
    pick(exact_scores, &expected);
    ck_assert_mem_eq(items, expected_items, n * sizeof *items);
    for (uint32_t i = 0; i < n; i++)
        ck_assert(attention[items[i].index] == exact[items[i].index]);
    return 1;
}

START_TEST(the_best_are_the_same_to_the_bit)
{
    const char *ranks[] = {"abs", "positive", "negative"};
    float query[WIDTH];
    int n_done = 0;

    for (uint64_t seed = 0; seed < 3; seed++) {
        struct asked asked = begin(make(seed));

        ck_assert_int_eq(check_best(&asked, "abs", query, 1), 0); /* not in memory yet */
        wait_for(asked.history.quantised[0].kept);
        for (uint64_t i = 0; i < 30; i++) {
            make_query(10 * seed + i, query);
            n_done += check_best(&asked, ranks[i % 3], query, i % 2 ? 1 : 20);
        }
        end(&asked);
    }
    ck_assert_int_ge(n_done, 60); /* of 90: others leave too many of so few in question */
}
END_TEST

/* Some rows alone are what all are, to the bit: packed and whole ones. */
START_TEST(rows_are_scanned_alone_as_among_all)
{
    struct packed_rows *made = make(5);
    struct kl_pool *pool = NULL;
    struct kl_error err;
    float query[WIDTH], expected[N_ROWS], out[N_ROWS];
    uint64_t rows[N_ROWS];
    uint32_t n = 0;

    make_query(5, query);
    ck_ok(kl_pool_create(2, &pool, &err), err);
    ck_ok(kl_scan_dot(pool, &made->source, query, 0, expected, &err), err);
    for (uint64_t t = 0; t < N_ROWS; t++) {
        out[t] = 77;
        if (t % 3 == 0 || t % 100 == 1)
            rows[n++] = t;
    }
    ck_ok(kl_scan_rows(pool, &made->source, query, rows, n, out, &err), err);
    for (uint64_t t = 0; t < N_ROWS; t++)
        ck_assert(out[t] == (t % 3 == 0 || t % 100 == 1 ? expected[t] : 77));
    kl_pool_free(pool);
    packed_rows_free(made);
}
END_TEST

/* Patterns of equal scores come by their numbers, however many there are. */
START_TEST(equal_keys_come_by_their_numbers)
{
    struct packed_rows *made = make(7);
    struct asked asked;
    float query[WIDTH];

    for (uint32_t i = 1; i < 30; i++)
        memcpy(number_of(made, 7 * i, 0), made->whole, WIDTH * sizeof(uint16_t));
    for (uint32_t j = 0; j < WIDTH; j++)
        query[j] = kl_half_to_float(*number_of(made, 0, j));
    packed_rows_pack(made, is_packed);
    asked = begin(made);
    wait_for(asked.history.quantised[0].kept);
    ck_assert(check_best(&asked, "abs", query, 7));
    end(&asked);
}
END_TEST

START_TEST(what_cannot_be_said_in_eight_bits_is_not_asked_so)
{
    struct asked asked = begin(make(1));
    float query[WIDTH] = {0};

    wait_for(asked.history.quantised[0].kept);
    ck_assert_int_eq(check_best(&asked, "abs", query, 5), 0); /* nothing is better than another */
    query[3] = NAN;
    ck_assert_int_eq(check_best(&asked, "abs", query, 5), 0);
    for (int i = 0; i < 4; i++) { /* sums would be too large for a float, or next to nothing */
        query[3] = ((const float[]){1e-40f, 1e-20f, 1e20f, 1e35f})[i];
        ck_assert_int_eq(check_best(&asked, "abs", query, 5), 0);
    }
    make_query(2, query);
    ck_assert_int_eq(check_best(&asked, "abs", query, N_ROWS), 0); /* all of them */
    ck_assert(!kl_quick_applies(&asked.history, 0, kl_rank_find("cosine")));
    ck_assert(!kl_quick_applies(&asked.history, 0, kl_rank_find("logit")));
    ck_assert(!kl_quick_applies(&asked.history, 1, kl_rank_find("abs")));
    end(&asked);
}
END_TEST

/* What is made of another source is copied when it is asked for, not to fill what room there is. */
START_TEST(nobody_has_them_who_did_not_ask)
{
    struct asked asked = begin(make(1));

    kl_keeper_fill(asked.keeper);
    ck_assert_uint_eq(kl_keeper_bytes(asked.keeper), 0);
    ck_assert_ptr_null(asked.history.quantised[0].keys->scales);
    wait_for(asked.history.quantised[0].kept);
    ck_assert_uint_eq(kl_keeper_bytes(asked.keeper),
                      kl_resident_bytes(&asked.history.quantised[0].keys->source) +
                          kl_quantised_beside(&asked.history.quantised[0].keys->source));
    end(&asked);
}
END_TEST

int main(void)
{
    const TTest *const cases[] = {
        products_are_within_their_bounds, what_eight_bits_cannot_say_is_in_question,
        the_best_are_the_same_to_the_bit, rows_are_scanned_alone_as_among_all,
        equal_keys_come_by_their_numbers, what_cannot_be_said_in_eight_bits_is_not_asked_so,
        nobody_has_them_who_did_not_ask};
    struct kl_error err;

    if (kl_kernels_select(&err) || !kl_kernels()->dot_bytes) {
        setenv("KEYLIGHT_KERNEL", "portable", 1);
        (void)kl_kernels_select(&err);
    }
    return run_suite("quantised", cases, sizeof cases / sizeof cases[0]);
}
