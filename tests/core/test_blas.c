/* What OpenBLAS is told of the processor. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/blas.h"
#include "tests/lib/suite.h"

static const char *best_of_this(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        return "SkylakeX";
    if (__builtin_cpu_supports("avx2"))
        return "Haswell";
#endif
    return NULL;
}

START_TEST(cores_with_the_widest_vectors_stay)
{
    static const char *const widest[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};

    for (size_t i = 0; i < sizeof widest / sizeof *widest; i++)
        ck_assert_ptr_null(kl_blas_better_core(widest[i]));
}
END_TEST

START_TEST(others_are_raised_to_what_the_processor_has)
{
    static const char *const wide[] = {"Haswell", "Zen"}, *const narrow[] = {"Prescott", "Core2"};
    const char *best = best_of_this();
    int is_widest = best && !strcmp(best, "SkylakeX");

    for (size_t i = 0; i < 2; i++) {
        ck_assert_pstr_eq(kl_blas_better_core(narrow[i]), best);
        ck_assert_pstr_eq(kl_blas_better_core(wide[i]), is_widest ? best : NULL);
    }
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

MAIN("blas", cores_with_the_widest_vectors_stay, others_are_raised_to_what_the_processor_has,
     a_choice_that_was_made_stays)
