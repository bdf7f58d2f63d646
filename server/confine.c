#define _GNU_SOURCE /* O_PATH */
#include "server/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config.h"
#ifdef HAVE_LIBSECCOMP
#include <seccomp.h>
#endif

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* since its third version */
#endif

#ifdef __SANITIZE_ADDRESS__ /* which stops all threads to look for leaks, those of before, too */
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

#define FILES                                                                                      \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                              \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_TRUNCATE)
#define FOLDERS (LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR)
#define OTHERS                                                                                     \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |    \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* What is not there needs no leave. */
static int allow(int rules, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access,
                                              .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    int failed;

    if (rule.parent_fd < 0)
        return errno == ENOENT;
    failed = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0;
    close(rule.parent_fd);
    return !failed;
}

/* The folder that a run's own path leads to: what is kept beside it lies there. */
static int allow_beside(int rules, const char *path, uint64_t access)
{
    char *real = realpath(path, NULL);
    int done = real && allow(rules, dirname(real), access);

    free(real);
    return done;
}

int kl_confine_files(char *const *paths, size_t n)
{
    const char *aside[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    uint64_t known = version >= 3 ? ~0ULL : ~(uint64_t)LANDLOCK_ACCESS_FS_TRUNCATE;
    struct landlock_ruleset_attr all = {.handled_access_fs = (FILES | FOLDERS | OTHERS) & known};
    int rules, done;

    if (version < 1 || IS_SANITIZED)
        return 0;
    rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    if (rules < 0)
        return 0;
    done = allow(rules, "/dev/null",
                 (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE) & known);
    for (size_t i = 0; i < sizeof aside / sizeof aside[0]; i++)
        if (aside[i] && *aside[i])
            done = allow(rules, aside[i], (FILES | FOLDERS) & known) && done;
    for (size_t i = 0; i < n; i++)
        (void)allow_beside(rules, paths[i], FILES & known); /* whose is not there is told later */
    done = done && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !syscall(SYS_landlock_restrict_self, rules, 0);
    close(rules);
    return done;
}

int kl_confine_calls(void)
{
#ifdef HAVE_LIBSECCOMP
    static const int calls[] = {
        SCMP_SYS(execve),
        SCMP_SYS(execveat),
        SCMP_SYS(socket),
        SCMP_SYS(connect),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev),
        SCMP_SYS(mount),
        SCMP_SYS(umount2),
        SCMP_SYS(pivot_root),
        SCMP_SYS(chroot),
        SCMP_SYS(setns),
        SCMP_SYS(unshare),
        SCMP_SYS(bpf),
        SCMP_SYS(perf_event_open),
        SCMP_SYS(userfaultfd),
        SCMP_SYS(keyctl),
        SCMP_SYS(add_key),
        SCMP_SYS(request_key),
        SCMP_SYS(init_module),
        SCMP_SYS(finit_module),
        SCMP_SYS(kexec_load),
        SCMP_SYS(swapon),
        SCMP_SYS(reboot),
        SCMP_SYS(io_uring_setup),
#ifndef __SANITIZE_ADDRESS__ /* which looks for leaks with it */
        SCMP_SYS(ptrace),
#endif
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int failed = !filter || seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

    for (size_t i = 0; !failed && i < sizeof calls / sizeof calls[0]; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
    failed = failed || seccomp_load(filter);
    seccomp_release(filter);
    return !failed;
#else
    return 0;
#endif
}
