/* Rows of chunks, whole and in parts. */
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/scan/packing.h"
#include "db/file/database.h"
#include "db/tables/chunks_private.h"

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

static enum kl_status open_blob(const struct kl_chunk_source *source, struct kl_chunk_part *part,
                                sqlite3_int64 rowid, size_t *n_bytes, struct kl_error *err)
{
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
    *n_bytes = (size_t)sqlite3_blob_bytes(*blob);
    return KL_OK;
}

/* Finds out where a chunk's data are: in the mapped file, if they can be read there. */
static enum kl_status open_chunk(const struct kl_chunk_source *source, struct kl_chunk_reader *file,
                                 uint32_t block, struct kl_error *err)
{
    const struct kl_chunk *chunk = &source->chunks[block];
    struct kl_chunk_part *part = &file->parts[chunk->part];
    size_t n_bytes = 0;
    enum kl_status status = KL_OK;

    if (file->open.source == source && file->open.block == block)
        return KL_OK;
    file->open.source = NULL;
    file->open.is_mapped = 0;
    if (part->mapping)
        status = kl_value_find(part->mapping, source->trees[chunk->part].root, chunk->rowid,
                               source->trees[chunk->part].column, &file->open.value,
                               &file->open.is_mapped, err);
    if (!status && file->open.is_mapped)
        n_bytes = file->open.value.n_bytes;
    else if (!status)
        status = open_blob(source, part, chunk->rowid, &n_bytes, err);
    if (!status && n_bytes != kl_block_bytes(&source->source, block))
        status = kl_chunk_damaged(source, block, "has not the size that its row says", err);
    if (status)
        return status;
    file->open.source = source;
    file->open.block = block;
    file->open.part = part;
    return KL_OK;
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
    if (file->open.is_mapped) {
        kl_value_copy(&file->open.value, offset, n_bytes, to);
        return KL_OK;
    }
    return sqlite3_blob_read(file->open.part->blobs[source->kind], to, (int)n_bytes, (int)offset) ==
                   SQLITE_OK
               ? KL_OK
               : kl_db_fail(file->open.part->db, err);
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
enum kl_status kl_chunk_read_rows(void *self, unsigned worker, uint32_t block, uint32_t row,
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
    else if (source->extents[block].packed_bytes)
        status = read_packed(source, file, block, row, count, err);
    else
        status =
            kl_chunk_read(source, file, row * row_bytes, count * row_bytes, file->rows.bytes, err);
    return status || !is_new || !is_whole ? status : kl_chunk_check_whole(source, file, block, err);
}

/* Whether kernels may read n bytes of a mapping and what they read behind. */
static int may_read(const struct kl_chunk_part *part, const char *bytes, size_t n)
{
    return n + KL_SLACK <= (size_t)(part->mapping->bytes + part->mapping->n_bytes - bytes);
}

/* Rows of a packed chunk where they are: up to the end of the pieces that their bits and their
 * numbers are in. A row that lies in two pieces is copied. */
static enum kl_status find_packed(const struct kl_chunk_source *source,
                                  struct kl_chunk_reader *file, uint32_t block, uint32_t row,
                                  struct kl_block *out, struct kl_error *err)
{
    const struct kl_value *value = &file->open.value;
    size_t width = source->source.width, row_bytes = kl_bits_bytes(width), bits_there, there;
    size_t room_for_bits = (row_bytes + 15) / 16 * 16, here = 0, before = 0, n = 0;
    size_t stored = source->chunks[block].stored, at;
    /* What a row may have, should its bits change while they are read: */
    size_t row_most = 8 * row_bytes * sizeof(uint16_t);
    enum kl_status status = kl_chunk_reserve(&file->packed, room_for_bits + row_most, err);

    if (!status && row > 0)
        status = count_before(source, file, block, row, &before, err);
    if (!status && before > stored)
        status = kl_chunk_damaged(source, block, "has not the numbers that its bits say", err);
    if (status)
        return status;
    out->bits = (const uint8_t *)kl_value_bytes(value, row * row_bytes, out->count * row_bytes,
                                                &bits_there);
    if (bits_there < row_bytes) {
        kl_value_copy(value, row * row_bytes, row_bytes, file->packed.bytes);
        out->bits = file->packed.bytes;
        bits_there = row_bytes;
    }
    at = source->extents[block].count * row_bytes + before * sizeof(uint16_t);
    out->numbers = kl_value_bytes(value, at, value->n_bytes - at, &there);
    for (; n < bits_there / row_bytes; n++) {
        size_t more = kl_packed_count(out->bits + n * row_bytes, 1, width);
        size_t n_bytes = (here + more) * sizeof(uint16_t);
        int is_there =
            n_bytes <= there && may_read(file->open.part, out->numbers, (n + 1) * row_most);

        if (more > width || before + here + more > stored)
            return kl_chunk_damaged(source, block, "has not the numbers that its bits say", err);
        if (n > 0 && !is_there)
            break;
        here += more;
        if (is_there)
            continue;
        kl_value_copy(value, at, n_bytes, (char *)file->packed.bytes + room_for_bits);
        out->numbers = (const char *)file->packed.bytes + room_for_bits;
        n = 1;
        break;
    }
    out->count = (uint32_t)n;
    file->next.source = source;
    file->next.block = block;
    file->next.row = row + out->count;
    file->next.before = before + here;
    return row + n < source->extents[block].count || before + here == stored
               ? KL_OK
               : kl_chunk_damaged(source, block, "has not the numbers that its bits say", err);
}

/* Whole rows where they are, if they lie there as they must for a kernel; returns whether they do.
 * If not, as many of them are to be copied as out counts then: one that lies in two pieces. */
static int find_whole(const struct kl_chunk_source *source, const struct kl_chunk_reader *file,
                      uint32_t row, struct kl_block *out)
{
    size_t row_bytes = kl_row_bytes(&source->source), there;
    const char *bytes =
        kl_value_bytes(&file->open.value, row * row_bytes, out->count * row_bytes, &there);

    if ((uintptr_t)bytes % kl_dtype_size(out->dtype))
        return 0;
    if (there < row_bytes) {
        out->count = 1;
        return 0;
    }
    if (!may_read(file->open.part, bytes, there / row_bytes * row_bytes))
        return 0;
    out->numbers = bytes;
    out->count = (uint32_t)(there / row_bytes);
    return 1;
}

enum kl_status kl_chunk_read_packed(void *self, unsigned worker, uint32_t block, uint32_t row,
                                    uint32_t count, struct kl_block *out, struct kl_error *err)
{
    const struct kl_chunk_source *source = self;
    struct kl_chunk_reader *file = &source->files->workers[worker];
    int is_packed = source->extents[block].packed_bytes > 0;
    enum kl_status status = open_chunk(source, file, block, err);

    if (!status && !__atomic_load_n(&source->chunks[block].is_checked, __ATOMIC_RELAXED))
        status = kl_chunk_check_first(source, file, block, err);
    if (status)
        return status;
    *out = (struct kl_block){.first = source->extents[block].first + row,
                             .count = count,
                             .dtype = source->source.dtype,
                             .exponent = source->chunks[block].exponent};
    if (file->open.is_mapped && is_packed && out->dtype == KL_F16)
        return find_packed(source, file, block, row, out, err);
    if (file->open.is_mapped && !is_packed && !source->source.entries &&
        find_whole(source, file, row, out))
        return KL_OK;
    return kl_chunk_read_rows(self, worker, block, row, out->count, out, err);
}
