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

/* Creates path with the settings, the data (pixels included) and the initial weights; it must not
 * exist. The caller owns *writer and ends it with kl_writer_close. On failure nothing is left at
 * path. Errors: KL_ERR_EXISTS, KL_ERR_IO, KL_ERR_FULL, KL_ERR_MEMORY. */
enum kl_status kl_writer_create(const char *path, const struct kl_training *training,
                                const struct kl_collection *data,
                                const struct kl_training_state *state, struct kl_writer **writer,
                                struct kl_error *err);

/* Removes the file at path, if there is one, and what SQLite keeps beside it: to make room for a
 * new run, or after a training that came to nothing. Errors: KL_ERR_BUSY (a training is writing
 * it), KL_ERR_IO (not a regular file, or one that cannot be removed). */
enum kl_status kl_writer_remove(const char *path, struct kl_error *err);

/* Opens an unfinished run to go on with: fills its settings, its data with pixels, and its state as
 * of the last checkpoint, all owned by the caller. Errors: KL_ERR_EXISTS (finished already),
 * KL_ERR_BUSY, and those of kl_db_open. */
enum kl_status kl_writer_resume(const char *path, struct kl_writer **writer,
                                struct kl_training *training, struct kl_collection *data,
                                struct kl_training_state *state, struct kl_error *err);

/* Steps up to the last checkpoint: what the file holds. Once the training has ended. */
uint32_t kl_writer_steps_kept(const struct kl_writer *writer);

/* The recorder to train with; valid until the writer is closed. */
struct kl_recorder kl_writer_recorder(struct kl_writer *writer);

/* Closes; what was recorded after the last checkpoint is dropped. NULL is allowed. */
void kl_writer_close(struct kl_writer *writer);

#endif
