/* Threads of the BLAS library. */
#ifndef KL_CORE_BASE_BLAS_H
#define KL_CORE_BASE_BLAS_H

#include "core/base/error.h"

/* Makes BLAS calls run in the caller's thread alone, from now on and for the whole process: where a
 * pool's workers make them, threads of the library's own would only be in their way. Has no effect
 * on libraries other than OpenBLAS. Call before other threads start. */
void kl_blas_single_thread(void);

/* The name of a core, as OpenBLAS's variable OPENBLAS_CORETYPE takes it (0.3.10 and later), that
 * has this processor's vectors where chosen, the one that it took, has narrower ones; otherwise
 * NULL. OpenBLAS chooses by the processor's model, as it is loaded; for a model younger than itself
 * it may leave out AVX-512, at two thirds of the speed, or AVX altogether, at a third. Thread-safe.
 */
const char *kl_blas_better_core(const char *chosen);

/* If there is a better core and nobody has set the variable, starts this program again with it;
 * where it cannot, or need not, returns. argv is main's; call first of all. */
void kl_blas_suit_processor(char **argv);

/* A thread that calls OpenBLAS takes 128 MiB of address space, and where it cannot have them it
 * tries for ever. So that much is kept free for so many threads that may call it at once
 * (kl_memory_reserve). Call before other threads start. Errors: KL_ERR_MEMORY. */
enum kl_status kl_blas_reserve(unsigned n_callers, struct kl_error *err);

#endif
