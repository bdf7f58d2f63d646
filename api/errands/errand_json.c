/* The answers of errands, as JSON. */
#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "api/asked/sample_name.h"
#include "api/errands/errand.h"
#include "api/json_parts.h"
#include "core/base/memory.h"
#include "core/explain/many/votes.h"
#include "db/results.h"

/* Of more outputs, as texts have, what each says is not told. */
#define LISTED_OUTPUTS 1000

static void add_said(struct kl_json *json, const char *name, const struct kl_said *said,
                     uint32_t n_outputs)
{
    kl_json_object(json, name);
    if (said->logits)
        kl_json_number(json, "loss", said->loss);
    if (said->logits && n_outputs <= LISTED_OUTPUTS) {
        kl_json_floats(json, "logits", said->logits, n_outputs);
        kl_json_floats(json, "probabilities", said->probabilities, n_outputs);
    }
    kl_json_number(json, "test_accuracy", said->accuracy);
    kl_json_number(json, "test_loss", said->test_loss);
    kl_json_end(json);
}

static void add_retrained(struct kl_json *json, const struct kl_errand *errand,
                          const struct kl_run *run, const struct kl_retrained *retrained)
{
    char name[KL_SAMPLE_NAME_MAX];

    if (errand->n_samples) {
        kl_sample_name(&run->data, errand->samples[0], name);
        kl_json_string(json, "sample", name);
        kl_json_count(json, "target", kl_collection_target(&run->data, errand->samples[0]));
    }
    kl_json_string(json, "terms", errand->without);
    kl_json_count(json, "without", retrained->n_without);
    kl_json_count(json, "of", kl_collection_train_size(&run->data));
    if (errand->has_seed)
        kl_json_count(json, "seed", errand->seed);
    add_said(json, "before", &retrained->before, retrained->n_outputs);
    add_said(json, "after", &retrained->after, retrained->n_outputs);
    if (errand->n_samples) {
        kl_json_object(json, "foretold");
        kl_json_number(json, "influence", retrained->influence);
        kl_json_number(json, "proponents", retrained->proponents);
        kl_json_end(json);
    }
    kl_json_number(json, "seconds", retrained->seconds);
}

static int by_influence(const void *a, const void *b)
{
    const struct kl_missed *x = a, *y = b;

    if (x->influence != y->influence)
        return x->influence < y->influence ? 1 : -1;
    return x->sample < y->sample ? -1 : x->sample > y->sample;
}

void kl_errand_missed(const struct kl_run *run, const struct kl_errand_result *result, uint32_t q,
                      struct kl_missed *missed)
{
    uint32_t n = kl_collection_train_size(&run->data);
    const double *influences = result->influences + (size_t)q * kl_collection_size(&run->data);

    for (uint32_t i = 0; i < n; i++) {
        missed[i].sample = kl_collection_train_id(&run->data, i);
        missed[i].influence = influences[missed[i].sample];
    }
    qsort(missed, n, sizeof *missed, by_influence);
}

static void add_missed(struct kl_json *json, const struct kl_run *run,
                       const struct kl_missed *missed)
{
    kl_json_object(json, NULL);
    kl_json_add_sample(json, "sample", run, missed->sample);
    kl_json_number(json, "influence", missed->influence);
    kl_json_count(json, "repetitions", run->history.repetitions[missed->sample]);
    kl_json_end(json);
}

/* Those who would be missed most, and those whose absence would help most. */
static void add_walked(struct kl_json *json, const struct kl_run *run, uint32_t sample,
                       const struct kl_missed *missed, uint32_t most)
{
    uint32_t n = kl_collection_train_size(&run->data);

    kl_json_object(json, NULL);
    kl_json_add_sample(json, "sample", run, sample);
    kl_json_list(json, "influence");
    for (uint32_t i = 0; i < most && i < n && missed[i].influence > 0; i++)
        add_missed(json, run, &missed[i]);
    kl_json_end(json);
    kl_json_list(json, "hindrance");
    for (uint32_t i = 0; i < most && i < n && missed[n - 1 - i].influence < 0; i++)
        add_missed(json, run, &missed[n - 1 - i]);
    kl_json_end(json);
    kl_json_end(json);
}

/* Of n of its samples, from number first on. */
static void add_walk(struct kl_json *json, const struct kl_errand *errand, const struct kl_run *run,
                     const struct kl_errand_result *result, uint32_t first, uint32_t n,
                     uint32_t most)
{
    struct kl_missed *missed = NULL;
    struct kl_error err;

    if (kl_alloc(&missed, kl_collection_train_size(&run->data), sizeof *missed, "the walk", &err)) {
        kl_json_fail(json);
        return;
    }
    kl_json_count(json, "first_step", kl_walk_first(&run->training, &errand->truth.walk.parts));
    kl_json_count(json, "last_step", run->training.n_steps);
    kl_json_number(json, "damping", errand->truth.walk.damping);
    kl_json_number(json, "seconds", result->walk_seconds);
    kl_json_list(json, "queries");
    for (uint32_t q = first; q < first + n; q++) {
        kl_errand_missed(run, result, q, missed);
        add_walked(json, run, errand->samples[q], missed, most);
    }
    kl_json_end(json);
    free(missed);
}

static void add_truth(struct kl_json *json, const struct kl_errand *errand,
                      const struct kl_errand_result *result)
{
    const struct kl_truth *truth = &result->truth;

    kl_json_count(json, "subsets", truth->n_subsets);
    kl_json_number(json, "left_out", errand->truth.share);
    kl_json_count(json, "samples_left_out", truth->n_left_out);
    kl_json_count(json, "queries", truth->n_queries);
    kl_json_number(json, "seconds", truth->seconds);
    kl_json_list(json, "scores");
    for (uint32_t r = 0; r < truth->n_rows; r++) {
        kl_json_object(json, NULL);
        kl_json_string(json, "rank", truth->rows[r].score);
        kl_json_number(json, "rank_correlation", truth->rows[r].mean);
        kl_json_number(json, "standard_error", truth->rows[r].error);
        if (!strcmp(truth->rows[r].score, KL_WALK)) {
            kl_json_count(json, "first_step", truth->first_step);
            kl_json_number(json, "damping", errand->truth.walk.damping);
        }
        kl_json_end(json);
    }
    kl_json_end(json);
    kl_json_list(json, "notes");
    for (size_t i = 0; i < result->notes.n; i++)
        kl_json_string(json, NULL, result->notes.sentences[i]);
    kl_json_end(json);
}

/* Those whose vote is another output than the answer, by rising id. */
static void add_votes(struct kl_json *json, const struct kl_errand_result *result)
{
    kl_json_count(json, "asked", result->n_asked);
    kl_json_list(json, "differing");
    for (uint32_t i = 0; i < result->n_asked; i++)
        if (result->votes[i] != result->predicted[i]) {
            kl_json_object(json, NULL);
            kl_json_count(json, "sample", result->asked[i]);
            kl_json_count(json, "vote", result->votes[i]);
            kl_json_count(json, "predicted", result->predicted[i]);
            kl_json_end(json);
        }
    kl_json_end(json);
}

/* Of a walk, n of its samples, from number first on. */
static char *answer(const struct kl_errand *errand, const struct kl_run *run,
                    const struct kl_errand_result *result, uint32_t first, uint32_t n,
                    uint32_t most)
{
    struct kl_json json = kl_json_begin();

    kl_json_add_run(&json, run);
    switch (errand->kind) {
    case KL_ERRAND_RETRAIN:
        add_retrained(&json, errand, run, &result->retrained);
        break;
    case KL_ERRAND_WALK:
        add_walk(&json, errand, run, result, first, n, most);
        break;
    case KL_ERRAND_TRUTH:
        add_truth(&json, errand, result);
        break;
    default:
        add_votes(&json, result);
    }
    return kl_json_finish(&json);
}

char *kl_errand_json(const struct kl_errand *errand, const struct kl_run *run,
                     const struct kl_errand_result *result, uint32_t most)
{
    return answer(errand, run, result, 0, errand->n_samples, most);
}

static enum kl_status keep(const struct kl_errand *errand, const struct kl_run *run, char *text,
                           struct kl_error *err)
{
    char *question = kl_errand_question(errand, run);
    enum kl_status status =
        text && question ? kl_results_keep(run, kl_errand_name(errand->kind), question, text, err)
                         : kl_fail(err, KL_ERR_MEMORY, "not enough memory to keep a result");

    free(question);
    free(text);
    return status;
}

enum kl_status kl_errand_keep(const struct kl_errand *errand, const struct kl_run *run,
                              const struct kl_errand_result *result, struct kl_error *err)
{
    struct kl_errand one = *errand;
    enum kl_status status = KL_OK;

    if (errand->kind != KL_ERRAND_WALK || errand->n_samples > 1)
        status = keep(errand, run, kl_errand_json(errand, run, result, KL_MISSED_KEPT), err);
    if (errand->kind != KL_ERRAND_WALK)
        return status;
    one.n_samples = 1;
    for (uint32_t q = 0; !status && q < errand->n_samples; q++) {
        one.samples[0] = errand->samples[q];
        status = keep(&one, run, answer(errand, run, result, q, 1, KL_MISSED_KEPT), err);
    }
    return status;
}

/* Marks those that are listed, of answers as add_votes writes them. */
static int read_differing(const cJSON *answer, uint32_t n, uint8_t *votes)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, "differing"), *item;

    if (!cJSON_IsArray(list))
        return -1;
    cJSON_ArrayForEach(item, list)
    {
        const cJSON *sample = cJSON_GetObjectItemCaseSensitive(item, "sample");

        if (!cJSON_IsNumber(sample) || !(sample->valuedouble >= 0 && sample->valuedouble < n))
            return -1;
        votes[(uint32_t)sample->valuedouble] = KL_VOTE_DIFFERS;
    }
    return 0;
}

enum kl_status kl_errand_read_votes(const struct kl_run *run, const char *text, uint8_t **votes,
                                    struct kl_error *err)
{
    uint32_t n = kl_collection_size(&run->data), *asked = NULL, n_asked = 0;
    cJSON *answer = cJSON_Parse(text);
    uint8_t *read = NULL;
    enum kl_status status = kl_alloc(&read, n, sizeof *read, "votes", err);

    if (!status)
        status = kl_votes_choose(&run->history, &asked, &n_asked, err);
    for (uint32_t i = 0; !status && i < n_asked; i++)
        read[asked[i]] = KL_VOTE_AGREES;
    if (!status && (!answer || read_differing(answer, n, read)))
        status = kl_fail(err, KL_ERR_DAMAGED,
                         "the votes that are kept beside the run cannot be read: move its "
                         ".results file away");
    cJSON_Delete(answer);
    free(asked);
    if (status) {
        free(read);
        return status;
    }
    *votes = read;
    return KL_OK;
}
