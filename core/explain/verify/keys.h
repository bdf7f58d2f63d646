/* The keys checked against the network as it was: from the initial weights, and from every
 * snapshot, the patterns t of the next step should have, of a perceptron,
 *
 *   x_{l+1,t} = activation(W_l x_{l,t} + b_l),
 *
 * and of a language model the embedding of the token t that was read, and the state that an LSTM
 * layer passes on (core/models/lstm/lstm_layers.h),
 *
 *   h_t = sigmoid(o_t) tanh(sigmoid(f_t) c_{t-1} + sigmoid(i_t) tanh(g_t)),
 *   c_{t-1} = artanh(h_{t-1} / sigmoid(o_{t-1})),
 *
 * from the second token of a step's stretch to the last but one, as far as keys say it; and the
 * layer above reads the h_t that stands in the key of t + 1, or, after dropout of a share p, 0 or
 * h_t / (1 - p). So inner layers are judged of whose error signals nothing was recorded. */
#ifndef KL_CORE_EXPLAIN_VERIFY_KEYS_H
#define KL_CORE_EXPLAIN_VERIFY_KEYS_H

#include "core/explain/history.h"

struct kl_keys_check {
    uint32_t step,
        layer;        /* what layer passed on is furthest off, both from 1; 0: nothing is known */
    double excess;    /* |X' - X| / |X| (Frobenius), beyond what rounding keys explains */
    uint32_t unknown; /* a layer (from 1) of whose weights keys say nothing; 0: there is none */
};

/* How texts were read; of other samples it does not matter. */
struct kl_reading {
    uint32_t streams; /* side by side */
    double dropout;   /* share of the last layer's keys */
};

/* Of a network that was trained here. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_keys_check(struct kl_pool *pool, const struct kl_history *history,
                             struct kl_reading reading, struct kl_keys_check *check,
                             struct kl_error *err);

#endif
