/* Errors: one status type, one caller-owned message.
 *
 * Every function that can fail returns an enum kl_status, KL_OK (0) on success. On failure it has
 * filled *err once, where the cause was known, with a sentence that names the subject and the
 * remedy; outputs are untouched. Callers pass the same err on and never overwrite it. */
#ifndef KL_CORE_BASE_ERROR_H
#define KL_CORE_BASE_ERROR_H

enum kl_status {
    KL_OK,
    KL_ERR_USAGE,       /* a flag or setting that makes no sense */
    KL_ERR_INPUT,       /* a data set that is not what it says, or cannot be learned from */
    KL_ERR_NOT_FOUND,   /* no such file, sample, layer, run */
    KL_ERR_EXISTS,      /* refusing to overwrite */
    KL_ERR_DAMAGED,     /* a run file that contradicts itself */
    KL_ERR_FOREIGN,     /* some other file */
    KL_ERR_EMPTY,       /* a file with nothing in it */
    KL_ERR_OLDER,       /* written by an earlier keylight: it has to be upgraded */
    KL_ERR_NEWER,       /* written by a later keylight */
    KL_ERR_UNFINISHED,  /* training was cut off or still goes on */
    KL_ERR_RECORDING,   /* likewise, of a training in another program */
    KL_ERR_BUSY,        /* a file or port held by another process */
    KL_ERR_IO,          /* the system refused to read or write */
    KL_ERR_FULL,        /* disk full */
    KL_ERR_MEMORY,      /* an allocation failed */
    KL_ERR_INEXACT,     /* verify found a difference above its bound */
    KL_ERR_PEERS,       /* the processes of one job do not work together any more */
    KL_ERR_DIVERGED,    /* a training whose numbers left all bounds */
    KL_ERR_INTERRUPTED, /* stopped by the user; can be resumed */
};

struct kl_error {
    enum kl_status status;
    int is_told;        /* by another process (core/peers/peers.h), which has said what helps */
    char parameter[32]; /* the setting or parameter at fault, by its name; or empty */
    char message[4608]; /* room for a path of the longest kind */
};

/* Fills *err and returns status, so that a failure is one line: return kl_fail(err, ...). */
enum kl_status kl_fail(struct kl_error *err, enum kl_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same of a setting or parameter; its name is cut where it is too long for one. */
enum kl_status kl_fail_on(struct kl_error *err, enum kl_status status, const char *parameter,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
