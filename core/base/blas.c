#include "core/base/blas.h"

#include <cblas.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/auxv.h>
#endif

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

#ifdef __x86_64__
/* Cores with AVX2 and wider; all others count as 128 bits. */
static const struct {
    const char *name;
    int bits;
} cores[] = {{"Haswell", 256},  {"Excavator", 256},  {"Zen", 256},
             {"SkylakeX", 512}, {"Cooperlake", 512}, {"SapphireRapids", 512}};

static int bits_of(const char *name)
{
    for (size_t i = 0; i < sizeof cores / sizeof *cores; i++)
        if (!strcasecmp(name, cores[i].name))
            return cores[i].bits;
    return 128;
}
#endif

const char *kl_blas_better_core(const char *chosen)
{
#ifdef __x86_64__
    int has_512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
                  __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
    int has_256 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");

    if (has_512 && bits_of(chosen) < 512)
        return "SkylakeX";
    if (has_256 && bits_of(chosen) < 256)
        return "Haswell";
#endif
    (void)chosen;
    return NULL;
}

void kl_blas_suit_processor(char **argv)
{
#ifdef HAVE_OPENBLAS_GET_CORENAME
    const char *better = getenv(CORE) ? NULL : kl_blas_better_core(openblas_get_corename());
    char program[4096];
    ssize_t length = better ? readlink("/proc/self/exe", program, sizeof program - 1) : -1;

    /* not where a loader was started with this program as its argument */
    if (length <= 0 || length == sizeof program - 1 || !getauxval(AT_BASE) ||
        setenv(CORE, better, 1))
        return;
    program[length] = '\0';
    execv(program, argv); /* by its own name, which lists of processes show */
    unsetenv(CORE);
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
