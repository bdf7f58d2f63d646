#include "db/tables/patterns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/half.h"
#include "core/scan/kernels.h"
#include "core/base/memory.h"
#include "db/file/database.h"
#include "db/file/rows.h"
#include "core/scan/packing.h"

#define CHUNK_BYTES ((size_t)1 << 20) /* of the widest layer: some of a second-level cache */

/* Patterns that wait for their chunk: keys as they are stored, error signals, which get an exponent
 * together, in the float32 they were computed in. */
struct kl_patterns {
    sqlite3 *db;
    struct kl_layout layout;
    enum kl_dtype dtype;
    sqlite3_stmt *insert_showings, *insert_keys, *insert_errors, *insert_sparse;
    uint64_t first;
    uint32_t step; /* the last that came */
    uint32_t count, capacity;
    uint32_t *samples;            /* (capacity) */
    char *keys[KL_LAYERS_MAX];    /* (capacity, as the layout says) */
    float largest[KL_LAYERS_MAX]; /* of the keys that wait */
    float *errors[KL_LAYERS_MAX]; /* as keys */
    uint32_t *indices;            /* (capacity, entries) */
    double kept, left_out;        /* squared lengths of what is in errors of the last layer */
    char *numbers;                /* (capacity, widest) as they are stored; or indices and them */
    char *packed;                 /* the same without zeros, if that is shorter */
};

static enum kl_status prepare(struct kl_patterns *patterns, struct kl_error *err)
{
    enum kl_status status =
        kl_rows_insert(patterns->db, "showing_chunk", 0, &patterns->insert_showings, err);

    if (!status)
        status = kl_rows_insert(patterns->db, "key_chunk", 0, &patterns->insert_keys, err);
    if (!status)
        status = kl_rows_insert(patterns->db, "error_chunk", 0, &patterns->insert_errors, err);
    if (!status)
        status =
            kl_rows_insert(patterns->db, "sparse_error_chunk", 0, &patterns->insert_sparse, err);
    return status;
}

static enum kl_status allocate(struct kl_patterns *patterns, struct kl_error *err)
{
    const struct kl_layout *layout = &patterns->layout;
    size_t number = kl_dtype_size(patterns->dtype), row_bytes = 1, n;
    enum kl_status status;

    for (uint32_t l = 0; l < layout->n_layers; l++) {
        row_bytes = layout->keys[l] * number > row_bytes ? layout->keys[l] * number : row_bytes;
        row_bytes = layout->errors[l] * number > row_bytes ? layout->errors[l] * number : row_bytes;
    }
    if (layout->entries * (number + sizeof(uint32_t)) > row_bytes)
        row_bytes = layout->entries * (number + sizeof(uint32_t));
    n = row_bytes < CHUNK_BYTES ? CHUNK_BYTES / row_bytes : 1;
    patterns->capacity = (uint32_t)n;
    status = kl_alloc(&patterns->samples, n, sizeof(uint32_t), "a chunk", err);
    if (!status)
        status = kl_alloc(&patterns->numbers, n, row_bytes, "a chunk", err);
    if (!status) /* with the bits of every row, at most one for two bytes, and aligned */
        status = kl_alloc_scanned(&patterns->packed, n, row_bytes + row_bytes / 16 + 1 + 16,
                                  "a chunk", err);
    if (!status)
        status =
            kl_alloc(&patterns->indices, n * layout->entries, sizeof(uint32_t), "a chunk", err);
    for (uint32_t l = 0; !status && l < layout->n_layers; l++) {
        status = kl_alloc(&patterns->keys[l], n * layout->keys[l], number, "a chunk of keys", err);
        if (!status)
            status = kl_alloc(&patterns->errors[l], n * layout->errors[l], sizeof(float),
                              "a chunk of error signals", err);
    }
    return status;
}

enum kl_status kl_patterns_create(sqlite3 *db, const struct kl_training *training, uint64_t first,
                                  struct kl_patterns **out, struct kl_error *err)
{
    struct kl_patterns *patterns = NULL;
    enum kl_status status = kl_alloc(&patterns, 1, sizeof *patterns, "the history", err);

    if (status)
        return status;
    patterns->db = db;
    patterns->dtype = (enum kl_dtype)training->dtype;
    patterns->first = first;
    kl_training_layout(training, &patterns->layout);
    status = allocate(patterns, err);
    if (!status)
        status = prepare(patterns, err);
    if (status)
        kl_patterns_free(patterns);
    else
        *out = patterns;
    return status;
}

void kl_patterns_free(struct kl_patterns *patterns)
{
    if (!patterns)
        return;
    sqlite3_finalize(patterns->insert_showings);
    sqlite3_finalize(patterns->insert_keys);
    sqlite3_finalize(patterns->insert_errors);
    sqlite3_finalize(patterns->insert_sparse);
    free(patterns->samples);
    free(patterns->indices);
    free(patterns->numbers);
    free(patterns->packed);
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++) {
        free(patterns->keys[l]);
        free(patterns->errors[l]);
    }
    free(patterns);
}

/* Whether numbers of a layer can be stored, of which the largest is given: keys, or error signals,
 * which get an exponent. */
static enum kl_status check_bounds(const struct kl_patterns *patterns, uint32_t layer,
                                   float largest, int is_key, struct kl_error *err)
{
    if (isinf(largest) || (!is_key && ilogbf(largest) > 100))
        return kl_fail(err, KL_ERR_DIVERGED,
                       "training diverged by step %u: layer %u has numbers beyond all bounds",
                       patterns->step, layer + 1);
    if (is_key && patterns->dtype == KL_F16 && largest > KL_HALF_MAX)
        return kl_fail_on(
            err, KL_ERR_INPUT, "dtype",
            "the keys of layer %u reach %g, more than float16 holds: record with dtype "
            "float32",
            layer + 1, (double)largest);
    return KL_OK;
}

/* Turns n numbers into what is stored, at out. */
static void convert(const struct kl_patterns *patterns, const float *numbers, size_t n,
                    int exponent, char *out)
{
    if (patterns->dtype == KL_F32)
        memcpy(out, numbers, n * sizeof(float));
    else
        kl_kernels()->to_f16(numbers, n, ldexpf(1, exponent), (uint16_t *)(void *)out);
}

/* The same of a layer's error signals that wait, n numbers. */
static enum kl_status encode_errors(const struct kl_patterns *patterns, uint32_t layer, size_t n,
                                    char *out, int *exponent, struct kl_error *err)
{
    float largest = kl_kernels()->largest(patterns->errors[layer], n);
    enum kl_status status = check_bounds(patterns, layer, largest, 0, err);

    if (status)
        return status;
    *exponent = patterns->dtype == KL_F16 ? kl_scale_exponent(largest) : 0;
    convert(patterns, patterns->errors[layer], n, *exponent, out);
    return KL_OK;
}

/* What all three tables of numbers begin with. */
static void bind(const struct kl_patterns *patterns, sqlite3_stmt *insert, uint32_t layer,
                 uint32_t width, int exponent)
{
    sqlite3_bind_int64(insert, 1, layer + 1);
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)patterns->first);
    sqlite3_bind_int64(insert, 3, patterns->count);
    sqlite3_bind_int64(insert, 4, width);
    sqlite3_bind_text(insert, 5, kl_dtype_name(patterns->dtype), -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 6, exponent);
}

/* Rows as they are stored, at most without their zeros. */
static enum kl_status write_numbers(struct kl_patterns *patterns, sqlite3_stmt *insert,
                                    uint32_t layer, uint32_t width, const char *numbers,
                                    int exponent, struct kl_error *err)
{
    size_t n = (size_t)patterns->count * width, number = kl_dtype_size(patterns->dtype);
    size_t bits_bytes = patterns->count * kl_bits_bytes(width), stored;
    char *packed = patterns->packed + (16 - bits_bytes % 16) % 16; /* so that numbers are aligned */
    int is_shorter;

    stored = kl_pack(patterns->dtype, numbers, patterns->count, width, (uint8_t *)packed,
                     packed + bits_bytes);
    is_shorter = bits_bytes + stored * number < n * number;
    bind(patterns, insert, layer, width, exponent);
    sqlite3_bind_int64(insert, 7, (sqlite3_int64)(is_shorter ? stored : n));
    sqlite3_bind_blob64(insert, 8, is_shorter ? packed : numbers,
                        is_shorter ? bits_bytes + stored * number : n * number, SQLITE_STATIC);
    return kl_db_run(insert, err);
}

static enum kl_status write_keys(struct kl_patterns *patterns, uint32_t layer, struct kl_error *err)
{
    enum kl_status status = check_bounds(patterns, layer, patterns->largest[layer], 1, err);

    patterns->largest[layer] = 0;
    return status ? status
                  : write_numbers(patterns, patterns->insert_keys, layer,
                                  patterns->layout.keys[layer], patterns->keys[layer], 0, err);
}

static enum kl_status write_errors(struct kl_patterns *patterns, uint32_t layer,
                                   struct kl_error *err)
{
    uint32_t width = patterns->layout.errors[layer];
    int exponent = 0;
    enum kl_status status = encode_errors(patterns, layer, (size_t)patterns->count * width,
                                          patterns->numbers, &exponent, err);

    return status ? status
                  : write_numbers(patterns, patterns->insert_errors, layer, width,
                                  patterns->numbers, exponent, err);
}

/* Indices first, then the numbers at them. */
static enum kl_status write_sparse(struct kl_patterns *patterns, uint32_t layer,
                                   struct kl_error *err)
{
    uint32_t entries = patterns->layout.entries;
    size_t n = (size_t)patterns->count * entries, index_bytes = n * sizeof(uint32_t);
    int exponent = 0;
    enum kl_status status =
        encode_errors(patterns, layer, n, patterns->numbers + index_bytes, &exponent, err);

    if (status)
        return status;
    memcpy(patterns->numbers, patterns->indices, index_bytes);
    bind(patterns, patterns->insert_sparse, layer, entries, exponent);
    sqlite3_bind_blob64(patterns->insert_sparse, 7, patterns->numbers,
                        index_bytes + n * kl_dtype_size(patterns->dtype), SQLITE_STATIC);
    sqlite3_bind_double(patterns->insert_sparse, 8, patterns->kept);
    sqlite3_bind_double(patterns->insert_sparse, 9, patterns->left_out);
    patterns->kept = patterns->left_out = 0;
    return kl_db_run(patterns->insert_sparse, err);
}

enum kl_status kl_patterns_flush(struct kl_patterns *patterns, struct kl_error *err)
{
    const struct kl_layout *layout = &patterns->layout;
    sqlite3_stmt *insert = patterns->insert_showings;
    enum kl_status status;

    if (patterns->count == 0)
        return KL_OK;
    sqlite3_bind_int64(insert, 1, (sqlite3_int64)patterns->first);
    sqlite3_bind_int64(insert, 2, patterns->count);
    sqlite3_bind_blob64(insert, 3, patterns->samples, patterns->count * sizeof(uint32_t),
                        SQLITE_STATIC);
    status = kl_db_run(insert, err);
    for (uint32_t l = 0; !status && l < layout->n_layers; l++) {
        if (layout->keys[l])
            status = write_keys(patterns, l, err);
        if (!status && layout->entries && l + 1 == layout->n_layers)
            status = write_sparse(patterns, l, err);
        else if (!status && layout->errors[l])
            status = write_errors(patterns, l, err);
    }
    patterns->first += patterns->count;
    patterns->count = 0;
    return status;
}

/* Adds n patterns of the record, from number done on, to the end of what waits. */
static void take(struct kl_patterns *patterns, const struct kl_step_record *record, size_t done,
                 size_t n)
{
    const struct kl_layout *layout = &patterns->layout;
    size_t at = patterns->count, entries = layout->entries;
    const float *last = record->result.errors[layout->n_layers - 1];

    memcpy(patterns->samples + at, record->samples + done, n * sizeof(uint32_t));
    for (uint32_t l = 0; l < layout->n_layers; l++) {
        size_t key = layout->keys[l], error = layout->errors[l];

        if (key) {
            const float *keys = record->result.keys[l] + done * key;

            patterns->largest[l] =
                fmaxf(patterns->largest[l], kl_kernels()->largest(keys, n * key));
            convert(patterns, keys, n * key, 0,
                    patterns->keys[l] + at * key * kl_dtype_size(patterns->dtype));
        }
        if (error)
            memcpy(patterns->errors[l] + at * error, record->result.errors[l] + done * error,
                   n * error * sizeof(float));
    }
    if (entries)
        memcpy(patterns->indices + at * entries, record->result.indices + done * entries,
               n * entries * sizeof(uint32_t));
    for (size_t i = done * entries; i < (done + n) * entries; i++)
        patterns->kept += (double)last[i] * last[i];
    for (size_t i = done; entries && i < done + n; i++)
        patterns->left_out += record->result.left_out[i];
    patterns->count += (uint32_t)n;
}

enum kl_status kl_patterns_add(struct kl_patterns *patterns, const struct kl_step_record *record,
                               struct kl_error *err)
{
    uint32_t done = 0;

    patterns->step = record->step;
    while (done < record->count) {
        uint32_t room = patterns->capacity - patterns->count, left = record->count - done;
        uint32_t n = left < room ? left : room;

        take(patterns, record, done, n);
        done += n;
        if (patterns->count == patterns->capacity && kl_patterns_flush(patterns, err))
            return err->status;
    }
    return KL_OK;
}
