/* How a job of several processes (core/peers/peers.h) answers: process 0 has the connections, and
 * tells each request that needs the whole history to the others, who route it as it does, so that
 * what is summed is summed over all; what they would reply goes nowhere. One such request at a
 * time.
 */
#ifndef KL_SERVER_SHARING_H
#define KL_SERVER_SHARING_H

#include <pthread.h>

#include "core/peers/peers.h"
#include "server/http/http.h"

typedef void (*kl_sharing_forget)(void *self);

struct kl_sharing {
    struct kl_peers *peers;
    kl_sharing_forget forget; /* lets go of what is kept of answers, */
    void *self;               /* of this service */
    pthread_mutex_t lock;     /* held while a request is answered by all */
};

/* Peers outlive it; ended with kl_sharing_clear. forget is called after a request that some process
 * could not answer: what the others keep of it is not what that one keeps. */
void kl_sharing_init(struct kl_sharing *sharing, struct kl_peers *peers, kl_sharing_forget forget,
                     void *self);
void kl_sharing_clear(struct kl_sharing *sharing);

/* Of process 0: tells a request to the others; between the two calls this thread may make
 * collective ones. Returns 0, or -1 with the problem in *reply, and then is not to be ended.
 * Thread-safe. */
int kl_sharing_begin(struct kl_sharing *sharing, const struct kl_request *request,
                     struct kl_reply *reply);

/* Waits for the others, and has them know how it went; where one of them failed, its problem is in
 * *reply. */
void kl_sharing_end(struct kl_sharing *sharing, struct kl_reply *reply);

/* Of process 0, when nobody asks any more: the others leave kl_sharing_follow. */
void kl_sharing_stop(struct kl_sharing *sharing);

/* Of the others: routes what process 0 is asked, until it stops. Errors: KL_ERR_PEERS,
 * KL_ERR_MEMORY.
 */
typedef void (*kl_sharing_route)(void *self, const struct kl_request *request,
                                 struct kl_reply *reply);
enum kl_status kl_sharing_follow(struct kl_sharing *sharing, kl_sharing_route route, void *self,
                                 struct kl_error *err);

#endif
