/* A process that has given up what it does not need, and its threads. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/confine.h"
#include "tests/lib/suite.h"

static char folder[] = "confine-XXXXXX", run[64], beside[64];
static const char elsewhere[] = "/dev/shm/keylight-confine";

/* 0, or why a file cannot be made. */
static int make(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0)
        return errno;
    close(fd);
    return unlink(path) ? errno : 0;
}

/* Whether there is a run in a folder of its own. */
static int prepare(void)
{
    int fd = -1;

    if (mkdtemp(folder)) {
        snprintf(run, sizeof run, "%s/a.keylight", folder);
        snprintf(beside, sizeof beside, "%s/a.keylight.marks", folder);
        fd = open(run, O_WRONLY | O_CREAT, 0600);
    }
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void clean(void)
{
    unlink(run);
    rmdir(folder);
}

START_TEST(nothing_is_written_but_beside_the_runs)
{
    char *paths[] = {run};
    FILE *file;

    ck_assert_int_eq(make(elsewhere), 0);
    if (!kl_confine_files(paths, 1))
        return; /* a kernel without Landlock */
    ck_assert_int_eq(make(beside), 0);
    ck_assert_int_eq(make(elsewhere), EACCES);
    ck_assert_int_eq(mkdir(elsewhere, 0700), -1);
    file = tmpfile(); /* as what SQLite puts aside */
    ck_assert_ptr_nonnull(file);
    fclose(file);
    file = fopen("/etc/passwd", "re"); /* reading goes on */
    ck_assert_ptr_nonnull(file);
    fclose(file);
    ck_assert_int_eq(execl("/bin/true", "true", (char *)NULL), -1);
    ck_assert_int_eq(errno, EACCES);
}
END_TEST

static void *open_socket(void *go)
{
    static int found;

    while (!__atomic_load_n((int *)go, __ATOMIC_ACQUIRE))
        usleep(1000);
    found = socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
    return &found;
}

START_TEST(no_thread_opens_a_socket_or_starts_a_program)
{
    pthread_t thread;
    void *found = NULL;
    int go = 0;

    ck_assert_int_eq(pthread_create(&thread, NULL, open_socket, &go), 0);
    if (kl_confine_calls()) {
        __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
        ck_assert_int_eq(pthread_join(thread, &found), 0);
        ck_assert_int_eq(*(int *)found, EPERM);
        ck_assert_int_eq(socket(AF_INET6, SOCK_DGRAM, 0), -1);
        ck_assert_int_eq(execl("/bin/true", "true", (char *)NULL), -1);
        ck_assert_int_eq(errno, EPERM);
        return;
    }
    __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
    pthread_join(thread, &found);
}
END_TEST

int main(void)
{
    const TTest *const cases[] = {nothing_is_written_but_beside_the_runs,
                                  no_thread_opens_a_socket_or_starts_a_program};
    int failed;

    if (!prepare())
        return EXIT_FAILURE;
    failed = run_suite("confine", cases, sizeof cases / sizeof cases[0]);
    clean();
    return failed;
}
