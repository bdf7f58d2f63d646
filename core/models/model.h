/* Architectures, one behind another table of functions: what a network of linear layers is made of,
 * how it learns, and what can be asked of it. One file each, listed in KL_MODELS below.
 *
 * Nothing outside this room asks which architecture a network has: it asks what it can do. What
 * kind of data a run has is its data's own (core/data/dataset.h); a model says which kind it reads.
 */
#ifndef KL_CORE_MODELS_MODEL_H
#define KL_CORE_MODELS_MODEL_H

#include "core/data/collection.h"
#include "core/models/network.h"

/* What determines a network besides its data. */
struct kl_model_settings {
    uint32_t n_hidden, hidden[KL_LAYERS_MAX - 1]; /* widths between input and output */
    uint32_t embedding;                           /* of models with one */
    uint32_t activation;                          /* of perceptrons: enum kl_activation */
};

/* Xavier (Glorot and Bengio 2010), He et al. 2015. */
enum kl_initialisation { KL_INIT_XAVIER, KL_INIT_HE };

struct kl_queries;

/* What is asked about: a sample's numbers, or the end of a text. Borrowed. */
struct kl_subject {
    uint32_t dataset;      /* whose standardisation the pixels take, from 0 */
    uint32_t stored;       /* 1 and the id of the sample that it is; 0: it is none of the run's */
    const uint8_t *pixels; /* (image size); or NULL */
    /* What a framework recorded of it, of a network that cannot be run here, for as long as it is
     * asked about (core/explain/history.h); NULL: what the file has of the stored sample. */
    const struct kl_queries *recorded;
    const uint32_t *tokens; /* (n_tokens) read from an empty state; what follows is asked */
    uint32_t n_tokens;      /* at least 1 */
    /* Of a layer that sees it at several places, from 1: attention is of this place, from 1; 0: of
     * all of them, of a text of the last one. */
    uint32_t place_layer, place;
};

struct kl_prediction {
    uint32_t predicted;
    float probability; /* of the predicted class */
};

struct kl_evaluation {
    uint32_t correct;
    double accuracy, loss; /* share of right predictions; mean cross-entropy in nats */
};

/* What a step learns from: rows of samples, or streams of tokens side by side, where row
 * u * streams + b is token u of stream b. */
struct kl_minibatch {
    uint32_t step;           /* from 1 */
    uint32_t n;              /* rows */
    const float *inputs;     /* (n, inputs[0]) of models that read samples whole, or NULL */
    const uint32_t *tokens;  /* (n) of the others */
    const uint32_t *targets; /* (n) */
    const uint8_t *ignored;  /* (n) 1: the row weighs nothing; or NULL */
    int begins;              /* whether what is carried from step to step begins anew */
};

/* What a trainer is made for. */
struct kl_trainer_settings {
    struct kl_shape shape;
    uint32_t streams, unroll; /* rows of a step: streams * unroll; unroll is 1 without sequences */
    struct kl_pool *pool;     /* whose workers share its work; NULL: the caller's thread does all */
    uint64_t seed;            /* of dropout */
    double dropout;           /* share of the last layer's keys that become 0 */
    int records_last;         /* whether the last layer's error signals are wanted, */
    uint32_t entries; /* and how many numbers of each: the target's and the largest; 0: all */
};

/* What happened in a step; valid until the next one. */
struct kl_step_result {
    double loss;                        /* mean over the rows, before the update */
    const float *keys[KL_LAYERS_MAX];   /* (n, inputs[l]) */
    const float *errors[KL_LAYERS_MAX]; /* (n, outputs[l]); of the last layer (n, entries) if so */
    const uint32_t *indices;            /* (n, entries) the target's first, then by rising index */
    const float *left_out;              /* (n) squared length of what entries leave out */
    /* Where the trainer has the buffers of keys and errors: who takes one leaves another there, as
     * large and of malloc. Or NULL: they stay the trainer's. */
    float **keys_at[KL_LAYERS_MAX], **errors_at[KL_LAYERS_MAX];
};

struct kl_model {
    const char *name;       /* in files, settings and answers; static */
    enum kl_data_kind kind; /* what it learns from, */
    int is_any_kind;        /* unless it is whatever the data are */
    const char *inner; /* what follows its inner layers: "lstm"; NULL: the shape's activation */
    const char *layer_name; /* what they are called, before their number */
    int reads_samples;      /* whether layer 1's keys are the samples themselves */
    int has_predictions;    /* whether what it says of a sample depends on the sample alone */
    int inner_on_demand;    /* whether inner layers' error signals are recorded only if asked for */

    /* The layers for n_inputs numbers or kinds of token, and n_outputs. Errors: KL_ERR_USAGE. */
    enum kl_status (*shape)(const struct kl_model_settings *settings, uint32_t n_inputs,
                            uint32_t n_outputs, struct kl_shape *shape, struct kl_error *err);
    /* Whether the layers of a shape fit each other. */
    int (*fits)(const struct kl_shape *shape);
    /* Numbers carried from step to step by so many streams; NULL: none ever. */
    size_t (*carried_size)(const struct kl_shape *shape, uint32_t streams);
    /* Deterministic from seed. */
    void (*initialise)(struct kl_network *network, enum kl_initialisation initialisation,
                       uint64_t seed);

    /* A trainer, ended with trainer_free; and one step: runs the minibatch through the network from
     * carried on, which it moves along, and fills the gradient. Errors: KL_ERR_MEMORY. */
    enum kl_status (*trainer_create)(const struct kl_trainer_settings *settings, void **trainer,
                                     struct kl_error *err);
    enum kl_status (*step)(void *trainer, const struct kl_network *network,
                           const struct kl_minibatch *minibatch, float *carried,
                           struct kl_network *gradient, struct kl_step_result *result,
                           struct kl_error *err);
    /* Second derivatives of the minibatch that the last step saw, at its network, whose mean loss
     * is meant: product becomes the Hessian times a direction, and slopes (n) how much of the
     * gradient times the direction each row makes. Errors: KL_ERR_MEMORY. NULL: it has none. */
    enum kl_status (*curve)(void *trainer, const struct kl_network *network,
                            const struct kl_minibatch *minibatch,
                            const struct kl_network *direction, struct kl_network *product,
                            float *slopes, struct kl_error *err);
    void (*trainer_free)(void *trainer);

    /* A split of a data set, over a pool's workers, or NULL; predictions (its count) may be NULL,
     * and are without has_predictions. An empty split gives accuracy and loss 0. Errors:
     * KL_ERR_MEMORY. */
    enum kl_status (*evaluate)(struct kl_pool *pool, const struct kl_network *network,
                               const struct kl_collection *data, uint32_t dataset,
                               enum kl_split split, struct kl_evaluation *evaluation,
                               struct kl_prediction *predictions, struct kl_error *err);

    /* Runs a subject through: fills row 0 of keys and logits, and inner if it needs that to go
     * back. The subject must live as long. Errors: KL_ERR_MEMORY. NULL, as all that runs samples:
     * the network cannot be run here. */
    enum kl_status (*read)(const struct kl_network *network, const struct kl_collection *data,
                           const struct kl_subject *subject, struct kl_activations *activations,
                           struct kl_error *err);
    /* From errors of the last layer to those of all others, after read or forward, n rows. */
    void (*back)(const struct kl_network *network, uint32_t n, struct kl_activations *activations);
    /* From keys[0] of n rows to all others and the logits; NULL: only read can. */
    void (*forward)(const struct kl_network *network, uint32_t n,
                    struct kl_activations *activations);
    /* Models of sequences read token by token: a reader of at most most tokens at a time begins
     * with an empty state, and every read goes on where the last one ended. keys are those of a
     * layer, from 0, at the tokens of the last read, (n, inputs[layer]), the reader's; logits (n,
     * outputs) of some of them. NULL, all five, where samples are read whole. Errors:
     * KL_ERR_MEMORY. */
    enum kl_status (*reader_create)(const struct kl_network *network, uint32_t most, void **reader,
                                    struct kl_error *err);
    void (*reader_read)(void *reader, const uint32_t *tokens, uint32_t n);
    const float *(*reader_keys)(const void *reader, uint32_t layer);
    void (*reader_logits)(const void *reader, uint32_t first, uint32_t n, float *logits);
    void (*reader_free)(void *reader);
    /* The layer, from 0, from which on rows follow each other through the activation alone, so that
     * patterns can be taken out of all of them at once: core/explain/removal.h. */
    uint32_t (*first_removable)(const struct kl_shape *shape);
};

/* Every one of them, for X(name): the first is the one where nobody names another. */
#define KL_MODELS(X)                                                                               \
    X(kl_mlp)                                                                                      \
    X(kl_lstm)                                                                                     \
    X(kl_recorded)
#define KL_DECLARE_MODEL(name) extern const struct kl_model name;
KL_MODELS(KL_DECLARE_MODEL)

/* Of shapes: */

/* Refuses what its architecture cannot be: layers that do not fit each other, or sizes beyond the
 * bounds above. Errors: KL_ERR_USAGE. */
enum kl_status kl_shape_check(const struct kl_shape *shape, struct kl_error *err);

/* Whether the layer's keys are the samples themselves, which are stored once, not per pattern. */
int kl_shape_reads_samples(const struct kl_shape *shape, uint32_t layer);

/* What a layer is called: as its framework does, or "hidden1", "lstm2", and at the end "output". */
void kl_shape_layer_name(const struct kl_shape *shape, uint32_t layer,
                         char name[KL_LAYER_NAME_MAX]);

/* Number i of the list, NULL behind its end. */
const struct kl_model *kl_model_at(uint32_t i);

/* The one of that name, or NULL. */
const struct kl_model *kl_model_find(const char *name);

/* The first that reads a kind of data: what a run has unless it says otherwise. */
const struct kl_model *kl_model_for(enum kl_data_kind kind);

/* Runs a subject through a network: the caller ends *activations with kl_activations_free, while
 * the subject lives. Errors: KL_ERR_MEMORY. */
enum kl_status kl_model_read(const struct kl_network *network, const struct kl_collection *data,
                             const struct kl_subject *subject, struct kl_activations **activations,
                             struct kl_error *err);

/* What follows a layer, from 0, in files and answers: "softmax" the last one, "" what is not known;
 * a static string. */
const char *kl_model_activation(const struct kl_shape *shape, uint32_t layer);

/* Makes errors, row 0, the gradients of one logit, from the last layer down to a layer (from 0), or
 * of the cross-entropy of one target, of all layers. Of a text: w.r.t. what the layers put out at
 * the last token. */
void kl_model_back_logit(const struct kl_network *network, uint32_t logit, uint32_t layer,
                         struct kl_activations *activations);
void kl_model_back_loss(const struct kl_network *network, uint32_t target,
                        struct kl_activations *activations);

/* How many tokens are read before a place of a stored text: enough that more change little. */
#define KL_CONTEXT 200

/* A stored sample as a subject: of a text its token with at most KL_CONTEXT - 1 before it, of
 * images its pixels, which its data set needs to have. */
void kl_subject_at(const struct kl_collection *data, uint32_t id, struct kl_subject *subject);

#endif
