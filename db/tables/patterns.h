/* Writes patterns, with their keys and error signals, in chunks. Internal to db/. */
#ifndef KL_DB_TABLES_PATTERNS_H
#define KL_DB_TABLES_PATTERNS_H

#include <sqlite3.h>

#include "core/training/recorder.h"
#include "core/training/training.h"

/* For the training's layout, going on from pattern number first. The caller ends *patterns with
 * kl_patterns_free, before db is closed; what was not flushed is dropped. */
struct kl_patterns;
enum kl_status kl_patterns_create(sqlite3 *db, const struct kl_training *training, uint64_t first,
                                  struct kl_patterns **patterns, struct kl_error *err);
void kl_patterns_free(struct kl_patterns *patterns);

/* Takes the patterns of a step, writing chunks as they fill. Errors: KL_ERR_INPUT (numbers that the
 * format cannot hold), those of writing. */
enum kl_status kl_patterns_add(struct kl_patterns *patterns, const struct kl_step_record *record,
                               struct kl_error *err);

/* Writes what waits. */
enum kl_status kl_patterns_flush(struct kl_patterns *patterns, struct kl_error *err);

#endif
