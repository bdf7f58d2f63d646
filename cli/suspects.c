#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options/options.h"
#include "cli/output/json.h"
#include "cli/output/names.h"
#include "cli/output/progress.h"
#include "cli/session.h"
#include "core/data/csv.h"
#include "core/explain/many/suspects.h"
#include "api/answers.h"

#define DEFAULT_TOP 20

struct request {
    const char *path;
    uint32_t top; /* 0: the default */
    int json, csv, helped;
};

static enum kl_status parse(int argc, char **argv, struct request *request, struct kl_error *err)
{
    const struct kl_option table[] = {{.type = KL_OPTION_NUMBER,
                                       .name = "top",
                                       .value = "N",
                                       .target = &request->top,
                                       .low = 1,
                                       .high = UINT32_MAX,
                                       .help = "how many (default 20; with --csv all)"},
                                      {.type = KL_OPTION_FLAG,
                                       .name = "json",
                                       .target = &request->json,
                                       .help = "as the API's JSON (GET /api/v1/runs/RUN/suspects)"},
                                      {.type = KL_OPTION_FLAG,
                                       .name = "csv",
                                       .target = &request->csv,
                                       .help = "a table of all training samples"},
                                      {.type = KL_OPTION_END}};
    const struct kl_options options = {
        .examples =
            "the hundred likeliest\nkeylight suspects pets.keylight --top 100\n"
            "all, for a spreadsheet\nkeylight suspects pets.keylight --csv > suspects.csv\n",
        .command = "suspects",
        .usage = "suspects RUN [--top N] [--json | --csv]",
        .about =
            "Ranks training samples by how much the memory of themselves, and not that of the "
            "others, supports their label: labels that are likely wrong come first.\n\n"
            "own: how much of its answer the sample had to teach by itself: the squared error of "
            "the network's answer, summed over its showings, in standard deviations\n"
            "others: share of other labels among its ten nearest neighbours (cosine of pixels)\n"
            "score: own + 4 others\n"
            "loss: the sample's loss summed over its showings: the usual baseline\n\n"
            "If labels were flipped on purpose (train --label-noise), the area under the ROC curve "
            "of finding them is printed for the score, for own and for the loss.",
        .options = table};
    int n_operands;
    enum kl_status status =
        kl_options_parse(&options, argc, argv, &n_operands, &request->helped, err);

    if (status || request->helped)
        return status;
    if (request->json && request->csv)
        return kl_fail(err, KL_ERR_USAGE, "choose one of --json and --csv");
    return kl_one_operand(argv, n_operands, "run file", &request->path, err);
}

/* What is said of a suspect, in names. */
struct named {
    const char *split, *dataset, *label, *true_label, *suggested, *path, *duplicate; /* or "" */
    char *called;                                                                    /* owned */
};

static struct named name_it(const struct kl_run *run, const struct kl_suspect *one,
                            const struct kl_sample *sample)
{
    const struct kl_dataset *dataset = run->data.datasets[sample->place.dataset];
    const char *path = kl_dataset_path(dataset, sample->place.split, sample->place.index);
    struct named named = {.split = kl_split_name(sample->place.split),
                          .dataset = dataset->name,
                          .label = kl_dataset_class_name(dataset, sample->label),
                          .true_label = "",
                          .suggested = "",
                          .path = path ? path : "",
                          .duplicate = "",
                          .called = kl_collection_output_name(&run->data, sample->predicted)};

    if (sample->label != sample->true_label)
        named.true_label = kl_dataset_class_name(dataset, sample->true_label);
    if (one->suggested != KL_NO_LABEL)
        named.suggested = kl_dataset_class_name(dataset, one->suggested);
    if (one->duplicate >= 0) {
        struct kl_sample_place place = kl_collection_place(&run->data, (uint32_t)one->duplicate);

        path = kl_dataset_path(run->data.datasets[place.dataset], place.split, place.index);
        named.duplicate = path ? path : "yes";
    }
    return named;
}

static void print_row(const struct kl_run *run, uint32_t rank, const struct kl_suspect *one,
                      const struct kl_sample *sample, const struct named *named)
{
    char name[KL_NAME_MAX + 32], share[16] = "";

    snprintf(name, sizeof name, "%s/%s/%u", named->split, named->dataset, sample->place.index);
    if (one->suggested != KL_NO_LABEL)
        snprintf(share, sizeof share, "%.0f %%", 100 * one->suggested_share);
    printf("%4u  %-26s ", rank, name);
    kl_print_name(named->label, 14);
    putchar(' ');
    kl_print_name(named->called ? named->called : "", 14);
    putchar(' ');
    kl_print_name(named->suggested, 14);
    printf(" %5s ", share);
    kl_print_name(named->true_label, 14);
    printf(" %7.2f %7.2f %7.2f %8.3f", one->score, one->own, one->others, one->loss);
    kl_print_words("  ", run->data.datasets[sample->place.dataset], sample->place.split,
                   sample->place.index);
    if (*named->duplicate) {
        printf("  (nearly the same as ");
        kl_print_name(named->duplicate, 0);
        putchar(')');
    }
    putchar('\n');
}

static enum kl_status print_table(struct kl_run *run, const struct kl_suspects *suspects,
                                  uint32_t top, struct kl_error *err)
{
    printf("%4s  %-26s %-14s %-14s %-20s %-14s %7s %7s %7s %8s  %s\n", "rank", "sample", "label",
           "called", "suggested", "true label", "score", "own", "others", "loss",
           run->data.datasets[0]->channels ? "file" : "description");
    for (uint32_t i = 0; i < top; i++) {
        const struct kl_suspect *one = &suspects->samples[i];
        struct kl_sample sample;
        struct named named;

        if (kl_samples_get(run, one->sample, &sample, err))
            return err->status;
        named = name_it(run, one, &sample);
        print_row(run, i + 1, one, &sample, &named);
        free(named.called);
    }
    if (!isnan(suspects->auc))
        printf("\nFinding the flipped labels: ROC AUC %.4f by score (%.4f by own, %.4f by loss)\n",
               suspects->auc, suspects->auc_own, suspects->auc_loss);
    return KL_OK;
}

static enum kl_status print_csv(struct kl_run *run, const struct kl_suspects *suspects,
                                uint32_t top, struct kl_error *err)
{
    printf("rank,dataset,split,index,file,label,predicted,suggested,suggested_share,true_label,"
           "near_duplicate,score,own,others,loss\n");
    for (uint32_t i = 0; i < top; i++) {
        const struct kl_suspect *one = &suspects->samples[i];
        struct kl_sample sample;
        struct named named;

        if (kl_samples_get(run, one->sample, &sample, err))
            return err->status;
        named = name_it(run, one, &sample);
        printf("%u,", i + 1);
        kl_csv_text(stdout, named.dataset);
        printf(",%s,%u,", named.split, sample.place.index);
        kl_csv_text(stdout, named.path);
        putchar(',');
        kl_csv_text(stdout, named.label);
        putchar(',');
        kl_csv_text(stdout, named.called);
        putchar(',');
        kl_csv_text(stdout, named.suggested);
        if (one->suggested == KL_NO_LABEL)
            putchar(',');
        else
            printf(",%.7g", one->suggested_share);
        putchar(',');
        kl_csv_text(stdout, named.true_label);
        putchar(',');
        kl_csv_text(stdout, named.duplicate);
        printf(",%.7g,%.7g,%.7g,%.7g\n", one->score, one->own, one->others, one->loss);
        free(named.called);
    }
    return KL_OK;
}

static enum kl_status print(const struct request *request, struct kl_run *run,
                            const struct kl_suspects *suspects, struct kl_error *err)
{
    uint32_t top = request->top ? request->top : request->csv ? suspects->n : DEFAULT_TOP;
    char *text = NULL;
    enum kl_status status;

    top = top < suspects->n ? top : suspects->n;
    if (request->csv)
        return print_csv(run, suspects, top, err);
    if (!request->json)
        return print_table(run, suspects, top, err);
    status = kl_json_suspects(run, suspects, 0, top, &text, err);
    return status ? status : kl_print_json(text, err);
}

enum kl_status kl_cli_suspects(int argc, char **argv, struct kl_error *err)
{
    struct request request = {0};
    struct kl_session session = {NULL, NULL};
    struct kl_counter counter;
    struct kl_suspects suspects = {0};
    enum kl_status status = parse(argc, argv, &request, err);

    if (status || request.helped)
        return status;
    status = kl_session_open(request.path, &session, err);
    if (status)
        goto out;
    if (kl_history_is_text(&session.run->history)) {
        status = kl_fail(err, KL_ERR_USAGE, "%s is a run of text: it has no labels to suspect",
                         request.path);
        goto out;
    }
    kl_counter_start(&counter, "samples");
    status = kl_suspects(session.pool, &session.run->history, 0, kl_counter_show, &counter,
                         &suspects, err);
    kl_counter_end(&counter);
    if (status)
        goto out;
    status = print(&request, session.run, &suspects, err);
out:
    kl_suspects_clear(&suspects);
    kl_session_close(&session);
    return status;
}
