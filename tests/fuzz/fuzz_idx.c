/* Any bytes as an IDX file: refused in words or read, never a crash. The first byte says which of
 * the four files the rest stands for; the others are good ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/data/dataset.h"
#include "core/data/loading.h"

static const char *const names[] = {"train-images", "train-labels", "t10k-images", "t10k-labels"};
static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6};
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 1};

static void write_file(const char *name, const unsigned char *bytes, size_t n_bytes)
{
    char path[64];
    FILE *file;

    snprintf(path, sizeof path, "idx/%s", name);
    file = fopen(path, "wb");
    if (!file)
        abort();
    fwrite(bytes, 1, n_bytes, file);
    fclose(file);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    struct kl_dataset *dataset = NULL;
    struct kl_error err = {0};
    size_t which = n_bytes ? bytes[0] % 4 : 0;

    mkdir("idx", 0777);
    for (size_t i = 0; i < 4; i++)
        write_file(names[i], i % 2 ? labels : images, i % 2 ? sizeof labels : sizeof images);
    /* A header that claims gigabytes is refused only when the file has ended; not here. */
    if (n_bytes > 17 && (bytes[5] || bytes[6] > 16))
        return 0;
    if (n_bytes)
        write_file(names[which], bytes + 1, n_bytes - 1);
    if (kl_dataset_load("fuzz=idx", 0, &(struct kl_selection){0}, &dataset, &err) &&
        !err.message[0])
        abort();
    kl_dataset_free(dataset);
    return 0;
}
