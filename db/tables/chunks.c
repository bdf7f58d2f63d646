#include "db/tables/chunks_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/scan/packing.h"
#include "db/file/database.h"
#include "db/file/vfs.h"

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
    for (uint32_t p = 0; !status && p < files->n_parts; p++)
        reader->parts[p].mapping = kl_vfs_mapping(reader->parts[p].db);
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
    free(reader->open.value.piece);
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
    uint64_t packed_bytes;
    enum kl_dtype dtype;

    if (!name || kl_dtype_parse(name, &dtype) || first < 0 || (uint64_t)first != listing->next ||
        count < 1 || (uint64_t)count > listing->end - listing->next ||
        sqlite3_column_int64(statement, 3) != width || exponent < -100 || exponent > 100 ||
        (dtype == KL_U8) != (source->kind == KL_CHUNKS_IMAGES) ||
        (blocks->n_blocks > 0 && dtype != blocks->dtype) ||
        (uint64_t)count * width * (kl_dtype_size(dtype) + sizeof(uint32_t)) > INT32_MAX ||
        stored < 0 || stored > count * width)
        return gap(listing, err);
    packed_bytes = (uint64_t)count * kl_bits_bytes(width) + (uint64_t)stored * kl_dtype_size(dtype);
    if (blocks->n_blocks == listing->room && grow(listing, err))
        return err->status;
    blocks->dtype = dtype;
    source->chunks[blocks->n_blocks] =
        (struct kl_chunk){.rowid = sqlite3_column_int64(statement, 0),
                          .first = listing->next,
                          .part = listing->part,
                          .exponent = (int)exponent,
                          .stored = (uint32_t)stored};
    source->extents[blocks->n_blocks++] =
        (struct kl_extent){blocks->n_rows, (uint32_t)count,
                           blocks->entries || stored == count * width ? 0 : (uint32_t)packed_bytes};
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

/* Where the data of a file's table are found without SQLite, which knows where it begins. */
static enum kl_status find_tree(const struct listing *listing, struct kl_error *err)
{
    const struct kl_chunk_source *source = listing->source;
    struct kl_chunk_tree *tree = &source->trees[listing->part];
    sqlite3 *db = source->files->workers[0].parts[listing->part].db;
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 root = 0;
    char sql[100];
    enum kl_status status;

    snprintf(sql, sizeof sql, "SELECT * FROM %s", kl_chunk_tables[source->kind]);
    status = kl_db_prepare(db, sql, &statement, err);
    while (!status && tree->column < (unsigned)sqlite3_column_count(statement) &&
           strcmp(sqlite3_column_name(statement, (int)tree->column), "data") != 0)
        tree->column++;
    sqlite3_finalize(statement);
    snprintf(sql, sizeof sql, "SELECT rootpage FROM sqlite_schema WHERE name = '%s'",
             kl_chunk_tables[source->kind]);
    if (!status)
        status = kl_db_integer(db, sql, &root, err);
    if (!status)
        tree->root = (uint32_t)root;
    return status;
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
    source->source = (struct kl_block_source){.self = source,
                                              .width = table->width,
                                              .entries = table->entries,
                                              .read = kl_chunk_read_rows,
                                              .read_packed = kl_chunk_read_packed};
    source->files = files;
    source->kind = table->kind;
    source->layer = table->layer;
    listing.source = source;
    status = kl_alloc(&source->trees, files->n_parts, sizeof *source->trees, "a layer", err);
    for (uint32_t p = 0; !status && p < (is_samples ? 1 : files->n_parts); p++) {
        if (!is_samples && !files->parts[p].n_rows)
            continue; /* of such a file nothing is read, whatever it has */
        listing.part = p;
        listing.next = is_samples ? 0 : files->parts[p].first;
        listing.end = is_samples ? table->n_rows : listing.next + files->parts[p].n_rows;
        status = list_chunks(&listing, err);
        if (!status)
            status = find_tree(&listing, err);
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
    free(own->trees);
    free(own);
}
