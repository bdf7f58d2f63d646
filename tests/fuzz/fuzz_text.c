/* Any bytes as a text: as one file, or as some in a folder, by words or by characters. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/data/text/corpus_read.h"
#include "tests/fuzz/lib/fuzz.h"

#define FILES 3

static const char *const names[] = {"text/train.txt", "text/test 2.txt", "text/valid.txt"};

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    struct kl_corpus_settings settings = {0};
    struct kl_dataset *dataset = calloc(1, sizeof *dataset);
    struct kl_error err = {0};
    unsigned how = n_bytes ? bytes[0] : 0;
    size_t n = n_bytes ? n_bytes - 1 : 0, part = how & 4 ? n / FILES : n;

    if (!dataset)
        abort();
    mkdir("text", 0777);
    for (size_t i = 0; i < FILES; i++) {
        unlink(names[i]);
        if (i == 0 || how & 4)
            fuzz_write(names[i], bytes + (n_bytes > 0) + i * part,
                       i + 1 < FILES && how & 4 ? part : n - i * part);
    }
    settings.kind = how % 3;
    settings.min_count = how & 8 ? 3 : 1;
    settings.test_share = 0.1;
    fuzz_check(kl_corpus_read(how & 4 ? "text" : names[0], &settings, dataset, &err), &err);
    kl_dataset_free(dataset);
    return 0;
}
