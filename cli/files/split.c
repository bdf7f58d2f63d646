#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/options/options.h"
#include "cli/output/progress.h"
#include "cli/remedy.h"
#include "db/run.h"
#include "db/split.h"

struct request {
    const char *path, *output;
    uint32_t n_shards;
};

/* What was added to the run later stays where it is. */
static void tell_beside(const char *name, const char *first_shard)
{
    fprintf(stderr, "keylight: %s stays beside the run; the shards have it with: cp %s %s%s\n",
            name, name, first_shard, strrchr(name, '.'));
}

static enum kl_status split(const struct request *request, struct kl_error *err)
{
    struct kl_paths shards = {0}, beside = {0};
    struct kl_counter counter;
    enum kl_status status;

    kl_counter_start(&counter, "MB");
    status = kl_split(request->path, request->n_shards, request->output, kl_counter_show_bytes,
                      &counter, &shards, &beside, err);
    kl_counter_end(&counter);
    if (status == KL_ERR_EXISTS) {
        struct kl_error cause = *err;

        status =
            kl_fail(err, status, "%.400s: move it away, or name another --output", cause.message);
    } else if (status && status != KL_ERR_FULL) { /* the run is as it was */
        status = kl_remedy(err, request->path);
    }
    for (size_t i = 0; !status && i < shards.n; i++)
        puts(shards.paths[i]);
    for (size_t i = 0; !status && i < beside.n; i++)
        tell_beside(beside.paths[i], shards.paths[0]);
    kl_paths_clear(&beside);
    kl_paths_clear(&shards);
    return status;
}

/* Makes the folder, if it is not there. */
static enum kl_status make_folder(const char *folder, int *is_new, struct kl_error *err)
{
    *is_new = 0;
    if (!folder || kl_is_folder(folder))
        return KL_OK;
    if (mkdir(folder, 0777))
        return kl_fail_on(err, KL_ERR_USAGE, "output", "output: cannot make the folder %s: %s",
                          folder, strerror(errno));
    *is_new = 1;
    return KL_OK;
}

enum kl_status kl_cli_split(int argc, char **argv, struct kl_error *err)
{
    struct request request = {0};
    const struct kl_option table[] = {
        {.type = KL_OPTION_NUMBER,
         .name = "shards",
         .value = "N",
         .target = &request.n_shards,
         .low = 2,
         .high = KL_SHARDS_MAX,
         .help = "how many (at most as many as the run has steps)"},
        {.type = KL_OPTION_TEXT,
         .name = "output",
         .value = "FOLDER",
         .target = &request.output,
         .help = "write them there; it is made, if it is not there (default: beside the run)"},
        {.type = KL_OPTION_END}};
    const struct kl_options options = {
        .examples = "a history that outgrows its disk\nkeylight split big.keylight --shards 4 "
                    "--output shards\nas one run\nkeylight serve shards\n",
        .command = "split",
        .usage = "split RUN --shards N [--output FOLDER]",
        .about =
            "Cuts a run into N files by its steps, of about as many patterns each, and prints "
            "their names: RUN.0.keylight, which has its data and weights, too, RUN.1.keylight and "
            "so on. The run stays as it is. Any of the files, or the folder that they are in, "
            "stands for the run in every command, with the same answers and the same links. "
            "What is beside one another is found, links too; 'keylight serve' also takes files in "
            "several folders. Where some but the first are missing, what is asked is answered from "
            "the others, and said to be from a share of the history. They cannot be put together "
            "again: keep the run, or all of them.",
        .options = table};
    int n_operands, is_done, is_new = 0;
    enum kl_status status = kl_options_parse(&options, argc, argv, &n_operands, &is_done, err);

    if (status || is_done)
        return status;
    status = kl_one_operand(argv, n_operands, "run file", &request.path, err);
    if (!status && !request.n_shards)
        status = kl_fail_on(err, KL_ERR_USAGE, "shards", "shards says into how many files");
    if (!status)
        status = kl_check_path("output", request.output, err);
    if (!status)
        status = make_folder(request.output, &is_new, err);
    if (!status)
        status = split(&request, err);
    if (status && is_new)
        rmdir(request.output);
    return status;
}
