/* Threads of the BLAS library. */
#ifndef KL_CORE_BASE_BLAS_H
#define KL_CORE_BASE_BLAS_H

/* Makes BLAS calls run in the caller's thread alone, from now on and for the whole process: where a
 * pool's workers make them, threads of the library's own would only be in their way. Has no effect
 * on libraries other than OpenBLAS. Call before other threads start. */
void kl_blas_single_thread(void);

#endif
