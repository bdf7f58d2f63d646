/* The pixels of a run's samples, one by one. */
#include "db/file/database.h"
#include "db/run_private.h"
#include "db/tables/images.h"

/* Points the run's own blob handle at the chunk that holds a sample. */
static enum kl_status seek_image(struct kl_run *run, uint32_t sample, sqlite3_int64 *first,
                                 struct kl_error *err)
{
    struct kl_run_private *private = run->private;
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 rowid = 0;
    int row = 0;
    enum kl_status status = kl_db_prepare(
        private->db,
        "SELECT rowid, first FROM image_chunk WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
        &statement, err);

    if (!status)
        sqlite3_bind_int64(statement, 1, sample);
    if (!status)
        status = kl_db_next(statement, &row, err);
    if (!status && !row)
        status = kl_fail(err, KL_ERR_DAMAGED,
                         "%s is damaged: an image is missing; restore it from a copy or train it "
                         "again",
                         run->path);
    if (!status) {
        rowid = sqlite3_column_int64(statement, 0);
        *first = sqlite3_column_int64(statement, 1);
    }
    sqlite3_finalize(statement);
    if (!status && (private->image ? sqlite3_blob_reopen(private->image, rowid)
                                   : sqlite3_blob_open(private->db, "main", "image_chunk", "data",
                                                       rowid, 0, &private->image)) != SQLITE_OK) {
        status = kl_db_fail(private->db, err);
        sqlite3_blob_close(private->image);
        private->image = NULL;
    }
    return status;
}

enum kl_status kl_run_image(struct kl_run *run, uint32_t sample, uint8_t *pixels,
                            struct kl_error *err)
{
    size_t size = kl_dataset_image_size(run->data.datasets[0]);
    sqlite3_int64 first = 0;
    enum kl_status status;

    if (kl_collection_kind(&run->data) == KL_DATA_TEXT)
        return kl_fail(err, KL_ERR_NOT_FOUND, "this run is of text: it has no images");
    if (sample >= kl_collection_size(&run->data))
        return kl_fail(err, KL_ERR_NOT_FOUND, "there is no sample %u: ids go from 0 to %u", sample,
                       kl_collection_size(&run->data) - 1);
    if (size == 0)
        return KL_OK;
    pthread_mutex_lock(&run->private->lock);
    status = seek_image(run, sample, &first, err);
    if (!status && sqlite3_blob_read(run->private->image, pixels, (int)size,
                                     (int)((size_t)(sample - first) * size)) != SQLITE_OK)
        status = kl_db_fail(run->private->db, err);
    pthread_mutex_unlock(&run->private->lock);
    return status;
}

enum kl_status kl_run_read_images(struct kl_run *run, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    pthread_mutex_lock(&run->private->lock);
    if (!run->private->has_images)
        status = kl_images_read(run->private->db, &run->data, err);
    run->private->has_images |= !status;
    pthread_mutex_unlock(&run->private->lock);
    return status;
}
