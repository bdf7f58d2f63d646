/* Number formats, kernels against their naive twins, blocks in memory. */
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "core/scan/blocks.h"
#include "core/base/half.h"
#include "core/base/hash.h"
#include "core/base/random.h"
#include "core/scan/packing.h"
#include "core/scan/resident.h"
#include "core/scan/scan.h"
#include "tests/lib/suite.h"

#define WIDTH_MAX 131
#define ROWS 7

START_TEST(every_half_survives_the_way_to_float_and_back)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float value = kl_half_to_float((uint16_t)h);

        if (isnan(value))
            ck_assert(isnan(kl_half_to_float(kl_half_from_float(value))));
        else
            ck_assert_uint_eq(kl_half_from_float(value), h);
    }
}
END_TEST

START_TEST(halves_round_to_the_nearest_and_ties_to_even)
{
    ck_assert_uint_eq(kl_half_from_float(1.0f + 0x1p-11f), 0x3c00);
    ck_assert_uint_eq(kl_half_from_float(1.0f + 3 * 0x1p-11f), 0x3c02);
    ck_assert_uint_eq(kl_half_from_float(65519.0f), 0x7bff);
    ck_assert_uint_eq(kl_half_from_float(65520.0f), 0x7c00);
    ck_assert_uint_eq(kl_half_from_float(0x1p-25f), 0);
    ck_assert_uint_eq(kl_half_from_float(0x1.8p-25f), 1);
    ck_assert_uint_eq(kl_half_from_float(-0x1p-24f), 0x8001);
}
END_TEST

/* In double, one product after the other. */
static double naive_dot(enum kl_dtype dtype, const void *key, size_t width, const float *query)
{
    double sum = 0;

    for (size_t j = 0; j < width; j++)
        sum += (double)query[j] * (dtype == KL_U8    ? ((const uint8_t *)key)[j]
                                   : dtype == KL_F16 ? kl_half_to_float(((const uint16_t *)key)[j])
                                                     : ((const float *)key)[j]);
    return sum;
}

static void dot_with(const struct kl_kernels *kernels, enum kl_dtype dtype, const void *keys,
                     size_t width, const struct kl_dots *dots)
{
    if (dtype == KL_U8)
        kernels->dot_u8(keys, ROWS, width, dots);
    else if (dtype == KL_F16)
        kernels->dot_f16(keys, ROWS, width, dots);
    else
        kernels->dot_f32(keys, ROWS, width, dots);
}

/* Against the naive twin, and several queries at once against each alone, to the bit. */
static void check_variant(const struct kl_kernels *kernels, size_t width)
{
    uint8_t bytes[ROWS * WIDTH_MAX];
    uint16_t halves[ROWS * WIDTH_MAX];
    float floats[ROWS * WIDTH_MAX], queries[KL_DOTS_MAX][WIDTH_MAX], out[KL_DOTS_MAX][ROWS];
    struct kl_random random;

    kl_random_seed(&random, 7, width);
    for (size_t i = 0; i < ROWS * width; i++) {
        bytes[i] = (uint8_t)kl_random_next(&random);
        floats[i] = (float)kl_random_normal(&random);
        halves[i] = kl_half_from_float(floats[i]);
    }
    for (size_t i = 0; i < KL_DOTS_MAX * width; i++)
        queries[i / width][i % width] = (float)kl_random_normal(&random);
    for (int dtype = KL_U8; dtype <= KL_F32; dtype++) {
        const void *keys = dtype == KL_U8    ? (void *)bytes
                           : dtype == KL_F16 ? (void *)halves
                                             : floats;
        size_t row_bytes = width * kl_dtype_size((enum kl_dtype)dtype);
        float alone[KL_DOTS_MAX][ROWS];

        for (size_t n = 1; n <= KL_DOTS_MAX; n++) {
            struct kl_dots dots = {.n = n};

            for (size_t q = 0; q < n; q++) {
                dots.queries[q] = queries[q];
                dots.out[q] = out[q];
            }
            dot_with(kernels, (enum kl_dtype)dtype, keys, width, &dots);
            dot_with(kernels, (enum kl_dtype)dtype, keys, width,
                     &(struct kl_dots){1, {queries[n - 1]}, {alone[n - 1]}});
            ck_assert_mem_eq(out, alone, n * sizeof out[0]);
        }
        for (size_t i = 0; i < ROWS * KL_DOTS_MAX; i++) {
            size_t row = i % ROWS, q = i / ROWS;
            double expected = naive_dot((enum kl_dtype)dtype, (const char *)keys + row * row_bytes,
                                        width, queries[q]);

            ck_assert_msg(fabs(out[q][row] - expected) <= (dtype == KL_U8 ? 2e-3 : 2e-5),
                          "%s dtype %d width %zu query %zu row %zu: %g, expected %g", kernels->name,
                          dtype, width, q, row, (double)out[q][row], expected);
        }
    }
}

START_TEST(every_kernel_agrees_with_its_naive_twin_at_every_width)
{
    size_t n;
    const struct kl_kernels *const *all = kl_kernels_all(&n);

    for (size_t k = 0; k < n; k++)
        for (size_t width = 1; all[k]->supported() && width <= WIDTH_MAX; width++)
            check_variant(all[k], width);
}
END_TEST

START_TEST(every_kernel_converts_as_the_portable_one)
{
    size_t n;
    const struct kl_kernels *const *all = kl_kernels_all(&n);
    float in[77], back[77], expected_back[77];
    uint16_t out[77], expected[77];
    struct kl_random random;

    kl_random_seed(&random, 8, 0);
    for (int i = 0; i < 77; i++)
        in[i] = (float)ldexp(kl_random_normal(&random), (int)kl_random_below(&random, 40) - 30);
    kl_kernels_portable.to_f16(in, 77, 4, expected);
    kl_kernels_portable.from_f16(expected, 77, expected_back);
    for (size_t k = 0; k < n; k++) {
        if (!all[k]->supported())
            continue;
        all[k]->to_f16(in, 77, 4, out);
        ck_assert_mem_eq(out, expected, sizeof out);
        all[k]->from_f16(out, 77, back);
        ck_assert_mem_eq(back, expected_back, sizeof back);
    }
}
END_TEST

START_TEST(every_kernel_finds_the_largest_magnitude)
{
    static const float ends[] = {-9, 9, INFINITY, -INFINITY, NAN};
    size_t n_kernels;
    const struct kl_kernels *const *all = kl_kernels_all(&n_kernels);
    float numbers[50];

    for (size_t k = 0; k < n_kernels; k++) {
        for (size_t n = 0; all[k]->supported() && n <= 50; n++) {
            for (size_t i = 0; i < 50; i++)
                numbers[i] = i % 2 ? 0.5f : -0.25f;
            ck_assert_float_eq(all[k]->largest(numbers, n), n == 0 ? 0 : n == 1 ? 0.25f : 0.5f);
            for (size_t i = 0; i < n * 5; i++) {
                float before = numbers[i / 5];

                numbers[i / 5] = ends[i % 5];
                ck_assert_float_eq(all[k]->largest(numbers, n), i % 5 < 2 ? 9 : INFINITY);
                numbers[i / 5] = before;
            }
        }
    }
}
END_TEST

START_TEST(every_kernel_leaves_zeros_out_and_brings_them_back)
{
    size_t n_kernels;
    const struct kl_kernels *const *all = kl_kernels_all(&n_kernels);
    uint16_t packed[WIDTH_MAX + KL_SLACK], out[WIDTH_MAX + KL_SLACK];
    uint16_t packed_again[WIDTH_MAX + KL_SLACK];
    uint8_t bits[WIDTH_MAX / 8 + 1], again[WIDTH_MAX / 8 + 1];
    struct kl_random random;

    kl_random_seed(&random, 9, 0);
    for (int i = 0; i < WIDTH_MAX + KL_SLACK; i++)
        packed[i] = (uint16_t)(1 + kl_random_below(&random, 65535));
    for (size_t width = 1; width <= WIDTH_MAX; width++) {
        memset(bits, 0, sizeof bits);
        for (size_t j = 0; j < width; j++)
            bits[j / 8] = (uint8_t)(bits[j / 8] | kl_random_below(&random, 2) << (j % 8));
        for (size_t k = 0; k < n_kernels; k++) {
            size_t used = 0;
            const void *end;

            if (!all[k]->supported())
                continue;
            end = all[k]->unpack_f16(bits, packed, width, out);
            for (size_t j = 0; j < width; j++)
                ck_assert_uint_eq(out[j], bits[j / 8] >> (j % 8) & 1 ? packed[used++] : 0);
            ck_assert(end == packed + used);
            ck_assert_uint_eq(all[k]->count_bits(bits, (width + 7) / 8), used);
            memset(again, 0xff, sizeof again);
            ck_assert(all[k]->pack_f16(out, width, again, packed_again) == packed_again + used);
            ck_assert_mem_eq(packed_again, packed, used * sizeof *packed);
            ck_assert_mem_eq(again, bits, (width + 7) / 8);
        }
    }
}
END_TEST

/* To the bit, wherever the packed numbers begin. */
START_TEST(every_kernel_multiplies_packed_keys_as_whole_ones)
{
    size_t n_kernels;
    const struct kl_kernels *const *all = kl_kernels_all(&n_kernels);
    uint16_t keys[ROWS * WIDTH_MAX + KL_SLACK], packed[ROWS * WIDTH_MAX + KL_SLACK];
    uint8_t bits[ROWS * (WIDTH_MAX / 8 + 1)], moved[sizeof packed + 1];
    float queries[KL_DOTS_MAX][WIDTH_MAX], out[KL_DOTS_MAX][ROWS], expected[KL_DOTS_MAX][ROWS];
    struct kl_random random;

    kl_random_seed(&random, 11, 0);
    for (size_t i = 0; i < KL_DOTS_MAX * (size_t)WIDTH_MAX; i++)
        queries[i / WIDTH_MAX][i % WIDTH_MAX] = (float)kl_random_normal(&random);
    for (size_t width = 1; width <= WIDTH_MAX; width++) {
        for (size_t i = 0; i < ROWS * width; i++)
            keys[i] = kl_random_below(&random, 2)
                          ? kl_half_from_float((float)kl_random_normal(&random))
                          : 0;
        (void)kl_pack(KL_F16, keys, ROWS, width, bits, packed);
        for (size_t k = 0; k < n_kernels * KL_DOTS_MAX; k++) {
            const struct kl_kernels *kernels = all[k / KL_DOTS_MAX];
            struct kl_dots dots = {.n = k % KL_DOTS_MAX + 1};

            if (!kernels->supported())
                continue;
            for (size_t q = 0; q < dots.n; q++) {
                dots.queries[q] = queries[q];
                dots.out[q] = expected[q];
            }
            kernels->dot_f16(keys, ROWS, width, &dots);
            for (size_t q = 0; q < dots.n; q++)
                dots.out[q] = out[q];
            memcpy(moved + k % 2, packed, sizeof packed);
            kernels->dot_packed_f16(bits, moved + k % 2, ROWS, width, &dots);
            ck_assert_mem_eq(out, expected, dots.n * sizeof out[0]);
        }
    }
}
END_TEST

/* Whole rows and packed ones, against the definition: sums of whole numbers are exact. */
START_TEST(every_kernel_multiplies_bytes)
{
    size_t n_kernels;
    const struct kl_kernels *const *all = kl_kernels_all(&n_kernels);
    uint8_t keys[ROWS * WIDTH_MAX + KL_SLACK], packed[ROWS * WIDTH_MAX + KL_SLACK];
    uint8_t bits[ROWS * (WIDTH_MAX / 8 + 1) + KL_SLACK];
    int8_t *numbers = NULL;
    struct kl_random random;
    struct kl_error err;
    float out[ROWS];

    ck_ok(kl_alloc_scanned(&numbers, WIDTH_MAX + 64, 1, "a query", &err), err);
    kl_random_seed(&random, 12, 0);
    for (size_t i = 0; i < sizeof keys; i++)
        keys[i] = kl_random_below(&random, 3) ? (uint8_t)kl_random_next(&random) : 255;
    for (size_t width = 1; width <= WIDTH_MAX; width++) {
        struct kl_byte_query query = {numbers, 0};
        size_t n_packed = 0;

        memset(numbers, 0, WIDTH_MAX + 64);
        memset(bits, 0, sizeof bits);
        for (size_t j = 0; j < width; j++)
            query.sum += numbers[j] = (int8_t)(kl_random_below(&random, 255) - 127);
        for (size_t i = 0; i < ROWS * width; i++) {
            if (keys[i] % 2)
                continue;
            bits[i / width * ((width + 7) / 8) + i % width / 8] |= (uint8_t)(1 << i % width % 8);
            packed[n_packed++] = keys[i];
        }
        for (size_t k = 0; k < 2 * n_kernels; k++) {
            int is_packed = k % 2;

            if (!all[k / 2]->supported() || !all[k / 2]->dot_bytes)
                continue;
            all[k / 2]->dot_bytes(is_packed ? bits : NULL, is_packed ? packed : keys, ROWS, width,
                                  &query, out);
            for (size_t i = 0; i < ROWS; i++) {
                int expected = 0;

                for (size_t j = 0; j < width; j++) {
                    int key = keys[i * width + j];

                    key = is_packed ? (key % 2 ? 0 : key) : key - 128;
                    expected += key * numbers[j];
                }
                ck_assert_msg(out[i] == (float)expected, "%s: width %zu, row %zu: %g, expected %d",
                              all[k / 2]->name, width, i, (double)out[i], expected);
            }
        }
    }
    free(numbers);
}
END_TEST

START_TEST(every_kernel_adds_the_rows_that_are_named)
{
    enum { N = 17, N_ROWS = 9 };
    size_t n_kernels;
    const struct kl_kernels *const *all = kl_kernels_all(&n_kernels);
    float rows[N_ROWS * WIDTH_MAX + KL_SLACK] = {0}, weights[N_ROWS], sums[WIDTH_MAX + 16];
    uint16_t halves[N_ROWS * WIDTH_MAX + KL_SLACK] = {0}, which[N];
    struct kl_random random;

    kl_random_seed(&random, 10, 0);
    for (size_t i = 0; i < N_ROWS * WIDTH_MAX; i++) {
        rows[i] = (float)kl_random_normal(&random);
        halves[i] = kl_half_from_float(rows[i]);
        rows[i] = kl_half_to_float(halves[i]);
    }
    for (size_t width = 1; width <= WIDTH_MAX; width++) {
        size_t n = width % (N + 1);

        for (uint32_t i = 0; i < N_ROWS; i++)
            weights[i] = (float)kl_random_normal(&random);
        for (uint32_t i = 0; i < n; i++)
            which[i] = (uint16_t)kl_random_below(&random, N_ROWS);
        for (size_t k = 0; k < 2 * n_kernels; k++) {
            if (!all[k / 2]->supported())
                continue;
            for (size_t j = 0; j < kl_padded(width); j++)
                sums[j] = (float)j;
            if (k % 2)
                all[k / 2]->add_f16(halves, which, n, width, weights, sums);
            else
                all[k / 2]->add_f32(rows, which, n, width, weights, sums);
            for (size_t j = 0; j < width; j++) {
                double expected = (double)j;

                for (size_t i = 0; i < n; i++)
                    expected += (double)weights[which[i]] * rows[which[i] * width + j];
                ck_assert_double_eq_tol(sums[j], expected, 1e-4);
            }
        }
    }
}
END_TEST

START_TEST(an_unknown_kernel_is_refused)
{
    struct kl_error err;

    setenv("KEYLIGHT_KERNEL", "abacus", 1);
    ck_assert_int_eq(kl_kernels_select(&err), KL_ERR_USAGE);
    setenv("KEYLIGHT_KERNEL", "portable", 1);
    ck_ok(kl_kernels_select(&err), err);
    ck_assert_str_eq(kl_kernels()->name, "portable");
}
END_TEST

/* Five rows of three halves in blocks of two, with exponents. */
static uint16_t stored[5][3];

static const struct kl_extent extents[] = {{0, 2, 0}, {2, 2, 0}, {4, 1, 0}};

static enum kl_status read_stored(void *self, unsigned worker, uint32_t block, uint32_t row,
                                  uint32_t count, struct kl_block *out, struct kl_error *err)
{
    (void)self;
    (void)worker;
    (void)err;
    *out = (struct kl_block){.first = 2 * block + row,
                             .count = count,
                             .dtype = KL_F16,
                             .exponent = (int)block,
                             .numbers = stored[2 * block + row]};
    return KL_OK;
}

START_TEST(a_resident_source_gives_what_its_origin_gives)
{
    struct kl_block_source source = {.n_rows = 5,
                                     .width = 3,
                                     .dtype = KL_F16,
                                     .n_blocks = 3,
                                     .extents = extents,
                                     .read = read_stored};
    struct kl_resident *resident = NULL;
    struct kl_pool *pool = NULL;
    struct kl_error err;
    float query[3] = {1, 10, 100}, out[5], rows[4][3];

    for (int i = 0; i < 15; i++)
        stored[i / 3][i % 3] = kl_half_from_float((float)(i + 1));
    ck_ok(kl_pool_create(2, &pool, &err), err);
    ck_ok(kl_resident_create(&source, pool, &resident, &err), err);
    ck_ok(kl_scan_dot(pool, &resident->source, query, 0.5f, out, &err), err);
    ck_assert_float_eq(out[0], 321.5f);
    ck_assert_float_eq(out[2], 987 / 2.0f + 0.5f);
    ck_assert_float_eq(out[4], (13 + 140 + 1500) / 4.0f + 0.5f);
    ck_ok(kl_read_rows(&resident->source, 0, 1, 4, rows[0], &err), err);
    ck_assert_float_eq(rows[0][0], 4);
    ck_assert_float_eq(rows[2][2], 6);
    ck_assert_float_eq(rows[3][1], 3.5f);
    kl_resident_free(resident);
    kl_pool_free(pool);
}
END_TEST

/* Many rows of random halves, for scans that come together. */
#define MANY 3000
#define CROWD 12

static uint16_t crowded[MANY][50];
static struct kl_extent crowd_extents[30];

static enum kl_status read_crowded(void *self, unsigned worker, uint32_t block, uint32_t row,
                                   uint32_t count, struct kl_block *out, struct kl_error *err)
{
    (void)self;
    (void)worker;
    (void)err;
    if (row + count > 100)
        return kl_fail(err, KL_ERR_IO, "a block too long");
    *out = (struct kl_block){.first = 100 * block + row,
                             .count = count,
                             .dtype = KL_F16,
                             .numbers = crowded[100 * block + row]};
    return KL_OK;
}

struct asker {
    pthread_t thread;
    struct kl_pool *pool;
    const struct kl_block_source *source;
    float query[50], out[MANY];
    enum kl_status status;
    struct kl_error err;
};

static void *ask(void *argument)
{
    struct asker *asker = argument;

    asker->status =
        kl_scan_dot(asker->pool, asker->source, asker->query, 0, asker->out, &asker->err);
    return NULL;
}

/* All at once, several times over; then each alone. */
START_TEST(scans_that_come_together_say_what_each_would_alone)
{
    static struct asker askers[CROWD];
    struct kl_block_source source = {.n_rows = MANY,
                                     .width = 50,
                                     .dtype = KL_F16,
                                     .n_blocks = 30,
                                     .extents = crowd_extents,
                                     .read = read_crowded};
    struct kl_pool *pool = NULL;
    struct kl_random random;
    struct kl_error err;
    float alone[MANY];

    kl_random_seed(&random, 3, 4);
    for (int i = 0; i < MANY * 50; i++)
        crowded[i / 50][i % 50] = kl_half_from_float((float)kl_random_normal(&random));
    for (uint32_t b = 0; b < 30; b++)
        crowd_extents[b] = (struct kl_extent){100 * b, 100, 0};
    ck_ok(kl_pool_create(2, &pool, &err), err);
    for (int round = 0; round < 20; round++) {
        for (int a = 0; a < CROWD; a++) {
            askers[a].pool = pool;
            askers[a].source = &source;
            for (int j = 0; j < 50; j++)
                askers[a].query[j] = (float)kl_random_normal(&random);
            ck_assert_int_eq(pthread_create(&askers[a].thread, NULL, ask, &askers[a]), 0);
        }
        for (int a = 0; a < CROWD; a++)
            pthread_join(askers[a].thread, NULL);
        for (int a = 0; a < CROWD; a++) {
            ck_ok(askers[a].status, askers[a].err);
            ck_ok(kl_scan_dot(pool, &source, askers[a].query, 0, alone, &err), err);
            ck_assert_mem_eq(askers[a].out, alone, sizeof alone);
        }
    }
    crowd_extents[7].count = 101;
    for (int a = 0; a < CROWD; a++)
        ck_assert_int_eq(pthread_create(&askers[a].thread, NULL, ask, &askers[a]), 0);
    for (int a = 0; a < CROWD; a++) {
        pthread_join(askers[a].thread, NULL);
        ck_assert_int_eq(askers[a].status, KL_ERR_IO); /* everybody is told */
        ck_assert_str_eq(askers[a].err.message, "a block too long");
    }
    kl_pool_free(pool);
}
END_TEST

START_TEST(the_hash_is_fnv_1a)
{
    ck_assert(kl_hash(KL_HASH_START, "", 0) == UINT64_C(0xcbf29ce484222325));
    ck_assert(kl_hash(KL_HASH_START, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    ck_assert(kl_hash(KL_HASH_START, "foobar", 6) == UINT64_C(0x85944171f73967e8));
}
END_TEST

START_TEST(random_numbers_are_spread_as_they_should)
{
    struct kl_random random;
    uint32_t counts[5] = {0}, order[100], seen[100] = {0};
    double sum = 0, squares = 0;

    kl_random_seed(&random, 1, 2);
    for (int i = 0; i < 100000; i++) {
        double x = kl_random_normal(&random);

        sum += x;
        squares += x * x;
        counts[kl_random_below(&random, 5)]++;
    }
    ck_assert_double_eq_tol(sum / 1e5, 0, 0.02);
    ck_assert_double_eq_tol(squares / 1e5, 1, 0.03);
    for (int i = 0; i < 5; i++)
        ck_assert_double_eq_tol(counts[i] / 1e5, 0.2, 0.01);
    kl_random_permutation(&random, order, 100);
    for (int i = 0; i < 100; i++)
        seen[order[i]]++;
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(seen[i], 1);
}
END_TEST

MAIN("kernels", every_half_survives_the_way_to_float_and_back,
     halves_round_to_the_nearest_and_ties_to_even,
     every_kernel_agrees_with_its_naive_twin_at_every_width,
     every_kernel_converts_as_the_portable_one, every_kernel_leaves_zeros_out_and_brings_them_back,
     every_kernel_multiplies_bytes, every_kernel_multiplies_packed_keys_as_whole_ones,
     every_kernel_finds_the_largest_magnitude, every_kernel_adds_the_rows_that_are_named,
     an_unknown_kernel_is_refused, a_resident_source_gives_what_its_origin_gives,
     scans_that_come_together_say_what_each_would_alone, the_hash_is_fnv_1a,
     random_numbers_are_spread_as_they_should)
