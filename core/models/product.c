#include "core/models/product.h"

#include <cblas.h>

#define WHOLE_MAX 2000000 /* of fewer multiplications, sharing them out would take longer */
#define PART_WIDTH 96     /* at least so many rows or columns of c are a part, */
#define PART_UNIT 8       /* and full vectors of them */

struct product {
    enum kl_turned turned;
    size_t rows, columns, inner;
    const float *a, *b;
    float factor;
    float *c;
};

/* Rows or columns of c, from first to before end. */
static void multiply_part(const struct product *product, int by_rows, size_t first, size_t end)
{
    int turns_a = product->turned == KL_TURNED_A, turns_b = product->turned == KL_TURNED_B;
    const float *a = product->a, *b = product->b;
    float *c = product->c;
    size_t rows = product->rows, columns = product->columns;

    if (by_rows) {
        a += first * (turns_a ? 1 : product->inner);
        c += first * product->columns;
        rows = end - first;
    } else {
        b += first * (turns_b ? product->inner : 1);
        c += first;
        columns = end - first;
    }
    cblas_sgemm(CblasRowMajor, turns_a ? CblasTrans : CblasNoTrans,
                turns_b ? CblasTrans : CblasNoTrans, (int)rows, (int)columns, (int)product->inner,
                1, a, (int)(turns_a ? product->rows : product->inner), b,
                (int)(turns_b ? product->inner : product->columns), product->factor, c,
                (int)product->columns);
}

struct parts {
    const struct product *product;
    unsigned n;
};

static enum kl_status do_part(void *argument, unsigned worker, unsigned number,
                              struct kl_error *err)
{
    const struct parts *parts = argument;
    const struct product *product = parts->product;
    int by_rows = product->rows > product->columns;
    size_t n = by_rows ? product->rows : product->columns, units = n / PART_UNIT;
    size_t first = units * number / parts->n * PART_UNIT;
    size_t end = number + 1 == parts->n ? n : units * (number + 1) / parts->n * PART_UNIT;

    (void)worker;
    (void)err;
    multiply_part(product, by_rows, first, end);
    return KL_OK;
}

static unsigned n_parts(const struct product *product)
{
    size_t larger = product->rows > product->columns ? product->rows : product->columns;
    size_t n = larger / PART_WIDTH;

    if (product->rows * product->columns * product->inner <= WHOLE_MAX || n == 0)
        return 1;
    return n < KL_PARTS_MAX ? (unsigned)n : KL_PARTS_MAX;
}

void kl_multiply(struct kl_pool *pool, enum kl_turned turned, size_t rows, size_t columns,
                 size_t inner, const float *a, const float *b, float factor, float *c)
{
    const struct product product = {turned, rows, columns, inner, a, b, factor, c};
    struct parts parts = {&product, n_parts(&product)};
    struct kl_error none; /* tasks that do not fail */

    (void)kl_pool_run(parts.n > 1 ? pool : NULL, do_part, &parts, parts.n, &none);
}
