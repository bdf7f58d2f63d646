"""A test script's frame: every function named test_* of the calling module is one promise."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

KEYLIGHT = os.environ.get("KEYLIGHT", "./keylight")


class Skip(Exception):
    """Raised by a test that cannot run here; says why."""


def run(*arguments, **options):
    """Runs keylight and returns the completed process, output as text."""
    options.setdefault("timeout", 240)
    return subprocess.run([KEYLIGHT, *(a if isinstance(a, bytes) else str(a) for a in arguments)], capture_output=True, text=True, errors="replace", **options)


def succeed(*arguments, **options):
    """Runs keylight, which must succeed; returns what it printed."""
    done = run(*arguments, **options)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def train_strokes(folder, name="strokes.keylight", *options):
    """Trains a small run on the built-in data and returns its path."""
    path = os.path.join(folder, name)
    succeed("train", "--data", "strokes", "--hidden", "40,24", "--steps", "80", "--batch", "32",
            "--lr", "0.05", "--clip", "1", "--weight-decay", "0.001", "--output", path, "--quiet",
            *options)
    return path


def stopped_training(folder, name="stopped.keylight"):
    """A run whose training was stopped after some checkpoints; returns the path of what is there of it."""
    path = os.path.join(folder, name)
    child = subprocess.Popen([KEYLIGHT, "train", "--data", "strokes", "--hidden", "64", "--steps", "3000",
                              "--batch", "16", "--checkpoint-steps", "50", "--output", path],
                             stderr=subprocess.PIPE, text=True)
    for line in child.stderr:
        if line.startswith("step 300 "):
            break
    child.send_signal(signal.SIGINT)
    child.stderr.read()
    assert child.wait() == 130, child.returncode
    return path + ".part"


def main(module):
    """Runs the module's tests in a folder of their own, prints TAP, exits."""
    tests = [(name, test) for name, test in vars(module).items() if name.startswith("test_")]
    folder = tempfile.mkdtemp(prefix="tests-", dir=os.getcwd())
    module.FOLDER = folder
    failed = 0
    try:
        if hasattr(module, "set_up"):
            module.set_up()
        for number, (name, test) in enumerate(tests, 1):
            title = name[5:].replace("_", " ")
            try:
                test()
                print(f"ok {number} - {title}", flush=True)
            except Skip as reason:
                print(f"ok {number} - {title} # SKIP {reason}", flush=True)
            except Exception:  # a test may fail in any way; the others still run
                failed += 1
                print(f"not ok {number} - {title}", flush=True)
                for line in traceback.format_exc().splitlines():
                    print(f"# {line}", flush=True)
        print(f"1..{len(tests)}", flush=True)
    except Skip as reason:  # by set_up: nothing of the script can run here
        print(f"1..0 # SKIP {reason}", flush=True)
    finally:
        if hasattr(module, "tear_down"):
            module.tear_down()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)
