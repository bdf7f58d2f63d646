/* How well a network does on one split of one data set. */
#ifndef KL_CORE_MODELS_EVALUATION_H
#define KL_CORE_MODELS_EVALUATION_H

#include "core/data/collection.h"
#include "core/data/text/corpus.h"
#include "core/models/network.h"

struct kl_prediction {
    uint32_t predicted;
    float probability; /* of the predicted class */
};

struct kl_evaluation {
    uint32_t correct;
    double accuracy, loss; /* share of right predictions; mean cross-entropy in nats */
};

/* Runs a whole split of data set number dataset through the network in slices of batch->capacity;
 * predictions (count) may be NULL. An empty split gives accuracy and loss 0. */
void kl_evaluate(const struct kl_network *network, const struct kl_collection *data,
                 uint32_t dataset, enum kl_split split, struct kl_activations *batch,
                 struct kl_evaluation *evaluation, struct kl_prediction *predictions);

/* The test split of a text, read in 32 streams from empty states; of a long one the first part of
 * every stream, 100,000 tokens in all, or fewer of a vocabulary above 10,000. Accuracy is that of
 * the most expected token; the loss is per token. Errors: KL_ERR_MEMORY. */
enum kl_status kl_evaluate_text(const struct kl_network *network, const struct kl_corpus *corpus,
                                struct kl_evaluation *evaluation, struct kl_error *err);

#endif
