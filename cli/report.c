#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/job/job.h"
#include "cli/options/options.h"
#include "cli/output/json.h"
#include "cli/output/names.h"
#include "cli/output/progress.h"
#include "cli/output/report_html.h"
#include "cli/session.h"
#include "cli/output/text_output.h"
#include "core/explain/many/report.h"
#include "api/answers.h"

#define TEXT_SAMPLES 1000 /* of a text, unless it is said otherwise */

struct request {
    const char *path, *html;
    uint32_t samples;
    int json, csv, helped;
};

static enum kl_status parse(int argc, char **argv, struct request *request, struct kl_error *err)
{
    const struct kl_option table[] = {
        {.type = KL_OPTION_NUMBER,
         .name = "samples",
         .value = "N",
         .target = &request->samples,
         .low = 1,
         .high = UINT32_MAX,
         .help = "ask N test samples, evenly spread (default: all, which takes minutes on a large "
                 "run; of a text 1000 positions)"},
        {.type = KL_OPTION_FLAG,
         .name = "json",
         .target = &request->json,
         .help = "one JSON object"},
        {.type = KL_OPTION_FLAG,
         .name = "csv",
         .target = &request->csv,
         .help = "one table: what, layer, asked, trained, item, value"},
        {.type = KL_OPTION_TEXT,
         .name = "html",
         .value = "FILE",
         .target = &request->html,
         .help = "one page with the plots and pictures, that needs nothing else"},
        {.type = KL_OPTION_END}};
    const struct kl_options options = {
        .examples =
            "tables of the paper, with plots\nkeylight report quick.keylight --html report.html\n"
            "more test samples, for a spreadsheet\nkeylight report quick.keylight --samples 2000 "
            "--csv > report.csv\n",
        .command = "report",
        .usage = "report RUN [--samples N] [--json | --csv | --html FILE]",
        .about =
            "Asks many test samples and prints the tables of the paper: accuracy; the class vote "
            "(the training class with the largest sum of |attention|) against the label and "
            "against what the network said, for right and wrong predictions; where attention goes "
            "by data set; mean over deviation of the class totals; accuracy along the training; "
            "the most attended samples.\n\n"
            "Of a run of text: bits per token and perplexity, the vote of the tokens that followed "
            "what is attended to, and the most attended positions.",
        .options = table};
    int n_operands;
    enum kl_status status;

    request->samples = UINT32_MAX;
    status = kl_options_parse(&options, argc, argv, &n_operands, &request->helped, err);
    if (status || request->helped)
        return status;
    if (request->json + request->csv + (request->html != NULL) > 1)
        return kl_fail(err, KL_ERR_USAGE, "choose one of --json, --csv and --html");
    return kl_one_operand(argv, n_operands, "run file", &request->path, err);
}

static double share(uint32_t part, uint32_t whole)
{
    return whole ? (double)part / whole : NAN;
}

static void print_percent(double value)
{
    if (isnan(value))
        printf("  %12s", "-");
    else
        printf("  %10.1f %%", 100 * value);
}

static void print_votes(const struct kl_run *run, const struct kl_report *report,
                        const struct kl_vote *table, const char *among)
{
    printf("\n%s\nclass vote    layer   vote = target,   vote = target,   vote = output,    right  "
           "wrong\n"
           "                      right ones       wrong ones       wrong ones\n",
           among);
    for (uint32_t d = 0; d < report->n_datasets; d++) {
        for (uint32_t l = 0; l < report->n_layers; l++) {
            const struct kl_vote *vote = &table[l * report->n_datasets + d];

            printf("%-13.13s %5u", run->data.datasets[d]->name, l + 1);
            print_percent(share(vote->target_when_right, vote->n_right));
            printf("   ");
            print_percent(share(vote->target_when_wrong, vote->n_wrong));
            printf("   ");
            print_percent(share(vote->output_when_wrong, vote->n_wrong));
            printf("  %7u %6u\n", vote->n_right, vote->n_wrong);
        }
    }
}

static void print_datasets(const struct kl_run *run, const struct kl_report *report)
{
    printf("\nasked         layer   attends to      share of |a|   mean / deviation of its class "
           "totals\n");
    for (uint32_t d = 0; d < report->n_datasets; d++)
        for (uint32_t l = 0; l < report->n_layers; l++)
            for (uint32_t trained = 0; trained < report->n_datasets; trained++) {
                size_t cell = ((size_t)l * report->n_datasets + d) * report->n_datasets + trained;

                printf("%-13.13s %5u   %-13.13s", run->data.datasets[d]->name, l + 1,
                       run->data.datasets[trained]->name);
                print_percent(report->attention[cell]);
                if (isnan(report->dispersion[cell]))
                    printf("   %10s\n", "-");
                else
                    printf("   %10.2f\n", report->dispersion[cell]);
            }
}

static void print_curve(const struct kl_run *run)
{
    printf("\ntest accuracy along the training\n%10s", "step");
    for (uint32_t d = 0; d < run->data.n_datasets; d++)
        printf("  %14.14s", run->data.datasets[d]->name);
    for (uint32_t i = 0; i < run->n_curve; i++) {
        if (run->curve[i].dataset == 0)
            printf("\n%10u", run->curve[i].step);
        printf("  %12.2f %%", 100 * run->curve[i].accuracy);
    }
    printf("\n");
    for (uint32_t i = 0; i < run->training.n_switches; i++)
        printf("After step %u: %s.\n", run->training.switches[i], run->data.datasets[i + 1]->name);
}

static void print_most(const struct kl_run *run, const struct kl_report *report)
{
    printf("\nmost attended   layer  training sample             label           share of |a|   "
           "in the top ten of\n");
    for (uint32_t l = 0; l < report->n_layers; l++)
        for (uint32_t i = 0; i < report->n_most[l]; i++) {
            const struct kl_most_attended *most = &report->most[l * KL_REPORT_TOP + i];
            struct kl_sample_place place = kl_collection_place(&run->data, most->sample);
            const struct kl_dataset *dataset = run->data.datasets[place.dataset];
            char name[KL_NAME_MAX + 32];

            snprintf(name, sizeof name, "%s/%u", dataset->name, place.index);
            printf("%13u %7u  %-26s  ", i + 1, l + 1, name);
            kl_print_name(
                kl_dataset_class_name(dataset, kl_collection_label(&run->data, most->sample)), 14);
            printf("  %10.4f %%  %16.1f %%\n", 100 * most->share, 100 * most->top_ten);
        }
}

static void print_report(const struct kl_run *run, const struct kl_accuracy *accuracies,
                         uint32_t n_accuracies, const struct kl_report *report)
{
    printf("%s (%s): %u test samples asked, %.1f s\n\n", run->training.name, run->fingerprint,
           report->n_queries, report->seconds);
    for (uint32_t i = 0; i < n_accuracies; i++)
        printf("accuracy on %s %s: %.2f %% of %llu\n",
               run->data.datasets[accuracies[i].dataset]->name, kl_split_name(accuracies[i].split),
               100 * (double)accuracies[i].n_right / (double)accuracies[i].n_samples,
               (unsigned long long)accuracies[i].n_samples);
    if (kl_history_is_text(&run->history)) {
        if (!isnan(kl_run_test_bits(run)))
            printf("test: %.4f bits per token, perplexity %.3f, accuracy %.2f %%\n",
                   kl_run_test_bits(run), pow(2, kl_run_test_bits(run)),
                   100 * kl_run_test_accuracy(run));
        print_votes(run, report, report->votes,
                    "The next token with the largest sum of |attention| on what it followed");
        print_votes(run, report, report->votes_first, "The token after the most attended position");
        kl_print_text_curve(run);
        kl_print_text_most(run, report);
        return;
    }
    print_votes(run, report, report->votes, "The class with the largest sum of |attention|");
    if (report->n_datasets > 1)
        print_votes(run, report, report->votes_by_class,
                    "The same with the classes of every data set by themselves");
    if (report->n_datasets > 1)
        print_votes(run, report, report->votes_within, "The same among the sample's own data set");
    print_datasets(run, report);
    print_curve(run);
    print_most(run, report);
}

static void csv_row(const char *what, uint32_t layer, const char *asked, const char *trained,
                    const char *item, double value)
{
    printf("%s,", what);
    if (layer)
        printf("%u", layer);
    printf(",%s,%s,%s,", asked, trained, item);
    if (!isnan(value))
        printf("%.9g", value);
    printf("\n");
}

static void csv_vote(const char *what, uint32_t layer, const char *asked,
                     const struct kl_vote *vote)
{
    csv_row(what, layer, asked, "", "right", vote->n_right);
    csv_row(what, layer, asked, "", "wrong", vote->n_wrong);
    csv_row(what, layer, asked, "", "target_when_right",
            share(vote->target_when_right, vote->n_right));
    csv_row(what, layer, asked, "", "target_when_wrong",
            share(vote->target_when_wrong, vote->n_wrong));
    csv_row(what, layer, asked, "", "output_when_wrong",
            share(vote->output_when_wrong, vote->n_wrong));
}

static void print_csv_layers(const struct kl_run *run, const struct kl_report *report)
{
    for (uint32_t l = 0; l < report->n_layers; l++) {
        for (uint32_t d = 0; d < report->n_datasets; d++) {
            const char *asked = run->data.datasets[d]->name;

            csv_vote("vote", l + 1, asked, &report->votes[l * report->n_datasets + d]);
            csv_vote("vote_first", l + 1, asked, &report->votes_first[l * report->n_datasets + d]);
            if (kl_history_is_text(&run->history))
                continue;
            csv_vote("vote_by_dataset_class", l + 1, asked,
                     &report->votes_by_class[l * report->n_datasets + d]);
            csv_vote("vote_within", l + 1, asked,
                     &report->votes_within[l * report->n_datasets + d]);
            for (uint32_t trained = 0; trained < report->n_datasets; trained++) {
                size_t cell = ((size_t)l * report->n_datasets + d) * report->n_datasets + trained;
                const char *name = run->data.datasets[trained]->name;

                csv_row("attention", l + 1, asked, name, "share", report->attention[cell]);
                csv_row("attention", l + 1, asked, name, "mean_over_deviation",
                        report->dispersion[cell]);
            }
        }
        for (uint32_t i = 0; i < report->n_most[l]; i++) {
            const struct kl_most_attended *most = &report->most[l * KL_REPORT_TOP + i];
            struct kl_sample_place place = kl_collection_place(&run->data, most->sample);
            const char *name = run->data.datasets[place.dataset]->name;
            char item[32];

            snprintf(item, sizeof item, "train/%u", place.index);
            csv_row("most_attended_share", l + 1, "", name, item, most->share);
            csv_row("most_attended_top_ten", l + 1, "", name, item, most->top_ten);
        }
    }
}

static void print_csv(const struct kl_run *run, const struct kl_accuracy *accuracies,
                      uint32_t n_accuracies, const struct kl_report *report)
{
    printf("what,layer,asked,trained,item,value\n");
    for (uint32_t i = 0; i < n_accuracies; i++)
        csv_row("accuracy", 0, run->data.datasets[accuracies[i].dataset]->name, "",
                kl_split_name(accuracies[i].split),
                (double)accuracies[i].n_right / (double)accuracies[i].n_samples);
    if (kl_history_is_text(&run->history))
        csv_row("bits_per_token", 0, run->data.datasets[0]->name, "", "test",
                kl_run_test_bits(run));
    print_csv_layers(run, report);
    for (uint32_t i = 0; i < run->n_curve; i++) {
        char item[32];

        snprintf(item, sizeof item, "step %u", run->curve[i].step);
        csv_row("curve", 0, run->data.datasets[run->curve[i].dataset]->name, "", item,
                run->curve[i].accuracy);
    }
}

static enum kl_status print(const struct request *request, struct kl_run *run,
                            const struct kl_report *report, struct kl_error *err)
{
    struct kl_accuracy accuracies[KL_DATASETS_MAX * KL_N_SPLITS];
    uint32_t n = 0;
    enum kl_status status = KL_OK;

    /* What a position is predicted as depends on how much is read before it: no text keeps that. */
    if (!kl_history_is_text(&run->history))
        status = kl_samples_accuracies(run, accuracies, &n, err);
    if (status)
        return status;
    if (request->html)
        return kl_html_write(request->html, run, accuracies, n, report, err);
    if (request->csv) {
        print_csv(run, accuracies, n, report);
    } else if (request->json) {
        return kl_print_json(kl_json_report(run, accuracies, n, report), err);
    } else {
        print_report(run, accuracies, n, report);
    }
    return KL_OK;
}

enum kl_status kl_cli_report(int argc, char **argv, struct kl_error *err)
{
    struct request request = {0};
    struct kl_session session = {NULL, NULL};
    struct kl_counter counter;
    struct kl_report report = {0};
    uint32_t *ids = NULL, n = 0;
    enum kl_status status = parse(argc, argv, &request, err);

    if (status || request.helped)
        return status;
    status = kl_session_open(request.path, &session, err);
    if (status)
        goto out;
    if (request.html && kl_history_is_text(&session.run->history)) {
        status = kl_fail(err, KL_ERR_USAGE,
                         "--html shows images: for a run of text use --json or --csv");
        goto out;
    }
    if (request.samples == UINT32_MAX && kl_history_is_text(&session.run->history))
        request.samples = TEXT_SAMPLES;
    if (request.html)
        status = kl_html_check(request.html, request.path, err);
    if (status)
        goto out;
    status = kl_batch_query_choose(&session.run->history, request.samples, &ids, &n, err);
    if (status)
        goto out;
    kl_counter_start(&counter, "samples");
    status = kl_report(session.pool, &session.run->history, ids, n, kl_counter_show, &counter,
                       &report, err);
    kl_counter_end(&counter);
    if (status)
        goto out;
    if (kl_job_speaks())
        status = print(&request, session.run, &report, err);
out:
    kl_report_clear(&report);
    free(ids);
    kl_session_close(&session);
    return status;
}
