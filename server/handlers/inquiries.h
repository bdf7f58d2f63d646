/* Inquiries that were made a moment ago, kept for what is asked next about the same subject: a page
 * asks for an answer, its spotlight and its views one by one, and each layer is scanned once. */
#ifndef KL_SERVER_HANDLERS_INQUIRIES_H
#define KL_SERVER_HANDLERS_INQUIRIES_H

#include <pthread.h>

#include "core/explain/inquiry.h"
#include "db/run.h"

/* What is kept while nobody uses it: the subject that a person looks at, the one before, and as
 * many to compare with; and no more than these bytes together. */
#define KL_INQUIRIES_KEPT 4
#define KL_INQUIRIES_BYTES ((size_t)256 << 20)

struct kl_known_inquiry;

struct kl_inquiries {
    pthread_mutex_t lock;
    struct kl_known_inquiry *first; /* the most recently used */
};

void kl_inquiries_init(struct kl_inquiries *inquiries);
/* When nobody uses one any more. */
void kl_inquiries_clear(struct kl_inquiries *inquiries);

/* Lets go of those about a run, which nobody uses any more. Thread-safe. */
void kl_inquiries_forget(struct kl_inquiries *inquiries, const struct kl_run *run);

/* The inquiry about a subject of a run, begun if there is none; given back with kl_inquiries_give.
 * Thread-safe: several may use it at once. Errors: KL_ERR_MEMORY. */
enum kl_status kl_inquiries_take(struct kl_inquiries *inquiries, struct kl_pool *pool,
                                 const struct kl_run *run, const struct kl_subject *subject,
                                 struct kl_inquiry **inquiry, struct kl_error *err);
void kl_inquiries_give(struct kl_inquiries *inquiries, struct kl_inquiry *inquiry);

#endif
