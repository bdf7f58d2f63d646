#include "core/data/images/cifar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/files.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"

#define SIDE 32
#define CHANNELS 3
#define IMAGE_BYTES (CHANNELS * SIDE * SIDE)
#define RECORD_BYTES (1 + IMAGE_BYTES)
#define CLASSES 10
#define BATCHES_MAX 5
#define RECORDS_MAX 1000000 /* a file: a hundred times what CIFAR-10 has */
#define PATH_BYTES 4096

static void batch_path(char path[PATH_BYTES], const char *folder, int batch)
{
    if (batch)
        snprintf(path, PATH_BYTES, "%s/data_batch_%d.bin", folder, batch);
    else
        snprintf(path, PATH_BYTES, "%s/test_batch.bin", folder);
}

int kl_cifar_is(const char *folder)
{
    char path[PATH_BYTES];
    struct stat info;

    batch_path(path, folder, 1);
    return stat(path, &info) == 0;
}

static enum kl_status count_records(const char *path, uint32_t *count, struct kl_error *err)
{
    struct stat info;

    if (stat(path, &info))
        return kl_fail(err, errno == ENOENT ? KL_ERR_NOT_FOUND : KL_ERR_IO, "cannot read %s: %s",
                       path, strerror(errno));
    if (info.st_size == 0 || info.st_size % RECORD_BYTES ||
        info.st_size / RECORD_BYTES > RECORDS_MAX)
        return kl_fail(err, KL_ERR_INPUT,
                       "%s is no file of CIFAR-10 records: its %lld bytes are not a multiple of %d",
                       path, (long long)info.st_size, RECORD_BYTES);
    *count = (uint32_t)(info.st_size / RECORD_BYTES);
    return KL_OK;
}

/* Appends the records of one file to a split that has room for them. */
static enum kl_status read_records(const char *path, uint32_t count, struct kl_image_set *set,
                                   struct kl_error *err)
{
    FILE *file = NULL;
    uint8_t record[RECORD_BYTES];
    enum kl_status status = kl_file_open(path, &file, err);

    if (status)
        return status;
    for (uint32_t i = 0; !status && i < count; i++) {
        if (fread(record, RECORD_BYTES, 1, file) != 1) {
            status = kl_fail(err, KL_ERR_IO, "cannot read %s: it ends too early", path);
        } else if (record[0] >= CLASSES) {
            status = kl_fail(err, KL_ERR_INPUT, "%s: label %u of image %u is outside 0 to %d", path,
                             record[0], i, CLASSES - 1);
        } else {
            set->labels[set->count] = record[0];
            memcpy(set->pixels + (size_t)set->count++ * IMAGE_BYTES, record + 1, IMAGE_BYTES);
        }
    }
    fclose(file);
    return status;
}

/* Reads batches first .. last (0: the test batch) into a split; later ones than the first may be
 * missing. */
static enum kl_status read_split(const char *folder, int first, int last, struct kl_image_set *set,
                                 struct kl_error *err)
{
    uint32_t counts[BATCHES_MAX + 1] = {0}, total = 0;
    char path[PATH_BYTES];
    enum kl_status status = KL_OK;

    for (int b = first; !status && b <= last; b++) {
        batch_path(path, folder, b);
        status = count_records(path, &counts[b], err);
        if (status == KL_ERR_NOT_FOUND && b > first)
            status = KL_OK;
        if (!status && b > first && counts[b] && !counts[b - 1])
            status =
                kl_fail(err, KL_ERR_NOT_FOUND,
                        "%s is there but the batch before it is missing: fetch it again", path);
        total += counts[b];
    }
    if (!status)
        status = kl_alloc(&set->pixels, total, IMAGE_BYTES, "the images", err);
    if (!status)
        status = kl_alloc(&set->labels, total, 1, "the labels", err);
    for (int b = first; !status && b <= last; b++) {
        batch_path(path, folder, b);
        if (counts[b])
            status = read_records(path, counts[b], set, err);
    }
    return status;
}

/* One name a line; what is missing stays without a name. */
static enum kl_status name_classes(struct kl_dataset *dataset, const char *folder,
                                   struct kl_error *err)
{
    char path[PATH_BYTES], *line = NULL;
    size_t room = 0;
    FILE *file = NULL;
    struct kl_error missing; /* then they have the names that are known */
    enum kl_status status = KL_OK;

    snprintf(path, sizeof path, "%s/batches.meta.txt", folder);
    (void)kl_file_open(path, &file, &missing);
    for (uint32_t c = 0; !status && file && c < CLASSES && getline(&line, &room, file) > 0; c++) {
        line[strcspn(line, "\r\n")] = '\0';
        if (*line)
            status = kl_dataset_name_class(dataset, c, line, err);
    }
    free(line);
    if (file)
        fclose(file);
    return status;
}

enum kl_status kl_cifar_load(struct kl_dataset *dataset, const char *folder, struct kl_error *err)
{
    enum kl_status status;

    if (strlen(folder) > PATH_BYTES - 32)
        return kl_fail(err, KL_ERR_USAGE, "the path of the data folder is too long");
    dataset->width = dataset->height = SIDE;
    dataset->channels = CHANNELS;
    dataset->n_classes = CLASSES;
    status = name_classes(dataset, folder, err);
    if (!status)
        status = read_split(folder, 1, BATCHES_MAX, &dataset->splits[KL_SPLIT_TRAIN], err);
    return status ? status : read_split(folder, 0, 0, &dataset->splits[KL_SPLIT_TEST], err);
}
