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
 * as far as keys say it: from the second token of a step's stretch to the last but one. So inner
 * layers are judged whose error signals nobody recorded. */
#ifndef KL_CORE_EXPLAIN_VERIFY_KEYS_H
#define KL_CORE_EXPLAIN_VERIFY_KEYS_H

#include "core/explain/history.h"

struct kl_keys_check {
    uint32_t step, layer; /* whose keys are furthest off, both from 1; 0: none could be judged */
    double excess;        /* |X' - X| / |X| (Frobenius), beyond what rounding keys explains */
};

/* Of a network that was trained here, on so many texts side by side (streams; of others it does not
 * matter). Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_keys_check(struct kl_pool *pool, const struct kl_history *history,
                             uint32_t streams, struct kl_keys_check *check, struct kl_error *err);

#endif
