/* The walk back from samples that people name. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/asked/sample_name.h"
#include "api/json.h"
#include "api/json_parts.h"
#include "cli/output/json.h"
#include "cli/output/names.h"
#include "cli/output/progress.h"
#include "cli/retraining/retraining.h"
#include "cli/session.h"
#include "core/base/memory.h"
#include "core/explain/ranks.h"

const char *kl_score_label(const char *score)
{
    return strcmp(score, KL_WALK) ? kl_rank_find(score)->label : "walked back";
}

uint32_t kl_walk_first(const struct kl_training *training, const struct kl_parts *parts)
{
    uint32_t n = (uint32_t)((uint64_t)training->n_steps * parts->last / parts->of);

    return training->n_steps - (n ? n : 1) + 1;
}

struct bar {
    struct kl_counter counter;
    uint32_t total;
};

static int show(void *self, uint32_t step, double loss)
{
    struct bar *bar = self;

    (void)loss;
    kl_counter_show(&bar->counter, step, bar->total);
    return 0;
}

enum kl_status kl_walk_run(const struct kl_run *run, const struct kl_walk_queries *queries,
                           const struct kl_parts *parts, double *influences, struct kl_error *err)
{
    uint32_t first = kl_walk_first(&run->training, parts) - 1;
    struct bar bar = {.total = run->training.n_steps + 2 * (run->training.n_steps - first)};
    const struct kl_progress progress = {.step = show, .self = &bar};
    enum kl_status status;

    kl_counter_start(&bar.counter, "steps forward and back");
    status = kl_walk_back(&run->training, &run->data, run->initial, queries, first, &progress,
                          influences, err);
    kl_counter_end(&bar.counter);
    return status;
}

/* Names, parted by commas, as ids of the test split. */
static enum kl_status read_samples(const struct kl_run *run, const char *names, uint32_t *samples,
                                   uint32_t *n, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    if (!*names)
        return kl_fail_on(err, KL_ERR_USAGE, "sample",
                          "--sample names samples, as in test/mnist/8,test/mnist/15");
    for (*n = 0; !status && *names; ++*n) {
        size_t length = strcspn(names, ",");
        char name[300];

        if (*n == KL_WALK_MAX)
            return kl_fail_on(err, KL_ERR_USAGE, "sample",
                              "at most %u samples are walked back from at a time", KL_WALK_MAX);
        snprintf(name, sizeof name, "%.*s", (int)length, names);
        status = kl_sample_named(&run->data, name, "--sample", &samples[*n], err);
        names += length + (names[length] == ',');
    }
    return status;
}

struct missed {
    uint32_t sample;
    double influence;
};

static int by_influence(const void *a, const void *b)
{
    const struct missed *x = a, *y = b;

    if (x->influence != y->influence)
        return x->influence < y->influence ? 1 : -1;
    return x->sample < y->sample ? -1 : x->sample > y->sample;
}

static void print_missed(const struct kl_run *run, const struct missed *missed)
{
    struct kl_sample_place place = kl_collection_place(&run->data, missed->sample);
    const struct kl_dataset *dataset = run->data.datasets[place.dataset];
    char name[KL_NAME_MAX + 32];

    snprintf(name, sizeof name, "train/%s/%u", dataset->name, place.index);
    printf("  %-26s ", name);
    kl_print_name(kl_dataset_class_name(dataset, kl_collection_label(&run->data, missed->sample)),
                  14);
    printf(" %+12.4g\n", missed->influence);
}

/* The first of those that would raise the loss, and of those that would lower it. */
static void print_query(const struct kl_run *run, uint32_t sample, const struct missed *missed,
                        uint32_t n, uint32_t top)
{
    struct kl_sample_place place = kl_collection_place(&run->data, sample);

    printf("%s/%s/%u: without these its loss would rise by\n", kl_split_name(place.split),
           run->data.datasets[place.dataset]->name, place.index);
    for (uint32_t i = 0; i < top && i < n && missed[i].influence > 0; i++)
        print_missed(run, &missed[i]);
    puts("and without these fall by");
    for (uint32_t i = 0; i < top && i < n && missed[n - 1 - i].influence < 0; i++)
        print_missed(run, &missed[n - 1 - i]);
}

static void add_missed(struct kl_json *json, const struct kl_run *run, const struct missed *missed)
{
    kl_json_object(json, NULL);
    kl_json_add_sample(json, "sample", run, missed->sample);
    kl_json_number(json, "influence", missed->influence);
    kl_json_end(json);
}

static void add_query(struct kl_json *json, const struct kl_run *run, uint32_t sample,
                      const struct missed *missed, uint32_t n, uint32_t top)
{
    kl_json_object(json, NULL);
    kl_json_add_sample(json, "sample", run, sample);
    kl_json_list(json, "influence");
    for (uint32_t i = 0; i < top && i < n && missed[i].influence > 0; i++)
        add_missed(json, run, &missed[i]);
    kl_json_end(json);
    kl_json_list(json, "hindrance");
    for (uint32_t i = 0; i < top && i < n && missed[n - 1 - i].influence < 0; i++)
        add_missed(json, run, &missed[n - 1 - i]);
    kl_json_end(json);
    kl_json_end(json);
}

/* The training samples of a run with one query's influences, by these: missed (n). */
static void sort_missed(const struct kl_run *run, const double *influences, struct missed *missed,
                        uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        missed[i].sample = kl_collection_train_id(&run->data, i);
        missed[i].influence = influences[missed[i].sample];
    }
    qsort(missed, n, sizeof *missed, by_influence);
}

static enum kl_status print_all(const struct kl_influence_request *request,
                                const struct kl_run *run, const struct kl_walk_queries *queries,
                                const double *influences, struct kl_error *err)
{
    uint32_t n = kl_collection_train_size(&run->data), n_samples = kl_collection_size(&run->data);
    uint32_t first = kl_walk_first(&run->training, &request->parts), last = run->training.n_steps;
    struct kl_json writer, *json = &writer;
    struct missed *missed = NULL;
    enum kl_status status = kl_alloc(&missed, n, sizeof *missed, "the training samples", err);

    if (status)
        return status;
    if (request->json) {
        writer = kl_json_begin();
        kl_json_string(json, "run", run->fingerprint);
        kl_json_count(json, "first_step", first);
        kl_json_count(json, "last_step", last);
        kl_json_list(json, "queries");
    } else {
        printf("Walked back over steps %u to %u of %u.\n", first, last, last);
    }
    for (uint32_t q = 0; q < queries->n; q++) {
        sort_missed(run, influences + (size_t)q * n_samples, missed, n);
        if (request->json)
            add_query(json, run, queries->samples[q], missed, n, request->top);
        else
            print_query(run, queries->samples[q], missed, n, request->top);
    }
    free(missed);
    if (!request->json)
        return KL_OK;
    kl_json_end(json);
    return kl_print_json(kl_json_finish(json), err);
}

enum kl_status kl_print_walk(const struct kl_influence_request *request, struct kl_error *err)
{
    struct kl_session session = {0};
    uint32_t samples[KL_WALK_MAX], targets[KL_WALK_MAX];
    struct kl_walk_queries queries = {0, samples, targets};
    double *influences = NULL;
    enum kl_status status = kl_session_open(request->path, &session, err);

    if (!status)
        status = kl_session_read_trainable(&session, err);
    if (!status)
        status = kl_walk_check(&session.run->training, &session.run->data, err);
    if (!status)
        status = read_samples(session.run, request->samples, samples, &queries.n, err);
    for (uint32_t q = 0; !status && q < queries.n; q++)
        targets[q] = kl_collection_target(&session.run->data, samples[q]);
    if (!status)
        status = kl_alloc(&influences, (size_t)queries.n * kl_collection_size(&session.run->data),
                          sizeof *influences, "the walk", err);
    if (!status)
        status = kl_walk_run(session.run, &queries, &request->parts, influences, err);
    if (!status)
        status = print_all(request, session.run, &queries, influences, err);
    free(influences);
    kl_session_close(&session);
    return status;
}
