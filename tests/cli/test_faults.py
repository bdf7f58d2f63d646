"""Every allocation that keylight itself makes fails in turn, reads and writes fail or fall short, and what a server sends and receives: one
clean sentence, no crash, nothing half-written that looks whole, and whoever is not struck gets the right answer. KL_FAULTS: how many places of
each command are tried (default 25; of a server a quarter)."""
import http.client
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402
from client import Server  # noqa: E402

FAULTS = int(os.environ.get("KL_FAULTS", "25"))
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
static uintptr_t low, high;
enum { ALLOCATIONS, WRITES, READS, SENDS, RECEIVES };
static long at, which, alone, *count = &alone; /* counted in a file that all see, as a server may write none */
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
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t), (*real_pread)(int, void *, size_t, off_t);
__attribute__((constructor)) static void begin(void)
{
    dl_iterate_phdr(note, NULL);
    at = getenv("KL_FAIL_AT") ? atol(getenv("KL_FAIL_AT")) : 0;
    which = getenv("KL_FAIL_WHICH") ? atol(getenv("KL_FAIL_WHICH")) : 0;
    int fd = getenv("KL_FAIL_COUNT") ? open(getenv("KL_FAIL_COUNT"), O_RDWR) : -1;
    void *shared = fd >= 0 ? mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (shared != MAP_FAILED) count = shared;
    if (fd >= 0) close(fd);
}
static int fails(void *caller, int kind)
{
    if (kind != which || (kind == ALLOCATIONS && ((uintptr_t)caller < low || (uintptr_t)caller >= high))) return 0;
    return __atomic_add_fetch(count, 1, __ATOMIC_RELAXED) == at;
}
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *malloc(size_t n) { return fails(__builtin_return_address(0), ALLOCATIONS) ? (errno = ENOMEM, (void *)0) : __libc_malloc(n); }
void *calloc(size_t n, size_t m) { return fails(__builtin_return_address(0), ALLOCATIONS) ? (errno = ENOMEM, (void *)0) : __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { return fails(__builtin_return_address(0), ALLOCATIONS) ? (errno = ENOMEM, (void *)0) : __libc_realloc(p, n); }
ssize_t pwrite64(int fd, const void *b, size_t n, off_t o)
{
    if (!real_pwrite) real_pwrite = (__typeof__(real_pwrite))dlsym(RTLD_NEXT, "pwrite64");
    if (fails(NULL, WRITES)) { /* half of it is there, and every other time that is told */
        ssize_t half = real_pwrite(fd, b, n > 1 ? n / 2 : n, o);
        return at % 2 ? half : (errno = EIO, -1);
    }
    return real_pwrite(fd, b, n, o);
}
ssize_t pread64(int fd, void *b, size_t n, off_t o)
{
    if (!real_pread) real_pread = (__typeof__(real_pread))dlsym(RTLD_NEXT, "pread64");
    if (fails(NULL, READS)) return at % 2 ? real_pread(fd, b, n > 1 ? n / 2 : n, o) : (errno = EIO, -1);
    return real_pread(fd, b, n, o);
}
static ssize_t (*real_sendmsg)(int, const struct msghdr *, int), (*real_recv)(int, void *, size_t, int);
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (!real_sendmsg) real_sendmsg = (__typeof__(real_sendmsg))dlsym(RTLD_NEXT, "sendmsg");
    if (fails(NULL, SENDS)) { /* half of its first part is gone, and every other time the connection is */
        struct iovec half = message->msg_iov[0];
        struct msghdr part = {.msg_iov = &half, .msg_iovlen = 1};
        half.iov_len = half.iov_len > 1 ? half.iov_len / 2 : half.iov_len;
        return at % 2 ? real_sendmsg(fd, &part, flags) : (errno = ECONNRESET, -1);
    }
    return real_sendmsg(fd, message, flags);
}
ssize_t recv(int fd, void *b, size_t n, int flags)
{
    if (!real_recv) real_recv = (__typeof__(real_recv))dlsym(RTLD_NEXT, "recv");
    if (fails(NULL, RECEIVES)) return at % 2 ? real_recv(fd, b, n > 1 ? n / 2 : n, flags) : (errno = ECONNRESET, -1);
    return real_recv(fd, b, n, flags);
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


KINDS = ("allocations", "writes", "reads", "sends", "receives")


def shimmed(which, at):
    """What makes the place-th call of a kind fail, and the file that counts them."""
    if LIBRARY is None or "sanitize" in os.environ.get("KEYLIGHT_BUILD", ""):
        raise tap.Skip("the shim needs a compiler, and no sanitizer")
    counted = os.path.join(FOLDER, "count")
    with open(counted, "wb") as file:
        file.write(bytes(8))
    return {"LD_PRELOAD": LIBRARY, "KL_FAIL_AT": str(at), "KL_FAIL_WHICH": str(KINDS.index(which)), "KL_FAIL_COUNT": counted, "OPENBLAS_NUM_THREADS": "1"}, counted


def counted_in(counted):
    with open(counted, "rb") as file:
        return struct.unpack("l", file.read())[0]


def places(n, wanted):
    """Some of n places, spread over all."""
    return sorted({1 + i * (n - 1) // max(1, wanted - 1) for i in range(wanted)} if wanted < n else range(1, n + 1))


def faulty(which, at, *arguments):
    environment, counted = shimmed(which, at)
    done = tap.run(*arguments, env={**os.environ, **environment}, timeout=120)
    return done, counted_in(counted)


def stand(which, arguments, clean=lambda: None, check=lambda done, at: None):
    """The command with one fault at a time, at places spread over all."""
    clean()
    done, n = faulty(which, 0, *arguments)
    assert done.returncode == 0 and n > 0, (arguments, done, n)
    told = 0
    for at in places(n, FAULTS):
        clean()
        done, _ = faulty(which, at, *arguments)
        assert done.returncode in (0, 1), (which, at, arguments, done)
        if done.returncode:
            told += 1
            lines = [line for line in done.stderr.splitlines() if line.startswith("keylight: ")]
            assert len(lines) == 1 and done.stderr.splitlines()[-1] == lines[0], (which, at, arguments, done)
        check(done, at)
    print(f"# {arguments[0]}: {which}, {n} places, {told} told")


COMMANDS = {"info": (), "verify": (), "query": ("--sample", "test/strokes/3"), "suspects": ("--top", "3"), "report": ("--samples", "10")}


def test_allocations_fail_while_a_run_is_read():
    for command, options in COMMANDS.items():
        stand("allocations", (command, RUN, *options))


def forget():
    """Nothing is kept beside the run."""
    for name in os.listdir(FOLDER):
        if name.startswith(os.path.basename(RUN) + "."):
            os.remove(os.path.join(FOLDER, name))


ESTIMATES = {"influence": ("--sample", "test/strokes/3"), "retrain": ("--sample", "test/strokes/3", "--without", "top:2")}


def without_times(text):
    """An answer without what it says of its own time, and of why it could not be kept."""
    return re.sub(r'"(timing_ms|scan_ms|seconds|training_seconds)": ?[\d.e+-]+|"note":"cannot read or write strokes.keylight.results [^"/]*",', "", text)


def test_allocations_and_writes_fail_while_a_training_is_looked_back_on():
    """What is said is right, and what is kept of it is whole."""
    for which in ("allocations", "writes"):
        for command, options in ESTIMATES.items():
            arguments = (command, RUN, *options, "--json")
            right = without_times(tap.succeed(*arguments, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}))

            def check(done, at):
                assert done.returncode or without_times(done.stdout) == right, (command, which, at, done)
                if at % 4 == 0:
                    tap.succeed("verify", RUN)
                    assert without_times(tap.succeed(*arguments, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})) == right, (command, which, at)
            stand(which, arguments, forget, check)
    forget()


ASKED = ("/", "/api/v1/runs", "attention?sample=test/strokes/3&views=time,learning,samples,curves", "strips?sample=test/strokes/4", "removal?sample=test/strokes/3&remove=top:9",
         "why?sample=test/strokes/3&training=5", "common", "suspects?limit=5", "samples?split=test&sort=loss&limit=5", "sheet.png?samples=1,2,3",
         "figures/card.png?sample=3", "confusion", "map", "votes")


def ask(server, path):
    """Status and content; 0: the connection was cut."""
    try:
        status, headers, content = server.ask(path if path.startswith("/") else f"{API}/{path}")
    except (http.client.HTTPException, OSError):
        return 0, ""
    if status >= 400:
        assert headers["Content-Type"] == "application/problem+json" and json.loads(content)["detail"], (path, status, content)
    return status, content.decode("latin-1")


def count_votes(server):
    """A job in the background; how it ended, None: it was not begun."""
    try:
        status, _, _ = server.ask(f"{API}/votes", "POST", "{}", Content_Type="application/json")
    except (http.client.HTTPException, OSError):
        return None
    for _ in range(400 if status == 200 else 0):
        status, said = ask(server, "votes")
        if status == 200 and json.loads(said)["state"] not in ("waiting", "running"):
            return json.loads(said)["state"]
        time.sleep(0.02)
    return None


def serve(which, at, right):
    """A server with one fault ends at once with a sentence, or answers everybody but the one whom the fault struck. Returns whether
    anybody was told, and how many places there are."""
    forget()
    environment, counted = shimmed(which, at)
    server = Server(RUN, environment=environment)
    try:
        if server.port is None:
            _, errors = server.process.communicate(timeout=60)
            assert server.process.returncode == 1 and errors.startswith("keylight: ") and errors.count("\n") == 1, (which, at, errors)
            return True, counted_in(counted)
        state, failed = count_votes(server), []
        for _ in range(2):
            said = {path: ask(server, path) for path in ASKED}
            wrong = [path for path in ASKED if said[path][0] == 200 and right and without_times(said[path][1]) != without_times(right[path][1]) and (path != "votes" or state == "done")]
            assert not wrong, (which, at, [(said[path][1][:800], right[path][1][:800]) for path in wrong])
            failed += [(path, answer) for path, answer in said.items() if answer[0] != 200]
        assert len(failed) <= 1, (which, at, failed)
        server.process.send_signal(signal.SIGTERM)
        _, errors = server.process.communicate(timeout=60)
        assert server.process.returncode == 0 and all(line.startswith("keylight: ") for line in errors.splitlines()), (which, at, errors)
        if not right:
            right.update(said)
        return bool(failed) or state != "done", counted_in(counted)
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.communicate()


def test_calls_fail_while_a_server_answers():
    global API
    API = f"/api/v1/runs/{json.loads(tap.succeed('info', RUN, '--json'))['id']}"
    for which in ("allocations", "writes", "sends", "receives"):
        right = {}
        told, n = serve(which, 0, right)
        assert not told and n > 0, (which, told, n)
        tried = places(n, max(2, FAULTS // 4))  # a server takes longer than a command
        told = sum(serve(which, at, right)[0] for at in tried)
        print(f"# serve: {which}, {n} places, {len(tried)} tried, {told} told")
    forget()


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
    training("allocations")


def test_writes_fail_while_a_network_is_trained():
    training("writes")


def test_reads_fail_while_a_network_is_trained():
    training("reads")  # a run that is read is mapped: of nothing else is so much read


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
