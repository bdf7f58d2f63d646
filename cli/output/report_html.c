#include "cli/output/report_html.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "api/png.h"

#define PLOT_WIDTH 640
#define PLOT_HEIGHT 220
#define PICTURE_SCALE 3
#define PATH_BYTES 4096

static const char style[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
    "<meta name=\"color-scheme\" content=\"light dark\"><style>"
    ":root{--ink:#1d1f23;--soft:#5d6470;--line:#d6d9de;--a:#0b62a4;--b:#c2571a;--c:#4a7c2a;"
    "--paper:#fff}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--soft:#9aa2ad;--line:#363b43;"
    "--a:#62aef0;--b:#f0955a;--c:#93c572;--paper:#14161a}}"
    "body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
    "max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.1rem;margin:2.5rem 0 .5rem}"
    "p{max-width:44rem}.soft{color:var(--soft)}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.2rem .8rem .2rem 0;text-align:right;border-bottom:1px solid var(--line)}"
    "th:first-child,td:first-child{text-align:left}th{font-weight:600;vertical-align:bottom}"
    "div.wide{overflow-x:auto}svg{max-width:100%;height:auto}svg "
    "text{font-size:12px;fill:var(--soft)}"
    ".a{fill:var(--a)}.b{fill:var(--b)}.c{fill:var(--c)}"
    "ul.key{list-style:none;padding:0;display:flex;gap:1.5rem;flex-wrap:wrap;font-size:.9rem}"
    "ul.key i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}"
    "figure{display:inline-block;margin:0 .8rem .8rem 0;font-size:.8rem;text-align:center}"
    "figure img{display:block;image-rendering:pixelated;margin:0 auto .2rem}</style>";

/* Text with what HTML gives a meaning replaced. */
static void put_text(FILE *file, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            fputs("&amp;", file);
        else if (*text == '<')
            fputs("&lt;", file);
        else if (*text == '"')
            fputs("&quot;", file);
        else
            putc(*text, file);
    }
}

static void put_percent(FILE *file, double part, double whole)
{
    if (whole > 0)
        fprintf(file, "<td>%.1f %%</td>", 100 * part / whole);
    else
        fputs("<td>–</td>", file);
}

static void put_head(FILE *file, const struct kl_run *run, const struct kl_report *report)
{
    fputs(style, file);
    fputs("<title>", file);
    put_text(file, run->training.name);
    fputs(" · keylight report</title></head><body><h1>", file);
    put_text(file, run->training.name);
    fprintf(file,
            "</h1><p class=\"soft\">run %s · %llu patterns of %u steps · %u test samples "
            "asked</p>",
            run->fingerprint, (unsigned long long)run->history.n_patterns, run->training.n_steps,
            report->n_queries);
}

static void put_accuracies(FILE *file, const struct kl_run *run,
                           const struct kl_accuracy *accuracies, uint32_t n)
{
    fputs("<h2>Accuracy</h2><table><tr><th>data set<th>split<th>right<th>samples", file);
    for (uint32_t i = 0; i < n; i++) {
        fputs("<tr><td>", file);
        put_text(file, run->data.datasets[accuracies[i].dataset]->name);
        fprintf(file, "<td>%s", kl_split_name(accuracies[i].split));
        fprintf(file, "<td>%.2f %%<td>%llu",
                100 * (double)accuracies[i].n_right / (double)accuracies[i].n_samples,
                (unsigned long long)accuracies[i].n_samples);
    }
    fputs("</table>", file);
}

/* Three bars per layer. */
static void plot_votes(FILE *file, const struct kl_report *report, const struct kl_vote *table,
                       uint32_t dataset)
{
    double group = (double)(PLOT_WIDTH - 40) / report->n_layers, bar = fmin(40, group / 4);

    fprintf(file, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" role=\"img\" aria-label=\"class vote\">",
            PLOT_WIDTH, PLOT_HEIGHT, PLOT_WIDTH);
    for (int tick = 0; tick <= 4; tick++) {
        double y = PLOT_HEIGHT - 25 - tick * (PLOT_HEIGHT - 40) / 4.0;

        fprintf(file,
                "<line x1=\"40\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"var(--line)\"/>"
                "<text x=\"0\" y=\"%.1f\">%d %%</text>",
                PLOT_WIDTH, y, y, y + 4, 25 * tick);
    }
    for (uint32_t l = 0; l < report->n_layers; l++) {
        const struct kl_vote *vote = &table[l * report->n_datasets + dataset];
        double shares[3] = {(double)vote->target_when_right / fmax(1, vote->n_right),
                            (double)vote->target_when_wrong / fmax(1, vote->n_wrong),
                            (double)vote->output_when_wrong / fmax(1, vote->n_wrong)};
        double x = 40 + l * group + (group - 3 * bar) / 2;

        for (int i = 0; i < 3; i++) {
            double height = shares[i] * (PLOT_HEIGHT - 40);

            fprintf(file,
                    "<rect class=\"%c\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">"
                    "<title>%.1f %%</title></rect>",
                    'a' + i, x + i * bar, PLOT_HEIGHT - 25 - height, bar - 2, height,
                    100 * shares[i]);
        }
        fprintf(file, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">layer %u</text>",
                x + 1.5 * bar, PLOT_HEIGHT - 6, l + 1);
    }
    fputs("</svg>", file);
}

static void put_votes(FILE *file, const struct kl_run *run, const struct kl_report *report,
                      const struct kl_vote *table, const char *title)
{
    fprintf(file, "<h2>%s</h2>", title);
    fputs("<p>The vote is the training class with the largest sum of "
          "|attention|. It equals the <i>target</i> if it is the sample’s own class, and the "
          "<i>output</i> if it stands for what the network said.</p>"
          "<ul class=\"key\"><li><i style=\"background:var(--a)\"></i>vote = target, right "
          "predictions<li><i style=\"background:var(--b)\"></i>vote = target, wrong ones"
          "<li><i style=\"background:var(--c)\"></i>vote = output, wrong ones</ul>",
          file);
    for (uint32_t d = 0; d < report->n_datasets; d++) {
        fputs("<h3>", file);
        put_text(file, run->data.datasets[d]->name);
        fputs("</h3>", file);
        plot_votes(file, report, table, d);
        fputs("<div class=\"wide\"><table><tr><th>layer<th>vote = target, right<th>vote = target, "
              "wrong<th>vote = output, wrong<th>right<th>wrong",
              file);
        for (uint32_t l = 0; l < report->n_layers; l++) {
            const struct kl_vote *vote = &table[l * report->n_datasets + d];

            fprintf(file, "<tr><td>%u", l + 1);
            put_percent(file, vote->target_when_right, vote->n_right);
            put_percent(file, vote->target_when_wrong, vote->n_wrong);
            put_percent(file, vote->output_when_wrong, vote->n_wrong);
            fprintf(file, "<td>%u<td>%u", vote->n_right, vote->n_wrong);
        }
        fputs("</table></div>", file);
    }
}

static void put_attention(FILE *file, const struct kl_run *run, const struct kl_report *report)
{
    fputs("<h2>Where attention goes</h2><p>Share of |attention| by the data set trained on, and "
          "the mean of its class totals over their deviation: the larger, the more evenly it is "
          "spread over classes.</p><div class=\"wide\"><table><tr><th>asked<th>layer<th>attends "
          "to<th>share<th>mean / deviation",
          file);
    for (uint32_t d = 0; d < report->n_datasets; d++)
        for (uint32_t l = 0; l < report->n_layers; l++)
            for (uint32_t trained = 0; trained < report->n_datasets; trained++) {
                size_t cell = ((size_t)l * report->n_datasets + d) * report->n_datasets + trained;

                fputs("<tr><td>", file);
                put_text(file, run->data.datasets[d]->name);
                fprintf(file, "<td>%u<td>", l + 1);
                put_text(file, run->data.datasets[trained]->name);
                put_percent(file, report->attention[cell], report->attention[cell] >= 0 ? 1 : 0);
                if (report->dispersion[cell] >= 0)
                    fprintf(file, "<td>%.2f", report->dispersion[cell]);
                else
                    fputs("<td>–", file);
            }
    fputs("</table></div>", file);
}

/* Accuracy of every data set along the training, with the switches. */
static void put_curve(FILE *file, const struct kl_run *run)
{
    static const char *const colours[] = {"var(--a)", "var(--b)", "var(--c)", "var(--soft)"};
    double width = PLOT_WIDTH - 40, height = PLOT_HEIGHT - 40;

    fputs("<h2>Learning and forgetting</h2><ul class=\"key\">", file);
    for (uint32_t d = 0; d < run->data.n_datasets; d++) {
        fprintf(file, "<li><i style=\"background:%s\"></i>", colours[d % 4]);
        put_text(file, run->data.datasets[d]->name);
        fputs(" test accuracy", file);
    }
    fprintf(file,
            "</ul><svg viewBox=\"0 0 %d %d\" width=\"%d\" role=\"img\" aria-label=\"accuracy along "
            "the training\">",
            PLOT_WIDTH, PLOT_HEIGHT, PLOT_WIDTH);
    for (int tick = 0; tick <= 4; tick++) {
        double y = PLOT_HEIGHT - 25 - tick * height / 4;

        fprintf(file,
                "<line x1=\"40\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"var(--line)\"/>"
                "<text x=\"0\" y=\"%.1f\">%d %%</text>",
                PLOT_WIDTH, y, y, y + 4, 25 * tick);
    }
    for (uint32_t i = 0; i < run->training.n_switches; i++) {
        double x = 40 + width * run->training.switches[i] / run->training.n_steps;

        fprintf(file,
                "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"10\" y2=\"%d\" stroke=\"var(--soft)\" "
                "stroke-dasharray=\"4 3\"/><text x=\"%.1f\" y=\"12\">switch</text>",
                x, x, PLOT_HEIGHT - 25, x + 4);
    }
    for (uint32_t d = 0; d < run->data.n_datasets; d++) {
        fprintf(file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"",
                colours[d % 4]);
        for (uint32_t i = 0; i < run->n_curve; i++)
            if (run->curve[i].dataset == d)
                fprintf(file, "%.1f,%.1f ", 40 + width * run->curve[i].step / run->training.n_steps,
                        PLOT_HEIGHT - 25 - height * run->curve[i].accuracy);
        fputs("\"/>", file);
    }
    fprintf(file,
            "<text x=\"40\" y=\"%d\">step 0</text><text x=\"%d\" y=\"%d\" "
            "text-anchor=\"end\">step %u</text></svg>",
            PLOT_HEIGHT - 6, PLOT_WIDTH, PLOT_HEIGHT - 6, run->training.n_steps);
}

static void put_base64(FILE *file, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        uint32_t word = (uint32_t)bytes[i] << 16 | (i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (i + 2 < n ? bytes[i + 2] : 0u);

        putc(digits[word >> 18], file);
        putc(digits[word >> 12 & 63], file);
        putc(i + 1 < n ? digits[word >> 6 & 63] : '=', file);
        putc(i + 2 < n ? digits[word & 63] : '=', file);
    }
}

static enum kl_status put_picture(FILE *file, struct kl_run *run, uint32_t sample,
                                  struct kl_error *err)
{
    const struct kl_dataset *dataset =
        run->data.datasets[kl_collection_place(&run->data, sample).dataset];
    uint8_t *pixels = NULL, *png = NULL;
    size_t n_bytes = 0;
    enum kl_status status = kl_alloc(&pixels, kl_dataset_image_size(dataset), 1, "an image", err);

    if (!status)
        status = kl_run_image(run, sample, pixels, err);
    if (!status)
        status = kl_png_sheet(dataset, pixels, 1, 1, PICTURE_SCALE, &png, &n_bytes, err);
    if (!status) {
        fputs("<img alt=\"\" src=\"data:image/png;base64,", file);
        put_base64(file, png, n_bytes);
        fputs("\">", file);
    }
    free(png);
    free(pixels);
    return status;
}

static enum kl_status put_most(FILE *file, struct kl_run *run, const struct kl_report *report,
                               struct kl_error *err)
{
    enum kl_status status = KL_OK;

    fputs("<h2>The most attended training samples</h2><p>By sum of |attention| over all samples "
          "asked; in brackets, in what share of them they are among the ten with the largest "
          "sum. Attention is not normalised: samples with large keys are attended to by "
          "many.</p>",
          file);
    for (uint32_t l = 0; !status && l < report->n_layers; l++) {
        fprintf(file, "<h3>layer %u</h3>", l + 1);
        for (uint32_t i = 0; !status && i < report->n_most[l]; i++) {
            const struct kl_most_attended *most = &report->most[l * KL_REPORT_TOP + i];
            struct kl_sample_place place = kl_collection_place(&run->data, most->sample);
            const struct kl_dataset *dataset = run->data.datasets[place.dataset];

            fputs("<figure>", file);
            status = put_picture(file, run, most->sample, err);
            fputs("<figcaption>", file);
            put_text(file,
                     kl_dataset_class_name(dataset, kl_collection_label(&run->data, most->sample)));
            fprintf(file, " #%u<br>%.3f %% (%.0f %%)</figcaption></figure>", place.index,
                    100 * most->share, 100 * most->top_ten);
        }
    }
    return status;
}

/* Permissions that new files do not get. */
static mode_t file_mask(void)
{
    mode_t mask = umask(0);

    umask(mask);
    return mask;
}

/* Opens a file of a name of its own beside path, or beside what path links to: target and partial
 * (PATH_BYTES each) get both names. */
static enum kl_status open_beside(const char *path, char *target, char *partial, FILE **file,
                                  struct kl_error *err)
{
    int fd;

    if (strlen(path) > PATH_BYTES - 16)
        return kl_fail(err, KL_ERR_USAGE, "the path of --html is too long");
    if (!realpath(path, target))
        snprintf(target, PATH_BYTES, "%s", path);
    snprintf(partial, PATH_BYTES, "%.*s.XXXXXX", PATH_BYTES - 16, target);
    fd = mkstemp(partial);
    *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!*file)
        return kl_fail(err, KL_ERR_IO, "cannot write %s: %s; name another --html", path,
                       strerror(errno));
    fchmod(fd, 0666 & ~file_mask());
    return KL_OK;
}

enum kl_status kl_html_check(const char *path, const char *run_path, struct kl_error *err)
{
    char target[PATH_BYTES], partial[PATH_BYTES];
    struct stat there, run;
    FILE *file = NULL;
    enum kl_status status;

    if (stat(path, &there) == 0 &&
        (!S_ISREG(there.st_mode) ||
         (stat(run_path, &run) == 0 && there.st_dev == run.st_dev && there.st_ino == run.st_ino)))
        return kl_fail(err, KL_ERR_EXISTS,
                       "%s is the run itself, or no file that can be replaced: name another --html",
                       path);
    status = open_beside(path, target, partial, &file, err);
    if (!status) {
        fclose(file);
        unlink(partial);
    }
    return status;
}

enum kl_status kl_html_write(const char *path, struct kl_run *run,
                             const struct kl_accuracy *accuracies, uint32_t n_accuracies,
                             const struct kl_report *report, struct kl_error *err)
{
    char target[PATH_BYTES], partial[PATH_BYTES];
    FILE *file = NULL;
    enum kl_status status = open_beside(path, target, partial, &file, err);

    if (status)
        return status;
    put_head(file, run, report);
    put_accuracies(file, run, accuracies, n_accuracies);
    put_votes(file, run, report, report->votes, "The class vote");
    if (report->n_datasets > 1)
        put_votes(file, run, report, report->votes_within,
                  "The class vote among a sample’s own data set");
    put_attention(file, run, report);
    put_curve(file, run);
    status = put_most(file, run, report, err);
    fputs("</body></html>\n", file);
    if (!status && (fflush(file) || ferror(file) || rename(partial, target)))
        status = kl_fail(err, errno == ENOSPC ? KL_ERR_FULL : KL_ERR_IO, "cannot write %s: %s",
                         path, strerror(errno));
    fclose(file);
    if (status)
        unlink(partial);
    return status;
}
