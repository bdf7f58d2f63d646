/* keylight retrain: what a network says that never saw some of its training samples. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/json.h"
#include "cli/asking.h"
#include "cli/cli.h"
#include "cli/options/options.h"
#include "cli/output/json.h"
#include "cli/output/names.h"
#include "cli/output/progress.h"
#include "cli/session.h"
#include "core/base/memory.h"
#include "core/explain/attention.h"
#include "core/explain/ranks.h"
#include "core/training/loop.h"

struct request {
    struct kl_asking asking;
    const char *path;
    uint32_t seed;
    int json, helped;
};

#define SAME_SEED UINT32_MAX

/* What is asked about, before and after. */
struct retrained {
    const struct kl_run *run;
    struct kl_inquiry *inquiry;
    uint32_t target, n_outputs, n_without;
    uint8_t *without;                                                   /* (samples of the run) */
    float *before, *after, *probabilities_before, *probabilities_after; /* (n_outputs) each */
    double loss_before, loss_after;
    double influence, signed_sum; /* what the scores of those left out foretold of the loss; NaN: no
                                     error signals are recorded */
    double accuracy_before, accuracy_after;
};

static enum kl_status parse(int argc, char **argv, struct request *request, struct kl_error *err)
{
    struct kl_option table[KL_ASKING_OPTIONS + 4],
        *own = kl_asking_options(&request->asking, table);
    const struct kl_options options = {
        .command = "retrain",
        .usage = "retrain RUN --without TERMS --sample SPLIT/DATASET/INDEX [OPTION...]",
        .about =
            "Trains a run of images again without some of its training samples, from the same "
            "initial weights with the same minibatches, in which they weigh nothing, and tells "
            "what the network then says of a sample, beside what the scores had foretold. Nothing "
            "is recorded.",
        .options = table};
    int n_operands;
    enum kl_status status;

    own[0] = (struct kl_option){
        .type = KL_OPTION_TEXT,
        .name = "without",
        .value = "TERMS",
        .target = &request->asking.remove,
        .help = "who is left out, a list of top:N (of the sample's spotlight by --rank, default "
                "influence, by sample), class:C, dataset:NAME and sample:ID"};
    own[1] = (struct kl_option){.type = KL_OPTION_NUMBER,
                                .name = "seed",
                                .value = "N",
                                .target = &request->seed,
                                .high = UINT32_MAX - 1,
                                .help = "another seed: other initial weights, and another order"};
    own[2] = (struct kl_option){
        .type = KL_OPTION_FLAG, .name = "json", .target = &request->json, .help = "as JSON"};
    own[3] = (struct kl_option){.type = KL_OPTION_END};
    request->seed = SAME_SEED;
    status = kl_options_parse(&options, argc, argv, &n_operands, &request->helped, err);
    if (status || request->helped)
        return status;
    if (!request->asking.remove)
        return kl_fail(err, KL_ERR_USAGE,
                       "say who is left out: --without top:20, class:3 or "
                       "sample:ID");
    status = kl_one_operand(argv, n_operands, "run file", &request->path, err);
    return status ? status : kl_asking_check(&request->asking, err);
}

static void leave_out(struct retrained *retrained, uint32_t id)
{
    if (kl_collection_place(&retrained->run->data, id).split != KL_SPLIT_TRAIN)
        return;
    retrained->n_without += !retrained->without[id];
    retrained->without[id] = 1;
}

/* The first of the spotlight, by sample. */
static enum kl_status leave_lit(struct retrained *retrained, struct kl_query query,
                                struct kl_error *err)
{
    struct kl_answer answer;
    enum kl_status status;

    query.top = query.removal->top;
    query.removal = NULL;
    query.by_sample = 1;
    query.parts = KL_ANSWER_SPOTLIGHT;
    query.attention_alone = 1;
    status = kl_attend_to(retrained->inquiry, &query, &answer, err);
    if (status)
        return status;
    for (uint32_t i = 0; i < answer.n_hits; i++)
        leave_out(retrained, answer.spotlight[i].sample);
    kl_answer_clear(&answer);
    return KL_OK;
}

static enum kl_status choose(struct retrained *retrained, const struct kl_query *query,
                             struct kl_error *err)
{
    const struct kl_removal *removal = query->removal;
    const struct kl_history *history = &retrained->run->history;

    if (removal->all || removal->n_ranges)
        return kl_fail(err, KL_ERR_USAGE,
                       "--without names samples: top:N, class:C, dataset:NAME or sample:ID, not "
                       "steps and not all");
    for (uint32_t i = 0; i < removal->n_samples; i++)
        leave_out(retrained, removal->samples[i]);
    for (uint32_t id = 0; id < kl_collection_size(&retrained->run->data); id++) {
        uint32_t class = history->classes[id];

        for (uint32_t i = 0; i < removal->n_classes; i++)
            if (removal->classes[i] == class)
                leave_out(retrained, id);
        for (uint32_t i = 0; i < removal->n_datasets; i++)
            if (removal->datasets[i] == history->class_datasets[class])
                leave_out(retrained, id);
    }
    return removal->top ? leave_lit(retrained, *query, err) : KL_OK;
}

/* What a score foretold: its sum over all that is left out. */
static enum kl_status foretell(const struct retrained *retrained, const char *rank, double *sum,
                               struct kl_error *err)
{
    const struct kl_history *history = &retrained->run->history;
    const float *scores = NULL;
    enum kl_status status = kl_inquiry_scores(retrained->inquiry, kl_rank_find(rank),
                                              history->final->shape.n_layers - 1, retrained->target,
                                              retrained->target, &scores, err);

    *sum = history->has_dual ? 0 : NAN;
    for (uint64_t t = 0; !status && history->has_dual && t < history->n_patterns; t++)
        *sum += retrained->without[history->samples[t]] ? (double)scores[t] : 0;
    return status;
}

static enum kl_status measure(struct retrained *retrained, const struct kl_network *network,
                              float *logits, float *probabilities, double *loss, double *accuracy,
                              struct kl_error *err)
{
    const struct kl_collection *data = &retrained->run->data;
    struct kl_activations *activations = NULL;
    double right = 0, n = 0;
    enum kl_status status =
        kl_model_read(network, data, kl_inquiry_subject(retrained->inquiry), &activations, err);

    if (!status) {
        memcpy(logits, activations->keys[network->shape.n_layers],
               retrained->n_outputs * sizeof *logits);
        kl_softmax(logits, retrained->n_outputs, probabilities);
        *loss = kl_cross_entropy(logits, 1, retrained->n_outputs, &retrained->target, NULL);
    }
    for (uint32_t d = 0; !status && d < data->n_datasets; d++) {
        struct kl_evaluation evaluation;

        status =
            network->shape.model->evaluate(network, data, d, KL_SPLIT_TEST, &evaluation, NULL, err);
        right += evaluation.correct;
        n += data->datasets[d]->splits[KL_SPLIT_TEST].count;
    }
    *accuracy = n > 0 ? right / n : 0;
    kl_activations_free(activations);
    return status;
}

static enum kl_status train_again(struct retrained *retrained, const struct request *request,
                                  struct kl_error *err)
{
    const struct kl_run *run = retrained->run;
    struct kl_training training = run->training;
    struct kl_network *network = NULL;
    struct kl_meter meter;
    struct kl_progress progress;
    enum kl_status status;

    if (request->seed != SAME_SEED)
        training.seed = request->seed;
    kl_meter_start(&meter, training.n_steps, 0, request->json);
    progress = kl_meter_progress(&meter);
    status = kl_retrain(&training, &run->data, request->seed == SAME_SEED ? run->initial : NULL,
                        retrained->without, &progress, &network, err);
    kl_meter_end(&meter);
    if (!status)
        status = measure(retrained, network, retrained->after, retrained->probabilities_after,
                         &retrained->loss_after, &retrained->accuracy_after, err);
    kl_network_free(network);
    return status;
}

static void print_text(const struct retrained *retrained, const struct request *request)
{
    const struct kl_run *run = retrained->run;
    char *label = kl_collection_output_name(&run->data, retrained->target);

    printf("%s without %u of %u training samples, %s.\n\n%-16s %11s %11s   %11s %11s\n",
           request->asking.sample, retrained->n_without, kl_collection_train_size(&run->data),
           request->seed == SAME_SEED ? "from the same initial weights" : "from another seed",
           "class", "probability", "logit", "without", "logit");
    for (uint32_t j = 0; j < retrained->n_outputs; j++) {
        char *name = kl_collection_output_name(&run->data, j);

        kl_print_name(name ? name : "", 16);
        printf(" %9.2f %% %11.4f   %9.2f %% %11.4f\n",
               100 * (double)retrained->probabilities_before[j], (double)retrained->before[j],
               100 * (double)retrained->probabilities_after[j], (double)retrained->after[j]);
        free(name);
    }
    printf("\nThe loss of its label, %s, was %.4g and became %.4g (%+.4g).\n", label ? label : "",
           retrained->loss_before, retrained->loss_after,
           retrained->loss_after - retrained->loss_before);
    if (isnan(retrained->influence))
        printf("No error signals are recorded, so nothing was foretold; ");
    else
        printf("Foretold: %+.4g by influence, %+.4g by signed contributions; ",
               retrained->influence, retrained->signed_sum);
    printf("test accuracy %.2f %%, then %.2f %%.\n", 100 * retrained->accuracy_before,
           100 * retrained->accuracy_after);
    free(label);
}

static enum kl_status print(const struct retrained *retrained, const struct request *request,
                            struct kl_error *err)
{
    struct kl_json writer, *json = &writer;

    if (!request->json) {
        print_text(retrained, request);
        return KL_OK;
    }
    writer = kl_json_begin();
    kl_json_string(json, "run", retrained->run->fingerprint);
    kl_json_string(json, "sample", request->asking.sample);
    kl_json_count(json, "without", retrained->n_without);
    kl_json_count(json, "target", retrained->target);
    kl_json_floats(json, "logits", retrained->before, retrained->n_outputs);
    kl_json_floats(json, "logits_without", retrained->after, retrained->n_outputs);
    kl_json_number(json, "loss", retrained->loss_before);
    kl_json_number(json, "loss_without", retrained->loss_after);
    kl_json_object(json, "foretold");
    kl_json_number(json, "influence", retrained->influence);
    kl_json_number(json, "proponents", retrained->signed_sum);
    kl_json_end(json);
    kl_json_number(json, "test_accuracy", retrained->accuracy_before);
    kl_json_number(json, "test_accuracy_without", retrained->accuracy_after);
    return kl_print_json(kl_json_finish(json), err);
}

static enum kl_status allocate(struct retrained *retrained, struct kl_error *err)
{
    size_t n = retrained->n_outputs;
    float **const numbers[] = {&retrained->before, &retrained->after,
                               &retrained->probabilities_before, &retrained->probabilities_after};
    enum kl_status status =
        kl_alloc(&retrained->without, kl_collection_size(&retrained->run->data), 1, "samples", err);

    for (size_t i = 0; !status && i < sizeof numbers / sizeof numbers[0]; i++)
        status = kl_alloc(numbers[i], n, sizeof(float), "logits", err);
    return status;
}

static enum kl_status retrain(struct kl_session *session, struct request *request,
                              struct retrained *retrained, struct kl_error *err)
{
    struct kl_run *run = session->run;
    struct kl_asking *asking = &request->asking;
    enum kl_status status = kl_session_read_trainable(session, err);

    if (status)
        return status;
    retrained->run = run;
    retrained->n_outputs = kl_shape_n_outputs(&run->training.shape);
    asking->default_rank = "influence";
    status = kl_asking_find(asking, run, err);
    if (!status)
        status = kl_inquiry_create(session->pool, &run->history, &asking->question.query.subject,
                                   &retrained->inquiry, err);
    if (!status)
        status = allocate(retrained, err);
    retrained->target = (uint32_t)asking->question.query.target;
    if (!status)
        status = choose(retrained, &asking->question.query, err);
    if (!status)
        status = foretell(retrained, "influence", &retrained->influence, err);
    if (!status)
        status = foretell(retrained, "proponents", &retrained->signed_sum, err);
    if (!status)
        status = measure(retrained, run->final, retrained->before, retrained->probabilities_before,
                         &retrained->loss_before, &retrained->accuracy_before, err);
    if (!status)
        status = train_again(retrained, request, err);
    return status ? status : print(retrained, request, err);
}

enum kl_status kl_cli_retrain(int argc, char **argv, struct kl_error *err)
{
    struct request request = {0};
    struct retrained retrained = {0};
    struct kl_session session = {NULL, NULL};
    enum kl_status status = parse(argc, argv, &request, err);

    if (status || request.helped)
        return status;
    status = kl_session_open(request.path, &session, err);
    if (!status)
        status = retrain(&session, &request, &retrained, err);
    kl_inquiry_free(retrained.inquiry);
    free(retrained.without);
    free(retrained.before);
    free(retrained.after);
    free(retrained.probabilities_before);
    free(retrained.probabilities_after);
    kl_asking_clear(&request.asking);
    kl_session_close(&session);
    return status;
}
