/* Any bytes as CIFAR-10's files: the first says which, and how many records' worth of the others'
 * zeros stand before it. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/lib/data.h"
#include "tests/fuzz/lib/fuzz.h"

#define RECORD 3073

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    static const char *const names[] = {"cifar/data_batch_1.bin", "cifar/test_batch.bin",
                                        "cifar/batches.meta.txt"};
    unsigned which = n_bytes ? bytes[0] % 3 : 0, records = n_bytes ? bytes[0] / 3 % 4 : 0;
    size_t n_before = which < 2 ? (size_t)records * RECORD : 0, n = n_bytes ? n_bytes - 1 : 0;
    unsigned char *all = calloc(1, n_before + n + 4 * RECORD);

    if (!all)
        abort();
    mkdir("cifar", 0777);
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned record = 0; record < 4; record++)
            all[record * RECORD] = (unsigned char)(record % 2);
        if (i == which)
            memcpy(all + n_before, bytes + (n_bytes > 0), n);
        unlink(names[i]);
        if (i == which)
            fuzz_write(names[i], all, n_before + n);
        else if (i < 2)
            fuzz_write(names[i], all, 4 * RECORD);
        memset(all, 0, n_before + n);
    }
    fuzz_load("fuzz=cifar");
    free(all);
    return 0;
}
