#include "tests/fuzz/lib/data.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/data/loading.h"
#include "tests/fuzz/lib/fuzz.h"

void fuzz_load(const char *spec)
{
    struct kl_dataset *dataset = NULL;
    struct kl_selection selection = {0};
    struct kl_error err = {0};
    enum kl_status status = kl_dataset_load(spec, 0, &selection, &dataset, &err);

    fuzz_check(status, &err);
    if (!status) {
        status = kl_select(dataset, 0, &selection, NULL, &err);
        fuzz_check(status, &err);
    }
    kl_dataset_free(dataset);
}
