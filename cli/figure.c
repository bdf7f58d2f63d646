/* A view as a figure: SVG or PNG, without a browser. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/figures/figure.h"
#include "cli/asking.h"
#include "cli/cli.h"
#include "cli/job/job.h"
#include "cli/options/options.h"
#include "cli/session.h"

#define DEFAULT_VIEW "strips"

struct request {
    const char *path, *view, *output;
    struct kl_asking asking;
    const struct kl_figure *figure;
    int is_png, helped;
};

static void describe_figures(char *text, size_t n_bytes)
{
    const struct kl_figure *figure, *unasked = kl_figure_find(DEFAULT_VIEW);
    size_t used = 0;

    for (uint32_t i = 0; (figure = kl_figure_at(i)) && used < n_bytes; i++)
        used += (size_t)snprintf(text + used, n_bytes - used, "%s%s%s: %s%s", i ? "\n" : "",
                                 kl_figure_name(figure), figure == unasked ? " (default)" : "",
                                 kl_figure_title(figure, KL_DATA_IMAGES),
                                 !kl_figure_is_of(figure, KL_DATA_TEXT)     ? " (images)"
                                 : !kl_figure_is_of(figure, KL_DATA_IMAGES) ? " (text)"
                                                                            : "");
}

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n > m && !strcmp(text + n - m, end);
}

static enum kl_status check(struct request *request, struct kl_error *err)
{
    request->figure = kl_figure_find(request->view ? request->view : DEFAULT_VIEW);
    if (!request->figure)
        return kl_fail(err, KL_ERR_USAGE,
                       "there is no view '%.60s': 'keylight figure --help' lists them",
                       request->view);
    if (!request->output)
        return kl_fail(err, KL_ERR_USAGE, "name the file to write: --output FILE.svg or FILE.png");
    request->is_png = ends_with(request->output, ".png");
    if (!request->is_png && !ends_with(request->output, ".svg"))
        return kl_fail(err, KL_ERR_USAGE, "--output ends with .svg or .png, not '%.200s'",
                       request->output);
    return kl_asking_check(&request->asking, err);
}

static enum kl_status parse(int argc, char **argv, struct request *request, struct kl_error *err)
{
    char views[1600];
    struct kl_option table[KL_ASKING_OPTIONS + 3],
        *own = kl_asking_options(&request->asking, table);
    const struct kl_options options = {
        .examples = "the strips, for a paper\nkeylight figure quick.keylight --sample "
                    "test/fashion-mnist/526 --view strips --output strips.svg\n"
                    "how a text's answer was learned, as PNG\nkeylight figure quick-text.keylight "
                    "--text 'Call me Ish' --view learning --output learned.png\n",
        .command = "figure",
        .usage =
            "figure RUN --sample SPLIT/DATASET/INDEX [--view VIEW] --output FILE.svg|FILE.png\n"
            "figure RUN --text TEXT [--view VIEW] --output FILE.svg|FILE.png",
        .about = "Draws a view of one sample or text as a figure to print: light, with axes, units "
                 "and legend, and the run and the query named in it.",
        .options = table};
    int n_operands;
    enum kl_status status;

    describe_figures(views, sizeof views);
    own[0] = (struct kl_option){.type = KL_OPTION_TEXT,
                                .name = "view",
                                .value = "VIEW",
                                .target = &request->view,
                                .help = views};
    own[1] = (struct kl_option){.type = KL_OPTION_TEXT,
                                .name = "output",
                                .value = "FILE",
                                .target = &request->output,
                                .help = "the file to write, which must not exist yet: .svg, or "
                                        ".png at 288 pixels to the inch"};
    own[2] = (struct kl_option){.type = KL_OPTION_END};
    status = kl_options_parse(&options, argc, argv, &n_operands, &request->helped, err);
    if (status || request->helped)
        return status;
    status = kl_one_operand(argv, n_operands, "run file", &request->path, err);
    return status ? status : check(request, err);
}

static enum kl_status write_file(const char *path, const uint8_t *bytes, size_t n_bytes,
                                 struct kl_error *err)
{
    FILE *file = fopen(path, "wbx"); /* never over another file */
    int failed;

    if (!file)
        return errno == EEXIST
                   ? kl_fail(err, KL_ERR_EXISTS,
                             "%s exists already: name another --output, or remove it", path)
                   : kl_fail(err, KL_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    failed = fwrite(bytes, 1, n_bytes, file) != n_bytes;
    failed |= fclose(file) != 0;
    if (!failed)
        return KL_OK;
    remove(path);
    return kl_fail(err, KL_ERR_IO, "cannot write %s: %s", path, strerror(errno));
}

static enum kl_status draw(struct request *request, struct kl_session *session,
                           struct kl_error *err)
{
    struct kl_figure_request figure = {.figure = request->figure,
                                       .is_png = request->is_png,
                                       .sample = request->asking.id,
                                       .query = &request->asking.question.query};
    struct kl_inquiry *inquiry = NULL;
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    enum kl_status status = kl_inquiry_create(session->pool, &session->run->history,
                                              &figure.query->subject, &inquiry, err);

    if (!status)
        status = kl_figure_draw(session->run, inquiry, &figure, &bytes, &n_bytes, err);
    if (!status && kl_job_speaks())
        status = write_file(request->output, bytes, n_bytes, err);
    if (!status)
        printf("%s: %s\n", request->output,
               kl_figure_title(request->figure, kl_collection_kind(&session->run->data)));
    free(bytes);
    kl_inquiry_free(inquiry);
    return status;
}

enum kl_status kl_cli_figure(int argc, char **argv, struct kl_error *err)
{
    struct request request = {0};
    struct kl_session session = {NULL, NULL};
    enum kl_status status = parse(argc, argv, &request, err);

    if (status || request.helped)
        return status;
    status = kl_session_open(request.path, &session, err);
    if (!status)
        status = kl_asking_find(&request.asking, session.run, err);
    if (!status)
        status = draw(&request, &session, err);
    kl_asking_clear(&request.asking);
    kl_session_close(&session);
    return status;
}
