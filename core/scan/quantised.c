#include "core/scan/quantised.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/scan/packing.h"

#define MOST_WHOLE 127 /* numbers of whole rows, which stand for n - 128 */
#define MOST_PACKED 255
#define MOST_QUERY 127
#define MOST_ROWS 64 /* read at a time */
/* Queries, and factors 2^exponent of keys, with which no product is too large for a float, or next
 * to nothing. */
#define LEAST 0x1p-40f
#define MOST 0x1p40f
#define MOST_EXPONENT 40
#define SURE 1.001 /* for what these sums and their floats are rounded by, which is far less */

/* What a worker reads into, and works with. */
struct kl_quantised_room {
    uint8_t *numbers, *bits; /* of MOST_ROWS */
    uint16_t *halves;        /* (width) */
    float *floats;           /* (width) */
};

int kl_quantised_applies(const struct kl_block_source *from)
{
    return kl_kernels()->dot_bytes && from->dtype == KL_F16 && !from->entries &&
           from->width <= KL_BYTES_WIDTH_MAX;
}

/* What is known of a key. */
struct fact {
    float scale, length, error;
};

/* n numbers of a key become bytes. */
static struct fact quantise(const float *in, size_t n, int is_packed, size_t width, uint8_t *out)
{
    float largest = kl_kernels()->largest(in, n), levels = is_packed ? MOST_PACKED : MOST_WHOLE;
    struct fact fact = {.scale = largest > 0 ? largest / levels : 1};
    double squares = 0, kept = 0, lost = 0;
    int is_good = isfinite(largest);

    for (size_t j = 0; is_packed && j < n; j++)
        is_good &= in[j] >= 0;
    if (!is_good) {
        memset(out, is_packed ? 0 : 128, n);
        return (struct fact){.error = INFINITY};
    }
    for (size_t j = 0; j < n; j++) {
        float number = rintf(in[j] / fact.scale), said = number * fact.scale;

        out[j] = (uint8_t)((int)number + (is_packed ? 0 : 128));
        squares += (double)in[j] * in[j];
        kept += (double)said * said;
        lost += ((double)in[j] - said) * ((double)in[j] - said);
    }
    fact.length = (float)(SURE * sqrt(kept));
    fact.error = (float)(SURE * (sqrt(lost) + (double)(width + 16) * FLT_EPSILON * sqrt(squares)));
    return fact;
}

static enum kl_status make_room(struct kl_quantised_room *room, size_t width, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    if (!room->halves)
        status = kl_alloc_scanned(&room->halves, width, sizeof *room->halves, "a key", err);
    if (!status && !room->floats)
        status = kl_alloc_scanned(&room->floats, width, sizeof *room->floats, "a key", err);
    if (!status && !room->numbers)
        status = kl_alloc_scanned(&room->numbers, MOST_ROWS * width, 1, "8-bit keys", err);
    if (!status && !room->bits)
        status =
            kl_alloc_scanned(&room->bits, MOST_ROWS * kl_bits_bytes(width), 1, "8-bit keys", err);
    return status;
}

static enum kl_status make_facts(struct kl_quantised *quantised, struct kl_error *err)
{
    uint64_t n_groups = kl_quantised_n_groups(&quantised->source);
    enum kl_status status = KL_OK;

    pthread_mutex_lock(&quantised->lock);
    if (!quantised->scales)
        status = kl_alloc_scanned(&quantised->scales, quantised->source.n_rows, sizeof(float),
                                  "8-bit keys", err);
    if (!status && !quantised->lengths)
        status = kl_alloc(&quantised->lengths, n_groups, sizeof(float), "8-bit keys", err);
    if (!status && !quantised->errors)
        status = kl_alloc(&quantised->errors, n_groups, sizeof(float), "8-bit keys", err);
    pthread_mutex_unlock(&quantised->lock);
    return status;
}

/* Row number i of a block that was read, into room->halves, packed if rows are to be: how many
 * numbers, *in going on to the next row; SIZE_MAX if its bits make no sense. */
static size_t take_row(const struct kl_block *block, uint32_t i, size_t width, int is_packed,
                       const char **in, struct kl_quantised_room *room)
{
    size_t bits_bytes = kl_bits_bytes(width), n = width;

    if (block->bits) { /* a file may change while it is read: what counts is the copy */
        memcpy(room->bits + i * bits_bytes, block->bits + i * bits_bytes, bits_bytes);
        n = kl_packed_count(room->bits + i * bits_bytes, 1, width);
    }
    if (n > width)
        return SIZE_MAX;
    memcpy(room->halves, *in, n * sizeof *room->halves);
    *in += n * sizeof *room->halves;
    if (is_packed && !block->bits)
        n = (size_t)(kl_kernels()->pack_f16(room->halves, width, room->bits + i * bits_bytes,
                                            room->halves) -
                     room->halves);
    return n;
}

/* What is known of a row of a block, whose stored numbers are times 2^exponent what they say. */
static void note(struct kl_quantised *quantised, uint32_t block, uint32_t row, int exponent,
                 const struct fact *fact)
{
    const struct kl_block_source *source = &quantised->source;
    uint64_t group = kl_quantised_group(source, block, row);
    float length = ldexpf(fact->length, exponent), error = ldexpf(fact->error, exponent);

    quantised->scales[source->extents[block].first + row] = ldexpf(fact->scale, exponent);
    if (length > quantised->lengths[group])
        quantised->lengths[group] = length;
    if (error > quantised->errors[group])
        quantised->errors[group] = error;
}

static enum kl_status read_quantised(void *self, unsigned worker, uint32_t block, uint32_t row,
                                     uint32_t count, struct kl_block *out, struct kl_error *err)
{
    struct kl_quantised *quantised = self;
    struct kl_quantised_room *room = &quantised->rooms[worker];
    size_t width = quantised->source.width, at = 0;
    int is_packed = quantised->extents[block].packed_bytes > 0;
    const char *in;
    enum kl_status status = kl_read_packed(quantised->from, worker, block, row,
                                           count < MOST_ROWS ? count : MOST_ROWS, out, err);

    if (!status)
        status = make_facts(quantised, err);
    if (!status)
        status = make_room(room, width, err);
    if (status)
        return status;
    in = out->numbers;
    for (uint32_t i = 0; i < out->count; i++) {
        size_t n = take_row(out, i, width, is_packed, &in, room);
        struct fact fact;

        if (n > width)
            return kl_fail(err, KL_ERR_DAMAGED,
                           "the run's file changed while it was read: open it again");
        kl_kernels()->from_f16(room->halves, n, room->floats);
        fact = quantise(room->floats, n, is_packed, width, room->numbers + at);
        if (abs(out->exponent) > MOST_EXPONENT)
            fact.error = INFINITY;
        note(quantised, block, row + i, -out->exponent, &fact);
        at += n;
    }
    out->dtype = KL_U8;
    out->exponent = 0;
    out->numbers = room->numbers;
    out->bits = is_packed ? room->bits : NULL;
    return KL_OK;
}

enum kl_status kl_quantised_create(const struct kl_block_source *from, unsigned n_workers,
                                   struct kl_quantised **out, struct kl_error *err)
{
    struct kl_quantised *quantised = NULL;
    enum kl_status status = kl_alloc(&quantised, 1, sizeof *quantised, "8-bit keys", err);

    if (status)
        return status;
    pthread_mutex_init(&quantised->lock, NULL);
    quantised->from = from;
    quantised->n_workers = n_workers;
    quantised->source = *from;
    quantised->source.self = quantised;
    quantised->source.dtype = KL_U8;
    quantised->source.read = NULL;
    quantised->source.read_packed = read_quantised;
    status = kl_alloc(&quantised->extents, from->n_blocks, sizeof *quantised->extents, "8-bit keys",
                      err);
    if (!status)
        status =
            kl_alloc(&quantised->rooms, n_workers, sizeof *quantised->rooms, "8-bit keys", err);
    if (status) {
        kl_quantised_free(quantised);
        return status;
    }
    quantised->source.extents = quantised->extents;
    for (uint32_t b = 0; b < from->n_blocks; b++) {
        struct kl_extent *extent = &quantised->extents[b];
        uint32_t bits = from->extents[b].count * (uint32_t)kl_bits_bytes(from->width);

        *extent = from->extents[b];
        if (extent->packed_bytes)
            extent->packed_bytes = bits + (extent->packed_bytes - bits) / 2;
    }
    *out = quantised;
    return KL_OK;
}

void kl_quantised_free(struct kl_quantised *quantised)
{
    if (!quantised)
        return;
    for (unsigned w = 0; quantised->rooms && w < quantised->n_workers; w++) {
        free(quantised->rooms[w].numbers);
        free(quantised->rooms[w].bits);
        free(quantised->rooms[w].halves);
        free(quantised->rooms[w].floats);
    }
    free(quantised->rooms);
    free(quantised->extents);
    free(quantised->scales);
    free(quantised->lengths);
    free(quantised->errors);
    pthread_mutex_destroy(&quantised->lock);
    free(quantised);
}

enum kl_status kl_quantised_query_make(const float *query, size_t width,
                                       struct kl_quantised_query *out, struct kl_error *err)
{
    struct kl_quantised_query asking = {0};
    float largest = kl_kernels()->largest(query, width);
    size_t padded = (width + KL_CACHE_LINE - 1) / KL_CACHE_LINE * KL_CACHE_LINE;
    double squares = 0, lost = 0;
    enum kl_status status;

    if (!(largest >= LEAST && largest <= MOST))
        return kl_fail(err, KL_ERR_USAGE, "what is asked about is not for 8 bits");
    status = kl_alloc_scanned(&asking.numbers, padded, 1, "a query", err);
    if (status)
        return status;
    memset(asking.numbers, 0, padded);
    asking.scale = largest / MOST_QUERY;
    for (size_t j = 0; j < width; j++) {
        int number = (int)rintf(query[j] / asking.scale);
        double rest = query[j] - (double)number * asking.scale;

        asking.numbers[j] = (int8_t)number;
        asking.query.sum += number;
        squares += (double)query[j] * query[j];
        lost += rest * rest;
    }
    asking.query.numbers = asking.numbers;
    asking.length = (float)(SURE * sqrt(squares));
    /* What rounding the product itself takes is some units in its last place. */
    asking.remainder = (float)(SURE * (sqrt(lost) + 8 * FLT_EPSILON * sqrt(squares)));
    *out = asking;
    return KL_OK;
}

void kl_quantised_query_clear(struct kl_quantised_query *asking)
{
    free(asking->numbers);
    asking->numbers = NULL;
}

void kl_quantised_products(const struct kl_quantised *quantised, const struct kl_block *rows,
                           const struct kl_quantised_query *asking, float *out)
{
    const float *scales = quantised->scales + rows->first;

    for (uint32_t i = 0; i < rows->count; i += KL_CACHE_LINE / sizeof(float))
        __builtin_prefetch(scales + i);
    kl_kernels()->dot_bytes(rows->bits, rows->numbers, rows->count, quantised->source.width,
                            &asking->query, out);
    for (uint32_t i = 0; i < rows->count; i++)
        out[i] = out[i] * scales[i] * asking->scale;
}
