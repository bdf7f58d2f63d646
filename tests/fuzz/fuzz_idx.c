/* Any bytes as an IDX file. The first byte says which of the four files the rest stands for, and
 * whether it is compressed; the others are good ones. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/lib/data.h"
#include "tests/fuzz/lib/fuzz.h"

static const char *const names[] = {"train-images", "train-labels", "t10k-images", "t10k-labels"};
static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6};
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 1};

static void name_part(size_t part, int is_compressed, char path[64])
{
    snprintf(path, 64, "idx/%s-idx%d-ubyte%s", names[part], part % 2 ? 1 : 3,
             is_compressed ? ".gz" : "");
}

static void write_good(size_t part)
{
    char path[64];

    name_part(part, 0, path);
    fuzz_write(path, part % 2 ? labels : images, part % 2 ? sizeof labels : sizeof images);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    unsigned first = n_bytes ? bytes[0] : 0;
    size_t part = first % 4;
    int is_compressed = first / 4 % 2;
    char path[64];

    if (mkdir("idx", 0777) == 0)
        for (size_t i = 0; i < 4; i++)
            write_good(i);
    if (is_compressed) {
        name_part(part, 0, path);
        unlink(path);
    }
    name_part(part, is_compressed, path);
    if (n_bytes)
        fuzz_write(path, bytes + 1, n_bytes - 1);
    fuzz_load("fuzz=idx");
    if (is_compressed)
        unlink(path);
    write_good(part);
    return 0;
}
