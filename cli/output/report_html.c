#include "cli/output/report_html.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/answers.h"
#include "api/base64.h"
#include "api/json.h"
#include "api/png.h"
#include "cli/output/report_page.h"
#include "core/base/memory.h"

#define PICTURE_SCALE 3
#define PATH_BYTES 4096

/* The address of a PNG that is in it: *address is the caller's to free. Errors: KL_ERR_MEMORY. */
static enum kl_status data_address(const uint8_t *png, size_t n, char **address,
                                   struct kl_error *err)
{
    size_t n_bytes = 0;
    FILE *file = open_memstream(address, &n_bytes);

    if (!file)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for a picture");
    fputs("data:image/png;base64,", file);
    kl_base64_put(file, png, n);
    return fclose(file) ? kl_fail(err, KL_ERR_MEMORY, "not enough memory for a picture") : KL_OK;
}

/* The picture of a training sample, as a member named by its id. */
static enum kl_status add_picture(struct kl_json *json, struct kl_run *run, uint32_t sample,
                                  struct kl_error *err)
{
    const struct kl_dataset *dataset =
        run->data.datasets[kl_collection_place(&run->data, sample).dataset];
    uint8_t *pixels = NULL, *png = NULL;
    char *address = NULL, name[16];
    size_t n_bytes = 0;
    enum kl_status status = kl_alloc(&pixels, kl_dataset_image_size(dataset), 1, "an image", err);

    if (status)
        return status;
    status = kl_run_image(run, sample, pixels, err);
    if (status)
        goto out;
    status = kl_png_sheet(dataset, pixels, 1, 1, PICTURE_SCALE, &png, &n_bytes, err);
    if (status)
        goto out;
    status = data_address(png, n_bytes, &address, err);
    if (status)
        goto out;
    snprintf(name, sizeof name, "%u", sample);
    kl_json_string(json, name, address);
out:
    free(address);
    free(png);
    free(pixels);
    return status;
}

/* Whether a layer before has the sample, too. */
static int is_pictured(const struct kl_report *report, uint32_t layer, uint32_t sample)
{
    for (uint32_t l = 0; l < layer; l++)
        for (uint32_t i = 0; i < report->n_most[l]; i++)
            if (report->most[l * KL_REPORT_TOP + i].sample == sample)
                return 1;
    return 0;
}

/* Pictures of the most attended samples, by id: *text is the caller's to free. */
static enum kl_status make_pictures(struct kl_run *run, const struct kl_report *report, char **text,
                                    struct kl_error *err)
{
    struct kl_json json = kl_json_begin();
    enum kl_status status = KL_OK;

    for (uint32_t l = 0; l < report->n_layers; l++)
        for (uint32_t i = 0; !status && i < report->n_most[l]; i++) {
            uint32_t sample = report->most[l * KL_REPORT_TOP + i].sample;

            if (!is_pictured(report, l, sample) && kl_collection_kind(&run->data) == KL_DATA_IMAGES)
                status = add_picture(&json, run, sample, err);
        }
    *text = kl_json_finish(&json);
    if (!status && !*text)
        status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for the report's pictures");
    return status;
}

/* JSON inside an HTML element: nothing in it can end the element or begin another. */
static void put_json(FILE *file, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("\\u003c", file);
        else
            putc(*text, file);
    }
}

/* The page with the numbers in their places. */
static void put_page(FILE *file, const char *numbers, const char *pictures)
{
    const char *numbers_at = strstr(kl_report_page, KL_REPORT_PAGE_NUMBERS),
               *pictures_at = strstr(kl_report_page, KL_REPORT_PAGE_PICTURES);

    fwrite(kl_report_page, 1, (size_t)(numbers_at - kl_report_page), file);
    put_json(file, numbers);
    numbers_at += strlen(KL_REPORT_PAGE_NUMBERS);
    fwrite(numbers_at, 1, (size_t)(pictures_at - numbers_at), file);
    put_json(file, pictures);
    fputs(pictures_at + strlen(KL_REPORT_PAGE_PICTURES), file);
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
    if (!*file && fd >= 0) {
        close(fd);
        unlink(partial);
    }
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
    char *numbers = NULL, *pictures = NULL;
    FILE *file = NULL;
    enum kl_status status = make_pictures(run, report, &pictures, err);

    if (status)
        goto out;
    numbers = kl_json_report(run, accuracies, n_accuracies, report);
    if (!numbers) {
        status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for the report");
        goto out;
    }
    status = open_beside(path, target, partial, &file, err);
    if (status)
        goto out;
    put_page(file, numbers, pictures);
    if (fflush(file) || ferror(file) || rename(partial, target)) {
        status = kl_fail(err, errno == ENOSPC ? KL_ERR_FULL : KL_ERR_IO, "cannot write %s: %s",
                         path, strerror(errno));
        unlink(partial);
    }
out:
    if (file)
        fclose(file);
    free(numbers);
    free(pictures);
    return status;
}
