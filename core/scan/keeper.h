/* Copies of block sources in memory, while there is room for them. A source is copied in the
 * background once somebody reads from it, and read from the file until then, so that nobody waits
 * for it; copies that nobody has read from for a while make room for others. */
#ifndef KL_CORE_SCAN_KEEPER_H
#define KL_CORE_SCAN_KEEPER_H

#include "core/scan/blocks.h"

struct kl_keeper;

struct kl_keeper_times {
    double idle_ms; /* a copy that nobody has read from for so long may make room for another one */
    double quiet_ms; /* nothing was read for so long: then is the time to copy, or after ten times
                        as long */
};
#define KL_KEEPER_TIMES ((struct kl_keeper_times){10000, 100})

/* Bytes of copies that leave most of the memory to others: a quarter of what is free, or 1 GiB
 * where nobody tells. */
uint64_t kl_keeper_usual_room(void);

/* Starts a thread that copies by pool, at most room_bytes at a time (0: nothing is ever copied).
 * The caller ends *keeper with kl_keeper_free, before the pool and after it has let go of all
 * sources. Errors: KL_ERR_MEMORY. */
enum kl_status kl_keeper_create(struct kl_pool *pool, uint64_t room_bytes,
                                struct kl_keeper_times times, struct kl_keeper **keeper,
                                struct kl_error *err);
void kl_keeper_free(struct kl_keeper *keeper);

/* Ends what is under way and begins nothing more: sources are read as they are then. */
void kl_keeper_stop(struct kl_keeper *keeper);

/* Hears, at most once for a source and in the keeper's thread, why it cannot be read:
 * KL_ERR_DAMAGED. */
typedef void (*kl_keeper_damaged)(void *self, const struct kl_error *err);

/* *kept reads what from does, which must outlive it, from memory or through from. A source without
 * read is made of another one, which is kept as well: it is copied when somebody asks for its copy
 * (kl_keeper_copy). beside_bytes are what it keeps beside that, and count while there is a copy. Of
 * others, what there would be room for is read through in the background once, a little of every
 * block, some blocks a second and more when it is quiet, so that a source that compares what it
 * reads with its checksums says what is damaged; damaged may be NULL. Thread-safe. Errors:
 * KL_ERR_MEMORY. */
enum kl_status kl_keeper_take(struct kl_keeper *keeper, const struct kl_block_source *from,
                              uint64_t beside_bytes, kl_keeper_damaged damaged, void *self,
                              const struct kl_block_source **kept, struct kl_error *err);

/* The copy of what kl_keeper_take made, or NULL; then one is asked for. Within a task of the pool
 * it stays until that ends; outside, only that there is one is known. Thread-safe. */
const struct kl_block_source *kl_keeper_copy(const struct kl_block_source *kept);

/* Ends what kl_keeper_take made, when nobody reads from it any more, and its copy. NULL is ignored.
 * Thread-safe; not within a task of the pool. */
void kl_keeper_let_go(struct kl_keeper *keeper, const struct kl_block_source *kept);

/* How many workers copy, and may read. */
unsigned kl_keeper_n_workers(const struct kl_keeper *keeper);

/* Copies all that is not made of others and that there is room for, as if it were read now, and
 * waits until that is done. */
void kl_keeper_fill(struct kl_keeper *keeper);

/* Bytes of all copies. Thread-safe. */
uint64_t kl_keeper_bytes(struct kl_keeper *keeper);
uint64_t kl_keeper_room(const struct kl_keeper *keeper); /* and how many there may be */

#endif
