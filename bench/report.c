#include <cblas.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/explain/many/report.h"
#include "core/explain/many/batch_query.h"

#define SAMPLES 10000
#define ROWS 512     /* keys a product, as the report has it */
#define PRODUCTS 200 /* of each worker */

struct products {
    size_t width;
    float **keys, **out; /* by worker */
    float *queries;
};

static enum kl_status multiply(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct products *products = job;
    int width = (int)products->width;

    (void)worker;
    (void)err;
    for (int i = 0; i < PRODUCTS; i++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ROWS, KL_SLICE, width, 1,
                    products->keys[task], width, products->queries, width, 0, products->out[task],
                    KL_SLICE);
    return KL_OK;
}

static void *floats(size_t n)
{
    float *numbers = NULL;
    struct kl_error err;

    must(kl_alloc_scanned(&numbers, n, sizeof *numbers, "keys", &err), &err);
    for (size_t i = 0; i < n; i++)
        numbers[i] = (float)(i % 17) / 17 - 0.5f;
    return numbers;
}

/* What the library itself reaches on products of this shape, on all processors. */
static struct spread bench_sgemm(struct kl_pool *pool, size_t width)
{
    unsigned n_workers = kl_pool_n_workers(pool);
    struct products products = {.width = width, .queries = floats(KL_SLICE * width)};
    double flop = 2.0 * PRODUCTS * ROWS * KL_SLICE * (double)width * n_workers, rates[9];
    struct kl_error err;

    must(kl_alloc(&products.keys, n_workers, sizeof(float *), "keys", &err), &err);
    must(kl_alloc(&products.out, n_workers, sizeof(float *), "keys", &err), &err);
    for (unsigned i = 0; i < n_workers; i++) {
        products.keys[i] = floats(ROWS * width);
        products.out[i] = floats((size_t)ROWS * KL_SLICE);
    }
    for (size_t i = 0; i < 9; i++) {
        double started = kl_now_ms();

        must(kl_pool_run(pool, multiply, &products, n_workers, &err), &err);
        rates[i] = flop / (kl_now_ms() - started) / 1e6;
    }
    for (unsigned i = 0; i < n_workers; i++) {
        free(products.keys[i]);
        free(products.out[i]);
    }
    free(products.keys);
    free(products.out);
    free(products.queries);
    return spread_of(rates, 9);
}

void bench_report(const struct bench *bench)
{
    const struct kl_run *run = bench->resident;
    struct spread sgemm;
    struct kl_report report;
    struct kl_error err;
    uint32_t *ids = NULL, n = 0;
    double rate;

    section("The report: 128 queries a pass, by matrix products");
    sgemm = bench_sgemm(bench->pool, run->history.final->shape.inputs[1]);
    tell("cblas_sgemm on products of the same shape", "GFLOP/s", sgemm);
    must(kl_batch_query_choose(&run->history, SAMPLES, &ids, &n, &err), &err);
    must(kl_report(bench->pool, &run->history, ids, n, NULL, NULL, &report, &err), &err);
    rate = report.flop / report.seconds / 1e9;
    tell("the report of 10,000 samples", "s", single(report.seconds));
    tell_ratio("  all it does counted", "GFLOP/s", single(rate), rate / sgemm.median, "cblas_sgemm",
               (struct bar){0.7, 0});
    kl_report_clear(&report);
    free(ids);
}
