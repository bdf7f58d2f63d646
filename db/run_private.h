/* What a run keeps for itself. Internal to db/. */
#ifndef KL_DB_RUN_PRIVATE_H
#define KL_DB_RUN_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>

#include "db/tables/chunks.h"
#include "db/run.h"

struct kl_run_private {
    pthread_mutex_t lock; /* of db and image, which requests share */
    sqlite3 *db;
    sqlite3_blob *image; /* open on some image chunk, or NULL */
    struct kl_chunk_files *files;
    struct {
        const struct kl_block_source *keys[KL_LAYERS_MAX], *errors[KL_LAYERS_MAX];
    } streams;
    struct kl_resident *resident_keys[KL_LAYERS_MAX], *resident_errors[KL_LAYERS_MAX];
    uint64_t resident_bytes;
    uint32_t *samples, *repetitions;
    uint32_t *classes;
    double *coefficients;
    uint32_t *snapshot_steps, *class_datasets;
};

#endif
