#include "db/tables/images.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "db/file/database.h"
#include "db/file/rows.h"

#define CHUNK_BYTES ((size_t)1 << 20)

enum kl_status kl_images_write(sqlite3 *db, const struct kl_collection *data, struct kl_error *err)
{
    sqlite3_stmt *insert = NULL;
    sqlite3_int64 id = 0;
    enum kl_status status;

    if (kl_collection_kind(data) != KL_DATA_IMAGES)
        return KL_OK;
    status = kl_rows_insert(db, "image_chunk", 0, &insert, err);
    for (uint32_t d = 0; !status && d < data->n_datasets; d++) {
        size_t size = kl_dataset_image_size(data->datasets[d]);
        uint32_t capacity = size < CHUNK_BYTES ? (uint32_t)(CHUNK_BYTES / size) : 1;

        for (int s = 0; s < KL_N_SPLITS; s++) {
            const struct kl_image_set *set = &data->datasets[d]->splits[s];

            for (uint32_t first = 0; !status && first < set->count; first += capacity) {
                uint32_t n = set->count - first < capacity ? set->count - first : capacity;

                sqlite3_bind_int64(insert, 1, id + first);
                sqlite3_bind_int64(insert, 2, n);
                sqlite3_bind_int64(insert, 3, (sqlite3_int64)size);
                sqlite3_bind_blob64(insert, 4, set->pixels + first * size, n * size, SQLITE_STATIC);
                status = kl_db_run(insert, err);
            }
            id += set->count;
        }
    }
    sqlite3_finalize(insert);
    return status;
}

static enum kl_status read_set(sqlite3 *db, sqlite3_stmt *select, struct kl_image_set *set,
                               size_t size, sqlite3_int64 base, struct kl_error *err)
{
    uint32_t have = 0;
    enum kl_status status;

    free(set->pixels); /* of a reading before */
    set->pixels = NULL;
    status = kl_alloc(&set->pixels, set->count, size, "the images", err);

    while (!status && have < set->count) {
        int row = 0;
        size_t n_bytes;

        sqlite3_bind_int64(select, 1, base + have);
        status = kl_db_next(select, &row, err);
        if (status)
            break;
        n_bytes = row ? (size_t)sqlite3_column_bytes(select, 0) : 0;
        if (n_bytes < size || n_bytes % size || n_bytes / size > set->count - have)
            return kl_fail(err, KL_ERR_DAMAGED, "%s is damaged: images are missing; train it again",
                           sqlite3_db_filename(db, "main"));
        memcpy(set->pixels + have * size, sqlite3_column_blob(select, 0), n_bytes);
        have += (uint32_t)(n_bytes / size);
        kl_db_rewind(select);
    }
    return status;
}

enum kl_status kl_images_read(sqlite3 *db, struct kl_collection *data, struct kl_error *err)
{
    sqlite3_stmt *select = NULL;
    sqlite3_int64 base = 0;
    enum kl_status status;

    if (kl_collection_kind(data) != KL_DATA_IMAGES)
        return KL_OK;
    status = kl_db_prepare(db, "SELECT data FROM image_chunk WHERE first = ?1", &select, err);

    for (uint32_t d = 0; !status && d < data->n_datasets; d++) {
        struct kl_dataset *dataset = data->datasets[d];

        for (int s = 0; !status && s < KL_N_SPLITS; s++) {
            status = read_set(db, select, &dataset->splits[s], kl_dataset_image_size(dataset), base,
                              err);
            base += dataset->splits[s].count;
        }
    }
    sqlite3_finalize(select);
    return status;
}
