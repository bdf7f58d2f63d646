/* What people decided about suspicious labels, in a file of its own beside the run ("RUN.marks"):
 * a finished run never changes. Another SQLite database, opened through the same VFS; every
 * decision is durable when kl_marks_set returns. */
#ifndef KL_DB_MARKS_H
#define KL_DB_MARKS_H

#include "db/run.h"

enum kl_decision { KL_MARK_WRONG, KL_MARK_FINE, KL_MARK_UNSURE, KL_N_DECISIONS };

/* "wrong", "fine", "unsure"; a static string; and the reverse: 0, or -1 for another word. */
const char *kl_decision_name(enum kl_decision decision);
int kl_decision_parse(const char *name, enum kl_decision *decision);

struct kl_mark {
    uint32_t sample;
    enum kl_decision decision;
    int64_t label; /* of what is wrong: the right one, within its data set; -1: not said */
};

/* All marks of a run, by rising sample: *marks (*n) is the caller's, to free. Without a file there
 * are none. Thread-safe. Errors: KL_ERR_FOREIGN (no file of marks, or of another run), KL_ERR_IO,
 * KL_ERR_DAMAGED, KL_ERR_MEMORY. */
enum kl_status kl_marks_read(const struct kl_run *run, struct kl_mark **marks, uint32_t *n,
                             struct kl_error *err);

/* Marks a sample, or (mark->decision KL_N_DECISIONS) takes its mark back. The file is made with the
 * first. Thread-safe. Errors: as above, KL_ERR_NOT_FOUND (no such sample), KL_ERR_USAGE (no such
 * label), KL_ERR_FULL. */
enum kl_status kl_marks_set(const struct kl_run *run, const struct kl_mark *mark,
                            struct kl_error *err);

/* Moves the marks of a run at path that is about to be replaced out of the way: to "RUN.marks.old",
 * or with a number behind it where that is taken; its name is the caller's to free, *moved NULL
 * where there are none. Errors: KL_ERR_IO, KL_ERR_MEMORY. */
enum kl_status kl_marks_set_aside(const char *path, char **moved, struct kl_error *err);

#endif
