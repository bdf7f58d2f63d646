#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/output/progress.h"
#include "cli/remedy.h"
#include "cli/train_options.h"
#include "core/base/blas.h"
#include "core/base/clock.h"
#include "core/base/pool.h"
#include "core/data/corrections.h"
#include "core/data/loading.h"
#include "core/training/loop.h"
#include "db/marks.h"
#include "db/results.h"
#include "db/writer.h"

#define DENSE_OUTPUTS_MAX 1024 /* of more, error signals are recorded in part */
#define DEFAULT_ERROR_ENTRIES 64

static enum kl_status load_data(const struct kl_train_request *request, struct kl_collection *data,
                                struct kl_error *err)
{
    const struct kl_training *training = &request->training;
    struct kl_corrections corrections = {0};
    const struct kl_correction *unused;
    enum kl_status status =
        request->corrections ? kl_corrections_read(request->corrections, &corrections, err) : KL_OK;

    if (!status && request->corrections && kl_training_model(training)->kind == KL_DATA_TEXT)
        status = kl_fail(err, KL_ERR_USAGE, "--corrections are for images: texts have no labels");
    data->heads = (enum kl_heads)training->heads;
    for (uint32_t d = 0; !status && d < request->n_data; d++) {
        if (kl_training_model(training)->kind == KL_DATA_TEXT)
            status =
                kl_text_load(request->data[d], &training->selection.text, &data->datasets[d], err);
        else
            status =
                kl_dataset_load(request->data[d], d, &training->selection, &data->datasets[d], err);
        if (status)
            break;
        data->n_datasets++;
        status = kl_select(data->datasets[d], d, &training->selection, &corrections, err);
    }
    unused = kl_corrections_unused(&corrections);
    if (!status && unused)
        status = kl_fail(err, KL_ERR_INPUT,
                         "%s corrects %s/%s/%s, which is not in the data: take that row out, or "
                         "name the data that it is of",
                         request->corrections, unused->split, unused->dataset,
                         *unused->file ? unused->file : "(its index)");
    if (!status && request->corrections && !request->quiet)
        fprintf(stderr, "%s: %u corrected label%s, %u marked wrong without the right class\n",
                request->corrections, corrections.n, corrections.n == 1 ? "" : "s",
                corrections.n_without);
    kl_corrections_clear(&corrections);
    return status ? status : kl_collection_check(data, err);
}

/* How many patterns one pass over the data has. */
static uint64_t pass_of(const struct kl_collection *data)
{
    uint64_t n = 0;

    for (uint32_t d = 0; d < data->n_datasets; d++)
        n += data->datasets[d]->splits[KL_SPLIT_TRAIN].count;
    return n;
}

/* A run without a name of its own is called after its data. */
static void name_after_data(struct kl_training *training, const struct kl_collection *data)
{
    size_t used = 0;

    for (uint32_t d = 0; d < data->n_datasets && used < sizeof training->name; d++)
        used += (size_t)snprintf(training->name + used, sizeof training->name - used, "%s%s",
                                 d ? "+" : "", data->datasets[d]->name);
}

/* What is to be known about the data; steps: how many they decided; 0: they did not. */
static void print_notes(const struct kl_collection *data, uint32_t steps)
{
    for (uint32_t d = 0; d < data->n_datasets; d++)
        kl_print_notes(data->datasets[d]->name, &data->datasets[d]->notes);
    if (steps)
        fprintf(stderr,
                "%u steps: some twenty passes over the data (--steps sets another number)\n",
                steps);
}

/* What people marked in a run that was replaced, and what was found out of it, stays. */
static enum kl_status keep_findings(const char *output, int is_quiet, struct kl_error *err)
{
    char *marks = NULL, *results = NULL;
    enum kl_status status = kl_marks_set_aside(output, &marks, err);

    if (!status)
        status = kl_results_set_aside(output, &results, err);
    if (marks && !is_quiet)
        fprintf(stderr, "The marks of the run that was replaced are in %s now.\n", marks);
    if (results && !is_quiet)
        fprintf(stderr, "What retraining had shown of it is in %s now.\n", results);
    free(marks);
    free(results);
    return status;
}

static enum kl_status prepare(struct kl_train_request *request, struct kl_collection *data,
                              struct kl_training_state *state, struct kl_writer **writer,
                              char *output, size_t output_bytes, struct kl_error *err)
{
    struct kl_training *training = &request->training;
    int fitted;
    enum kl_status status;

    status = kl_training_check(training, err);
    if (!status)
        status = kl_training_check_schedule(training, request->n_data, err);
    if (!status)
        status = load_data(request, data, err);
    if (!status && !kl_setting_given(&request->settings, "error_entries") &&
        kl_training_model(training)->kind == KL_DATA_TEXT && !training->attention_only)
        training->error_entries =
            kl_collection_n_outputs(data) > DENSE_OUTPUTS_MAX ? DEFAULT_ERROR_ENTRIES : 0;
    if (!status)
        status = kl_training_fit(training, data, err);
    if (!status)
        status = kl_training_check_memory(training, err);
    if (status)
        return status;
    fitted = kl_train_fit_steps(request, pass_of(data));
    if (!kl_setting_given(&request->settings, "name") && !request->is_preset_as_it_is)
        name_after_data(training, data);
    status = kl_training_start(training, state, err);
    if (status)
        return status;
    if (request->output)
        snprintf(output, output_bytes, "%s", request->output);
    else
        snprintf(output, output_bytes, "%s.keylight", training->name);
    status = kl_writer_create(output, request->force, training, data, state, writer, err);
    if (status)
        return kl_remedy(err, output);
    if (!request->quiet)
        print_notes(data, fitted ? training->n_steps : 0);
    return KL_OK;
}

static void print_result(const char *output, const struct kl_training *training, double seconds)
{
    struct stat info;
    double bytes = stat(output, &info) == 0 ? (double)info.st_size : 0;

    printf("%s: %u steps, %llu patterns, %.1f MB, %.1f s\n", output, training->n_steps,
           (unsigned long long)training->n_steps * kl_training_patterns(training), bytes / 1e6,
           seconds);
    printf("Explore it with: keylight serve %s\n", output);
}

/* What is left of a training that failed: a run that has learned nothing yet goes, one that has
 * stays as of its last checkpoint. Ends the writer. */
static enum kl_status tell_failure(const struct kl_train_request *request, const char *output,
                                   struct kl_writer *writer, struct kl_error *err)
{
    struct kl_error cause = *err;
    uint32_t steps_kept = kl_writer_settle(writer);
    int is_hopeless = err->status == KL_ERR_DIVERGED || err->status == KL_ERR_INPUT;

    if (is_hopeless && steps_kept == 0 && !request->resume) {
        kl_writer_drop(writer);
        return kl_remedy(err, output);
    }
    kl_writer_close(writer);
    if (err->status == KL_ERR_INTERRUPTED)
        return kl_fail(err, cause.status, "%.200s: go on with 'keylight train --resume %.250s'",
                       cause.message, output);
    kl_remedy(err, output);
    if (!is_hopeless)
        return err->status;
    cause = *err;
    return kl_fail_on(err, cause.status, cause.parameter,
                      "%.400s, in a new run: %.250s" KL_PART " keeps the %u steps up to its last "
                      "checkpoint, and going on from there would end the same way",
                      cause.message, output, steps_kept);
}

/* A run is named by what it is to be, whichever of its two names is said. */
static void name_resumed(const char *path, char *output, size_t n_bytes)
{
    size_t length = strlen(path), suffix = strlen(KL_PART);
    int is_part = length > suffix && !strcmp(path + length - suffix, KL_PART);

    snprintf(output, n_bytes, "%.*s", (int)(is_part ? length - suffix : length), path);
}

static enum kl_status train(struct kl_train_request *request, struct kl_error *err)
{
    struct kl_collection data = {0};
    struct kl_training_state state = {0};
    struct kl_writer *writer = NULL;
    struct kl_pool *pool = NULL;
    struct kl_recorder recorder;
    struct kl_progress progress;
    struct kl_meter meter = {0};
    char output[4096];
    enum kl_status status = kl_blas_reserve(kl_pool_processors() + 1, err);

    if (!status) /* workers, and this thread */
        status = kl_pool_create(0, &pool, err);
    if (status)
        return status;
    if (request->resume) {
        name_resumed(request->resume, output, sizeof output);
        status = kl_writer_resume(output, request->force, &writer, &request->training, &data,
                                  &state, err);
        if (status && status != KL_ERR_EXISTS) /* it is finished: there is nothing to do */
            kl_remedy(err, output);
    } else {
        status = prepare(request, &data, &state, &writer, output, sizeof output, err);
    }
    if (!status) {
        kl_meter_start(&meter, request->training.n_steps, state.steps_done, request->quiet);
        recorder = kl_writer_recorder(writer);
        progress = kl_meter_progress(&meter);
        status = kl_train(pool, &request->training, &data, &state, &recorder, &progress, err);
        kl_meter_end(&meter);
        if (status)
            tell_failure(request, output, writer, err);
        else
            kl_writer_close(writer);
    }
    if (!status)
        status = keep_findings(output, request->quiet, err);
    if (!status)
        print_result(output, &request->training, kl_now_ms() / 1e3 - meter.started);
    kl_training_state_clear(&state);
    kl_collection_clear(&data);
    kl_pool_free(pool);
    return status;
}

enum kl_status kl_cli_train(int argc, char **argv, struct kl_error *err)
{
    struct kl_train_request request;
    enum kl_status status = kl_train_parse(argc, argv, &request, err);

    return status || request.is_help ? status : train(&request, err);
}
