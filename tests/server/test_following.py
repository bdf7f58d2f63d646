"""A run in training is served as of its last checkpoint, followed until it is finished, and never held up."""
import fcntl
import json
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402
from client import Server  # noqa: E402

OPTIONS = ("--data", "strokes", "--hidden", "600,600", "--batch", "4", "--steps", "5000", "--checkpoint-steps", "50", "--evaluation-steps", "100",
           "--name", "long")
WANTED, OFD_SETLK = 1 << 62, 37  # what whoever copies a file locks of it: db/file/committed.h


def begin(path, *options):
    """A training that takes a while, at a later checkpoint than its first."""
    child = subprocess.Popen([tap.KEYLIGHT, "train", *OPTIONS, "--output", path, *options], stderr=subprocess.PIPE, text=True)
    for line in child.stderr:
        if line.startswith("step 500 "):
            break
    return child


def advance(child, server, is_later):
    """Lets a training that stands still go on a line of what it prints at a time, so that it does not end before its time, until the
    server has a later checkpoint; returns that."""
    for _ in range(40):
        child.send_signal(signal.SIGCONT)
        child.stderr.readline()
        child.send_signal(signal.SIGSTOP)
        for _ in range(20):
            if is_later(run := followed(server)):
                return run
            time.sleep(0.2)
    raise AssertionError(f"no later checkpoint: {run}")


def end(child):
    if child.poll() is None:
        child.kill()
    child.stderr.close()
    child.wait()


def followed(server):
    run, = server.json("/api/v1/runs")["runs"]
    return run


def wait_for(server, condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition(run := followed(server)):
        assert time.monotonic() < until, run
        time.sleep(0.2)
    return run


def stop(server):
    server.process.send_signal(signal.SIGTERM)
    _, errors = server.process.communicate(timeout=30)
    assert server.process.returncode == 0 and all("its last checkpoint" in line for line in errors.splitlines()), errors


def test_a_run_in_training_is_followed_to_its_end():
    path = os.path.join(FOLDER, "long.keylight")
    child = begin(path)
    child.send_signal(signal.SIGSTOP)
    server = Server(FOLDER)
    try:
        run = first = followed(server)
        api = f"/api/v1/runs/{first['id']}/"
        assert run["file"] == "long.keylight.part" and run["unfinished"]["planned_steps"] == 5000 and run["unfinished"]["is_written"]
        assert run["steps"] % 50 == 0 and run["patterns"] == 4 * run["steps"] and run["errands"] == []
        tags = set()
        for _ in range(2):
            answer = server.json(api + "attention?sample=test/strokes/7&rank=logit&by=sample")
            assert 0 <= answer["exactness"]["max_abs_error"] < 0.05, answer["exactness"]
            status, headers, _ = server.ask(api + "answer?sample=test/strokes/7")
            tags.add(headers["ETag"])
            curve = server.json(f"/api/v1/runs/{first['id']}")["curve"]
            assert curve[-1]["step"] == server.json(f"/api/v1/runs/{first['id']}")["steps"]
            run = advance(child, server, lambda later: later["steps"] > run["steps"])
            assert run["id"] == first["id"]
        assert len(tags) == 2, "an answer of an earlier checkpoint would be taken for that of a later one"
        for kind in ("retrain", "walk", "truth", "votes"):
            status, _, content = server.ask(api + kind, "POST", "{}", Content_Type="application/json")
            assert status == 409 and "in training" in json.loads(content)["detail"], (kind, status, content)
        status, _, content = server.ask(api + "marks", "POST", json.dumps({"sample": 3, "decision": "fine", "label": None}),
                                        Content_Type="application/json")
        assert status == 409, content
        assert server.json(api + "marks")["marks"] == []
        assert server.json(api + "samples?split=test&correct=false")["total"] >= 0
        assert server.ask(api + "sheet.png?samples=0,1,2")[0] == 200 and server.ask(api + "map")[0] == 200
        child.kill()
        child.stderr.read()
        child.wait()
        run = followed(server)
        assert not run["unfinished"]["is_written"] and server.json(api + "answer?sample=test/strokes/7")
        child = subprocess.Popen([tap.KEYLIGHT, "train", "--resume", path], stderr=subprocess.PIPE, text=True)
        threading.Thread(target=child.stderr.read, daemon=True).start()
        child.wait(timeout=200)
        done = wait_for(server, lambda later: "unfinished" not in later)
        assert done["steps"] == 5000 and done["file"] == "long.keylight" and done["id"] != first["id"]
        assert "votes" in done["errands"]
        assert server.json(api + "answer?sample=test/strokes/7")["run"] == done["id"], "a link of while it was in training is good"
        assert os.listdir(FOLDER) == ["long.keylight"]
        stop(server)
        tap.succeed("verify", path)
    finally:
        end(child)
        server.process.kill()


def test_being_followed_changes_nothing():
    """Whoever copies the file puts its checkpoints off: the history is the same to the bit, and no step is lost that was to be kept."""
    options = ("--data", "strokes", "--hidden", "16", "--batch", "16", "--steps", "1500", "--checkpoint-steps", "20", "--name", "same")
    alone, copied = (os.path.join(FOLDER, name) for name in ("alone.keylight", "copied.keylight"))
    tap.succeed("train", *options, "--output", alone, "--quiet")

    def train(signal_at, *how):
        child = subprocess.Popen([tap.KEYLIGHT, "train", *how], stderr=subprocess.PIPE, text=True)
        said, part = [], None
        for line in child.stderr:
            said.append(line)
            if part is None and os.path.exists(copied + ".part"):
                part = os.open(copied + ".part", os.O_RDWR)
                fcntl.fcntl(part, OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, WANTED, 1, 0))
            if signal_at and line.startswith(f"step {signal_at} "):
                child.send_signal(signal.SIGINT)
        if part is not None:
            os.close(part)
        child.wait()
        return "".join(said)

    said = train(450, *options, "--output", copied)
    kept = int(said.split(" of 1500 steps are kept")[0].split()[-1])
    assert kept >= 440, said
    db = sqlite3.connect(copied + ".part")
    assert db.execute("SELECT steps_done FROM run").fetchone() == (kept,)
    assert db.execute("SELECT max(step) FROM step").fetchone() == (kept,), "steps after the last checkpoint are in the file"
    db.close()
    train(None, "--resume", copied)
    fingerprints = [json.loads(tap.succeed("info", path, "--json"))["fingerprint"] for path in (alone, copied)]
    assert fingerprints[0] == fingerprints[1]


def test_what_cannot_be_followed_is_said_in_a_sentence():
    path = os.path.join(FOLDER, "first.keylight")
    with open(path + ".part", "wb"):
        pass
    done = tap.run("serve", path, "--port", "0")
    assert done.returncode == 1 and "cut off before it began" in done.stderr and done.stderr.count("\n") == 1, done
    stopped = tap.stopped_training(FOLDER)
    with tempfile.TemporaryDirectory() as folder:
        os.rmdir(folder)
        done = tap.run("serve", stopped, "--port", "0", env={**os.environ, "TMPDIR": folder})
        os.mkdir(folder)
    assert done.returncode == 1 and "TMPDIR" in done.stderr and done.stderr.count("\n") == 1, done
    server = Server(stopped)  # one that was stopped is shown as it is
    run = followed(server)
    assert run["steps"] >= 300 and not run["unfinished"]["is_written"]
    stop(server)
    with open(stopped, "r+b") as file:
        file.seek(200)
        file.write(b"\xff" * 4000)
    done = tap.run("serve", stopped, "--port", "0")
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
