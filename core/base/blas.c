#include "core/base/blas.h"

#include <cblas.h>

#include "config.h"
#include "core/base/memory.h"

#define BUFFER_BYTES ((uint64_t)138 << 20) /* and the thread's stack, and what surrounds both */

void kl_blas_single_thread(void)
{
#ifdef HAVE_OPENBLAS_SET_NUM_THREADS
    openblas_set_num_threads(1);
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
