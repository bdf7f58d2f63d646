/* Errors: one status type, one caller-owned message.
 *
 * Every function that can fail returns an enum kl_status, KL_OK (0) on success. On failure it has
 * filled *err once, where the cause was known, with a sentence that names the subject and the
 * remedy; outputs are untouched. Callers pass the same err on and never overwrite it. */
#ifndef KL_CORE_ERROR_H
#define KL_CORE_ERROR_H

/* name, text: what went wrong, in the words of a user */
#define KL_STATUSES(X)                                                                             \
    X(KL_OK, "success")                                                                            \
    X(KL_ERR_USAGE, "wrong usage")          /* a flag or setting that makes no sense */            \
    X(KL_ERR_INPUT, "bad input data")       /* a data set that is not what it says */              \
    X(KL_ERR_NOT_FOUND, "not found")        /* no such file, sample, layer, run */                 \
    X(KL_ERR_EXISTS, "exists already")      /* refusing to overwrite */                            \
    X(KL_ERR_DAMAGED, "damaged file")       /* a run file that contradicts itself */               \
    X(KL_ERR_FOREIGN, "not a keylight run") /* some other file */                                  \
    X(KL_ERR_NEWER, "newer format")         /* written by a later keylight */                      \
    X(KL_ERR_UNFINISHED, "unfinished run")  /* training was cut off or still goes on */            \
    X(KL_ERR_BUSY, "in use")                /* a file or port held by another process */           \
    X(KL_ERR_IO, "input/output error")      /* the system refused to read or write */              \
    X(KL_ERR_FULL, "no space left")         /* disk full */                                        \
    X(KL_ERR_MEMORY, "out of memory")       /* an allocation failed */                             \
    X(KL_ERR_INEXACT, "dual form inexact")  /* verify found a difference above its bound */        \
    X(KL_ERR_INTERRUPTED, "interrupted")    /* stopped by the user; can be resumed */

enum kl_status {
#define KL_STATUS_ENUM(name, text) name,
    KL_STATUSES(KL_STATUS_ENUM)
#undef KL_STATUS_ENUM
};

struct kl_error {
    enum kl_status status;
    char message[4608]; /* room for a path of the longest kind */
};

/* Fills *err and returns status, so that a failure is one line: return kl_fail(err, ...). */
enum kl_status kl_fail(struct kl_error *err, enum kl_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The text of a status; a static string. */
const char *kl_status_text(enum kl_status status);

#endif
