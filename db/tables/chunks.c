#include "db/tables/chunks_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "db/file/database.h"
#include "core/scan/packing.h"

const char *const kl_chunk_tables[KL_N_CHUNK_KINDS] = {"image_chunk", "key_chunk", "error_chunk",
                                                       "sparse_error_chunk"};

/* Opens one worker's connections. */
static enum kl_status open_reader(const struct kl_chunk_files *files,
                                  struct kl_chunk_reader *reader, struct kl_error *err)
{
    enum kl_status status =
        kl_alloc(&reader->parts, files->n_parts, sizeof *reader->parts, "the run", err);

    for (uint32_t p = 0; !status && p < files->n_parts; p++)
        status = kl_db_open(files->parts[p].path, KL_OPEN_IMMUTABLE, &reader->parts[p].db, err);
    reader->part = reader->parts;
    return status;
}

static void close_reader(const struct kl_chunk_files *files, struct kl_chunk_reader *reader)
{
    for (uint32_t p = 0; reader->parts && p < files->n_parts; p++) {
        for (size_t k = 0; k < KL_N_CHUNK_KINDS; k++)
            sqlite3_blob_close(reader->parts[p].blobs[k]);
        sqlite3_close(reader->parts[p].db);
    }
    free(reader->parts);
    free(reader->rows.bytes);
    free(reader->packed.bytes);
}

enum kl_status kl_chunk_files_open(const struct kl_chunk_file *parts, uint32_t n_parts,
                                   unsigned n_workers, struct kl_chunk_files **out,
                                   struct kl_error *err)
{
    struct kl_chunk_files *files = NULL;
    enum kl_status status = kl_alloc(&files, 1, sizeof *files, "the run", err);

    if (status)
        return status;
    status = kl_alloc(&files->parts, n_parts, sizeof *files->parts, "the run", err);
    if (!status)
        status = kl_alloc(&files->workers, n_workers, sizeof *files->workers, "the run", err);
    if (!status) {
        memcpy(files->parts, parts, n_parts * sizeof *parts);
        files->n_parts = n_parts;
        files->n_workers = n_workers;
    }
    for (unsigned w = 0; !status && w < n_workers; w++)
        status = open_reader(files, &files->workers[w], err);
    if (status) {
        kl_chunk_files_close(files);
        return status;
    }
    *out = files;
    return KL_OK;
}

void kl_chunk_files_trust(struct kl_chunk_files *files)
{
    for (unsigned w = 0; w < files->n_workers; w++)
        for (uint32_t p = 0; p < files->n_parts; p++)
            kl_db_trust(files->workers[w].parts[p].db);
}

void kl_chunk_files_close(struct kl_chunk_files *files)
{
    if (!files)
        return;
    for (unsigned w = 0; w < files->n_workers; w++)
        close_reader(files, &files->workers[w]);
    free(files->workers);
    free(files->parts);
    free(files);
}

void kl_chunk_files_rename(struct kl_chunk_files *files, const char *path)
{
    files->parts[0].path = path;
}

sqlite3 *kl_chunk_files_db(const struct kl_chunk_files *files, unsigned worker)
{
    return files->workers[worker].parts[0].db;
}

const char *kl_chunk_path(const struct kl_chunk_source *source, uint32_t block)
{
    return source->files->parts[source->chunks[block].part].path;
}

enum kl_status kl_chunk_damaged(const struct kl_chunk_source *source, uint32_t block,
                                const char *what, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: %s %lld %s; restore it from a copy or train it again",
                   kl_chunk_path(source, block), kl_chunk_tables[source->kind],
                   (long long)source->chunks[block].rowid, what);
}

int kl_chunk_is_packed(const struct kl_chunk_source *source, uint32_t block)
{
    return !source->source.entries &&
           source->chunks[block].stored <
               (uint64_t)source->extents[block].count * source->source.width;
}

size_t kl_chunk_bytes(const struct kl_chunk_source *source, uint32_t block)
{
    size_t count = source->extents[block].count;

    if (!kl_chunk_is_packed(source, block))
        return count * kl_row_bytes(&source->source);
    return count * kl_bits_bytes(source->source.width) +
           source->chunks[block].stored * kl_dtype_size(source->source.dtype);
}

static enum kl_status open_chunk(const struct kl_chunk_source *source, struct kl_chunk_reader *file,
                                 uint32_t block, struct kl_error *err)
{
    sqlite3_int64 rowid = source->chunks[block].rowid;
    struct kl_chunk_part *part = &file->parts[source->chunks[block].part];
    sqlite3_blob **blob = &part->blobs[source->kind];
    int code = *blob ? sqlite3_blob_reopen(*blob, rowid)
                     : sqlite3_blob_open(part->db, "main", kl_chunk_tables[source->kind], "data",
                                         rowid, 0, blob);

    if (code != SQLITE_OK) {
        enum kl_status status = kl_db_fail(part->db, err);

        sqlite3_blob_close(*blob);
        *blob = NULL;
        return status;
    }
    file->part = part;
    return (size_t)sqlite3_blob_bytes(*blob) == kl_chunk_bytes(source, block)
               ? KL_OK
               : kl_chunk_damaged(source, block, "has not the size that its row says", err);
}

enum kl_status kl_chunk_reserve(struct kl_chunk_buffer *buffer, size_t n_bytes,
                                struct kl_error *err)
{
    enum kl_status status;

    if (n_bytes <= buffer->n_bytes)
        return KL_OK;
    free(buffer->bytes);
    *buffer = (struct kl_chunk_buffer){NULL, 0};
    status = kl_alloc_scanned(&buffer->bytes, n_bytes, 1, "a chunk", err);
    if (!status)
        buffer->n_bytes = n_bytes;
    return status;
}

enum kl_status kl_chunk_read(const struct kl_chunk_source *source, struct kl_chunk_reader *file,
                             size_t offset, size_t n_bytes, char *to, struct kl_error *err)
{
    return sqlite3_blob_read(file->part->blobs[source->kind], to, (int)n_bytes, (int)offset) ==
                   SQLITE_OK
               ? KL_OK
               : kl_db_fail(file->part->db, err);
}

/* Where the numbers of a packed row begin: how many are stored before. */
static enum kl_status count_before(const struct kl_chunk_source *source,
                                   struct kl_chunk_reader *file, uint32_t block, uint32_t row,
                                   size_t *before, struct kl_error *err)
{
    size_t bits_bytes = row * kl_bits_bytes(source->source.width);
    enum kl_status status;

    *before = file->next.before;
    if (file->next.source == source && file->next.block == block && file->next.row == row)
        return KL_OK;
    status = kl_chunk_reserve(&file->packed, bits_bytes, err);
    if (!status)
        status = kl_chunk_read(source, file, 0, bits_bytes, file->packed.bytes, err);
    if (!status)
        *before = kl_packed_count(file->packed.bytes, row, source->source.width);
    return status;
}

/* Rows stored without their zeros: their bits, and then their numbers. */
static enum kl_status read_packed(const struct kl_chunk_source *source,
                                  struct kl_chunk_reader *file, uint32_t block, uint32_t row,
                                  uint32_t count, struct kl_error *err)
{
    size_t width = source->source.width, number = kl_dtype_size(source->source.dtype);
    size_t row_bytes = kl_bits_bytes(width), stored = source->chunks[block].stored, before, here;
    size_t numbers_at = (count * row_bytes + 15) / 16 * 16; /* aligned */
    uint8_t *bits;
    enum kl_status status = count_before(source, file, block, row, &before, err);

    if (!status)
        status = kl_chunk_reserve(&file->packed, numbers_at + count * width * number, err);
    if (!status)
        status = kl_chunk_read(source, file, row * row_bytes, count * row_bytes, file->packed.bytes,
                               err);
    if (status)
        return status;
    bits = file->packed.bytes;
    here = kl_packed_count(bits, count, width);
    if (before > stored || here > stored - before ||
        (row + count == source->extents[block].count && before + here != stored))
        return kl_chunk_damaged(source, block, "has not the numbers that its bits say", err);
    status = kl_chunk_read(source, file, source->extents[block].count * row_bytes + before * number,
                           here * number, (char *)bits + numbers_at, err);
    if (status)
        return status;
    kl_unpack(source->source.dtype, bits, bits + numbers_at, count, width, file->rows.bytes);
    file->next.source = source;
    file->next.block = block;
    file->next.row = row + count;
    file->next.before = before + here;
    return KL_OK;
}

/* Sparse rows: the indices of all rows come first, then the numbers. */
static enum kl_status read_sparse(const struct kl_chunk_source *source,
                                  struct kl_chunk_reader *file, uint32_t block, uint32_t row,
                                  struct kl_block *out, struct kl_error *err)
{
    uint32_t rows = source->extents[block].count;
    size_t entries = source->source.entries, number = kl_dtype_size(source->source.dtype);
    size_t index_bytes = out->count * entries * sizeof(uint32_t);
    char *buffer = file->rows.bytes;
    const uint32_t *indices = file->rows.bytes;
    enum kl_status status =
        kl_chunk_read(source, file, row * entries * sizeof(uint32_t), index_bytes, buffer, err);

    if (!status)
        status =
            kl_chunk_read(source, file, rows * entries * sizeof(uint32_t) + row * entries * number,
                          out->count * entries * number, buffer + index_bytes, err);
    for (size_t i = 0; !status && i < out->count * entries; i++)
        if (indices[i] >= source->source.width)
            status = kl_fail(err, KL_ERR_DAMAGED,
                             "%s is damaged: an error signal of %s names number %u of %u; restore "
                             "it from a copy or train it again",
                             kl_chunk_path(source, block), kl_chunk_tables[source->kind],
                             indices[i], source->source.width);
    out->indices = indices;
    out->numbers = buffer + index_bytes;
    return status;
}

/* Reads rows of a chunk into the worker's buffer. A chunk is compared with its checksum when it, or
 * the first part of it, is read for the first time: every time would cost a scan more than the
 * reading. */
static enum kl_status read_chunk(void *self, unsigned worker, uint32_t block, uint32_t row,
                                 uint32_t count, struct kl_block *out, struct kl_error *err)
{
    const struct kl_chunk_source *source = self;
    struct kl_chunk_reader *file = &source->files->workers[worker];
    size_t row_bytes = kl_row_bytes(&source->source);
    int is_whole = row == 0 && count == source->extents[block].count;
    int is_new = !__atomic_load_n(&source->chunks[block].is_checked, __ATOMIC_RELAXED);
    enum kl_status status = open_chunk(source, file, block, err);

    if (!status && is_new && !is_whole)
        status = kl_chunk_check_first(source, file, block, err);
    if (!status)
        status = kl_chunk_reserve(&file->rows, count * row_bytes, err);
    if (status)
        return status;
    *out = (struct kl_block){.first = source->extents[block].first + row,
                             .count = count,
                             .dtype = source->source.dtype,
                             .exponent = source->chunks[block].exponent,
                             .numbers = file->rows.bytes};
    if (source->source.entries)
        status = read_sparse(source, file, block, row, out, err);
    else if (kl_chunk_is_packed(source, block))
        status = read_packed(source, file, block, row, count, err);
    else
        status =
            kl_chunk_read(source, file, row * row_bytes, count * row_bytes, file->rows.bytes, err);
    return status || !is_new || !is_whole ? status : kl_chunk_check_whole(source, file, block, err);
}

/* The chunks of one file, as they are listed: each must follow the one before. */
struct listing {
    struct kl_chunk_source *source;
    uint32_t part, room;
    uint64_t next, end; /* rows, as the file numbers them */
};

static enum kl_status gap(const struct listing *listing, struct kl_error *err)
{
    const struct kl_chunk_source *source = listing->source;

    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: the rows of %s do not follow each other at row %llu; restore it "
                   "from a copy or train it again",
                   source->files->parts[listing->part].path, kl_chunk_tables[source->kind],
                   (unsigned long long)listing->next);
}

static enum kl_status grow(struct listing *listing, struct kl_error *err)
{
    struct kl_chunk_source *source = listing->source;
    uint32_t wanted = listing->room ? 2 * listing->room : 64;
    struct kl_chunk *chunks = realloc(source->chunks, wanted * sizeof *chunks);
    struct kl_extent *extents;

    if (chunks)
        source->chunks = chunks;
    extents = chunks ? realloc(source->extents, wanted * sizeof *extents) : NULL;
    if (!extents)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory to list the chunks of %s",
                       source->files->parts[listing->part].path);
    source->extents = extents;
    listing->room = wanted;
    return KL_OK;
}

/* Takes one row of list_chunks. */
static enum kl_status add_chunk(struct listing *listing, sqlite3_stmt *statement,
                                struct kl_error *err)
{
    struct kl_chunk_source *source = listing->source;
    struct kl_block_source *blocks = &source->source;
    const char *name = (const char *)sqlite3_column_text(statement, 4);
    sqlite3_int64 first = sqlite3_column_int64(statement, 1);
    sqlite3_int64 count = sqlite3_column_int64(statement, 2);
    sqlite3_int64 exponent = sqlite3_column_int64(statement, 5);
    sqlite3_int64 stored = sqlite3_column_int64(statement, 6);
    uint32_t width = blocks->entries ? blocks->entries : blocks->width;
    enum kl_dtype dtype;

    if (!name || kl_dtype_parse(name, &dtype) || first < 0 || (uint64_t)first != listing->next ||
        count < 1 || (uint64_t)count > listing->end - listing->next ||
        sqlite3_column_int64(statement, 3) != width || exponent < -100 || exponent > 100 ||
        (dtype == KL_U8) != (source->kind == KL_CHUNKS_IMAGES) ||
        (blocks->n_blocks > 0 && dtype != blocks->dtype) ||
        (uint64_t)count * width * (kl_dtype_size(dtype) + sizeof(uint32_t)) > INT32_MAX ||
        stored < 0 || stored > count * width)
        return gap(listing, err);
    if (blocks->n_blocks == listing->room && grow(listing, err))
        return err->status;
    blocks->dtype = dtype;
    source->chunks[blocks->n_blocks] =
        (struct kl_chunk){.rowid = sqlite3_column_int64(statement, 0),
                          .first = listing->next,
                          .part = listing->part,
                          .exponent = (int)exponent,
                          .stored = (uint32_t)stored};
    source->extents[blocks->n_blocks++] = (struct kl_extent){blocks->n_rows, (uint32_t)count};
    blocks->n_rows += (uint64_t)count;
    listing->next += (uint64_t)count;
    return KL_OK;
}

/* What stands in a row behind its data is not asked for here: SQLite would follow the whole data to
 * get there. Lists a file's chunks, which must be of this width and one number format, and follow
 * each other from next to end. */
static enum kl_status list_chunks(struct listing *listing, struct kl_error *err)
{
    const struct kl_chunk_source *source = listing->source;
    sqlite3_stmt *statement = NULL;
    char sql[250];
    int row = 1;
    enum kl_status status;

    if (source->kind == KL_CHUNKS_IMAGES)
        snprintf(sql, sizeof sql,
                 "SELECT rowid, first, count, width, 'uint8', 0, count * width FROM image_chunk "
                 "ORDER BY first");
    else
        snprintf(sql, sizeof sql,
                 "SELECT rowid, first, count, %s FROM %s WHERE layer = %u ORDER BY first",
                 source->source.entries ? "entries, dtype, exponent, count * entries"
                                        : "width, dtype, exponent, stored",
                 kl_chunk_tables[source->kind], source->layer);
    status = kl_db_prepare(source->files->workers[0].parts[listing->part].db, sql, &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row)
        status = add_chunk(listing, statement, err);
    sqlite3_finalize(statement);
    return status || listing->next == listing->end ? status : gap(listing, err);
}

enum kl_status kl_chunk_source_open(struct kl_chunk_files *files,
                                    const struct kl_chunk_table *table,
                                    const struct kl_block_source **out, struct kl_error *err)
{
    struct kl_chunk_source *source = NULL;
    struct listing listing = {0};
    int is_samples = table->kind == KL_CHUNKS_IMAGES;
    enum kl_status status = kl_alloc(&source, 1, sizeof *source, "a layer", err);

    if (status)
        return status;
    source->source = (struct kl_block_source){
        .self = source, .width = table->width, .entries = table->entries, .read = read_chunk};
    source->files = files;
    source->kind = table->kind;
    source->layer = table->layer;
    listing.source = source;
    for (uint32_t p = 0; !status && p < (is_samples ? 1 : files->n_parts); p++) {
        if (!is_samples && !files->parts[p].n_rows)
            continue; /* of such a file nothing is read, whatever it has */
        listing.part = p;
        listing.next = is_samples ? 0 : files->parts[p].first;
        listing.end = is_samples ? table->n_rows : listing.next + files->parts[p].n_rows;
        status = list_chunks(&listing, err);
    }
    source->source.extents = source->extents;
    if (status) {
        kl_chunk_source_close(&source->source);
        return status;
    }
    *out = &source->source;
    return KL_OK;
}

void kl_chunk_source_close(const struct kl_block_source *source)
{
    struct kl_chunk_source *own;

    if (!source)
        return;
    own = source->self;
    free(own->chunks);
    free(own->extents);
    free(own);
}
