/* Packed rows, read as they are stored and as whole ones, from a source and from its copy. */
#include <stdlib.h>

#include "core/base/half.h"
#include "core/base/random.h"
#include "core/scan/resident.h"
#include "core/scan/scan.h"
#include "tests/lib/packed_rows.h"
#include "tests/lib/suite.h"

#define WIDTH 70
#define BLOCKS 4
#define ROWS 30 /* of a block */
#define N_ROWS (BLOCKS * ROWS)

static int is_packed(uint32_t block)
{
    return block != 1;
}

/* Blocks of numbers of which every other one is 0, all but the second packed; the third has zeros
 * alone. */
static struct packed_rows *make(enum kl_dtype dtype)
{
    struct packed_rows *made = packed_rows_create(dtype, WIDTH, BLOCKS, ROWS);
    struct kl_random random;

    kl_random_seed(&random, 3, (uint64_t)dtype);
    for (size_t i = 0; i < (size_t)N_ROWS * WIDTH; i++) {
        float number = i / WIDTH / ROWS == 2 || kl_random_below(&random, 2)
                           ? 0
                           : (float)kl_random_normal(&random);

        if (dtype == KL_F16)
            ((uint16_t *)made->whole)[i] = kl_half_from_float(number);
        else
            ((float *)made->whole)[i] = number;
    }
    packed_rows_pack(made, is_packed);
    return made;
}

/* Everything that can be read of a source, and scanned, is what the whole rows are. */
static void check_same(const struct kl_block_source *source, const struct kl_block_source *whole,
                       struct kl_pool *pool)
{
    float query[WIDTH], out[N_ROWS], expected[N_ROWS], rows[ROWS * WIDTH], those[ROWS * WIDTH];
    struct kl_error err;

    for (int j = 0; j < WIDTH; j++)
        query[j] = (float)(j % 9) - 4.5f;
    ck_ok(kl_scan_dot(pool, source, query, 0.25f, out, &err), err);
    ck_ok(kl_scan_dot(pool, whole, query, 0.25f, expected, &err), err);
    ck_assert_mem_eq(out, expected, sizeof out);
    for (uint64_t first = 0; first + ROWS <= N_ROWS; first++) {
        ck_ok(kl_read_rows(source, 0, first, ROWS, rows, &err), err);
        ck_ok(kl_read_rows(whole, 0, first, ROWS, those, &err), err);
        ck_assert_mem_eq(rows, those, sizeof rows);
    }
}

static void check_dtype(enum kl_dtype dtype, int tells_packed)
{
    struct packed_rows *made = make(dtype);
    struct kl_block_source whole = made->source;
    struct kl_resident *resident = NULL;
    struct kl_pool *pool = NULL;
    struct kl_error err;
    uint64_t n_bytes = 0;

    whole.read_packed = NULL;
    if (!tells_packed)
        made->source.read_packed = NULL;
    for (uint32_t b = 0; b < BLOCKS; b++)
        n_bytes += made->extents[b].packed_bytes
                       ? made->extents[b].packed_bytes + ROWS * sizeof(uint32_t)
                       : ROWS * WIDTH * kl_dtype_size(dtype);
    ck_assert_uint_eq(kl_resident_bytes(&made->source), n_bytes);
    ck_ok(kl_pool_create(2, &pool, &err), err);
    check_same(&made->source, &whole, pool);
    ck_ok(kl_resident_create(&made->source, pool, &resident, &err), err);
    check_same(&resident->source, &whole, pool);
    kl_resident_free(resident);
    kl_pool_free(pool);
    packed_rows_free(made);
}

START_TEST(packed_rows_are_scanned_copied_and_read_as_whole_ones)
{
    check_dtype(KL_F16, 1);
}
END_TEST

START_TEST(a_copy_packs_what_it_is_given_whole)
{
    check_dtype(KL_F16, 0);
    check_dtype(KL_F32, 0);
}
END_TEST

/* Rows of which five numbers are kept, with their places. */
#define ENTRIES 5

static uint16_t kept[N_ROWS * ENTRIES + KL_SLACK];
static uint32_t places[N_ROWS * ENTRIES];

static enum kl_status read_sparse(void *self, unsigned worker, uint32_t block, uint32_t row,
                                  uint32_t count, struct kl_block *out, struct kl_error *err)
{
    size_t first = (size_t)block * ROWS + row;

    (void)self;
    (void)worker;
    (void)err;
    *out = (struct kl_block){.first = first,
                             .count = count,
                             .dtype = KL_F16,
                             .exponent = (int)block,
                             .numbers = kept + first * ENTRIES,
                             .indices = places + first * ENTRIES};
    return KL_OK;
}

START_TEST(sparse_rows_are_copied_with_their_places)
{
    struct packed_rows *made = make(KL_F16);
    struct kl_block_source sparse = made->source;
    struct kl_resident *resident = NULL;
    struct kl_pool *pool = NULL;
    struct kl_random random;
    struct kl_error err;

    sparse.entries = ENTRIES;
    sparse.read = read_sparse;
    sparse.read_packed = NULL;
    for (uint32_t b = 0; b < BLOCKS; b++)
        made->extents[b].packed_bytes = 0;
    kl_random_seed(&random, 4, 0);
    for (uint32_t i = 0; i < N_ROWS * ENTRIES; i++) {
        kept[i] = kl_half_from_float((float)kl_random_normal(&random));
        places[i] = i % ENTRIES * 14 + kl_random_below(&random, 14);
    }
    ck_assert_uint_eq(kl_resident_bytes(&sparse), N_ROWS * ENTRIES * (2 + sizeof(uint32_t)));
    ck_ok(kl_pool_create(2, &pool, &err), err);
    ck_ok(kl_resident_create(&sparse, pool, &resident, &err), err);
    check_same(&resident->source, &sparse, pool);
    kl_resident_free(resident);
    kl_pool_free(pool);
    packed_rows_free(made);
}
END_TEST

MAIN("resident", sparse_rows_are_copied_with_their_places,
     packed_rows_are_scanned_copied_and_read_as_whole_ones, a_copy_packs_what_it_is_given_whole)
