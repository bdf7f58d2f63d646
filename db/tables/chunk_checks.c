#include <stdio.h>

#include "core/scan/packing.h"
#include "db/file/checksum.h"
#include "db/file/database.h"
#include "db/tables/chunks_private.h"

#define CHECK_BYTES ((size_t)1 << 17)

/* The checksum of a chunk's row up to its data. */
static enum kl_status begin_sum(const struct kl_chunk_source *source, uint32_t block,
                                struct kl_checksum **sum, struct kl_error *err)
{
    const struct kl_block_source *blocks = &source->source;

    if (kl_checksum_begin(kl_chunk_tables[source->kind], sum, err))
        return err->status;
    if (source->kind != KL_CHUNKS_IMAGES)
        kl_checksum_integer(*sum, source->layer);
    kl_checksum_integer(*sum, (int64_t)source->chunks[block].first);
    kl_checksum_integer(*sum, source->extents[block].count);
    kl_checksum_integer(*sum, blocks->entries ? blocks->entries : blocks->width);
    if (source->kind != KL_CHUNKS_IMAGES) {
        kl_checksum_text(*sum, kl_dtype_name(blocks->dtype));
        kl_checksum_integer(*sum, source->chunks[block].exponent);
    }
    if (source->kind == KL_CHUNKS_KEYS || source->kind == KL_CHUNKS_ERRORS)
        kl_checksum_integer(*sum, source->chunks[block].stored);
    kl_checksum_blob(*sum, kl_block_bytes(&source->source, block));
    return KL_OK;
}

/* What stands in the row behind the data, and ends the sum. */
static enum kl_status end_sum(const struct kl_chunk_source *source,
                              const struct kl_chunk_reader *file, uint32_t block,
                              struct kl_checksum *sum, struct kl_error *err)
{
    int is_sparse = source->kind == KL_CHUNKS_SPARSE, row = 0;
    sqlite3_stmt *statement = NULL;
    int64_t found, written = 0;
    char sql[100];
    enum kl_status status;

    snprintf(sql, sizeof sql, "SELECT checksum%s FROM %s WHERE rowid = ?1",
             is_sparse ? ", kept, left_out" : "", kl_chunk_tables[source->kind]);
    status = kl_db_prepare(file->open.part->db, sql, &statement, err);
    if (!status) {
        sqlite3_bind_int64(statement, 1, source->chunks[block].rowid);
        status = kl_db_next(statement, &row, err);
    }
    if (!status && row)
        written = sqlite3_column_int64(statement, 0);
    if (!status && row && is_sparse) {
        kl_checksum_real(sum, sqlite3_column_double(statement, 1));
        kl_checksum_real(sum, sqlite3_column_double(statement, 2));
    }
    sqlite3_finalize(statement);
    found = kl_checksum_end(sum);
    if (!status && (!row || found != written))
        status = kl_chunk_damaged(source, block,
                                  "is not what was written (its checksum is another)", err);
    if (!status)
        __atomic_store_n(&source->chunks[block].is_checked, 1, __ATOMIC_RELAXED);
    return status;
}

enum kl_status kl_chunk_check_whole(const struct kl_chunk_source *source,
                                    const struct kl_chunk_reader *file, uint32_t block,
                                    struct kl_error *err)
{
    size_t bits_bytes = source->extents[block].count * kl_bits_bytes(source->source.width);
    size_t n_bytes = kl_block_bytes(&source->source, block);
    struct kl_checksum *sum = NULL;

    if (begin_sum(source, block, &sum, err))
        return err->status;
    if (source->extents[block].packed_bytes) {
        kl_checksum_piece(sum, file->packed.bytes, bits_bytes);
        kl_checksum_piece(sum, (const char *)file->packed.bytes + (bits_bytes + 15) / 16 * 16,
                          n_bytes - bits_bytes);
    } else {
        kl_checksum_piece(sum, file->rows.bytes, n_bytes);
    }
    return end_sum(source, file, block, sum, err);
}

enum kl_status kl_chunk_check_first(const struct kl_chunk_source *source,
                                    struct kl_chunk_reader *file, uint32_t block,
                                    struct kl_error *err)
{
    size_t n_bytes = kl_block_bytes(&source->source, block), n;
    struct kl_checksum *sum = NULL;
    enum kl_status status = kl_chunk_reserve(&file->rows, CHECK_BYTES, err);

    if (!status)
        status = begin_sum(source, block, &sum, err);
    for (size_t at = 0; !status && at < n_bytes; at += n) {
        n = n_bytes - at < CHECK_BYTES ? n_bytes - at : CHECK_BYTES;
        status = kl_chunk_read(source, file, at, n, file->rows.bytes, err);
        if (!status)
            kl_checksum_piece(sum, file->rows.bytes, n);
    }
    if (!status)
        status = end_sum(source, file, block, sum, err);
    else if (sum)
        (void)kl_checksum_end(sum);
    return status;
}
