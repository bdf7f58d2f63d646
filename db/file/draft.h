/* A file that is being written, under its target's name with a suffix behind, until it becomes the
 * target as a whole: what stood there before stays as it is until then. Whoever writes a draft has
 * a lock on it that ends with the process, so two never write one, and what a killed writer left
 * can be told from what is being written. Not thread-safe. Internal to db/. */
#ifndef KL_DB_FILE_DRAFT_H
#define KL_DB_FILE_DRAFT_H

#include <stdint.h>

#include "core/base/error.h"

struct kl_draft;

/* What is to become of the draft of a writer that was killed. */
enum kl_leftover { KL_LEFTOVER_KEPT, KL_LEFTOVER_REPLACED };

/* The name of a target's draft, the caller's to free; NULL without memory. */
char *kl_draft_path(const char *target, const char *suffix);

/* Whether a draft may become the target once it is written. replaces: a target that is there goes,
 * with its journal. Errors: KL_ERR_EXISTS, KL_ERR_IO (what is there is no file of its own). */
enum kl_status kl_draft_check_target(const char *target, int replaces, struct kl_error *err);

/* Begins an empty draft; the caller ends *draft with kl_draft_free. Errors: KL_ERR_EXISTS (a
 * leftover with anything in it, where those are kept), KL_ERR_BUSY (somebody writes it), KL_ERR_IO
 * (a folder, or a link, in its place), KL_ERR_FULL, KL_ERR_MEMORY. */
enum kl_status kl_draft_begin(const char *target, const char *suffix, enum kl_leftover leftover,
                              struct kl_draft **draft, struct kl_error *err);

/* Takes up a draft that was left; likewise. Errors: KL_ERR_NOT_FOUND, and as before. */
enum kl_status kl_draft_take(const char *target, const char *suffix, struct kl_draft **draft,
                             struct kl_error *err);

/* Whether its disk has room for n_bytes and a little more, as what is made of the file at path will
 * have. Errors: KL_ERR_FULL. */
enum kl_status kl_draft_check_room(const struct kl_draft *draft, const char *path, uint64_t n_bytes,
                                   struct kl_error *err);

/* Where it is written. */
const char *kl_draft_name(const struct kl_draft *draft);
const char *kl_draft_target(const struct kl_draft *draft);

/* It, open to be written, until the draft is let go of. */
int kl_draft_file(const struct kl_draft *draft);

/* Gives the draft, which nobody has open any more, the target's name and the permissions of mode
 * (0: its own, without that to write), and makes that last. replaces: a target that is there goes.
 * Errors: KL_ERR_EXISTS, KL_ERR_IO; the draft then stays. */
enum kl_status kl_draft_publish(struct kl_draft *draft, unsigned mode, int replaces,
                                struct kl_error *err);

/* Removes it, and what SQLite keeps beside it. */
void kl_draft_remove(struct kl_draft *draft);

/* Lets go of it. NULL is allowed. */
void kl_draft_free(struct kl_draft *draft);

/* Whether somebody has the lock of the file at path. */
int kl_draft_is_written(const char *path);

#endif
