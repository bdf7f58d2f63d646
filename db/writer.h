/* Writes a run's history file while it trains.
 *
 * Every checkpoint commits the history so far with the state to resume from, so that a killed
 * training goes on from there (kl_writer_resume). Not thread-safe: one thread at a time. */
#ifndef KL_DB_WRITER_H
#define KL_DB_WRITER_H

#include "core/data/collection.h"
#include "core/training/recorder.h"
#include "core/training/training.h"

struct kl_writer;

/* Begins a run that will stand at path when it is finished: until then it is written beside it,
 * under that name with KL_PART behind, with the settings, the data (pixels included) and the
 * initial weights. replaces: what stands at path goes when the run is finished, and what a training
 * that was cut off left of one at once; else neither must be there. The caller owns *writer and
 * ends it with kl_writer_close. On failure nothing new is left. Errors: KL_ERR_EXISTS, KL_ERR_BUSY
 * (another training is to stand there), KL_ERR_IO, KL_ERR_FULL, KL_ERR_MEMORY. */
enum kl_status kl_writer_create(const char *path, int replaces, const struct kl_training *training,
                                const struct kl_collection *data,
                                const struct kl_training_state *state, struct kl_writer **writer,
                                struct kl_error *err);

/* Opens the unfinished run that is to stand at path, to go on with it: fills its settings, its data
 * with pixels, and its state as of the last checkpoint, all owned by the caller; replaces as
 * before. Errors: KL_ERR_EXISTS (it is finished, and stands at path now, if it did not before; or
 * something else stands there), KL_ERR_EMPTY (nothing of it was kept), KL_ERR_BUSY, and those of
 * kl_db_open. */
enum kl_status kl_writer_resume(const char *path, int replaces, struct kl_writer **writer,
                                struct kl_training *training, struct kl_collection *data,
                                struct kl_training_state *state, struct kl_error *err);

/* Makes an unfinished run that nobody else has, a copy, whole as of its last checkpoint: with the
 * predictions of the network that it was then, and a fingerprint. It then has fewer steps than its
 * settings say. Nothing is synced. Errors: KL_ERR_UNFINISHED (no checkpoint), KL_ERR_USAGE (of
 * another program), and those of kl_db_open. */
enum kl_status kl_writer_complete(const char *path, struct kl_error *err);

/* Once the training has ended before its end: commits the last checkpoint, if that has not been
 * done, and returns the steps up to it: what the file holds. */
uint32_t kl_writer_settle(struct kl_writer *writer);

/* The recorder to train with; valid until the writer is closed. Its finish gives the run its place;
 * where that fails, the finished run is beside it, and kl_writer_resume tries again. */
struct kl_recorder kl_writer_recorder(struct kl_writer *writer);

/* Closes; what was recorded after the last checkpoint is dropped. NULL is allowed. */
void kl_writer_close(struct kl_writer *writer);

/* Closes, and removes what was written. */
void kl_writer_drop(struct kl_writer *writer);

#endif
