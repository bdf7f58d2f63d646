/* Products of matrices and what optimisers do, against naive twins; the same to the bit in one
 * thread and over workers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/blas.h"
#include "core/base/random.h"
#include "core/models/optimiser.h"
#include "core/models/product.h"
#include "tests/lib/suite.h"

struct size {
    size_t rows, columns, inner;
};

/* Of one row, of few and odd ones, and larger ones, which are cut by rows or columns. */
static const struct size sizes[] = {
    {1, 7, 5},      {1, 300, 9001},  {3, 1, 4},     {13, 17, 19},    {30, 501, 160}, {403, 101, 64},
    {128, 800, 40}, {2000, 12, 100}, {96, 96, 300}, {12, 2003, 100}, {200, 200, 1},  {7003, 8, 40}};
#define N_SIZES (sizeof sizes / sizeof *sizes)

static float *made(size_t n, uint64_t seed)
{
    float *numbers = malloc(n * sizeof *numbers);
    struct kl_random random;

    kl_random_seed(&random, seed, 0);
    for (size_t i = 0; i < n; i++)
        numbers[i] = (float)kl_random_normal(&random);
    return numbers;
}

/* And the size of the numbers that were added up. */
static double naive(const struct size *size, enum kl_turned turned, const float *a, const float *b,
                    size_t row, size_t column, double *sizes_sum)
{
    double sum = 0;

    for (size_t k = 0; k < size->inner; k++) {
        double x = a[turned == KL_TURNED_A ? k * size->rows + row : row * size->inner + k];
        double y = b[turned == KL_TURNED_B ? column * size->inner + k : k * size->columns + column];

        sum += x * y;
        *sizes_sum += fabs(x * y);
    }
    return sum;
}

static void check_product(struct kl_pool *pool, const struct size *size, enum kl_turned turned,
                          float factor)
{
    size_t n = size->rows * size->columns;
    float *a = made(size->rows * size->inner, 1), *b = made(size->inner * size->columns, 2);
    float *before = made(n, 3), *alone = made(n, 3), *together = made(n, 3);

    for (size_t i = 0; factor == 0 && i < n; i++)
        alone[i] = together[i] = NAN; /* which nobody reads */
    kl_multiply(NULL, turned, size->rows, size->columns, size->inner, a, b, factor, alone);
    kl_multiply(pool, turned, size->rows, size->columns, size->inner, a, b, factor, together);
    ck_assert_mem_eq(alone, together, n * sizeof *alone);
    for (size_t i = 0; i<n; i += n> 5000 ? 97 : 1) {
        double added = 0;
        double right = naive(size, turned, a, b, i / size->columns, i % size->columns, &added) +
                       (factor == 0 ? 0 : (double)(factor * before[i]));

        ck_assert_double_eq_tol(alone[i], right, 1e-6 * (added + 1));
    }
    free(a);
    free(b);
    free(before);
    free(alone);
    free(together);
}

START_TEST(products_agree_with_their_naive_twin)
{
    struct kl_pool *pool = NULL;
    struct kl_error err;

    kl_blas_single_thread();
    ck_ok(kl_pool_create(3, &pool, &err), err);
    for (size_t s = 0; s < N_SIZES; s++) {
        for (int turned = KL_TURNED_NONE; turned <= KL_TURNED_B; turned++) {
            check_product(pool, &sizes[s], (enum kl_turned)turned, 0);
            check_product(pool, &sizes[s], (enum kl_turned)turned, 1);
            check_product(pool, &sizes[s], (enum kl_turned)turned, -0.5f);
        }
    }
    kl_pool_free(pool);
}
END_TEST

#define N_PARAMETERS 300007

static struct kl_network network_of(uint64_t seed)
{
    return (struct kl_network){.parameters = made(N_PARAMETERS, seed),
                               .n_parameters = N_PARAMETERS};
}

static void square(struct kl_network *network)
{
    for (size_t i = 0; i < network->n_parameters; i++)
        network->parameters[i] *= network->parameters[i];
}

/* All at once, as the optimiser itself does, and in parts. */
static void check_update(struct kl_pool *pool, const struct kl_optimiser *optimiser)
{
    const struct kl_step_rule rule = {.learning_rate = 0.1,
                                      .momentum = 0.9,
                                      .weight_decay = 0.01,
                                      .clip_factor = 0.5,
                                      .beta_1 = 0.9,
                                      .beta_2 = 0.99,
                                      .epsilon = 1e-8};
    struct kl_network gradient = network_of(1), whole[3], parts[3];
    struct kl_network *moments[] = {&whole[1], &whole[2]}, *moments_too[] = {&parts[1], &parts[2]};

    for (uint64_t i = 0; i < 3; i++) {
        whole[i] = network_of(i + 2);
        parts[i] = network_of(i + 2);
    }
    square(&whole[2]); /* Adam takes its root */
    square(&parts[2]);
    optimiser->update(&rule, 7, &gradient, moments, &whole[0]);
    kl_optimiser_update(pool, optimiser, &rule, 7, &gradient, moments_too, &parts[0]);
    for (int i = 0; i < 3; i++) {
        ck_assert_mem_eq(whole[i].parameters, parts[i].parameters, N_PARAMETERS * sizeof(float));
        free(whole[i].parameters);
        free(parts[i].parameters);
    }
    free(gradient.parameters);
}

START_TEST(parts_of_the_parameters_learn_as_all_of_them)
{
    struct kl_network gradient = network_of(9);
    const struct kl_optimiser *optimiser;
    struct kl_pool *pool = NULL;
    struct kl_error err;
    double squares = 0;

    ck_ok(kl_pool_create(3, &pool, &err), err);
    for (uint32_t i = 0; (optimiser = kl_optimiser_at(i)); i++) {
        check_update(NULL, optimiser);
        check_update(pool, optimiser);
    }
    for (size_t i = 0; i < N_PARAMETERS; i++)
        squares += (double)gradient.parameters[i] * gradient.parameters[i];
    ck_assert_double_eq_tol(kl_clip_factor(pool, &gradient, 3), 3 / (sqrt(squares) + 1e-6), 1e-12);
    ck_assert(kl_clip_factor(pool, &gradient, 3) == kl_clip_factor(NULL, &gradient, 3));
    free(gradient.parameters);
    kl_pool_free(pool);
}
END_TEST

MAIN("product", products_agree_with_their_naive_twin, parts_of_the_parameters_learn_as_all_of_them)
