"""Every allocation that keylight itself makes fails in turn, and reads and writes of a training fail or fall short: one clean sentence, no
crash, and nothing half-written that looks whole. KL_FAULTS: how many places of each command are tried (default 25)."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402

FAULTS = int(os.environ.get("KL_FAULTS", "25"))
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static uintptr_t low, high;
static long count, at, which; /* 0: allocations, 1: writes, 2: reads */
static int note(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size; (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            if (!low || from < low) low = from;
            if (from + info->dlpi_phdr[i].p_memsz > high) high = from + info->dlpi_phdr[i].p_memsz;
        }
    return 1; /* the first is the program */
}
static void *(*real_malloc)(size_t), *(*real_calloc)(size_t, size_t), *(*real_realloc)(void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t), (*real_pread)(int, void *, size_t, off_t);
__attribute__((constructor)) static void begin(void)
{
    dl_iterate_phdr(note, NULL);
    at = getenv("KL_FAIL_AT") ? atol(getenv("KL_FAIL_AT")) : 0;
    which = getenv("KL_FAIL_WHICH") ? atol(getenv("KL_FAIL_WHICH")) : 0;
}
__attribute__((destructor)) static void end(void)
{
    FILE *file = getenv("KL_FAIL_COUNT") ? fopen(getenv("KL_FAIL_COUNT"), "w") : NULL;
    if (file) { fprintf(file, "%ld\n", count); fclose(file); }
}
static int fails(void *caller, int kind)
{
    if (kind != which || (kind == 0 && ((uintptr_t)caller < low || (uintptr_t)caller >= high))) return 0;
    return __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) == at;
}
#define REAL(name) (real_##name ? real_##name : (real_##name = (__typeof__(real_##name))dlsym(RTLD_NEXT, #name)))
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *malloc(size_t n) { return fails(__builtin_return_address(0), 0) ? (errno = ENOMEM, (void *)0) : __libc_malloc(n); }
void *calloc(size_t n, size_t m) { return fails(__builtin_return_address(0), 0) ? (errno = ENOMEM, (void *)0) : __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { return fails(__builtin_return_address(0), 0) ? (errno = ENOMEM, (void *)0) : __libc_realloc(p, n); }
ssize_t pwrite64(int fd, const void *b, size_t n, off_t o)
{
    if (!real_pwrite) real_pwrite = (__typeof__(real_pwrite))dlsym(RTLD_NEXT, "pwrite64");
    if (fails(NULL, 1)) { /* half of it is there, and every other time that is told */
        ssize_t half = real_pwrite(fd, b, n > 1 ? n / 2 : n, o);
        return at % 2 ? half : (errno = EIO, -1);
    }
    return real_pwrite(fd, b, n, o);
}
ssize_t pread64(int fd, void *b, size_t n, off_t o)
{
    if (!real_pread) real_pread = (__typeof__(real_pread))dlsym(RTLD_NEXT, "pread64");
    if (fails(NULL, 2)) { errno = EIO; return -1; }
    return real_pread(fd, b, n, o);
}
"""


def set_up():
    global LIBRARY, RUN
    source = os.path.join(FOLDER, "shim.c")
    with open(source, "w") as file:
        file.write(SHIM)
    LIBRARY = os.path.join(FOLDER, "shim.so")
    if not shutil.which("cc") or subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", LIBRARY, source, "-ldl"], capture_output=True).returncode:
        LIBRARY = None
    RUN = tap.train_strokes(FOLDER)


def faulty(which, at, *arguments):
    counted = os.path.join(FOLDER, "count")
    environment = {**os.environ, "LD_PRELOAD": LIBRARY, "KL_FAIL_AT": str(at), "KL_FAIL_WHICH": str(which), "KL_FAIL_COUNT": counted,
                   "OPENBLAS_NUM_THREADS": "1"}
    done = tap.run(*arguments, env=environment, timeout=120)
    with open(counted) as file:
        return done, int(file.read())


def stand(which, arguments, clean=lambda: None, check=lambda done, at: None):
    """The command with one fault at a time, at places spread over all."""
    if LIBRARY is None or "sanitize" in os.environ.get("KEYLIGHT_BUILD", ""):
        raise tap.Skip("the shim needs a compiler, and no sanitizer")
    clean()
    done, n = faulty(which, 0, *arguments)
    assert done.returncode == 0 and n > 0, (arguments, done, n)
    told = 0
    for at in sorted({1 + i * (n - 1) // max(1, FAULTS - 1) for i in range(FAULTS)} if FAULTS < n else range(1, n + 1)):
        clean()
        done, _ = faulty(which, at, *arguments)
        assert done.returncode in (0, 1), (which, at, arguments, done)
        if done.returncode:
            told += 1
            lines = [line for line in done.stderr.splitlines() if line.startswith("keylight: ")]
            assert len(lines) == 1 and done.stderr.splitlines()[-1] == lines[0], (which, at, arguments, done)
        check(done, at)
    print(f"# {arguments[0]}: {'allocations writes reads'.split()[which]}, {n} places, {told} told")


COMMANDS = {"info": (), "verify": (), "query": ("--sample", "test/strokes/3"), "suspects": ("--top", "3"), "report": ("--samples", "10")}


def test_allocations_fail_while_a_run_is_read():
    for command, options in COMMANDS.items():
        stand(0, (command, RUN, *options))


def training(which):
    out = os.path.join(FOLDER, "faulty.keylight")
    command = ("train", "--data", "strokes", "--hidden", "12", "--steps", "40", "--checkpoint-steps", "10", "--output", out, "--quiet")

    def clean():
        for name in os.listdir(FOLDER):
            if name.startswith("faulty.keylight"):
                os.remove(os.path.join(FOLDER, name))

    def check(done, at):
        """What has its name is whole; what is not can be gone on with, or says that it cannot."""
        if os.path.exists(out):
            tap.succeed("verify", out)
        elif os.path.exists(out + ".part"):
            resumed = tap.run("train", "--resume", out, "--quiet")
            if resumed.returncode == 0 or "is finished: there is nothing to resume" in resumed.stderr:
                tap.succeed("verify", out)  # whole before, it has its name now
            else:
                assert "nothing to go on with" in resumed.stderr, (which, at, done, resumed)
        assert os.path.exists(out) or done.returncode == 1
    stand(which, command, clean, check)


def test_allocations_fail_while_a_network_is_trained():
    training(0)


def test_writes_fail_while_a_network_is_trained():
    training(1)


def test_reads_fail_while_a_network_is_trained():
    training(2)  # a run that is read is mapped: of nothing else is so much read


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
