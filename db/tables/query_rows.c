#include "db/tables/query_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "db/file/database.h"
#include "core/scan/packing.h"

static void add(const float *numbers, size_t n, float weight, float *sums)
{
    for (size_t i = 0; i < n; i++)
        sums[i] += weight * numbers[i];
}

static enum kl_status damaged(const struct kl_query_rows *source, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: a recorded sample has not the numbers that its layers need; "
                   "restore it from a copy or record it again",
                   sqlite3_db_filename(source->db, "main"));
}

/* The blob of a bound statement as n floats: *is_there says whether there is a row. */
static enum kl_status read_floats(const struct kl_query_rows *source, sqlite3_stmt *statement,
                                  uint32_t n, float *out, int *is_there, struct kl_error *err)
{
    const void *blob;
    enum kl_status status = kl_db_next(statement, is_there, err);

    if (!status && *is_there) {
        blob = sqlite3_column_blob(statement, 0);
        if (!blob || (size_t)sqlite3_column_bytes(statement, 0) != n * sizeof(float))
            status = damaged(source, err);
        else
            memcpy(out, blob, n * sizeof(float));
    }
    for (uint32_t i = 0; !status && *is_there && i < n; i++)
        if (!isfinite(out[i]))
            status = damaged(source, err);
    kl_db_rewind(statement);
    return status;
}

/* What is recorded of a layer: its key, the gradient of an output (0 and up), or of the loss of the
 * sample's label. */
#define THE_KEY (-1)
#define OF_LOSS (-2)

static void bind(sqlite3_stmt *numbers, uint32_t sample, uint32_t layer, int64_t output)
{
    sqlite3_bind_int64(numbers, 1, sample);
    sqlite3_bind_int64(numbers, 2, layer + 1);
    sqlite3_bind_text(numbers, 3, output == THE_KEY ? "key" : "gradient", -1, SQLITE_STATIC);
    if (output < 0)
        sqlite3_bind_null(numbers, 4);
    else
        sqlite3_bind_int64(numbers, 4, output);
}

/* Numbers of a layer, from 0, that saw the sample whole. */
static enum kl_status read_numbers(const struct kl_query_rows *source, uint32_t sample,
                                   uint32_t layer, int64_t output, uint32_t n, float *out,
                                   int *is_there, struct kl_error *err)
{
    bind(source->numbers, sample, layer, output);
    return read_floats(source, source->numbers, n, out, is_there, err);
}

/* Numbers of several places, as rows. */
struct place_rows {
    uint32_t n, width;
    float *numbers; /* (n, width); the caller's to free */
};

/* The columns that a row says its numbers by, checked against each other. */
static enum kl_status decode(const struct kl_query_rows *source, sqlite3_stmt *row,
                             struct place_rows *rows, struct kl_error *err)
{
    sqlite3_int64 count = sqlite3_column_int64(row, 0), width = sqlite3_column_int64(row, 1);
    sqlite3_int64 exponent = sqlite3_column_int64(row, 3), n_stored = sqlite3_column_int64(row, 4);
    const char *name = (const char *)sqlite3_column_text(row, 2);
    const uint8_t *blob = sqlite3_column_blob(row, 5);
    size_t n_bytes = (size_t)sqlite3_column_bytes(row, 5), n, bits, number;
    enum kl_dtype dtype;

    if (count < 1 || count > KL_ROW_MAX || width < 1 || width > KL_ROW_MAX ||
        count * width > KL_ROW_MAX || !name || kl_dtype_parse(name, &dtype) || dtype == KL_U8 ||
        exponent < -100 || exponent > 100 || n_stored < 0 || n_stored > count * width || !blob)
        return damaged(source, err);
    n = (size_t)(count * width);
    number = kl_dtype_size(dtype);
    bits = (size_t)n_stored < n ? (size_t)count * kl_bits_bytes((size_t)width) : 0;
    if (n_bytes != bits + (size_t)n_stored * number ||
        (bits && kl_packed_count(blob, (size_t)count, (size_t)width) != (size_t)n_stored))
        return damaged(source, err);
    *rows = (struct place_rows){.n = (uint32_t)count, .width = (uint32_t)width};
    return kl_decode(dtype, (int)exponent, bits ? blob : NULL, blob + bits, (size_t)n_stored,
                     (size_t)count, (size_t)width, &rows->numbers, err);
}

/* The same at all places of a layer that saw it at several. */
static enum kl_status read_places(const struct kl_query_rows *source, uint32_t sample,
                                  uint32_t layer, int64_t output, struct place_rows *rows,
                                  int *is_there, struct kl_error *err)
{
    enum kl_status status;

    *is_there = 0;
    *rows = (struct place_rows){0};
    if (!source->places)
        return KL_OK;
    bind(source->places, sample, layer, output);
    status = kl_db_next(source->places, is_there, err);
    if (!status && *is_there)
        status = decode(source, source->places, rows, err);
    kl_db_rewind(source->places);
    for (size_t i = 0; !status && i < (size_t)rows->n * rows->width; i++)
        if (!isfinite(rows->numbers[i]))
            status = damaged(source, err);
    if (status) {
        free(rows->numbers);
        *rows = (struct place_rows){0};
        *is_there = 0;
    }
    return status;
}

/* A layer's keys at all places: of a convolution cut out of the map that it read. */
static enum kl_status take_places(const struct kl_query_rows *source, uint32_t layer,
                                  const struct place_rows *rows, struct kl_activations *activations,
                                  struct kl_error *err)
{
    const struct kl_shape *shape = source->shape;
    const struct kl_convolution *convolution = kl_shape_convolution(shape, layer);
    uint32_t width = convolution ? kl_convolution_map(convolution) : shape->inputs[layer];

    if (rows->width != width || (convolution && rows->n != 1) || rows->n > KL_PLACES_MAX ||
        (uint64_t)rows->n * shape->outputs[layer] > KL_ROW_MAX || layer + 1 == shape->n_layers)
        return damaged(source, err);
    return kl_activations_take(activations, layer, rows->numbers,
                               convolution ? kl_shape_places(shape, layer) : rows->n, err);
}

static enum kl_status read_layer(const struct kl_query_rows *source, uint32_t sample, uint32_t l,
                                 struct kl_activations *activations, struct kl_error *err)
{
    const struct kl_shape *shape = source->shape;
    struct place_rows rows;
    int is_there = 0;
    enum kl_status status = read_places(source, sample, l, THE_KEY, &rows, &is_there, err);

    if (status)
        return status;
    if (is_there) {
        status = take_places(source, l, &rows, activations, err);
        free(rows.numbers);
        return status;
    }
    if (kl_shape_places(shape, l) == 1)
        status = read_numbers(source, sample, l, THE_KEY, shape->inputs[l], activations->keys[l],
                              &is_there, err);
    return status || is_there ? status : damaged(source, err);
}

enum kl_status kl_query_logits(const struct kl_query_rows *source, uint32_t sample, float *logits,
                               struct kl_error *err)
{
    int is_there = 0;
    enum kl_status status;

    sqlite3_bind_int64(source->logits, 1, sample);
    status = read_floats(source, source->logits, kl_shape_n_outputs(source->shape), logits,
                         &is_there, err);
    if (!status && !is_there)
        return kl_fail_on(
            err, KL_ERR_NOT_FOUND, "sample",
            "this network was recorded, and this sample is not among those whose keys were: ask "
            "about one of the test split that is");
    return status;
}

enum kl_status kl_query_keys(const struct kl_query_rows *source, uint32_t sample,
                             struct kl_activations *activations, struct kl_error *err)
{
    const struct kl_shape *shape = source->shape;
    enum kl_status status =
        kl_query_logits(source, sample, activations->keys[shape->n_layers], err);

    for (uint32_t l = 0; !status && l < shape->n_layers; l++)
        status = read_layer(source, sample, l, activations, err);
    return status;
}

/* A layer's errors += weight times the gradient of an output, at every place that it has. */
static enum kl_status add_to_layer(const struct kl_query_rows *source, uint32_t sample, uint32_t l,
                                   int64_t output, float weight, float *row,
                                   struct kl_activations *activations, int *is_there,
                                   struct kl_error *err)
{
    const struct kl_places *places = activations->places[l];
    uint32_t outputs = source->shape->outputs[l];
    struct place_rows rows = {0};
    enum kl_status status;

    if (!places) {
        status = read_numbers(source, sample, l, output, outputs, row, is_there, err);
        if (!status && *is_there)
            add(row, outputs, weight, activations->errors[l]);
        return status;
    }
    status = read_places(source, sample, l, output, &rows, is_there, err);
    if (!status && *is_there && (rows.n != places->n || rows.width != outputs))
        status = damaged(source, err);
    if (!status && *is_there)
        add(rows.numbers, (size_t)rows.n * rows.width, weight, places->errors);
    if (*is_there)
        free(rows.numbers);
    return status;
}

/* Of all layers but the last. */
enum kl_status kl_query_add_gradient(const struct kl_query_rows *source, uint32_t sample,
                                     int64_t output, float weight, float *row,
                                     struct kl_activations *activations, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    for (uint32_t l = 0; !status && l + 1 < source->shape->n_layers; l++) {
        int is_there = 0;

        status = add_to_layer(source, sample, l, output, weight, row, activations, &is_there, err);
        if (!status && !is_there && l > 0 && output == OF_LOSS)
            return damaged(source, err); /* of the layers before it is there */
        if (!status && !is_there)
            return kl_fail_on(
                err, KL_ERR_NOT_FOUND, "rank",
                "of this sample the gradients of %s were not recorded: ask for the predicted "
                "output or the label, or in the last layer",
                output == OF_LOSS ? "other labels' loss" : "this output");
    }
    return status;
}

/* The loss's own gradients, where a network has too many outputs for those of all to be recorded,
 * and output is the sample's label: *is_done says whether. */
enum kl_status kl_query_add_loss(const struct kl_query_rows *source, uint32_t sample,
                                 uint32_t output, float *row, struct kl_activations *activations,
                                 int *is_done, struct kl_error *err)
{
    int is_there = 0;
    enum kl_status status;

    sqlite3_bind_int64(source->label, 1, sample);
    status = kl_db_next(source->label, &is_there, err);
    is_there = is_there && sqlite3_column_int64(source->label, 0) == output;
    kl_db_rewind(source->label);
    if (status || !is_there)
        return status;
    status = kl_query_add_gradient(source, sample, OF_LOSS, 1, row, activations, err);
    *is_done = status == KL_OK;
    return status == KL_ERR_NOT_FOUND ? KL_OK : status; /* before anything was added */
}

/* Whether a file has a sample. */
int kl_query_has(const struct kl_query_rows *source, uint32_t sample)
{
    uint32_t low = 0, high = source->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (source->samples[middle] < sample)
            low = middle + 1;
        else
            high = middle;
    }
    return low < source->n && source->samples[low] == sample;
}

void kl_query_close(struct kl_query_rows *source)
{
    sqlite3_finalize(source->logits);
    sqlite3_finalize(source->label);
    sqlite3_finalize(source->numbers);
    sqlite3_finalize(source->places);
    sqlite3_close(source->db);
    free(source->samples);
    *source = (struct kl_query_rows){.shape = source->shape, .n_samples = source->n_samples};
}

/* Which samples there are. */
static enum kl_status list_samples(struct kl_query_rows *source, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 n = 0;
    int row = 1;
    enum kl_status status = kl_db_integer(source->db, "SELECT count(rowid) FROM query", &n, err);

    if (!status)
        status = kl_alloc(&source->samples, (size_t)n, sizeof(uint32_t), "the samples", err);
    if (!status)
        status =
            kl_db_prepare(source->db, "SELECT query FROM query ORDER BY query", &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row && source->n < n) {
        sqlite3_int64 sample = sqlite3_column_int64(statement, 0);

        if (sample < 0 || sample >= source->n_samples)
            status = damaged(source, err);
        else
            source->samples[source->n++] = (uint32_t)sample;
    }
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_query_open(struct kl_query_rows *source, const char *path, struct kl_error *err)
{
    sqlite3_int64 has_places = 0;
    enum kl_status status = kl_db_open(path, KL_OPEN_IMMUTABLE, &source->db, err);

    if (!status)
        status = list_samples(source, err);
    if (!status)
        status = kl_db_prepare(source->db, "SELECT logits FROM query WHERE query = ?1",
                               &source->logits, err);
    if (!status)
        status = kl_db_prepare(source->db, "SELECT label FROM query WHERE query = ?1",
                               &source->label, err);
    if (!status)
        status = kl_db_prepare(source->db,
                               "SELECT data FROM query_key_chunk WHERE query = ?1 AND layer = ?2 "
                               "AND role = ?3 AND output IS ?4",
                               &source->numbers, err);
    if (!status)
        status = kl_db_integer(
            source->db, "SELECT count(*) FROM sqlite_schema WHERE name = 'query_place_chunk'",
            &has_places, err);
    if (!status && has_places)
        status =
            kl_db_prepare(source->db,
                          "SELECT count, width, dtype, exponent, stored, data FROM "
                          "query_place_chunk WHERE query = ?1 AND layer = ?2 AND role = ?3 AND "
                          "output IS ?4",
                          &source->places, err);
    if (status)
        kl_query_close(source);
    return status;
}
