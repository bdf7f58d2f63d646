/* The history as attention needs it: steps, their rules and coefficients, and which sample each
 * pattern was. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/dual/adam.h"
#include "core/explain/influence/decorrelation.h"
#include "core/explain/norms.h"
#include "core/explain/views/class_order.h"
#include "core/explain/views/sample_order.h"
#include "db/file/database.h"
#include "db/run_private.h"

#define RATE_MAX 1e9                    /* of rates, decay, and what gradients were scaled by */
#define PATTERNS_PER_STEP_MAX (1 << 28) /* far more than fits any memory */

static enum kl_status damaged(const char *path, const char *what, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: %s; restore it from a copy or train it again", path, what);
}

/* How many patterns each step has. */
static enum kl_status read_steps(struct kl_run *run, struct kl_error *err)
{
    struct kl_history *history = &run->history;
    uint32_t n_steps = run->training.n_steps, s = 0;
    sqlite3_stmt *statement = NULL;
    uint64_t *numbers = NULL, *starts = NULL;
    int row = 1;
    enum kl_status status =
        kl_alloc(&numbers, (size_t)n_steps + 1, sizeof *numbers, "the steps", err);

    run->private->numbers = starts = numbers;
    if (!status && kl_peers_n(history->peers) > 1)
        status = kl_alloc(&starts, (size_t)n_steps + 1, sizeof *starts, "the steps", err);
    run->private->starts = starts;
    history->numbers = numbers;
    history->starts = starts;
    if (!status)
        status = kl_alloc(&run->losses, n_steps, sizeof *run->losses, "the steps", err);
    if (!status)
        status = kl_db_prepare(run->private->db,
                               "SELECT step, first_showing, count, loss FROM step ORDER BY step",
                               &statement, err);
    for (; !status && !(status = kl_db_next(statement, &row, err)) && row; s++) {
        sqlite3_int64 count = sqlite3_column_int64(statement, 2);

        if (s >= n_steps || sqlite3_column_int64(statement, 0) != s + 1 ||
            sqlite3_column_int64(statement, 1) != (sqlite3_int64)numbers[s] || count < 1 ||
            count > PATTERNS_PER_STEP_MAX) {
            status = damaged(run->path, "its steps do not follow each other", err);
            break;
        }
        numbers[s + 1] = numbers[s] + (uint64_t)count;
        if (s == 0)
            history->patterns_per_step = (uint32_t)count;
        else if (history->patterns_per_step != count)
            history->patterns_per_step = 0;
        if (count > history->most_per_step)
            history->most_per_step = (uint32_t)count;
        run->losses[s] = sqlite3_column_double(statement, 3);
    }
    sqlite3_finalize(statement);
    if (!status && s != n_steps)
        status = damaged(run->path, "steps are missing", err);
    if (!status)
        status = kl_shards_place(run, numbers, starts, err);
    if (history->n_missing || starts != numbers)
        history->patterns_per_step = 0; /* some have none */
    history->n_steps = n_steps;
    history->n_patterns = status ? 0 : starts[n_steps];
    return status;
}

/* Whether a rule is one that could have been followed: NaN is none. */
static int is_rule(const struct kl_step_rule *rule)
{
    return rule->learning_rate >= 0 && rule->learning_rate <= RATE_MAX && rule->momentum >= 0 &&
           rule->momentum <= 1 && rule->weight_decay >= 0 && rule->weight_decay <= RATE_MAX &&
           fabs(rule->clip_factor) <= RATE_MAX;
}

/* The rules of one parameter group. */
static enum kl_status read_group(struct kl_run *run, uint32_t group, struct kl_step_rule *rules,
                                 struct kl_error *err)
{
    uint32_t n_steps = run->training.n_steps, s = 0;
    sqlite3_stmt *statement = NULL;
    int row = 1;
    enum kl_status status =
        kl_db_prepare(run->private->db,
                      "SELECT step, learning_rate, momentum, weight_decay, clip_factor FROM rule "
                      "WHERE parameter_group = ?1 ORDER BY step",
                      &statement, err);

    if (!status)
        sqlite3_bind_int64(statement, 1, group);
    for (; !status && !(status = kl_db_next(statement, &row, err)) && row; s++) {
        if (s >= n_steps || sqlite3_column_int64(statement, 0) != s + 1) {
            status = damaged(run->path, "its steps' rules do not follow each other", err);
            break;
        }
        rules[s] = kl_training_rule(&run->training, s + 1); /* the rest the file has */
        rules[s].learning_rate = sqlite3_column_double(statement, 1);
        rules[s].momentum = sqlite3_column_double(statement, 2);
        rules[s].weight_decay = sqlite3_column_double(statement, 3);
        rules[s].clip_factor = sqlite3_column_double(statement, 4);
        if (!is_rule(&rules[s])) {
            status =
                damaged(run->path, "a step's rule is none that anybody could have trained by", err);
            break;
        }
    }
    sqlite3_finalize(statement);
    return status || s == n_steps ? status : damaged(run->path, "rules of steps are missing", err);
}

static enum kl_status read_rules(struct kl_run *run, struct kl_error *err)
{
    const struct kl_shape *shape = &run->training.shape;
    uint32_t n_steps = run->training.n_steps;
    enum kl_status status = KL_OK;

    run->private->n_groups = 1;
    for (uint32_t l = 0; shape->layers && l < shape->n_layers; l++)
        if (shape->layers[l].group >= run->private->n_groups)
            run->private->n_groups = shape->layers[l].group + 1;
    status = kl_alloc(&run->rules, (size_t)run->private->n_groups * n_steps, sizeof *run->rules,
                      "the steps", err);
    for (uint32_t group = 0; !status && group < run->private->n_groups; group++)
        status = read_group(run, group, run->rules + (size_t)group * n_steps, err);
    return status;
}

/* The samples of one file's patterns, from *at on, which then is behind them. */
static enum kl_status read_shard(const struct kl_run *run, uint32_t i, uint32_t *samples,
                                 uint64_t *at, struct kl_error *err)
{
    uint64_t next = 0, n_patterns = run->shards[i].n_patterns;
    const char *path = run->shards[i].path;
    sqlite3_stmt *statement = NULL;
    int row = 1;
    enum kl_status status = kl_db_prepare(
        run->private->shards[i], "SELECT first, count, data FROM showing_chunk ORDER BY first",
        &statement, err);

    while (!status && !(status = kl_db_next(statement, &row, err)) && row) {
        uint64_t first = (uint64_t)sqlite3_column_int64(statement, 0);
        uint64_t count = (uint64_t)sqlite3_column_int64(statement, 1);

        if (first != run->shards[i].first_pattern + next || count > n_patterns - next ||
            (uint64_t)sqlite3_column_bytes(statement, 2) != count * sizeof(uint32_t)) {
            status = damaged(path, "its patterns do not follow each other", err);
            break;
        }
        memcpy(samples + *at, sqlite3_column_blob(statement, 2), count * sizeof(uint32_t));
        next += count;
        *at += count;
    }
    sqlite3_finalize(statement);
    return status || next == n_patterns ? status : damaged(path, "patterns are missing", err);
}

/* How often each sample was shown, with what the other processes have. */
static enum kl_status count_all(struct kl_run *run, struct kl_error *err)
{
    struct kl_peers *peers = run->history.peers;
    const uint32_t *here = run->private->repetitions_here;
    uint32_t n = kl_collection_size(&run->data), *all = NULL;
    uint64_t *counts = NULL;
    enum kl_status status;

    run->private->repetitions = run->private->repetitions_here;
    run->history.repetitions = here;
    if (kl_peers_n(peers) == 1)
        return KL_OK;
    status = kl_alloc(&all, n, sizeof *all, "the samples", err);
    run->private->repetitions = all;
    run->history.repetitions = all;
    if (!status)
        status = kl_alloc(&counts, n, sizeof *counts, "the samples", err);
    for (uint32_t i = 0; !status && i < n; i++)
        counts[i] = here[i];
    if (!status)
        status = kl_peers_sum_counts(peers, counts, n, err);
    for (uint32_t i = 0; !status && i < n; i++)
        all[i] = (uint32_t)counts[i];
    free(counts);
    return status;
}

static enum kl_status read_patterns(struct kl_run *run, struct kl_error *err)
{
    uint64_t n_patterns = run->history.n_patterns, at = 0;
    uint32_t n_samples = kl_collection_size(&run->data);
    uint32_t *samples = NULL;
    enum kl_status status = kl_alloc(&samples, n_patterns, sizeof *samples, "the patterns", err);

    run->private->samples = samples;
    run->history.samples = samples;
    for (uint32_t i = 0; !status && i < run->n_shards; i++)
        if (kl_shard_is_own(run, i))
            status = read_shard(run, i, samples, &at, err);
    if (!status)
        status = kl_alloc(&run->private->repetitions_here, n_samples, sizeof(uint32_t),
                          "the samples", err);
    run->history.repetitions_here = run->private->repetitions_here;
    for (uint64_t t = 0; !status && t < n_patterns; t++) {
        if (samples[t] >= n_samples ||
            kl_collection_place(&run->data, samples[t]).split != KL_SPLIT_TRAIN)
            status = damaged(run->path, "a pattern is no training sample", err);
        else
            run->private->repetitions_here[samples[t]]++;
    }
    return status ? status : count_all(run, err);
}

static enum kl_status name_class_datasets(struct kl_run *run, struct kl_error *err)
{
    uint32_t *datasets = NULL, class = 0;
    enum kl_status status =
        kl_alloc(&datasets, run->history.n_classes, sizeof *datasets, "the classes", err);

    run->private->class_datasets = datasets;
    run->history.class_datasets = datasets;
    for (uint32_t d = 0; !status && d < run->data.n_datasets; d++)
        for (uint32_t label = 0; label < run->data.datasets[d]->n_classes; label++)
            datasets[class ++] = d;
    return status;
}

/* What the steps made of each layer, by its parameter group. */
static enum kl_status find_coefficients(struct kl_run *run, struct kl_error *err)
{
    struct kl_history *history = &run->history;
    const struct kl_shape *shape = &run->training.shape;
    size_t n_steps = run->training.n_steps, n_groups = run->private->n_groups;
    int is_adaptive = kl_training_optimiser(&run->training)->is_adaptive;
    double *coefficients = NULL, alphas[KL_GROUPS_MAX] = {0};
    enum kl_status status =
        kl_alloc(&coefficients, n_groups * n_steps, sizeof *coefficients, "the coefficients", err);

    run->private->coefficients = coefficients;
    if (status)
        return status;
    for (size_t g = 0; !is_adaptive && g < n_groups; g++)
        kl_coefficients(run->rules + g * n_steps, (uint32_t)n_steps, coefficients + g * n_steps,
                        &alphas[g]);
    for (uint32_t l = 0; l < shape->n_layers; l++) {
        uint32_t group = shape->layers ? shape->layers[l].group : 0;
        struct kl_layer_steps *steps = &history->layers[l];

        steps->rules = run->rules + group * n_steps;
        steps->coefficients = is_adaptive ? NULL : coefficients + group * n_steps;
        steps->bias = !shape->layers || shape->layers[l].has_bias;
        steps->alpha = is_adaptive ? kl_adam_share(history, l) : alphas[group];
        if (!is_adaptive && !isfinite(steps->alpha))
            return damaged(run->path, "its steps have no finite coefficients", err);
    }
    for (size_t i = 0; i < n_groups * n_steps; i++)
        if (!isfinite(coefficients[i]))
            return damaged(run->path, "its steps have no finite coefficients", err);
    return is_adaptive ? kl_adam_create(&history->adam, err) : KL_OK;
}

enum kl_status kl_run_prepare_history(struct kl_run *run, struct kl_error *err)
{
    struct kl_history *history = &run->history;
    const struct kl_shape *shape = &run->training.shape;
    uint32_t *classes = NULL;
    int can_add;
    enum kl_status status =
        kl_alloc(&classes, kl_collection_size(&run->data), sizeof *classes, "the classes", err);

    run->private->classes = classes;
    if (status)
        return status;
    history->data = &run->data;
    history->initial = run->initial;
    history->final = run->final;
    history->classes = classes;
    history->n_classes = kl_collection_classes(&run->data, classes);
    status = name_class_datasets(run, err);
    if (!status)
        status = kl_norms_create(&history->norms, err);
    if (!status)
        status = kl_class_order_store_create(&history->class_order_store, err);
    if (!status)
        status = kl_sample_order_store_create(&history->sample_order_store, err);
    if (!status)
        status = kl_decorrelation_create(&history->decorrelation, err);
    if (!status)
        status = kl_scratch_create(history->n_patterns, &history->scratch, err);
    if (status)
        return status;
    /* Adam's coefficients are made of all gradients. */
    can_add = !run->training.attention_only &&
              !(history->n_missing && kl_training_optimiser(&run->training)->is_adaptive);
    history->has_dual =
        can_add && (!shape->layers || shape->layers[shape->n_layers - 1].has_errors);
    history->is_decoupled = kl_training_optimiser(&run->training)->is_decoupled;
    for (uint32_t l = 0; l < shape->n_layers; l++)
        history->layers[l].alpha = NAN;
    return can_add ? find_coefficients(run, err) : KL_OK;
}

enum kl_status kl_run_read_steps(struct kl_run *run, struct kl_error *err)
{
    enum kl_status status = read_steps(run, err);

    if (!status)
        status = read_rules(run, err);
    return status ? status : read_patterns(run, err);
}
