#include "cli/output/json.h"

#include <stdio.h>
#include <stdlib.h>

enum kl_status kl_print_json(char *text, struct kl_error *err)
{
    if (!text)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for the answer");
    puts(text);
    free(text);
    return KL_OK;
}
