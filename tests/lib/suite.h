/* A test program: its cases are listed in cases[], each a promise. Prints TAP. */
#ifndef KL_TESTS_LIB_SUITE_H
#define KL_TESTS_LIB_SUITE_H

#include <check.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/scan/kernels.h"

/* Expects a call to succeed, and says its message if it does not. */
#define ck_ok(call, err)                                                                           \
    do {                                                                                           \
        enum kl_status ck_ok_status = (call);                                                      \
        ck_assert_msg(ck_ok_status == KL_OK, "%s", (err).message);                                 \
    } while (0)

/* Runs all tests of an array of TTest pointers; returns main's result. */
static inline int run_suite(const char *name, const TTest *const *cases, size_t n_cases)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    SRunner *runner;
    int failed;

    for (size_t i = 0; i < n_cases; i++)
        tcase_add_test(tcase, cases[i]);
    tcase_set_timeout(tcase, 120);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define MAIN(name, ...)                                                                            \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const cases[] = {__VA_ARGS__};                                                \
        return run_suite(name, cases, sizeof cases / sizeof cases[0]);                             \
    }

#endif
