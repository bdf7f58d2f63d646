#include "db/chunks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/training.h"
#include "db/database.h"

static const char *const tables[] = {"image_chunk", "key_chunk", "error_chunk"};

/* What one worker reads with. Chunks of all tables go through the same buffer. */
struct worker_file {
    sqlite3 *db;
    sqlite3_blob *blobs[3]; /* open on some chunk of each table, or NULL */
    void *buffer;
    size_t buffer_bytes;
};

struct kl_chunk_files {
    const char *path;
    unsigned n_workers;
    struct worker_file *workers;
};

struct chunk {
    sqlite3_int64 rowid;
    uint64_t first;
    uint32_t count;
    enum kl_dtype dtype;
    int exponent;
};

struct chunk_source {
    struct kl_block_source source; /* first, so that a pointer to it is one to this */
    struct kl_chunk_files *files;
    enum kl_chunk_kind kind;
    struct chunk *chunks;
};

enum kl_status kl_chunk_files_open(const char *path, unsigned n_workers,
                                   struct kl_chunk_files **out, struct kl_error *err)
{
    struct kl_chunk_files *files = NULL;
    enum kl_status status = kl_alloc(&files, 1, sizeof *files, "the run", err);

    if (status)
        return status;
    files->path = path;
    status = kl_alloc(&files->workers, n_workers, sizeof *files->workers, "the run", err);
    for (; !status && files->n_workers < n_workers; files->n_workers++)
        status = kl_db_open(path, KL_OPEN_IMMUTABLE, &files->workers[files->n_workers].db, err);
    if (status) {
        kl_chunk_files_close(files);
        return status;
    }
    *out = files;
    return KL_OK;
}

void kl_chunk_files_close(struct kl_chunk_files *files)
{
    if (!files)
        return;
    for (unsigned i = 0; i < files->n_workers; i++) {
        for (size_t k = 0; k < 3; k++)
            sqlite3_blob_close(files->workers[i].blobs[k]);
        sqlite3_close(files->workers[i].db);
        free(files->workers[i].buffer);
    }
    free(files->workers);
    free(files);
}

static enum kl_status open_chunk(const struct chunk_source *source, struct worker_file *file,
                                 const struct chunk *chunk, struct kl_error *err)
{
    size_t bytes = (size_t)chunk->count * source->source.width * kl_dtype_size(chunk->dtype);
    sqlite3_blob **blob = &file->blobs[source->kind];
    int code = *blob ? sqlite3_blob_reopen(*blob, chunk->rowid)
                     : sqlite3_blob_open(file->db, "main", tables[source->kind], "data",
                                         chunk->rowid, 0, blob);

    if (code != SQLITE_OK) {
        enum kl_status status = kl_db_fail(file->db, err);

        sqlite3_blob_close(*blob);
        *blob = NULL;
        return status;
    }
    if ((size_t)sqlite3_blob_bytes(*blob) != bytes)
        return kl_fail(err, KL_ERR_DAMAGED,
                       "%s is damaged: %s %lld has %d bytes, expected %zu; train it again",
                       source->files->path, tables[source->kind], (long long)chunk->rowid,
                       sqlite3_blob_bytes(*blob), bytes);
    return KL_OK;
}

static enum kl_status reserve(struct worker_file *file, size_t n_bytes, struct kl_error *err)
{
    enum kl_status status;

    if (n_bytes <= file->buffer_bytes)
        return KL_OK;
    free(file->buffer);
    file->buffer = NULL;
    file->buffer_bytes = 0;
    status = kl_alloc_scanned(&file->buffer, n_bytes, 1, "a chunk", err);
    if (!status)
        file->buffer_bytes = n_bytes;
    return status;
}

/* Reads count rows from row (within the chunk) into the worker's buffer. */
static enum kl_status read_part(const struct chunk_source *source, unsigned worker,
                                const struct chunk *chunk, uint32_t row, uint32_t count,
                                struct kl_block *out, struct kl_error *err)
{
    struct worker_file *file = &source->files->workers[worker];
    size_t row_bytes = source->source.width * kl_dtype_size(chunk->dtype);
    enum kl_status status = open_chunk(source, file, chunk, err);

    if (!status)
        status = reserve(file, count * row_bytes, err);
    if (status)
        return status;
    if (sqlite3_blob_read(file->blobs[source->kind], file->buffer, (int)(count * row_bytes),
                          (int)(row * row_bytes)) != SQLITE_OK)
        return kl_db_fail(file->db, err);
    *out = (struct kl_block){chunk->first + row, count, chunk->dtype, chunk->exponent,
                             file->buffer};
    return KL_OK;
}

static enum kl_status read_chunk(void *self, unsigned worker, uint32_t block, struct kl_block *out,
                                 struct kl_error *err)
{
    const struct chunk_source *source = self;
    const struct chunk *chunk = &source->chunks[block];

    return read_part(source, worker, chunk, 0, chunk->count, out, err);
}

static const struct chunk *find_chunk(const struct chunk_source *source, uint64_t row)
{
    uint32_t low = 0, high = source->source.n_blocks;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (source->chunks[middle].first <= row)
            low = middle;
        else
            high = middle;
    }
    return &source->chunks[low];
}

static enum kl_status read_rows(void *self, unsigned worker, uint64_t first, uint32_t n,
                                float *rows, struct kl_error *err)
{
    const struct chunk_source *source = self;
    size_t width = source->source.width;

    while (n > 0) {
        const struct chunk *chunk = find_chunk(source, first);
        uint32_t row = (uint32_t)(first - chunk->first), left = chunk->count - row;
        uint32_t now = n < left ? n : left;
        struct kl_block block = {0};
        enum kl_status status = read_part(source, worker, chunk, row, now, &block, err);

        if (status)
            return status;
        kl_block_to_float(&block, 0, now * width, rows);
        rows += now * width;
        first += now;
        n -= now;
    }
    return KL_OK;
}

static enum kl_status gap(const struct chunk_source *source, uint64_t row, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: the rows of %s do not follow each other at row %llu; restore it "
                   "from a copy or train it again",
                   source->files->path, tables[source->kind], (unsigned long long)row);
}

/* Lists the table's chunks, which must be of this width and follow each other from 0 to n_rows. */
static enum kl_status list_chunks(struct chunk_source *source, uint32_t layer,
                                  struct kl_error *err)
{
    sqlite3 *db = source->files->workers[0].db;
    sqlite3_stmt *statement = NULL;
    uint64_t next = 0;
    uint32_t room = 0;
    char sql[200];
    int row = 1;
    enum kl_status status;

    if (source->kind == KL_CHUNKS_IMAGES)
        snprintf(sql, sizeof sql,
                 "SELECT id, first, count, width, 'uint8', 0 FROM image_chunk ORDER BY first");
    else
        snprintf(sql, sizeof sql,
                 "SELECT id, first, count, width, dtype, exponent FROM %s WHERE layer = %u "
                 "ORDER BY first",
                 tables[source->kind], layer);
    status = kl_db_prepare(db, sql, &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row) {
        const char *dtype = (const char *)sqlite3_column_text(statement, 4);
        sqlite3_int64 count = sqlite3_column_int64(statement, 2);
        struct chunk chunk = {sqlite3_column_int64(statement, 0),
                              (uint64_t)sqlite3_column_int64(statement, 1), (uint32_t)count, KL_F16,
                              sqlite3_column_int(statement, 5)};

        if (chunk.first != next || count < 1 || count > INT32_MAX ||
            sqlite3_column_int64(statement, 3) != source->source.width || !dtype ||
            kl_dtype_parse(dtype, &chunk.dtype)) {
            status = gap(source, next, err);
            break;
        }
        if (source->source.n_blocks == room) {
            struct chunk *grown =
                realloc(source->chunks, (room = room ? 2 * room : 64) * sizeof *source->chunks);

            if (!grown) {
                status = kl_fail(err, KL_ERR_MEMORY, "not enough memory to list the chunks of %s",
                                 source->files->path);
                break;
            }
            source->chunks = grown;
        }
        source->chunks[source->source.n_blocks++] = chunk;
        next += (uint64_t)count;
    }
    sqlite3_finalize(statement);
    if (!status && next != source->source.n_rows)
        status = gap(source, next, err);
    return status;
}

enum kl_status kl_chunk_source_open(struct kl_chunk_files *files, enum kl_chunk_kind kind,
                                    uint32_t layer, uint64_t n_rows, uint32_t width,
                                    const struct kl_block_source **out, struct kl_error *err)
{
    struct chunk_source *source = NULL;
    enum kl_status status = kl_alloc(&source, 1, sizeof *source, "a layer", err);

    if (status)
        return status;
    source->source =
        (struct kl_block_source){source, n_rows, width, 0, read_chunk, read_rows};
    source->files = files;
    source->kind = kind;
    status = list_chunks(source, layer, err);
    if (status) {
        kl_chunk_source_close(&source->source);
        return status;
    }
    *out = &source->source;
    return KL_OK;
}

void kl_chunk_source_close(const struct kl_block_source *source)
{
    if (!source)
        return;
    free(((struct chunk_source *)source->self)->chunks);
    free(source->self);
}
