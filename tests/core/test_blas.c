/* What OpenBLAS is told of the processor. */
#include <stdlib.h>
#include <unistd.h>

#include "core/base/blas.h"
#include "tests/lib/suite.h"

START_TEST(what_has_avx2_stays)
{
    static const char *const cores[] = {"Haswell", "Excavator", "Zen", "SkylakeX", "Cooperlake"};

    for (size_t i = 0; i < sizeof cores / sizeof *cores; i++)
        ck_assert_ptr_null(kl_blas_better_core(cores[i]));
}
END_TEST

START_TEST(what_has_not_is_raised_to_what_the_processor_has)
{
    const char *core = kl_blas_better_core("Prescott");

#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        ck_assert_str_eq(core, "SkylakeX");
    else if (__builtin_cpu_supports("avx2"))
        ck_assert_str_eq(core, "Haswell");
    else
#endif
        ck_assert_ptr_null(core);
}
END_TEST

/* Otherwise it would begin again and again. */
START_TEST(a_choice_that_was_made_stays)
{
    char *argv[] = {"/bin/false", NULL};

    ck_assert_int_eq(setenv("OPENBLAS_CORETYPE", "Prescott", 1), 0);
    kl_blas_suit_processor(argv);
    ck_assert_str_eq(getenv("OPENBLAS_CORETYPE"), "Prescott");
}
END_TEST

MAIN("blas", what_has_avx2_stays, what_has_not_is_raised_to_what_the_processor_has,
     a_choice_that_was_made_stays)
