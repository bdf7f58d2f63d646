/* Any bytes as a picture in a folder of images; the first byte says with which name. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/lib/data.h"
#include "tests/fuzz/lib/fuzz.h"

static const char *const ends[] = {"png", "jpg", "gif", "bmp", "ppm", "pgm", "tif", "webp"};
static const unsigned char good[] = "P5 2 2 255 \1\2\3\4";

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    char path[64];

    if (n_bytes == 0)
        return 0;
    if (mkdir("folder", 0777) == 0) {
        mkdir("folder/a", 0777);
        mkdir("folder/b", 0777);
        for (int i = 0; i < 6; i++) {
            snprintf(path, sizeof path, "folder/%c/good%d.pgm", i % 2 ? 'a' : 'b', i);
            fuzz_write(path, good, sizeof good - 1);
        }
    }
    snprintf(path, sizeof path, "folder/a/any.%s", ends[bytes[0] % 8]);
    fuzz_write(path, bytes + 1, n_bytes - 1);
    fuzz_load("fuzz=folder");
    unlink(path);
    return 0;
}
