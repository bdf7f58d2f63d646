/* What is free for a process, by the machine and by its own limit; and files that may be waited
 * for.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/files.h"
#include "core/base/memory.h"
#include "tests/lib/suite.h"

START_TEST(what_is_free_is_less_than_the_machine_has_and_than_the_limit_leaves)
{
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t unlimited = kl_memory_free();
    struct rlimit limit;

    ck_assert_uint_gt(unlimited, 0);
    ck_assert_uint_lt(unlimited, machine);
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = (rlim_t)2 << 30; /* the process has some of it already */
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    ck_assert_uint_lt(kl_memory_free(), (uint64_t)2 << 30);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}
END_TEST

START_TEST(nobody_waits_for_a_pipe)
{
    char path[64];
    struct kl_error err;
    FILE *file = NULL;
    int fd = -1;

    snprintf(path, sizeof path, "tests-pipe-%d", (int)getpid());
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(kl_file_open(path, &file, &err), KL_ERR_INPUT);
    ck_assert_int_eq(kl_file_descriptor("/dev/zero", &fd, &err), KL_ERR_INPUT);
    ck_assert_int_eq(kl_file_descriptor(".", &fd, &err), KL_ERR_INPUT);
    unlink(path);
    ck_assert_int_eq(kl_file_open(path, &file, &err), KL_ERR_NOT_FOUND);
}
END_TEST

MAIN("memory", what_is_free_is_less_than_the_machine_has_and_than_the_limit_leaves,
     nobody_waits_for_a_pipe)
