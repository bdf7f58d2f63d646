#include "server/handlers/inquiries.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

struct kl_known_inquiry {
    struct kl_known_inquiry *next;
    const struct kl_run *run;
    struct kl_inquiry *inquiry;
    unsigned n_users;
};

void kl_inquiries_init(struct kl_inquiries *inquiries)
{
    pthread_mutex_init(&inquiries->lock, NULL);
    inquiries->first = NULL;
}

/* Lets go of those about a run; NULL: about any. */
static void drop(struct kl_inquiries *inquiries, const struct kl_run *run)
{
    struct kl_known_inquiry **link = &inquiries->first, *known;

    while ((known = *link)) {
        if (run && known->run != run) {
            link = &known->next;
            continue;
        }
        *link = known->next;
        kl_inquiry_free(known->inquiry);
        free(known);
    }
}

void kl_inquiries_forget(struct kl_inquiries *inquiries, const struct kl_run *run)
{
    pthread_mutex_lock(&inquiries->lock);
    drop(inquiries, run);
    pthread_mutex_unlock(&inquiries->lock);
}

void kl_inquiries_clear(struct kl_inquiries *inquiries)
{
    drop(inquiries, NULL);
    pthread_mutex_destroy(&inquiries->lock);
}

static int is_about(const struct kl_known_inquiry *known, const struct kl_run *run,
                    const struct kl_subject *subject)
{
    const struct kl_subject *own = kl_inquiry_subject(known->inquiry);

    if (known->run != run || own->dataset != subject->dataset || own->stored != subject->stored ||
        own->place_layer != subject->place_layer || own->place != subject->place ||
        !own->pixels != !subject->pixels || own->recorded || subject->recorded)
        return 0; /* what is recorded ends with its request */
    if (subject->pixels)
        return !memcmp(own->pixels, subject->pixels, kl_dataset_image_size(run->data.datasets[0]));
    return own->n_tokens == subject->n_tokens &&
           !memcmp(own->tokens, subject->tokens, subject->n_tokens * sizeof *own->tokens);
}

/* Lets go of what is used by nobody and is too much to keep, the longest unused first, and of what
 * was recorded, which ended with its request. */
static void trim(struct kl_inquiries *inquiries)
{
    struct kl_known_inquiry **link = &inquiries->first, *known;
    size_t n_bytes = 0;
    unsigned n = 0;

    while ((known = *link)) {
        n_bytes += kl_inquiry_bytes(known->inquiry);
        n++;
        if (known->n_users || (n <= KL_INQUIRIES_KEPT && n_bytes <= KL_INQUIRIES_BYTES &&
                               !kl_inquiry_subject(known->inquiry)->recorded)) {
            link = &known->next;
            continue;
        }
        n_bytes -= kl_inquiry_bytes(known->inquiry);
        n--;
        *link = known->next;
        kl_inquiry_free(known->inquiry);
        free(known);
    }
}

static enum kl_status begin(struct kl_pool *pool, const struct kl_run *run,
                            const struct kl_subject *subject, struct kl_known_inquiry **out,
                            struct kl_error *err)
{
    struct kl_known_inquiry *known = NULL;
    enum kl_status status = kl_alloc(&known, 1, sizeof *known, "a query", err);

    if (status)
        return status;
    known->run = run;
    status = kl_inquiry_create(pool, &run->history, subject, &known->inquiry, err);
    if (status)
        free(known);
    else
        *out = known;
    return status;
}

enum kl_status kl_inquiries_take(struct kl_inquiries *inquiries, struct kl_pool *pool,
                                 const struct kl_run *run, const struct kl_subject *subject,
                                 struct kl_inquiry **inquiry, struct kl_error *err)
{
    struct kl_known_inquiry **link, *known;
    int all_know;
    enum kl_status status;

    pthread_mutex_lock(&inquiries->lock);
    link = &inquiries->first;
    while (*link && !is_about(*link, run, subject))
        link = &(*link)->next;
    status = kl_peers_agree(run->history.peers, *link != NULL, &all_know, err);
    known = all_know ? *link : NULL; /* what one keeps another may have let go */
    if (known)
        *link = known->next;
    else if (!status) /* a pass through the network, while the others wait: what they ask may be the
                         same */
        status = begin(pool, run, subject, &known, err);
    if (!status) {
        known->next = inquiries->first;
        inquiries->first = known;
        known->n_users++;
        *inquiry = known->inquiry;
    }
    pthread_mutex_unlock(&inquiries->lock);
    return status;
}

void kl_inquiries_give(struct kl_inquiries *inquiries, struct kl_inquiry *inquiry)
{
    pthread_mutex_lock(&inquiries->lock);
    for (struct kl_known_inquiry *known = inquiries->first; known; known = known->next)
        known->n_users -= known->inquiry == inquiry;
    trim(inquiries);
    pthread_mutex_unlock(&inquiries->lock);
}
