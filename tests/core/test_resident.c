/* Packed rows, read as they are stored and as whole ones, from a source and from its copy. */
#include <stdlib.h>
#include <string.h>

#include "core/base/half.h"
#include "core/base/random.h"
#include "core/scan/packing.h"
#include "core/scan/resident.h"
#include "core/scan/scan.h"
#include "tests/lib/suite.h"

#define WIDTH 70
#define BLOCKS 4
#define ROWS 30 /* of a block */
#define N_ROWS (BLOCKS * ROWS)

/* Blocks of numbers of which every other one is 0, all but the second packed; the third has zeros
 * alone. */
struct made {
    struct kl_block_source source;
    struct kl_extent extents[BLOCKS];
    char whole[N_ROWS * WIDTH * sizeof(float) + KL_SLACK];
    uint8_t bits[N_ROWS * ((WIDTH + 7) / 8)];
    char numbers[N_ROWS * WIDTH * sizeof(float) + KL_SLACK];
    size_t begin[BLOCKS]; /* of a block's numbers */
};

static size_t number_size(const struct made *made)
{
    return kl_dtype_size(made->source.dtype);
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
                             .dtype = made->source.dtype,
                             .exponent = (int)block,
                             .numbers = made->whole + first * WIDTH * number_size(made)};
    return KL_OK;
}

/* Seven rows at most. */
static enum kl_status read_packed(void *self, unsigned worker, uint32_t block, uint32_t row,
                                  uint32_t count, struct kl_block *out, struct kl_error *err)
{
    const struct made *made = self;
    const uint8_t *bits = made->bits + (size_t)block * ROWS * kl_bits_bytes(WIDTH);
    enum kl_status status = read_whole(self, worker, block, row, count < 7 ? count : 7, out, err);

    if (!made->extents[block].packed_bytes)
        return status;
    out->bits = bits + row * kl_bits_bytes(WIDTH);
    out->numbers =
        made->numbers + made->begin[block] + kl_packed_count(bits, row, WIDTH) * sizeof(uint16_t);
    return status;
}

static struct made *make(enum kl_dtype dtype)
{
    struct made *made = calloc(1, sizeof *made);
    struct kl_random random;
    size_t stored = 1; /* so that halves are not aligned */

    ck_assert_ptr_nonnull(made);
    made->source = (struct kl_block_source){.self = made,
                                            .n_rows = N_ROWS,
                                            .width = WIDTH,
                                            .dtype = dtype,
                                            .n_blocks = BLOCKS,
                                            .extents = made->extents,
                                            .read = read_whole};
    kl_random_seed(&random, 3, (uint64_t)dtype);
    for (size_t i = 0; i < (size_t)N_ROWS * WIDTH; i++) {
        float number = i / WIDTH / ROWS == 2 || kl_random_below(&random, 2)
                           ? 0
                           : (float)kl_random_normal(&random);
        uint16_t half = kl_half_from_float(number);

        memcpy(made->whole + i * number_size(made), dtype == KL_F16 ? (void *)&half : &number,
               number_size(made));
    }
    for (uint32_t b = 0; b < BLOCKS; b++) {
        char numbers[ROWS * WIDTH * sizeof(float) + KL_SLACK];
        uint8_t *bits = made->bits + (size_t)b * ROWS * kl_bits_bytes(WIDTH);
        size_t n = kl_pack(dtype, made->whole + (size_t)b * ROWS * WIDTH * number_size(made), ROWS,
                           WIDTH, bits, numbers);

        made->extents[b] = (struct kl_extent){
            (uint64_t)b * ROWS, ROWS,
            b == 1 ? 0 : (uint32_t)(ROWS * kl_bits_bytes(WIDTH) + n * number_size(made))};
        made->begin[b] = stored;
        memcpy(made->numbers + stored, numbers, n * number_size(made));
        stored += n * number_size(made);
    }
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
    struct made *made = make(dtype);
    struct kl_block_source whole = made->source;
    struct kl_resident *resident = NULL;
    struct kl_pool *pool = NULL;
    struct kl_error err;
    uint64_t n_bytes = 0;

    if (tells_packed)
        made->source.read_packed = read_packed;
    for (uint32_t b = 0; b < BLOCKS; b++)
        n_bytes += made->extents[b].packed_bytes
                       ? made->extents[b].packed_bytes + ROWS * sizeof(uint32_t)
                       : ROWS * WIDTH * number_size(made);
    ck_assert_uint_eq(kl_resident_bytes(&made->source), n_bytes);
    ck_ok(kl_pool_create(2, &pool, &err), err);
    check_same(&made->source, &whole, pool);
    ck_ok(kl_resident_create(&made->source, pool, &resident, &err), err);
    check_same(&resident->source, &whole, pool);
    kl_resident_free(resident);
    kl_pool_free(pool);
    free(made);
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
    struct made *made = make(KL_F16);
    struct kl_block_source sparse = made->source;
    struct kl_resident *resident = NULL;
    struct kl_pool *pool = NULL;
    struct kl_random random;
    struct kl_error err;

    sparse.entries = ENTRIES;
    sparse.read = read_sparse;
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
    free(made);
}
END_TEST

MAIN("resident", sparse_rows_are_copied_with_their_places,
     packed_rows_are_scanned_copied_and_read_as_whole_ones, a_copy_packs_what_it_is_given_whole)
