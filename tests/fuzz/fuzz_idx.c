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

static void write_part(size_t part, int is_compressed, const unsigned char *bytes, size_t n_bytes)
{
    char path[64];

    for (int kind = 0; kind < 2; kind++) {
        snprintf(path, sizeof path, "idx/%s-idx%d-ubyte%s", names[part], part % 2 ? 1 : 3,
                 kind ? ".gz" : "");
        unlink(path);
        if (kind == is_compressed)
            fuzz_write(path, bytes, n_bytes);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    unsigned first = n_bytes ? bytes[0] : 0;

    mkdir("idx", 0777);
    for (size_t i = 0; i < 4; i++)
        if (n_bytes && i == first % 4)
            write_part(i, first / 4 % 2, bytes + 1, n_bytes - 1);
        else
            write_part(i, 0, i % 2 ? labels : images, i % 2 ? sizeof labels : sizeof images);
    fuzz_load("fuzz=idx");
    return 0;
}
