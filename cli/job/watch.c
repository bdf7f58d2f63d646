#include "cli/job/watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOTE_BYTES 400

static char *note; /* shared by both processes; NULL: there is nobody who waits */
static volatile pid_t child;
static volatile sig_atomic_t was_asked; /* to end, by a signal that was handed on */

static void hand_on(int number)
{
    was_asked = 1;
    if (child > 0)
        kill(child, number);
}

static void tell(uint32_t own, uint32_t n, int number)
{
    fprintf(
        stderr,
        "keylight: process %u of %u, which had %s, was killed (signal %d, %s), and the job ends "
        "with it: start it again%s\n",
        own, n, *note ? note : "opened no run yet", number, strsignal(number),
        own ? ", or, without what it had, with fewer processes: answers then say from which share "
              "of the history they are"
            : "");
}

/* Waits for the child's end, and ends as it did. */
static void wait_for_it(uint32_t own, uint32_t n)
{
    const struct sigaction action = {.sa_handler = hand_on};
    int state = 0;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (waitpid(child, &state, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(state))
        _exit(WEXITSTATUS(state));
    if (!was_asked)
        tell(own, n, WTERMSIG(state));
    _exit(1);
}

void kl_watch(uint32_t own, uint32_t n)
{
    void *page = mmap(NULL, NOTE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return;
    note = page;
    fflush(NULL);
    child = fork();
    if (child > 0)
        wait_for_it(own, n);
    if (child < 0) {
        munmap(page, NOTE_BYTES);
        note = NULL;
        return;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody works on for a job that is gone */
}

void kl_watch_note(const char *holds)
{
    size_t used = note ? strlen(note) : 0;

    if (note)
        snprintf(note + used, NOTE_BYTES - used, "%s%s", used ? ", and " : "", holds);
}
