/* AVX-512 F. */
#include "core/scan/kernels.h"

#ifdef __x86_64__

#define TARGET __attribute__((target("avx512f,fma,f16c,popcnt")))

#include "core/scan/kernels_avx512.h"
#include "core/scan/kernels_wide.h"

static int supported(void)
{
    return has_avx512();
}

const struct kl_kernels kl_kernels_avx512 = {
    "avx512", supported, dot_u8,   dot_f16,    dot_packed_f16, dot_f32, NULL,    largest,
    to_f16,   from_f16,  pack_f16, unpack_f16, count_bits,     add_f16, add_f32,
};

#endif
