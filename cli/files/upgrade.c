#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/options/options.h"
#include "cli/output/progress.h"
#include "cli/remedy.h"
#include "db/upgrade.h"

static enum kl_status upgrade(const char *path, const char *output, struct kl_error *err)
{
    struct kl_counter counter;
    struct stat info;
    int from = 0;
    enum kl_status status;

    kl_counter_start(&counter, "MB");
    status = kl_upgrade(path, output, kl_counter_show_bytes, &counter, &from, err);
    kl_counter_end(&counter);
    if (status == KL_ERR_FULL)
        return status; /* both files are as they were */
    if (status == KL_ERR_EXISTS) {
        struct kl_error cause = *err;

        return kl_fail(err, status, "%.400s: name another --output", cause.message);
    }
    if (status)
        return kl_remedy(err, path);
    if (output)
        printf("%s: format %d, from %s of format %d, which is as it was", output,
               kl_upgrade_format(), path, from);
    else
        printf("%s: format %d, from format %d", path, kl_upgrade_format(), from);
    if (!stat(output ? output : path, &info))
        printf("; %.1f MB", (double)info.st_size / 1e6);
    printf("\n");
    return KL_OK;
}

enum kl_status kl_cli_upgrade(int argc, char **argv, struct kl_error *err)
{
    const char *path = NULL, *output = NULL;
    const struct kl_option table[] = {
        {.type = KL_OPTION_TEXT,
         .name = "output",
         .value = "FILE",
         .target = &output,
         .help = "write the new file there, and leave the old one as it is (default: the new file "
                 "takes its place once it is whole)"},
        {.type = KL_OPTION_END}};
    const struct kl_options options = {
        .examples = "beside the old one, under another name\nkeylight upgrade old.keylight "
                    "--output new.keylight\n",
        .command = "upgrade",
        .usage = "upgrade RUN [--output FILE]",
        .about = "Brings a run that an earlier keylight wrote up to date: the same run in today's "
                 "format, finished or not. It is written beside the old one, which stays as it is "
                 "until the new one is whole: for a while both take room.",
        .options = table};
    int n_operands, is_done;
    enum kl_status status = kl_options_parse(&options, argc, argv, &n_operands, &is_done, err);

    if (status || is_done)
        return status;
    status = kl_one_operand(argv, n_operands, "run file", &path, err);
    if (!status)
        status = kl_check_path("output", output, err);
    return status ? status : upgrade(path, output, err);
}
