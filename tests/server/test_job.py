"""Several processes that mpirun starts answer together what one process answers that has the whole run."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402
from client import Server  # noqa: E402
from sets import QUESTIONS, RUNS, alike, answers, make_runs, shards_of  # noqa: E402

# As root, too, and without a warning that a machine in a container gives each time.
os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_btl_vader_single_copy_mechanism="none")
NOT_SHARED = {"adam": []}


def under(n):
    return ["mpirun", "--oversubscribe", "--bind-to", "none", "--quiet", "-n", str(n)]


def set_up():
    if not shutil.which("mpirun") or "without MPI" in run(2, "--version").stderr:
        return
    make_runs(FOLDER)


def run(n, *arguments, **options):
    """keylight by n processes; returns the completed process."""
    return subprocess.run([*under(n), tap.KEYLIGHT, *map(str, arguments)], capture_output=True, text=True, timeout=240, **options)


def needs_mpi():
    if not RUNS:
        raise tap.Skip("mpirun, or keylight built with MPI, is missing")


def test_every_question_is_answered_as_by_one_process_that_has_the_whole_run():
    needs_mpi()
    for name, n in (("images", 3), ("images", 2), ("text", 3), ("adam", 3)):
        whole_id, whole = answers(RUNS[name], QUESTIONS[name])
        job_id, job = answers(shards_of(name, 5), QUESTIONS[name], under=under(n))
        assert job_id == whole_id
        for question in QUESTIONS[name]:
            alike(whole[question][0], job[question][0], f"{n} {question}")


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
