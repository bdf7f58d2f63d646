#include <stdio.h>
#include <stdlib.h>

#include "api/answers.h"
#include "api/csv.h"
#include "cli/cli.h"
#include "cli/options/options.h"
#include "cli/remedy.h"
#include "db/marks.h"
#include "db/run.h"

enum kl_status kl_cli_marks(int argc, char **argv, struct kl_error *err)
{
    int json = 0, n_operands, is_done;
    const struct kl_option table[] = {
        {.type = KL_OPTION_FLAG, .name = "json", .target = &json, .help = "as the API's JSON"},
        {.type = KL_OPTION_END}};
    const struct kl_options options = {
        .examples = "what was decided, as a table\nkeylight marks pets.keylight > fixed.csv\n"
                    "a run in which those labels are right\nkeylight train --data pets=~/pets "
                    "--corrections fixed.csv --output again.keylight\n",
        .command = "marks",
        .usage = "marks RUN [--json]",
        .about =
            "Prints what was decided about suspicious labels on the page: a table of CSV that "
            "'keylight train --corrections' takes. The marks are in RUN.marks, beside the run.",
        .options = table};
    struct kl_run *run = NULL;
    struct kl_mark *marks = NULL;
    const char *path = NULL;
    char *text = NULL;
    uint32_t n = 0;
    enum kl_status status = kl_options_parse(&options, argc, argv, &n_operands, &is_done, err);

    if (status || is_done)
        return status;
    status = kl_one_operand(argv, n_operands, "run file", &path, err);
    if (status)
        return status;
    if (kl_run_open(path, 0, &run, err))
        return kl_remedy(err, path);
    status = kl_marks_read(run, &marks, &n, err);
    if (status)
        goto out;
    text = json ? kl_json_marks(run, marks, n) : kl_csv_marks(run, marks, n, 0);
    if (text)
        printf(json ? "%s\n" : "%s", text);
    else
        status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for the marks");
out:
    free(text);
    free(marks);
    kl_run_close(run);
    return status;
}
