/* A run file that was changed: verify looks at its rows; it is opened, and if that goes well,
 * served, and its layers are verified. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/asked/sample_name.h"
#include "core/explain/verify/keys.h"
#include "core/explain/verify/layers.h"
#include "core/explain/verify/replay.h"
#include "core/explain/verify/signals.h"
#include "db/check.h"
#include "db/split.h"
#include "server/routes.h"
#include "tests/fuzz/lib/edited.h"

static struct kl_pool *pool;

/* What the page asks about the last of its samples. */
static void serve(struct kl_run *run)
{
    char path[100], name[KL_SAMPLE_NAME_MAX];
    struct kl_request request = {.path = path, .body = "", .n_parameters = 1};
    struct kl_served *served = NULL;
    struct kl_service service;
    struct kl_error err;

    if (kl_served_create(pool, kl_peers_none, 0, NULL, &served, &err) || kl_served_add(served, run, &err))
        abort();
    kl_service_init(&service, served, pool);
    kl_sample_name(&run->data, kl_collection_size(&run->data) - 1, name);
    request.parameters[0] = (struct kl_parameter){"sample", name};
    snprintf(path, sizeof path, "/api/v1/runs/%s/attention", run->fingerprint);
    for (int i = 0; i < 2; i++) {
        struct kl_reply reply = {0};

        kl_route(&service, &request, &reply);
        if (!reply.status)
            abort();
        free(reply.owned);
        snprintf(path, sizeof path, "/api/v1/runs/%s", run->fingerprint);
        request.n_parameters = 0;
    }
    kl_service_clear(&service);
    kl_served_free(served);
}

/* What verify asks of the layers. */
static void check_layers(const struct kl_run *run)
{
    const struct kl_history *history = &run->history;
    const struct kl_optimiser *optimiser = kl_training_optimiser(&run->training);
    struct kl_layer_check check;
    struct kl_layer_replay replay;
    struct kl_signals_check signals;
    struct kl_keys_check keys;
    struct kl_reading reading = {run->training.batch_size, run->training.dropout};
    struct kl_error err = {0};

    for (uint32_t l = 0; l < run->training.shape.n_layers; l++) {
        if (!history->errors[l])
            continue;
        fuzz_check(kl_layer_check(pool, history, l, &check, &err), &err);
        fuzz_check(kl_layer_replay(pool, history, optimiser, l, &replay, &err), &err);
    }
    if (history->has_dual && !kl_run_is_recorded(run))
        fuzz_check(kl_signals_check(pool, history, &signals, &err), &err);
    if (!kl_run_is_recorded(run))
        fuzz_check(kl_keys_check(pool, history, reading, &keys, &err), &err);
}

/* What becomes of it is in the first byte: all of this, or one, so that more are tried. */
enum path { ALL, ROWS, SERVE, LAYERS, N_PATHS };

static void open_and(const char *file, enum path path)
{
    struct kl_run *run = NULL;
    struct kl_error err = {0};
    enum kl_status status = kl_run_open(file, 1, &run, &err);

    fuzz_check(status, &err);
    if (status)
        return;
    if (path != LAYERS)
        serve(run);
    if (path != SERVE) {
        err = (struct kl_error){0};
        status = kl_check_run(NULL, run, &err);
        fuzz_check(status, &err);
        if (!status)
            check_layers(run);
    }
    kl_run_close(run);
}

/* It is cut in two, if it is whole. */
static void split(const char *file)
{
    struct kl_paths shards = {0}, beside = {0};
    struct kl_error err = {0};

    fuzz_check(kl_split(file, 2, NULL, NULL, NULL, &shards, &beside, &err), &err);
    for (size_t i = 0; i < shards.n; i++)
        unlink(shards.paths[i]);
    kl_paths_clear(&shards);
    kl_paths_clear(&beside);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    static const char *const templates[] = {"image.keylight", "text.keylight"};
    static const char *const shards[] = {"image.0.keylight", "image.1.keylight"};
    struct fuzz_bytes rest = {bytes, n_bytes};
    struct kl_error err = {0};
    unsigned first = fuzz_byte(&rest);
    enum path path = first / 2 % N_PATHS;
    int is_shard = first >= 160 && first < 240; /* which was changed itself, or the other */
    const char *edited = is_shard && first >= 200 ? "a.keylight" : "run.keylight";
    const char *opened = is_shard && first >= 200 ? shards[1 - first % 2] : edited;

    if (!pool && kl_pool_create(1, &pool, &err))
        abort();
    fuzz_write_edited(is_shard ? shards[first % 2] : templates[first % 2], edited, &rest);
    if (path == ALL || path == ROWS)
        fuzz_check(kl_check_rows(opened, &err), &err);
    if (first >= 240)
        split(opened);
    else if (path != ROWS)
        open_and(opened, path);
    unlink("run.keylight-journal");
    unlink("a.keylight-journal");
    unlink(edited);
    fuzz_check_pieces();
    return 0;
}
