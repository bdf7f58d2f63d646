"""A recording that goes on is served as of its last look, followed to its end, and is what it would be alone."""
import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "..", "python")]
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

import keylight  # noqa: E402
import keylight.look  # noqa: E402
import tap  # noqa: E402
from client import Server  # noqa: E402
from pictures import CLASSES, SIDE, convolution, made, path_of, read, refused, sgd, verified  # noqa: E402

TRAIN, TEST = made(150, 1), made(40, 2)
X = read(TRAIN)
Y = torch.from_numpy(TRAIN.labels)
WANTED, OFD_SETLK = 1 << 62, 37  # what whoever copies a file locks of it: docs/format.md


class WithDropout(nn.Module):
    """What a look must not disturb: chance, and what is known of batches before."""

    def __init__(self):
        super().__init__()
        self.inside, self.norm, self.out = nn.Linear(SIDE * SIDE, 16), nn.BatchNorm1d(16), nn.Linear(16, CLASSES)

    def forward(self, x):
        random.random()
        return self.out(nn.functional.dropout(torch.relu(self.norm(self.inside(x.flatten(1)))), 0.3, self.training))


def perceptron():
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 16), nn.ReLU(), nn.Linear(16, CLASSES))


def dropout():
    torch.manual_seed(3)
    return WithDropout()


def train(path, model, steps, after=lambda step: None, share=0, **options):
    """Records a training; after is called behind every step. share: of a look; 0: at every checkpoint."""
    keylight.look.SHARE = share
    optimizer = sgd(model, momentum=0.9)
    torch.manual_seed(9)
    random.seed(9)
    with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST, **{"name": "same", "checkpoint_steps": 5, **options}) as recorder:
        for step in range(1, steps + 1):
            samples = torch.randperm(len(TRAIN))[random.randrange(9):][:20]
            with recorder.step(samples):
                optimizer.zero_grad()
                cross_entropy(model(X[samples]), Y[samples]).backward()
                optimizer.step()
            after(step)
    return path


def cut_off(path, model, steps, **options):
    """One that Ctrl-C ends."""
    def stop(step):
        if step == steps:
            raise KeyboardInterrupt
    try:
        train(path, model, steps + 1, stop, **options)
        raise AssertionError("not interrupted")
    except KeyboardInterrupt:
        return path


def fingerprint(path):
    return json.loads(tap.succeed("info", path, "--json"))["fingerprint"]


def shown(server, condition):
    until = time.monotonic() + 60
    while not condition(run := server.json("/api/v1/runs")["runs"][0]):
        assert time.monotonic() < until, run
        time.sleep(0.2)
    return run


def followed(make, name, **options):
    """Records, and looks at the recording while it goes on."""
    path, told = path_of(FOLDER, name), []

    def look(step):
        if step == 12:
            told.append(Server(path))
            told.append(shown(told[0], lambda run: run["steps"] == 10))
        if step == 27:
            told.append(shown(told[0], lambda run: run["steps"] == 25))
        if step in (12, 27):
            ask(told[0], told[-1], **options)
    try:
        train(path, make(), 40, look, **options)
        server, first, later = told
        done = shown(server, lambda run: "unfinished" not in run)
        assert first["id"] == later["id"] == first["birth"] == done["birth"] and first["unfinished"]["version"] != later["unfinished"]["version"]
        assert "planned_steps" not in first["unfinished"] and first["unfinished"]["is_written"] and first["errands"] == []
        assert done["steps"] == 40 and done["file"] == f"{name}.keylight"
        assert server.json(f"/api/v1/runs/{first['id']}/answer?sample=test/same/20")["run"] == done["id"]
    finally:
        for one in told[:1]:
            stop(one)
    return path, first


def stop(server):
    server.process.send_signal(signal.SIGTERM)
    _, errors = server.process.communicate(timeout=30)
    assert server.process.returncode == 0 and all("its last checkpoint" in line for line in errors.splitlines()), errors


def ask(server, run, evaluation_steps=1000):
    """What is shown is of that step: its answers, and the accuracy."""
    api = f"/api/v1/runs/{run['id']}"
    curve = server.json(api)["curve"]
    assert [point["step"] for point in curve] == sorted({*range(0, run["steps"], evaluation_steps), run["steps"]})
    assert run["test_accuracy"] == curve[-1]["accuracy"]
    sample = run["asked"][3] - len(TRAIN) if "asked" in run else 7
    answer = server.json(f"{api}/attention?sample=test/same/{sample}&rank=logit")
    assert answer["exactness"]["dual"] and answer["exactness"]["max_abs_error"] < 0.02, answer["exactness"]
    assert server.json(f"{api}/samples?split=test")["total"] == len(TEST)
    assert server.ask(f"{api}/sheet.png?samples=0,1,2")[0] == 200 and server.ask(f"{api}/map")[0] == 200


def test_one_of_every_kind_is_followed_to_its_end():
    for make, is_native, options in ((perceptron, True, {}), (dropout, False, {"evaluation_steps": 10}), (convolution, False, {})):
        path, first = followed(make, make.__name__, **options)
        assert ("asked" in first) != is_native and (is_native or len(first["asked"]) == keylight.look.ASKED_MAX)
        alone = train(path_of(FOLDER, f"alone-{make.__name__}"), make(), 40, share=1e9, **options)
        assert fingerprint(path) == fingerprint(alone), "to be looked at changes a recording"
        verified(path)


def test_one_that_was_cut_off_is_shown_as_it_is_and_goes_on():
    for make in (perceptron, convolution):
        path = cut_off(path_of(FOLDER, f"cut-{make.__name__}"), model := make(), 13, share=1e9)
        server = Server(path)
        try:
            run = shown(server, lambda run: True)
            assert run["steps"] == 13 and not run["unfinished"]["is_written"]
            ask(server, run)
        finally:
            stop(server)
        done = tap.run("train", "--resume", path)
        assert done.returncode == 2 and "recorded by another program" in done.stderr and done.stderr.count("\n") == 1, done
        refused("no state", lambda: keylight.Recorder(path, model, sgd(model, momentum=0.9), train=TRAIN, test=TEST, name="same",
                                                      resume=True).__enter__())


def test_what_is_shown_is_as_of_the_last_look_whatever_was_recorded_since():
    path, told = path_of(FOLDER, "since"), []

    def look(step):
        if step == 27:  # five checkpoints, and a look at the first
            server = Server(path)
            try:
                told.append(shown(server, lambda run: True))
                ask(server, told[0], evaluation_steps=10)
            finally:
                stop(server)
    train(path, convolution(), 40, look, share=1e9, evaluation_steps=10)
    assert told[0]["steps"] == 5 and told[0]["patterns"] == 100
    verified(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT DISTINCT state FROM tensor ORDER BY 1").fetchall() == [("current",), ("initial",)]


def test_one_that_goes_on_with_other_options_is_the_same_and_keeps_its_curve():
    path = cut_off(path_of(FOLDER, "options"), model := perceptron(), 23, evaluation_steps=10)
    server = Server(path)
    before = shown(server, lambda run: True)
    stop(server)
    optimizer = sgd(model)
    with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST, name="same", resume=True) as recorder:
        assert recorder.steps_done == 23
        with recorder.step(torch.arange(10)):
            optimizer.zero_grad()
            cross_entropy(model(X[:10]), Y[:10]).backward()
            optimizer.step()
    server = Server(path)
    run, = server.json("/api/v1/runs")["runs"]
    assert run["birth"] == before["id"]
    assert [point["step"] for point in server.json(f"/api/v1/runs/{run['id']}")["curve"]] == [0, 10, 20, 24]
    server.stop()


def test_one_that_was_killed_before_its_first_checkpoint_begins_anew():
    path = path_of(FOLDER, "killed")
    killed = subprocess.run([sys.executable, os.path.abspath(__file__), "killed", path], timeout=100)
    assert killed.returncode == 9
    assert os.path.exists(path + ".part")
    done = tap.run("serve", path, "--port", "0")
    assert done.returncode == 1 and "at its first checkpoint" in done.stderr and "damaged" not in done.stderr, done
    train(path, perceptron(), 10, resume=True)
    verified(path)


def test_a_look_takes_its_share_and_no_more():
    looks, times = [], []

    class Counted(keylight.look.Looks):
        def look(self, *of):
            begun = time.monotonic()
            found = super().look(*of)
            times.append(time.monotonic() - begun)
            looks.append(time.monotonic())
            return found

    before, keylight.recorder.Looks = keylight.recorder.Looks, Counted
    try:
        train(path_of(FOLDER, "share"), convolution(), 600, share=30, checkpoint_steps=1)
    finally:
        keylight.recorder.Looks = before
    gaps = [later - earlier for earlier, later in zip(looks, looks[1:])]
    assert 1 < len(looks) < 600 and sum(gaps) >= 25 * sum(times[:-1]), (gaps, times)


def test_a_model_that_cannot_be_looked_at_is_recorded_to_its_end():
    class OnceOnly(nn.Module):
        def __init__(self):
            super().__init__()
            self.model, self.is_bad = convolution(), False

        def forward(self, x):
            if self.is_bad and not self.training:
                raise ValueError("no room")
            return self.model(x)

    model = OnceOnly()

    def spoil(step):
        model.is_bad = step < 30
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        path = train(path_of(FOLDER, "bad"), model, 30, spoil)
    said = [str(one.message) for one in told if issubclass(one.category, keylight.NotRecorded)]
    assert len(said) == 1 and "not shown while it is in training: no room" in said[0], said
    verified(path)


def kept(path):
    """The steps that would be left if the machine stopped now."""
    copy = os.path.join(FOLDER, "copy")
    for suffix in ("", "-journal"):
        if os.path.exists(f"{path}.part{suffix}"):
            shutil.copyfile(f"{path}.part{suffix}", copy + suffix)
    with contextlib.closing(sqlite3.connect(copy)) as db:
        return db.execute("SELECT steps_done FROM run").fetchone()[0]


def test_a_checkpoint_waits_while_the_file_is_copied_unless_the_loop_asks_for_it():
    path, model, told = path_of(FOLDER, "waits"), perceptron(), []
    optimizer = sgd(model)
    with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST, checkpoint_steps=5) as recorder:
        for step in range(1, 31):
            with recorder.step(torch.arange(10)):
                optimizer.zero_grad()
                cross_entropy(model(X[:10]), Y[:10]).backward()
                optimizer.step()
            if step == 7:
                recorder.wait()
                part = os.open(f"{path}.part", os.O_RDWR)
                fcntl.fcntl(part, OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, WANTED, 1, 0))
            if step == 17:
                recorder.wait()
                told.append(kept(path))
                recorder.checkpoint()
                told.append(kept(path))
            if step == 22:
                recorder.wait()
                told.append(kept(path))
                os.close(part)
            if step == 27:
                recorder.wait()
                told.append(kept(path))
    assert told == [5, 17, 17, 25], told
    verified(path)


if __name__ == "__main__":
    if sys.argv[1:2] == ["killed"]:
        train(sys.argv[2], perceptron(), 10, lambda step: os._exit(9) if step == 3 else None)
    tap.main(sys.modules[__name__])
