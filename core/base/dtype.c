#include "core/base/dtype.h"

#include <stdint.h>
#include <string.h>

static const char *const names[] = {"uint8", "float16", "float32"};

size_t kl_dtype_size(enum kl_dtype dtype)
{
    return dtype == KL_U8 ? 1 : dtype == KL_F16 ? 2 : 4;
}

const char *kl_dtype_name(enum kl_dtype dtype)
{
    return names[dtype];
}

int kl_dtype_parse(const char *name, enum kl_dtype *dtype)
{
    for (int i = KL_U8; i <= KL_F32; i++) {
        if (!strcmp(names[i], name)) {
            *dtype = (enum kl_dtype)i;
            return 0;
        }
    }
    return -1;
}
