/* keylight influence: what a sample would miss, by walking back through the training, and how far
 * scores foretell what retraining would change. */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/options/options.h"
#include "cli/retraining/retraining.h"

#define CHECKS_MAX 10000
#define PARTS_MAX 1000000
#define DEFAULT_CHECKS 20
#define DEFAULT_QUERIES 64
#define DEFAULT_SHARE 0.1
#define DEFAULT_TOP 10

static enum kl_status set_share(void *target, const char *value, struct kl_error *err)
{
    char *end;
    double share = strtod(value, &end);

    if (end == value || *end || !(share > 0 && share < 1))
        return kl_fail(err, KL_ERR_USAGE, "--leave is a share above 0 and below 1, not '%.40s'",
                       value);
    *(double *)target = share;
    return KL_OK;
}

static enum kl_status set_parts(void *target, const char *value, struct kl_error *err)
{
    struct kl_parts *parts = target;
    char *end;
    unsigned long last = strtoul(value, &end, 10),
                  of = *end == '/' ? strtoul(end + 1, &end, 10) : 0;

    if (*value < '0' || *value > '9' || *end || last < 1 || last > of || of > PARTS_MAX)
        return kl_fail(err, KL_ERR_USAGE,
                       "--parts says how many parts at the end, of how many: 6/15, not '%.40s'",
                       value);
    *parts = (struct kl_parts){(uint32_t)last, (uint32_t)of};
    return KL_OK;
}

static enum kl_status parse(int argc, char **argv, struct kl_influence_request *request,
                            struct kl_error *err)
{
    const struct kl_option table[] = {
        {.type = KL_OPTION_TEXT,
         .name = "sample",
         .value = "NAMES",
         .target = &request->samples,
         .help = "samples to walk back from, parted by commas: test/mnist/8,test/mnist/15"},
        {.type = KL_OPTION_CALL,
         .name = "parts",
         .value = "A/B",
         .target = &request->parts,
         .call = set_parts,
         .help = "how much of the training is walked, from its end: A of B equal parts (default "
                 "6/15: ReLU's kinks make noise of what lies further back)"},
        {.type = KL_OPTION_NUMBER,
         .name = "top",
         .value = "N",
         .target = &request->top,
         .low = 1,
         .high = 1000,
         .help = "how many are printed that would be missed, and that would not (default 10)"},
        {.type = KL_OPTION_NUMBER,
         .name = "check",
         .value = "N",
         .target = &request->n_checks,
         .low = 3,
         .high = CHECKS_MAX,
         .help =
             "how many random subsets of the training samples are left out, one after the other "
             "(default 20)"},
        {.type = KL_OPTION_CALL,
         .name = "leave",
         .value = "SHARE",
         .target = &request->share,
         .call = set_share,
         .help = "the share of the training samples in each of them (default 0.1)"},
        {.type = KL_OPTION_NUMBER,
         .name = "queries",
         .value = "Q",
         .target = &request->n_queries,
         .low = 1,
         .high = 10000,
         .help = "of how many test samples, evenly spread (default 64)"},
        {.type = KL_OPTION_FLAG, .name = "json", .target = &request->json, .help = "as JSON"},
        {.type = KL_OPTION_END}};
    const struct kl_options options = {
        .command = "influence",
        .usage = "influence RUN --sample NAMES [--parts A/B] [--top N] [--json]\n"
                 "       keylight influence RUN [--check N] [--leave SHARE] [--queries Q] "
                 "[--parts A/B] [--json]",
        .about =
            "With --sample: which training samples a test sample would miss, by walking back "
            "through the training, exact to first order: how its loss hangs on the weight of every "
            "training sample in every step. For perceptrons trained with SGD.\n"
            "Without: how far each score of a run foretells what retraining would change: trains "
            "it "
            "again, from the same initial weights with the same minibatches, without random "
            "subsets of its training samples, and prints the rank correlation between what the "
            "score foretold of a test sample's loss and what it became: the mean over the test "
            "samples, and its standard error over them (all share the same subsets: more of these "
            "make it surer). 0 is chance, 1 foretells the order perfectly.",
        .options = table};
    int n_operands;
    enum kl_status status;

    *request = (struct kl_influence_request){.parts = {6, 15}};
    status = kl_options_parse(&options, argc, argv, &n_operands, &request->helped, err);
    if (status || request->helped)
        return status;
    if (request->samples && (request->n_checks || request->n_queries || request->share > 0))
        return kl_fail(
            err, KL_ERR_USAGE,
            "--check, --leave and --queries check the scores: leave them or --sample out");
    if (!request->samples && request->top)
        return kl_fail(err, KL_ERR_USAGE, "--top goes with --sample");
    request->n_checks = request->n_checks ? request->n_checks : DEFAULT_CHECKS;
    request->n_queries = request->n_queries ? request->n_queries : DEFAULT_QUERIES;
    request->share = request->share > 0 ? request->share : DEFAULT_SHARE;
    request->top = request->top ? request->top : DEFAULT_TOP;
    return kl_one_operand(argv, n_operands, "run file", &request->path, err);
}

enum kl_status kl_cli_influence(int argc, char **argv, struct kl_error *err)
{
    struct kl_influence_request request;
    enum kl_status status = parse(argc, argv, &request, err);

    if (status || request.helped)
        return status;
    return request.samples ? kl_print_walk(&request, err) : kl_check_scores(&request, err);
}
