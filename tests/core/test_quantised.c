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
#include "core/scan/packing.h"
#include "core/scan/resident.h"
#include "core/scan/scan.h"
#include "tests/lib/suite.h"

#define WIDTH 70
#define BLOCKS 8
#define ROWS 1450 /* of a block: no whole groups */
#define N_ROWS (BLOCKS * ROWS)
#define HALVES ((size_t)N_ROWS * WIDTH)

/* Blocks of keys as ReLU leaves them, packed, but for every third one, which is whole, with
 * negative numbers. */
struct made {
    struct kl_block_source source;
    struct kl_extent extents[BLOCKS];
    uint16_t whole[HALVES + KL_SLACK];
    int tells_packed; /* or whole rows, whatever the extents say */
    uint16_t numbers[HALVES + KL_SLACK];
    uint8_t bits[N_ROWS * ((WIDTH + 7) / 8) + KL_SLACK];
    size_t begin[BLOCKS]; /* of a block's numbers */
};

static int is_packed(uint32_t block)
{
    return block % 3 != 2;
}

static enum kl_status read_whole(void *self, unsigned worker, uint32_t block, uint32_t row,
                                 uint32_t count, struct kl_block *out, struct kl_error *err)
{
    const struct made *made = self;
    uint64_t first = (uint64_t)block * ROWS + row;

    (void)worker;
    (void)err;
    *out = (struct kl_block){.first = first,
                             .count = count,
                             .dtype = KL_F16,
                             .exponent = (int)(block % 4) - 1,
                             .numbers = made->whole + first * WIDTH};
    return KL_OK;
}

/* Eleven rows at most. */
static enum kl_status read_packed(void *self, unsigned worker, uint32_t block, uint32_t row,
                                  uint32_t count, struct kl_block *out, struct kl_error *err)
{
    const struct made *made = self;
    const uint8_t *bits = made->bits + (size_t)block * ROWS * kl_bits_bytes(WIDTH);
    enum kl_status status = read_whole(self, worker, block, row, count < 11 ? count : 11, out, err);

    if (!is_packed(block) || !made->tells_packed)
        return status;
    out->bits = bits + row * kl_bits_bytes(WIDTH);
    out->numbers = made->numbers + made->begin[block] + kl_packed_count(bits, row, WIDTH);
    return status;
}

static void pack(struct made *made)
{
    size_t stored = 0;

    for (uint32_t b = 0; b < BLOCKS; b++) {
        uint8_t *bits = made->bits + (size_t)b * ROWS * kl_bits_bytes(WIDTH);
        size_t n;

        made->begin[b] = stored;
        made->extents[b] = (struct kl_extent){(uint64_t)b * ROWS, ROWS, 0};
        if (!is_packed(b))
            continue;
        n = kl_pack(KL_F16, made->whole + (size_t)b * ROWS * WIDTH, ROWS, WIDTH, bits,
                    made->numbers + stored);
        made->extents[b].packed_bytes = (uint32_t)(ROWS * kl_bits_bytes(WIDTH) + n * 2);
        stored += n;
    }
}

static struct made *make(uint64_t seed, int tells_packed)
{
    struct made *made = calloc(1, sizeof *made);
    struct kl_random random;

    ck_assert_ptr_nonnull(made);
    made->tells_packed = tells_packed;
    made->source = (struct kl_block_source){.self = made,
                                            .n_rows = N_ROWS,
                                            .width = WIDTH,
                                            .dtype = KL_F16,
                                            .n_blocks = BLOCKS,
                                            .extents = made->extents,
                                            .read = read_whole,
                                            .read_packed = read_packed};
    kl_random_seed(&random, seed, 0);
    for (size_t i = 0; i < HALVES; i++) {
        float number = (float)kl_random_normal(&random) * (float)(1 + i / WIDTH % 7);

        made->whole[i] =
            is_packed((uint32_t)(i / WIDTH / ROWS)) && number < 0 ? 0 : kl_half_from_float(number);
    }
    memset(made->whole + (size_t)5 * WIDTH, 0, (size_t)3 * WIDTH * sizeof *made->whole);
    pack(made);
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
static void check_bounds(struct made *made, uint64_t bad)
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
        struct made *made = make(3, tells_packed);

        check_bounds(made, N_ROWS);
        free(made);
    }
}
END_TEST

START_TEST(what_eight_bits_cannot_say_is_in_question)
{
    const uint16_t cases[] = {0x7c00, 0x7e00, 0xbc00}; /* infinity, NaN, -1 among packed ones */

    for (size_t i = 0; i < 3; i++) {
        struct made *made = make(4, 1);

        made->whole[(size_t)130 * WIDTH + 9] = cases[i];
        pack(made);
        check_bounds(made, 130);
        free(made);
    }
}
END_TEST

struct asked {
    struct made *made;
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

static struct asked begin(struct made *made)
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
    free(asked->made);
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
        struct asked asked = begin(make(seed, 1));

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
    struct made *made = make(5, 1);
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
    free(made);
}
END_TEST

/* Patterns of equal scores come by their numbers, however many there are. */
START_TEST(equal_keys_come_by_their_numbers)
{
    struct made *made = make(7, 1);
    struct asked asked;
    float query[WIDTH];

    for (uint32_t i = 1; i < 30; i++)
        memcpy(made->whole + (size_t)(7 * i) * WIDTH, made->whole, WIDTH * sizeof *made->whole);
    for (size_t j = 0; j < WIDTH; j++)
        query[j] = kl_half_to_float(made->whole[j]);
    pack(made);
    asked = begin(made);
    wait_for(asked.history.quantised[0].kept);
    ck_assert(check_best(&asked, "abs", query, 7));
    end(&asked);
}
END_TEST

START_TEST(what_cannot_be_said_in_eight_bits_is_not_asked_so)
{
    struct asked asked = begin(make(1, 1));
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
    struct asked asked = begin(make(1, 1));

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
