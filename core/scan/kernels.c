#include "core/scan/kernels.h"

#include <stdlib.h>
#include <string.h>

static const struct kl_kernels *const all[] = {
    &kl_kernels_portable,
#ifdef __x86_64__
    &kl_kernels_avx2,     &kl_kernels_avx512, &kl_kernels_avx512_vbmi2,
#endif
#ifdef __aarch64__
    &kl_kernels_neon,
#endif
};

static const struct kl_kernels *chosen = &kl_kernels_portable;

const struct kl_kernels *const *kl_kernels_all(size_t *n)
{
    *n = sizeof all / sizeof all[0];
    return all;
}

enum kl_status kl_kernels_select(struct kl_error *err)
{
    const char *wanted = getenv("KEYLIGHT_KERNEL");
    const struct kl_kernels *found = NULL;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i]->supported() && (!wanted || !*wanted || !strcmp(wanted, all[i]->name)))
            found = all[i];
    }
    if (!found)
        return kl_fail(err, KL_ERR_USAGE,
                       "KEYLIGHT_KERNEL=%.40s is not a kernel that this processor runs: unset it, "
                       "or use portable",
                       wanted);
    chosen = found;
    return KL_OK;
}

const struct kl_kernels *kl_kernels(void)
{
    return chosen;
}

void kl_dot(enum kl_dtype dtype, const void *keys, size_t n, size_t width,
            const struct kl_dots *dots)
{
    switch (dtype) {
    case KL_U8:
        chosen->dot_u8(keys, n, width, dots);
        break;
    case KL_F16:
        chosen->dot_f16(keys, n, width, dots);
        break;
    case KL_F32:
        chosen->dot_f32(keys, n, width, dots);
        break;
    }
}

void kl_add(enum kl_dtype dtype, const void *rows, const uint16_t *which, size_t n, size_t width,
            const float *weights, float *sums)
{
    if (dtype == KL_F16)
        chosen->add_f16(rows, which, n, width, weights, sums);
    else
        chosen->add_f32(rows, which, n, width, weights, sums);
}
