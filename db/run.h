/* A finished run, or one as of a checkpoint (db/follow.h), opened for reading: settings, data sets,
 * weights, and the history as core's attention wants it. Immutable after opening, but for what is
 * found to be damaged; every function is thread-safe. */
#ifndef KL_DB_RUN_H
#define KL_DB_RUN_H

#include "core/explain/history.h"
#include "core/scan/keeper.h"
#include "core/training/training.h"
#include "db/folder.h"
#include "db/other_setting.h"

struct kl_run_curve_point {
    uint32_t step, dataset;
    double accuracy, loss;
};

#define KL_RUN_DAMAGE_MAX (2 * KL_LAYERS_MAX)

/* A part of the history that is not what was written: what needs it is refused with
 * KL_ERR_DAMAGED. */
struct kl_run_damage {
    uint32_t layer; /* from 1 */
    char what[200]; /* "key_chunk 3 is not what was written" */
};

#define KL_SHARDS_MAX 256 /* each file is open once for every worker */

/* One of the files that a run's history is cut into: the steps from first_step to last_step. */
struct kl_run_shard {
    char *path; /* NULL: this process cannot read it */
    int holder; /* the process (core/peers/peers.h) that answers for its patterns; negative: it is
                   missing, and what is asked is answered from the others */
    uint32_t first_step, last_step;
    uint64_t first_pattern, n_patterns; /* as in the whole run */
};

struct kl_run {
    const char *path;     /* of its first file, which has all but the rest of the history */
    uint32_t n_shards;    /* 1: it is one file */
    char unreadable[300]; /* of shards, why a file could not be looked at that may be one that is
                             missing; or empty */
    struct kl_run_shard *shards; /* (n_shards) */
    struct kl_training training;
    int is_unfinished;      /* training.n_steps is how far it is */
    uint32_t planned_steps; /* of such a run; 0: nobody knows, as it is recorded */
    uint32_t n_other_settings;
    struct kl_other_setting *other_settings;
    char fingerprint[17];  /* names the run in URLs, however it is cut */
    char version[17];      /* of all that is here: another one where shards are missing */
    char birth[17];        /* of its settings, data and initial weights: known at its first step */
    uint64_t file_bytes;   /* of all its files */
    uint64_t memory_bytes; /* that its keys and error signals take in memory, all layers together */
    struct kl_collection data; /* without pixels: read them with kl_run_image */
    struct kl_network *initial, *final;
    struct kl_step_rule *rules; /* (n_steps) */
    double *losses;             /* (n_steps) of the minibatches */
    uint32_t n_curve;
    struct kl_run_curve_point *curve;
    uint32_t n_damaged; /* see kl_run_n_damaged; kl_check_rows looks at all of the file */
    struct kl_run_damage damage[KL_RUN_DAMAGE_MAX];
    struct kl_history history; /* points into this run; streams from the file */
    struct kl_run_private *private;
};

/* Opens a run for scanning by n_workers workers at a time (0: the caller only wants its settings,
 * and history has no keys nor errors). The caller ends *run with kl_run_close.
 * path: its file; or any of the shards that it is cut into, whose others are looked for beside it
 * and among n_others files; or a folder that has one run. Where shards are missing but not the
 * first, the rest is opened (history.n_missing). Peers open the same run, collectively: each
 * answers for some of the shards that it sees, and sees the first one.
 * A layer whose keys or error signals cannot be told apart any more is noted in damage, and the
 * rest is opened. Errors: those of kl_db_open; KL_ERR_UNFINISHED; KL_ERR_INPUT (a folder of several
 * runs, or a shard without the first one); KL_ERR_DAMAGED (so that nothing can be answered);
 * KL_ERR_MEMORY. */
enum kl_status kl_run_open(const char *path, unsigned n_workers, struct kl_run **run,
                           struct kl_error *err);
enum kl_status kl_run_open_among(const char *path, char *const *others, size_t n_others,
                                 struct kl_peers *peers, unsigned n_workers, struct kl_run **run,
                                 struct kl_error *err);
void kl_run_close(struct kl_run *run);

/* Which of n files to open, so that each run is opened once, from the most that there is of it:
 * sets chosen[i] to 0 for those that are shards of a run of which another file is chosen. Files
 * that cannot be read, and whole runs, are chosen. Errors: KL_ERR_MEMORY. */
enum kl_status kl_run_choose_files(char *const *paths, size_t n, unsigned char *chosen,
                                   struct kl_error *err);

/* The numbers of the shards that are missing, as in "1, 4 to 7": an empty text where none is; cut
 * off, with "and others", where there are too many. */
void kl_run_missing_shards(const struct kl_run *run, char *text, size_t n_bytes);

/* How much is noted in damage by now. Thread-safe. */
uint32_t kl_run_n_damaged(const struct kl_run *run);

/* Hears of what was noted in damage after the run was opened, in the keeper's thread. */
typedef void (*kl_run_damaged)(const struct kl_run *run, const struct kl_run_damage *damage);

/* From now on history reads what it can from memory, as the keeper, which outlives the run, has
 * room for, and from within tasks of its pool alone. Call before any query. What the keeper finds
 * to be damaged is told (which may be NULL) and refused whenever it is read. Errors: KL_ERR_MEMORY.
 */
enum kl_status kl_run_keep(struct kl_run *run, struct kl_keeper *keeper, kl_run_damaged told,
                           struct kl_error *err);

/* The value of a setting that this program does not know by that key; NULL if the run has none. */
const char *kl_run_other_setting(const struct kl_run *run, const char *key);

/* Whether a framework trained it and recorded that, by its own order and loss. */
int kl_run_is_recorded(const struct kl_run *run);

/* Reads the pixels of all samples into run->data, once, for who trains with them. Errors:
 * KL_ERR_DAMAGED, KL_ERR_MEMORY. */
enum kl_status kl_run_read_images(struct kl_run *run, struct kl_error *err);

/* Whether the file is as it was when the run was opened: what is read of one that was changed, or
 * cut off, is no answer. */
int kl_run_is_sound(const struct kl_run *run);

/* From now on reading what was cut off a run's file gives zeros, and a run that is not sound,
 * instead of the end of the process. Once, at the start of a program. */
void kl_runs_survive(void);

/* The pixels of one sample: (image size), so none of a described one. Errors: KL_ERR_NOT_FOUND (no
 * such id), reading's. */
enum kl_status kl_run_image(struct kl_run *run, uint32_t sample, uint8_t *pixels,
                            struct kl_error *err);

#endif
