#include "core/data/images/idx.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/base/files.h"
#include "core/base/memory.h"

#define PATH_BYTES 4096
#define MAGIC_LABELS 0x00000801u /* unsigned bytes, 1 dimension */
#define MAGIC_IMAGES 0x00000803u /* unsigned bytes, 3 dimensions */
#define FIRST_BYTES ((size_t)1 << 20)
#define PIXELS_MAX ((uint64_t)64 << 30) /* more than any machine this is built for holds */

static int starts_with(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

/* How well a file's name fits: the exact names first (1, and 2 with .gz), then those that begin so
 * and go on (3); 0: not at all. */
static int fit(const char *name, const char *prefix, const char *kind)
{
    char exact[64];
    size_t n_dims = !strcmp(kind, "images") ? 3 : 1, length;

    for (int dotted = 0; dotted < 2; dotted++) {
        length = (size_t)snprintf(exact, sizeof exact, "%s-%s%cidx%zu-ubyte", prefix, kind,
                                  dotted ? '.' : '-', n_dims);
        if (!strncmp(name, exact, length) && (!name[length] || !strcmp(name + length, ".gz")))
            return name[length] ? 2 : 1;
    }
    return starts_with(name, prefix) && strstr(name, kind) ? 3 : 0;
}

/* Finds the regular file in folder that is called prefix-kind, or other_prefix-kind; of equally
 * good names the first in alphabetical order. best is its name; empty: there is none. Errors:
 * KL_ERR_NOT_FOUND. */
static enum kl_status look_for(const char *folder, const char *prefix, const char *other_prefix,
                               const char *kind, char best[256], struct kl_error *err)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int best_fit = 4;

    best[0] = '\0';
    if (!dir)
        return kl_fail(err, KL_ERR_NOT_FOUND, "cannot open the data folder %s: %s", folder,
                       strerror(errno));
    while ((entry = readdir(dir))) {
        const char *name = entry->d_name;
        int mine = fit(name, prefix, kind), other = fit(name, other_prefix, kind);
        char path[PATH_BYTES + 257];
        struct stat info;

        mine = mine && (!other || mine < other) ? mine : other;
        if (!mine || mine > best_fit || (mine == best_fit && strcmp(name, best) > 0))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (stat(path, &info) || !S_ISREG(info.st_mode))
            continue;
        snprintf(best, 256, "%s", name);
        best_fit = mine;
    }
    closedir(dir);
    return KL_OK;
}

int kl_idx_is(const char *folder)
{
    struct kl_error ignored;
    char name[256];

    return !look_for(folder, "train", "t10k", "images", name, &ignored) && name[0];
}

static enum kl_status find_file(const char *folder, const char *prefix, const char *other_prefix,
                                const char *kind, char path[PATH_BYTES], struct kl_error *err)
{
    char name[256];
    enum kl_status status = look_for(folder, prefix, other_prefix, kind, name, err);

    if (status)
        return status;
    if (!name[0])
        return kl_fail(err, KL_ERR_NOT_FOUND,
                       "%s has no IDX file %s-%s*: it should hold train-images, train-labels, "
                       "t10k-images and t10k-labels, plain or .gz",
                       folder, prefix, kind);
    if ((size_t)snprintf(path, PATH_BYTES, "%s/%s", folder, name) >= PATH_BYTES)
        return kl_fail(err, KL_ERR_USAGE, "the path of the data folder is too long");
    return KL_OK;
}

static enum kl_status short_file(gzFile file, const char *path, struct kl_error *err)
{
    int code;
    const char *text = gzerror(file, &code);

    if (code == Z_ERRNO)
        return kl_fail(err, KL_ERR_IO, "cannot read %s: %s", path, strerror(errno));
    if (code != Z_OK && code != Z_BUF_ERROR)
        return kl_fail(err, KL_ERR_INPUT, "%s is damaged (%s): fetch it again", path, text);
    return kl_fail(err, KL_ERR_INPUT, "%s ends too early: it is truncated, fetch it again", path);
}

static enum kl_status read_exactly(gzFile file, const char *path, void *out, size_t n_bytes,
                                   struct kl_error *err)
{
    unsigned char *bytes = out;

    while (n_bytes > 0) {
        unsigned chunk = n_bytes > (1u << 30) ? 1u << 30 : (unsigned)n_bytes;
        int got = gzread(file, bytes, chunk);

        if (got <= 0)
            return short_file(file, path, err);
        bytes += got;
        n_bytes -= (size_t)got;
    }
    return KL_OK;
}

/* Reads n_bytes into memory that grows with what is there, whatever a header claims: *out is the
 * caller's, also on failure. */
static enum kl_status read_growing(gzFile file, const char *path, uint8_t **out, size_t n_bytes,
                                   struct kl_error *err)
{
    size_t room = 0;
    enum kl_status status = KL_OK;

    while (!status && room < n_bytes) {
        size_t more = room < FIRST_BYTES ? FIRST_BYTES : room;
        uint8_t *grown;

        more = n_bytes - room < more ? n_bytes - room : more;
        grown = realloc(*out, room + more);
        if (!grown)
            return kl_fail(err, KL_ERR_MEMORY, "not enough memory for %s", path);
        *out = grown;
        status = read_exactly(file, path, grown + room, more, err);
        room += more;
    }
    return status;
}

static enum kl_status check_end(gzFile file, const char *path, struct kl_error *err)
{
    unsigned char extra;
    int got = gzread(file, &extra, 1);

    if (got > 0)
        return kl_fail(err, KL_ERR_INPUT,
                       "%s is longer than its header says: it is damaged, fetch it again", path);
    if (got < 0)
        return short_file(file, path, err);
    return KL_OK;
}

/* Reads one IDX file: its dimensions (which must be as many as the magic says) and its bytes. */
static enum kl_status read_idx(const char *path, uint32_t magic, uint32_t dimensions[3],
                               uint8_t **out, struct kl_error *err)
{
    size_t n_dimensions = magic & 0xff;
    uint8_t header[16], *bytes = NULL;
    uint64_t total = 1;
    enum kl_status status;
    int fd = -1;
    gzFile file;

    status = kl_file_descriptor(path, &fd, err);
    if (status)
        return status;
    file = gzdopen(fd, "rb");
    if (!file) {
        close(fd);
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory to read %s", path);
    }
    gzbuffer(file, 1 << 16);
    status = read_exactly(file, path, header, 4 + 4 * n_dimensions, err);
    if (status)
        goto out;
    for (size_t i = 0; i <= n_dimensions; i++) {
        const uint8_t *b = header + 4 * i;
        uint32_t word = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];

        if (i == 0 && word != magic) {
            status = kl_fail(err, KL_ERR_INPUT,
                             "%s is not an IDX file of %s (its first bytes are %08x, not %08x)",
                             path, magic == MAGIC_IMAGES ? "images" : "labels", word, magic);
            goto out;
        }
        if (i > 0) {
            dimensions[i - 1] = word;
            if ((i > 1 && (word == 0 || word > KL_IMAGE_SIDE_MAX)) || word > INT32_MAX ||
                (total *= word) > PIXELS_MAX) {
                status = kl_fail(err, KL_ERR_INPUT, "%s has an impossible size in its header: %u",
                                 path, word);
                goto out;
            }
        }
    }
    status = read_growing(file, path, &bytes, (size_t)total, err);
    if (!status)
        status = check_end(file, path, err);
    if (!status) {
        *out = bytes;
        bytes = NULL; /* now the caller's */
    }
out:
    free(bytes);
    gzclose(file);
    return status;
}

static enum kl_status read_split(struct kl_dataset *dataset, const char *folder,
                                 enum kl_split split, struct kl_error *err)
{
    const char *prefix = split == KL_SPLIT_TRAIN ? "train" : "t10k";
    const char *other_prefix = split == KL_SPLIT_TRAIN ? "train" : "test";
    struct kl_image_set *set = &dataset->splits[split];
    char path[PATH_BYTES];
    uint32_t images[3] = {0}, labels[3] = {0};
    enum kl_status status = find_file(folder, prefix, other_prefix, "images", path, err);

    if (!status)
        status = read_idx(path, MAGIC_IMAGES, images, &set->pixels, err);
    if (!status && dataset->width && (images[1] != dataset->height || images[2] != dataset->width))
        status = kl_fail(err, KL_ERR_INPUT, "%s has images of %ux%u, the training images are %ux%u",
                         path, images[2], images[1], dataset->width, dataset->height);
    if (!status && images[0] == 0)
        status = kl_fail(err, KL_ERR_INPUT, "%s holds no images", path);
    if (!status)
        status = find_file(folder, prefix, other_prefix, "labels", path, err);
    if (!status)
        status = read_idx(path, MAGIC_LABELS, labels, &set->labels, err);
    if (!status && labels[0] != images[0])
        status = kl_fail(err, KL_ERR_INPUT, "%s has %u labels for %u images", path, labels[0],
                         images[0]);
    if (status)
        return status;
    set->count = images[0];
    dataset->height = images[1];
    dataset->width = images[2];
    for (uint32_t i = 0; i < set->count; i++) {
        if (split == KL_SPLIT_TRAIN && set->labels[i] >= dataset->n_classes)
            dataset->n_classes = set->labels[i] + 1u;
        if (set->labels[i] >= dataset->n_classes)
            return kl_fail(err, KL_ERR_INPUT,
                           "%s: label %u of image %u is outside the training labels' range 0 to %u",
                           path, set->labels[i], i, dataset->n_classes - 1);
    }
    return KL_OK;
}

enum kl_status kl_idx_load(struct kl_dataset *dataset, const char *folder, struct kl_error *err)
{
    enum kl_status status;

    dataset->channels = 1;
    status = read_split(dataset, folder, KL_SPLIT_TRAIN, err);
    if (!status)
        status = read_split(dataset, folder, KL_SPLIT_TEST, err);
    if (!status && dataset->n_classes < 2)
        status =
            kl_fail(err, KL_ERR_INPUT, "%s has only one class: there is nothing to learn", folder);
    /* The known data sets have ten classes; a larger label is damage, not an eleventh. */
    if (!status && dataset->n_classes > 10 &&
        (!strcmp(dataset->name, "mnist") || !strcmp(dataset->name, "fashion-mnist")))
        status = kl_fail(err, KL_ERR_INPUT,
                         "%s: label %u is outside the range 0 to 9 of %s: the labels are damaged, "
                         "fetch them again",
                         folder, dataset->n_classes - 1, dataset->name);
    return status;
}
