#include "core/base/blas.h"

#include <cblas.h>

#include "config.h"

void kl_blas_single_thread(void)
{
#ifdef HAVE_OPENBLAS_SET_NUM_THREADS
    openblas_set_num_threads(1);
#endif
}
