"""Too little memory gets a sentence, or what fits streams: nothing spins, and nothing is begun that cannot end."""
import os
import resource
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402
from client import Server  # noqa: E402

MB = 1 << 20
FEW_THREADS = {"OPENBLAS_NUM_THREADS": "2"}  # each takes address space, however many processors there are
LIMITS = [200, 300, 450, 600, 800, 1000, 1500, 2500, 2800, 3200, 4500]  # of address space


def set_up():
    global RUN
    if os.environ.get("KEYLIGHT_BUILD") == "sanitize":
        raise tap.Skip("a sanitizer takes all address space there is")
    RUN = tap.train_strokes(FOLDER)


def limited(limit, *arguments):
    """A command under a limit of address space in MB."""
    return subprocess.run([tap.KEYLIGHT, *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, **FEW_THREADS},
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit * MB, limit * MB)))


def is_told(done):
    """Whether what a failed command said, in one sentence, is that memory is short."""
    assert done.returncode > 0 and done.stderr.startswith("keylight: ") and done.stderr.count("\n") == 1, done
    return "ulimit -v" in done.stderr or "not enough memory" in done.stderr


def test_under_a_limit_of_address_space_every_command_ends():
    for command in (("train", "--data", "strokes", "--hidden", "64", "--steps", "30", "--quiet", "--force", "--output", f"{FOLDER}/under.keylight"),
                    ("query", RUN, "--sample", "test/strokes/3"), ("verify", RUN), ("suspects", RUN)):
        for limit in LIMITS:
            done = limited(limit, *command)
            assert done.returncode == 0 or is_told(done), done
        assert done.returncode == 0, done  # with the most


def test_serve_answers_under_a_limit_or_says_that_it_is_too_low():
    done = limited(1000, "serve", RUN, "--port", "0")
    assert is_told(done), done
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (4500 * MB, before[1]))
    try:
        server = Server(RUN, environment=FEW_THREADS)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    run = server.json("/api/v1/runs")["runs"][0]["id"]
    for layer in (1, 2):
        assert server.json(f"/api/v1/runs/{run}/spotlight?sample=test/strokes/3&layer={layer}")["spotlight"]
    server.stop()


def test_a_training_that_does_not_fit_is_not_begun():
    done = limited(8000, "train", "--data", "strokes", "--hidden", "65536,65536", "--steps", "3", "--output", os.path.join(FOLDER, "large.keylight"))
    assert done.returncode == 1 and "not enough memory" in done.stderr and "are free" in done.stderr, done
    assert done.stderr.count("\n") == 1 and not [name for name in os.listdir(FOLDER) if name.startswith("large")]


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
