#include "bench/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct child child_start(const char *const *arguments)
{
    posix_spawn_file_actions_t actions;
    struct child child;
    int to[2], from[2];

    if (pipe(to) || pipe(from) || fcntl(to[1], F_SETFD, FD_CLOEXEC) ||
        fcntl(from[0], F_SETFD, FD_CLOEXEC) || posix_spawn_file_actions_init(&actions) ||
        posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO) ||
        posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO) ||
        posix_spawn_file_actions_addclose(&actions, to[0]) ||
        posix_spawn_file_actions_addclose(&actions, from[1]) ||
        posix_spawnp(&child.pid, arguments[0], &actions, NULL, (char *const *)(size_t)arguments,
                     environ)) {
        fprintf(stderr, "bench: cannot start %s\n", arguments[0]);
        exit(1);
    }
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    child.to = fdopen(to[1], "w");
    child.from = fdopen(from[0], "r");
    if (!child.to || !child.from) {
        fprintf(stderr, "bench: cannot talk to %s\n", arguments[0]);
        exit(1);
    }
    return child;
}

void child_end(struct child *child)
{
    fclose(child->to);
    kill(child->pid, SIGTERM);
    waitpid(child->pid, NULL, 0);
    fclose(child->from);
}
