#include "core/explain/many/report.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/top.h"
#include "core/explain/query.h"
#include "core/explain/many/votes.h"
#include "core/explain/ranks.h"

struct job {
    const struct kl_history *history;
    struct kl_batch_rows *rows;
    const uint32_t *ids;
    uint32_t n, slice, n_tasks, n_done; /* slices: of how many queries, all, and done */
    uint32_t layer;                     /* from 0 */
    uint32_t n_workers;                 /* slices of a round */
    struct kl_slice **slices;           /* (n_workers) of the round */
    struct kl_report *report;
    double *sample_totals;   /* (n_layers, samples of the run) */
    uint32_t *sample_counts; /* (n_layers, samples of the run) times among the top ten */
    uint32_t *counted;       /* (n_layers, n_datasets, n_datasets) queries in a dispersion */
    kl_report_progress progress;
    void *self;
    pthread_mutex_t lock; /* of the report and what is summed */
};

/* The class with the largest total; among those of a data set, unless it is KL_ANY_CLASS. */
static uint32_t vote_of(const struct kl_history *history, const struct kl_slice *slice, uint32_t q,
                        int dataset)
{
    uint32_t best = 0;
    double most = -1;

    for (uint32_t c = 0; c < history->n_classes; c++) {
        double total = slice->class_totals[(size_t)c * slice->n + q];

        if (total > most &&
            (dataset == KL_ANY_CLASS || history->class_datasets[c] == (uint32_t)dataset)) {
            best = c;
            most = total;
        }
    }
    return best;
}

static uint32_t output_of_class(const struct kl_history *history, uint32_t class)
{
    uint32_t dataset = history->class_datasets[class], first = class;

    while (first > 0 && history->class_datasets[first - 1] == dataset)
        first--;
    return kl_collection_first_output(history->data, dataset) + class - first;
}

/* Counts a vote, by whether it is the query's own and the output that it stands for. */
static void count(const struct kl_history *history, const struct kl_slice *slice, uint32_t q,
                  int is_target, uint32_t output, struct kl_vote *vote)
{
    uint32_t sample = slice->ids[q], n_logits = kl_shape_n_outputs(&history->final->shape);
    const float *logits =
        slice->activations->keys[history->final->shape.n_layers] + (size_t)q * n_logits;
    uint32_t predicted = kl_argmax(logits, n_logits);

    if (predicted == kl_collection_target(history->data, sample)) {
        vote->n_right++;
        vote->target_when_right += is_target ? 1 : 0;
    } else {
        vote->n_wrong++;
        vote->target_when_wrong += is_target ? 1 : 0;
        vote->output_when_wrong += output == predicted ? 1 : 0;
    }
}

static void count_vote(const struct kl_history *history, const struct kl_slice *slice, uint32_t q,
                       uint32_t class, struct kl_vote *vote)
{
    count(history, slice, q, class == history->classes[slice->ids[q]],
          output_of_class(history, class), vote);
}

/* Adds a query's share of attention, and mean over deviation of its class totals, by the data set
 * trained on: shares, dispersions, counted (n_datasets). */
static void add_datasets(const struct kl_history *history, const struct kl_slice *slice, uint32_t q,
                         double *shares, double *dispersions, uint32_t *counted)
{
    uint32_t n_datasets = history->data->n_datasets;
    double all = 0;

    for (uint32_t c = 0; c < history->n_classes; c++)
        all += slice->class_totals[(size_t)c * slice->n + q];
    for (uint32_t d = 0; d < n_datasets; d++) {
        double n = 0, sum = 0, squares = 0, deviation;

        for (uint32_t c = 0; c < history->n_classes; c++) {
            double total = slice->class_totals[(size_t)c * slice->n + q];

            if (history->class_datasets[c] != d)
                continue;
            n++;
            sum += total;
            squares += total * total;
        }
        shares[d] += all > 0 ? sum / all : 0;
        deviation = sqrt(fmax(0, squares / n - sum / n * (sum / n)));
        if (deviation > 0) {
            dispersions[d] += sum / n / deviation;
            counted[d]++;
        }
    }
}

static void add_slice(struct job *job, uint32_t layer, const struct kl_slice *slice)
{
    const struct kl_history *history = job->history;
    uint32_t n_datasets = history->data->n_datasets;
    size_t n_samples = kl_collection_size(history->data);

    for (uint32_t q = 0; q < slice->n; q++) {
        uint32_t d = kl_collection_place(history->data, slice->ids[q]).dataset, output;
        size_t row = (size_t)layer * n_datasets + d;

        count_vote(history, slice, q, vote_of(history, slice, q, KL_ANY_CLASS),
                   &job->report->votes_by_class[row]);
        output = kl_vote_of_slice(history, slice, q);
        count(history, slice, q, output == kl_collection_target(history->data, slice->ids[q]),
              output, &job->report->votes[row]);
        count_vote(history, slice, q, vote_of(history, slice, q, (int)d),
                   &job->report->votes_within[row]);
        if (slice->n_best[q])
            count_vote(history, slice, q, history->classes[slice->best[(size_t)q * KL_REPORT_TOP]],
                       &job->report->votes_first[row]);
        add_datasets(history, slice, q, job->report->attention + row * n_datasets,
                     job->report->dispersion + row * n_datasets, job->counted + row * n_datasets);
        for (uint32_t i = 0; i < slice->n_best[q]; i++)
            job->sample_counts[layer * n_samples + slice->best[(size_t)q * KL_REPORT_TOP + i]]++;
    }
    for (size_t i = 0; i < n_samples; i++)
        job->sample_totals[layer * n_samples + i] += slice->sample_totals[i];
}

/* Asks one of a round's slices about the layer that is under way. */
static enum kl_status ask_slice(void *argument, unsigned worker, unsigned task,
                                struct kl_error *err)
{
    struct job *job = argument;
    const struct kl_history *history = job->history;
    /* A text has more positions than there is room for a sum each, for every query. */
    struct kl_batch_query query = {job->layer, kl_rank_at(0),
                                   kl_history_is_text(history) ? KL_UNIT_PATTERN : KL_UNIT_SAMPLE,
                                   KL_REPORT_TOP, 1};
    enum kl_status status = kl_slice_begin(job->slices[task], &query, NULL, err);

    return status ? status
                  : kl_slice_scan(job->slices[task], worker, 0, history->keys[job->layer]->n_blocks,
                                  err);
}

static enum kl_status finish_slice(void *argument, unsigned worker, unsigned task,
                                   struct kl_error *err)
{
    struct job *job = argument;
    enum kl_status status = kl_slice_finish(job->slices[task], err);

    (void)worker;
    if (status)
        return status;
    pthread_mutex_lock(&job->lock);
    add_slice(job, job->layer, job->slices[task]);
    pthread_mutex_unlock(&job->lock);
    return KL_OK;
}

/* The next slices, one a worker, layer by layer. */
static enum kl_status ask_round(struct kl_pool *pool, struct job *job, struct kl_error *err)
{
    uint32_t left = job->n_tasks - job->n_done;
    uint32_t n = left < job->n_workers ? left : job->n_workers, first = job->n_done * job->slice;
    uint32_t n_asked = job->n - first < n * job->slice ? job->n - first : n * job->slice;
    enum kl_status status =
        kl_slices_create(pool, job->rows, job->ids + first, n_asked, job->slice, job->slices, err);

    for (job->layer = 0; !status && job->layer < job->report->n_layers; job->layer++) {
        status = kl_pool_run(pool, ask_slice, job, n, err);
        for (uint32_t i = 0; !status && i < n; i++)
            status = kl_slice_share(job->slices[i], err);
        if (!status)
            status = kl_pool_run(pool, finish_slice, job, n, err);
    }
    for (uint32_t i = 0; i < n; i++) {
        kl_slice_free(job->slices[i]);
        job->slices[i] = NULL;
    }
    job->n_done += n;
    if (!status && job->progress)
        job->progress(job->self, job->n_done, job->n_tasks);
    return status;
}

static enum kl_status allocate(struct job *job, struct kl_error *err)
{
    struct kl_report *report = job->report;
    size_t n_layers = report->n_layers, n_rows = n_layers * report->n_datasets;
    size_t n_cells = n_rows * report->n_datasets;
    size_t n_samples = n_layers * kl_collection_size(job->history->data);
    enum kl_status status = kl_alloc(&report->votes, n_rows, sizeof *report->votes, "votes", err);

    if (!status)
        status = kl_alloc(&report->votes_by_class, n_rows, sizeof *report->votes, "votes", err);
    if (!status)
        status = kl_alloc(&report->votes_within, n_rows, sizeof *report->votes, "votes", err);
    if (!status)
        status = kl_alloc(&report->votes_first, n_rows, sizeof *report->votes, "votes", err);
    if (!status)
        status = kl_alloc(&report->attention, n_cells, sizeof(double), "the report", err);
    if (!status)
        status = kl_alloc(&report->dispersion, n_cells, sizeof(double), "the report", err);
    if (!status)
        status = kl_alloc(&report->most, n_layers * KL_REPORT_TOP, sizeof *report->most,
                          "the report", err);
    if (!status)
        status = kl_alloc(&report->n_most, n_layers, sizeof(uint32_t), "the report", err);
    if (!status)
        status = kl_alloc(&job->sample_totals, n_samples, sizeof(double), "the report", err);
    if (!status)
        status = kl_alloc(&job->sample_counts, n_samples, sizeof(uint32_t), "the report", err);
    if (!status)
        status = kl_alloc(&job->counted, n_cells, sizeof(uint32_t), "the report", err);
    if (!status)
        status = kl_alloc(&job->slices, job->n_workers, sizeof(*job->slices), "the report", err);
    return status ? status : kl_batch_rows_create(job->history, &job->rows, err);
}

/* From sums over queries to means, and the samples with the largest sums. */
static void conclude(struct job *job)
{
    struct kl_report *report = job->report;
    uint32_t n_datasets = report->n_datasets;
    uint32_t n_samples = kl_collection_size(job->history->data);

    for (size_t row = 0; row < (size_t)report->n_layers * n_datasets; row++) {
        double n = report->votes[row].n_right + report->votes[row].n_wrong;

        for (uint32_t d = 0; d < n_datasets; d++) {
            size_t cell = row * n_datasets + d;

            report->attention[cell] = n > 0 ? report->attention[cell] / n : NAN;
            report->dispersion[cell] =
                job->counted[cell] ? report->dispersion[cell] / job->counted[cell] : NAN;
        }
    }
    for (uint32_t l = 0; l < report->n_layers; l++) {
        const double *totals = job->sample_totals + (size_t)l * n_samples;
        struct kl_top_item items[KL_REPORT_TOP];
        struct kl_top top = {items, 0, KL_REPORT_TOP};
        double all = 0;

        for (uint32_t i = 0; i < n_samples; i++) {
            all += totals[i];
            if (totals[i] > 0)
                kl_top_offer(&top, totals[i], i);
        }
        kl_top_sort(&top);
        report->n_most[l] = top.n;
        for (uint32_t i = 0; i < top.n; i++)
            report->most[(size_t)l * KL_REPORT_TOP + i] = (struct kl_most_attended){
                (uint32_t)items[i].index, items[i].score / all,
                (double)job->sample_counts[(size_t)l * n_samples + items[i].index] / job->n};
    }
}

/* Slices as large as they should be, unless there are not enough for all workers. */
static uint32_t slice_size(uint32_t workers, uint32_t n)
{
    uint32_t even = (n + workers - 1) / workers;

    return even < KL_SLICE ? even : KL_SLICE;
}

enum kl_status kl_report(struct kl_pool *pool, const struct kl_history *history,
                         const uint32_t *ids, uint32_t n, kl_report_progress progress, void *self,
                         struct kl_report *out, struct kl_error *err)
{
    struct kl_report report = {.n_queries = n,
                               .n_layers = history->final->shape.n_layers,
                               .n_datasets = history->data->n_datasets};
    struct job job = {.history = history,
                      .ids = ids,
                      .n = n,
                      .n_workers = kl_pool_n_workers(pool),
                      .report = &report,
                      .progress = progress,
                      .self = self};
    double started = kl_now_ms();
    enum kl_status status = kl_peers_smallest(history->peers, &job.n_workers, err);

    job.slice = slice_size(job.n_workers, n);
    if (!status)
        status = allocate(&job, err);

    job.n_tasks = (n + job.slice - 1) / job.slice;
    pthread_mutex_init(&job.lock, NULL);
    while (!status && job.n_done < job.n_tasks)
        status = ask_round(pool, &job, err);
    if (!status)
        status = kl_peers_sum(history->peers, job.sample_totals,
                              (size_t)report.n_layers * kl_collection_size(history->data), err);
    if (!status)
        conclude(&job);
    report.seconds = (kl_now_ms() - started) / 1e3;
    for (uint32_t l = 0; l < report.n_layers; l++)
        report.flop += 2.0 * (double)history->keys[l]->n_rows * history->keys[l]->width * n;
    pthread_mutex_destroy(&job.lock);
    kl_batch_rows_free(job.rows);
    free(job.sample_totals);
    free(job.sample_counts);
    free(job.counted);
    free(job.slices);
    if (status)
        kl_report_clear(&report);
    else
        *out = report;
    return status;
}

void kl_report_clear(struct kl_report *report)
{
    free(report->votes);
    free(report->votes_by_class);
    free(report->votes_within);
    free(report->votes_first);
    free(report->attention);
    free(report->dispersion);
    free(report->most);
    free(report->n_most);
    memset(report, 0, sizeof *report);
}
