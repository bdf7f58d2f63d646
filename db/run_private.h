/* What a run keeps for itself. Internal to db/. */
#ifndef KL_DB_RUN_PRIVATE_H
#define KL_DB_RUN_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>

#include "db/file/mapping.h"
#include "db/tables/chunks.h"
#include "db/folder.h"
#include "db/run.h"
#include "db/tables/queries.h"

/* A source that is kept in memory while there is room. */
struct kl_kept_source {
    const struct kl_block_source *source; /* NULL: none is */
    struct kl_run *run;
    uint32_t layer; /* from 0 */
};

struct kl_run_private {
    pthread_mutex_t lock;         /* of db and image, which requests share */
    sqlite3 *db;                  /* of the first file */
    sqlite3 **shards;             /* (n_shards) of all that are there, while the run is opened */
    struct kl_mapping **mappings; /* (n_shards) of the files, or NULL */
    sqlite3_blob *image;          /* open on some image chunk, or NULL */
    int has_images;               /* whether run->data has its pixels */
    struct kl_chunk_files *files;
    struct {
        const struct kl_block_source *keys[KL_LAYERS_MAX], *errors[KL_LAYERS_MAX];
    } streams;
    struct kl_keeper *keeper; /* NULL: nothing is kept in memory */
    struct {
        struct kl_kept_source keys[KL_LAYERS_MAX], errors[KL_LAYERS_MAX];
    } kept;
    kl_run_damaged told;
    uint32_t *samples, *repetitions, *repetitions_here;
    uint32_t *classes;
    double *coefficients;
    uint64_t *starts, *numbers;    /* the same of one process alone */
    uint32_t n_groups;             /* of parameters */
    struct kl_layer_facts *layers; /* of a recorded network, or NULL */
    struct kl_queries *queries;    /* likewise */
    uint32_t *snapshot_steps, *class_datasets;
    struct kl_damaged_source *damaged; /* those in the place of what is */
};

/* Reads all of a run whose files are found. What it leaves on failure kl_run_close ends. */
enum kl_status kl_run_read(struct kl_run *run, unsigned n_workers, struct kl_error *err);

/* Where *err says that a source of a layer (from 0) of so many rows is damaged, puts another in its
 * place that says the same when it is read, and notes it. Other errors are returned. */
enum kl_status kl_run_replace_damaged(struct kl_run *run, uint32_t layer, uint64_t n_rows,
                                      uint32_t width, uint32_t entries,
                                      const struct kl_block_source **source, struct kl_error *err);
/* The tables of a layer (from 0): of its keys, and of its error signals, if they are recorded. */
void kl_run_tables(const struct kl_run *run, const struct kl_layout *layout, uint32_t layer,
                   struct kl_chunk_table *keys, struct kl_chunk_table *errors);
/* Notes what *err says of a layer (from 0); NULL if that is noted, or there is no more room for it.
 * One thread at a time; others may read what is noted. */
const struct kl_run_damage *kl_run_note_damage(struct kl_run *run, uint32_t layer,
                                               const struct kl_error *err);
/* Whether it is such a one. NULL is none. */
int kl_run_is_damaged(const struct kl_block_source *source);
void kl_run_free_damaged(struct kl_run *run);

/* Gives a run of one file, which is open and has lost its name, another one: path is its own from
 * then on. */
void kl_run_rename(struct kl_run *run, char *path);

/* Ends what kl_run_keep began. */
void kl_run_let_go(struct kl_run *run);

/* Fills run->shards with the file at path, which has a row in its table shard (is_shard) or is the
 * whole run, and, if it is a shard, with those of the same run that are beside it or among n_others
 * files; run->path is the first one's. Errors: KL_ERR_INPUT (the first shard, which has all but the
 * history, is not there), KL_ERR_DAMAGED, KL_ERR_MEMORY. */
enum kl_status kl_shards_find(struct kl_run *run, const char *path, int is_shard,
                              char *const *others, size_t n_others, struct kl_error *err);

/* Which process answers for each shard (kl_run_shard.holder). Collective. Errors: KL_ERR_INPUT
 * (they opened different runs), KL_ERR_USAGE (there are too few shards), KL_ERR_MEMORY. */
enum kl_status kl_shards_divide(struct kl_run *run, struct kl_peers *peers, struct kl_error *err);

/* Whether this process answers for a shard's patterns. */
int kl_shard_is_own(const struct kl_run *run, uint32_t i);

/* Which patterns each shard has, once numbers has those of all steps of the whole run; then
 * numbers are those of the shards that are there, and starts (n_steps + 1) those of this process,
 * unless both are the same array. Errors: KL_ERR_DAMAGED (they do not fit together). */
enum kl_status kl_shards_place(struct kl_run *run, uint64_t *numbers, uint64_t *starts,
                               struct kl_error *err);

/* The file of the only run in a folder, or one of its shards: *path is the caller's to free.
 * Errors: KL_ERR_INPUT (there is none, or there are several), KL_ERR_IO, KL_ERR_MEMORY. */
enum kl_status kl_shards_pick(const char *folder, char **path, struct kl_error *err);

/* The files of the run at path, which is what kl_run_open takes: the holder's to clear. Errors:
 * those of kl_shards_pick, KL_ERR_MEMORY; what cannot be read is listed by itself. */
enum kl_status kl_shards_list(const char *path, struct kl_paths *files, struct kl_error *err);

void kl_shards_free(struct kl_run *run);

/* Reads steps, rules and showings, once settings, data and layers are known. Errors:
 * KL_ERR_DAMAGED, KL_ERR_MEMORY. */
enum kl_status kl_run_read_steps(struct kl_run *run, struct kl_error *err);

/* Fills run->history but for its sources, once all small tables are read. Errors: likewise. */
enum kl_status kl_run_prepare_history(struct kl_run *run, struct kl_error *err);

#endif
