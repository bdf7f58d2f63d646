#include "core/base/blas.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "core/base/memory.h"

#define CORE "OPENBLAS_CORETYPE"
#define BUFFER_BYTES ((uint64_t)138 << 20) /* and the thread's stack, and what surrounds both */

void kl_blas_single_thread(void)
{
#ifdef HAVE_OPENBLAS_SET_NUM_THREADS
    openblas_set_num_threads(1);
#endif
}

const char *kl_blas_better_core(const char *chosen)
{
#ifdef __x86_64__
    static const char *const with_avx2[] = {"Haswell",  "Excavator",  "Zen",
                                            "SkylakeX", "Cooperlake", "SapphireRapids"};

    for (size_t i = 0; i < sizeof with_avx2 / sizeof *with_avx2; i++)
        if (!strcmp(chosen, with_avx2[i]))
            return NULL;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return "Haswell";
#endif
    (void)chosen;
    return NULL;
}

void kl_blas_suit_processor(char **argv)
{
#ifdef HAVE_OPENBLAS_GET_CORENAME
    const char *better = getenv(CORE) ? NULL : kl_blas_better_core(openblas_get_corename());
    char program[4096] = "";

    if (better && readlink("/proc/self/exe", program, sizeof program - 1) > 0 &&
        !setenv(CORE, better, 1))
        execv(program, argv); /* by its own name, which lists of processes show */
#else
    (void)argv;
#endif
}

enum kl_status kl_blas_reserve(unsigned n_callers, struct kl_error *err)
{
#ifdef HAVE_OPENBLAS_SET_NUM_THREADS
    return kl_memory_reserve(n_callers * BUFFER_BYTES, "the library for linear algebra", err);
#else
    (void)n_callers, (void)err;
    return KL_OK;
#endif
}
