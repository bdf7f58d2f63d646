#include "db/tables/queries.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/memory.h"
#include "core/explain/passes.h"
#include "db/file/database.h"
#include "db/tables/query_rows.h"

struct stored {
    struct kl_queries queries; /* first, so that a pointer to it is one to this */
    pthread_mutex_t lock;      /* of all below */
    struct kl_query_rows own, added;
    char *path;           /* of what was added later */
    char fingerprint[17]; /* of the run */
    struct stat stamp;    /* of that file when it was opened */
};

/* Opens what was added, which has to say that it is of this run. */
static enum kl_status open_added(struct stored *stored, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 0, is_own = 0;
    enum kl_status status = kl_query_open(&stored->added, stored->path, err);

    if (!status)
        status = kl_db_prepare(stored->added.db, "SELECT fingerprint FROM run", &statement, err);
    if (!status)
        status = kl_db_next(statement, &row, err);
    if (!status && row) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);

        is_own = text && !strcmp(text, stored->fingerprint);
    }
    sqlite3_finalize(statement);
    if (!status && !is_own)
        status = kl_fail(err, KL_ERR_FOREIGN,
                         "%s holds samples of another run: remove it, or move it to its run",
                         stored->path);
    if (status)
        kl_query_close(&stored->added);
    return status;
}

/* Takes up what was added since; it comes as a whole, under a name of its own first. */
static enum kl_status refresh(struct stored *stored, struct kl_error *err)
{
    struct stat now;

    if (stat(stored->path, &now)) {
        kl_query_close(&stored->added);
        stored->stamp = (struct stat){0};
        return KL_OK;
    }
    if (now.st_ino == stored->stamp.st_ino && now.st_size == stored->stamp.st_size &&
        now.st_mtim.tv_sec == stored->stamp.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == stored->stamp.st_mtim.tv_nsec)
        return KL_OK;
    kl_query_close(&stored->added);
    stored->stamp = now;
    return open_added(stored, err);
}

/* The file that has a sample, or that a sample is missed in; the lock is held. */
static const struct kl_query_rows *source_of(struct stored *stored, uint32_t sample)
{
    struct kl_error err;

    if (kl_query_has(&stored->own, sample))
        return &stored->own;
    (void)refresh(stored, &err); /* what cannot be read has no samples */
    return kl_query_has(&stored->added, sample) ? &stored->added : &stored->own;
}

static int has_query(void *self, uint32_t sample)
{
    struct stored *stored = self;
    int found;

    pthread_mutex_lock(&stored->lock);
    found = kl_query_has(source_of(stored, sample), sample);
    pthread_mutex_unlock(&stored->lock);
    return found;
}

static enum kl_status list_queries(void *self, uint32_t **out, uint32_t *n, struct kl_error *err)
{
    struct stored *stored = self;
    const struct kl_query_rows *own = &stored->own, *added = &stored->added;
    struct kl_error ignored;
    uint32_t i = 0, j = 0;
    enum kl_status status;

    pthread_mutex_lock(&stored->lock);
    (void)refresh(stored, &ignored);
    *n = 0;
    status = kl_alloc(out, (size_t)own->n + added->n, sizeof **out, "the samples", err);
    while (!status && (i < own->n || j < added->n)) {
        uint32_t next = j == added->n || (i < own->n && own->samples[i] <= added->samples[j])
                            ? own->samples[i]
                            : added->samples[j];

        i += i < own->n && own->samples[i] == next;
        j += j < added->n && added->samples[j] == next;
        (*out)[(*n)++] = next;
    }
    pthread_mutex_unlock(&stored->lock);
    return status;
}

static uint64_t generation(void *self)
{
    struct stored *stored = self;
    struct kl_error ignored;
    uint64_t number;

    pthread_mutex_lock(&stored->lock);
    (void)refresh(stored, &ignored);
    number = (uint64_t)stored->stamp.st_ino * 1000003 +
             (uint64_t)stored->stamp.st_mtim.tv_sec * 31 + (uint64_t)stored->stamp.st_mtim.tv_nsec;
    pthread_mutex_unlock(&stored->lock);
    return number;
}

static enum kl_status read_query_logits(void *self, uint32_t sample, float *logits,
                                        struct kl_error *err)
{
    struct stored *stored = self;
    enum kl_status status;

    pthread_mutex_lock(&stored->lock);
    status = kl_query_logits(source_of(stored, sample), sample, logits, err);
    pthread_mutex_unlock(&stored->lock);
    return status;
}

static enum kl_status read_query(void *self, uint32_t sample, struct kl_activations *activations,
                                 struct kl_error *err)
{
    struct stored *stored = self;
    enum kl_status status;

    pthread_mutex_lock(&stored->lock);
    status = kl_query_keys(source_of(stored, sample), sample, activations, err);
    pthread_mutex_unlock(&stored->lock);
    return status;
}

static enum kl_status read_back(void *self, uint32_t sample, int is_logit, uint32_t output,
                                struct kl_activations *activations, struct kl_error *err)
{
    struct stored *stored = self;
    const struct kl_shape *shape = stored->own.shape;
    const struct kl_query_rows *source;
    uint32_t n = kl_shape_n_outputs(shape), widest = 0;
    const float *weights = kl_pass_weights(activations, is_logit, output);
    float *row = NULL;
    int is_done = 0;
    enum kl_status status;

    for (uint32_t l = 0; l + 1 < shape->n_layers; l++)
        widest = shape->outputs[l] > widest ? shape->outputs[l] : widest;
    status = kl_alloc(&row, widest, sizeof *row, "gradients", err);
    pthread_mutex_lock(&stored->lock);
    source = source_of(stored, sample);
    if (!status && !is_logit)
        status = kl_query_add_loss(source, sample, output, row, activations, &is_done, err);
    for (uint32_t j = 0; !status && !is_done && j < n; j++)
        if (weights[j] != 0)
            status = kl_query_add_gradient(source, sample, j, weights[j], row, activations, err);
    pthread_mutex_unlock(&stored->lock);
    free(row);
    return status;
}

enum kl_status kl_queries_open(const char *path, const char *fingerprint,
                               const struct kl_shape *shape, uint32_t n_samples,
                               struct kl_queries **out, struct kl_error *err)
{
    size_t n_bytes = strlen(path) + sizeof KL_QUERIES_SUFFIX;
    struct stored *stored = NULL;
    enum kl_status status = kl_alloc(&stored, 1, sizeof *stored, "the recorded samples", err);

    if (status)
        return status;
    stored->queries = (struct kl_queries){.self = stored,
                                          .has = has_query,
                                          .list = list_queries,
                                          .generation = generation,
                                          .logits = read_query_logits,
                                          .read = read_query,
                                          .back = read_back};
    stored->own = stored->added = (struct kl_query_rows){.shape = shape, .n_samples = n_samples};
    snprintf(stored->fingerprint, sizeof stored->fingerprint, "%s", fingerprint);
    pthread_mutex_init(&stored->lock, NULL);
    status = kl_alloc(&stored->path, n_bytes, 1, "a name", err);
    if (!status) {
        snprintf(stored->path, n_bytes, "%s" KL_QUERIES_SUFFIX, path);
        status = kl_query_open(&stored->own, path, err);
    }
    if (!status)
        status = refresh(stored, err);
    if (status)
        kl_queries_close(&stored->queries);
    else
        *out = &stored->queries;
    return status;
}

void kl_queries_close(struct kl_queries *queries)
{
    struct stored *stored = (struct stored *)(void *)queries;

    if (!stored)
        return;
    kl_query_close(&stored->own);
    kl_query_close(&stored->added);
    free(stored->path);
    pthread_mutex_destroy(&stored->lock);
    free(stored);
}
