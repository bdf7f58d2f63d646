"""Recordings that were cut off go on, with the model and the optimizer that they stopped with, and with no other."""
import copy
import os
import sqlite3
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "..", "python")]
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

import keylight  # noqa: E402
import tap  # noqa: E402
from pictures import CLASSES, SIDE, convolution, made, path_of, read, refused, sgd, verified  # noqa: E402
from reader import Reader, sign  # noqa: E402

TRAIN, TEST = made(150, 1), made(40, 2)
X = read(TRAIN)
Y = torch.from_numpy(TRAIN.labels)


def stored(path):
    """All rows of the history."""
    db = sqlite3.connect(path)
    reader = Reader(path)
    return ([db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in ("step", "rule", "layer", "sample", "query", "setting")] +
            [reader.samples.tolist()] + [reader.chunks(table, layer).tolist() for table in ("key_chunk", "error_chunk") for layer in (1, 2)])


def test_an_update_that_is_not_in_the_record_is_not_kept():
    model = convolution()
    optimizer, path = sgd(model, momentum=0.9), path_of(FOLDER, "ahead")
    try:
        with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST, checkpoint_steps=2) as recorder:
            for step in range(5):
                samples = torch.arange(20)
                with recorder.step(samples):
                    optimizer.zero_grad()
                    cross_entropy(model(X[samples]), Y[samples]).backward()
                    optimizer.step()
                    if step == 2:
                        state = copy.deepcopy(model.state_dict())
                        raise KeyboardInterrupt
                if step == 1:
                    kept = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    except KeyboardInterrupt:
        pass
    fresh = convolution()
    fresh.load_state_dict(state)

    def go_on(optimizer):
        keylight.Recorder(path, fresh, optimizer, train=TRAIN, test=TEST, resume=True).__enter__()

    refused("the model is not the one", lambda: go_on(sgd(fresh, momentum=0.9)))
    fresh.load_state_dict(kept[0])
    refused("the optimizer has no state", lambda: go_on(sgd(fresh, momentum=0.9)))
    refused("another optimizer", lambda: go_on(torch.optim.Adam(fresh.parameters())))
    again = sgd(fresh, momentum=0.9)
    again.load_state_dict(kept[1])
    recorder = keylight.Recorder(path, fresh, again, train=TRAIN, test=TEST, checkpoint_steps=2, resume=True)
    assert recorder.steps_done == 2
    with recorder:
        pass
    verified(path)


def test_a_perceptron_goes_on_as_it_began():
    def model_of(activation):
        return nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 9), activation(), nn.Linear(9, CLASSES))

    def train(path, model, last, fails, **options):
        with keylight.Recorder(path, model, sgd(model), train=TRAIN, test=TEST, **options) as recorder:
            for step in range(recorder.steps_done, last):
                samples = torch.arange(12) + step
                with recorder.step(samples):
                    recorder._optimizer.zero_grad()
                    cross_entropy(model(X[samples]), Y[samples]).backward()
                    recorder._optimizer.step()
            if fails:
                raise KeyboardInterrupt
    path, model = path_of(FOLDER, "silu"), model_of(nn.SiLU)
    try:
        train(path, model, 3, True)
    except KeyboardInterrupt:
        pass
    for other in (model_of(nn.ReLU), nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, CLASSES)), model_of(nn.GELU)):
        if len(other) == len(model):
            other.load_state_dict(model.state_dict())
        refused("a perceptron of 2 layers with silu between them", lambda: train(path, other, 6, False, resume=True))
    again = model_of(nn.SiLU)
    again.load_state_dict(model.state_dict())
    train(path, again, 6, False, resume=True)
    verified(path)
    assert Reader(path).settings["activation"] == "silu" and "36-9-4, silu" in tap.succeed("info", path)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE setting SET value = 'relu' WHERE key = 'activation'")
    db.close()
    sign(path)
    assert "its layers are not those of its settings" in tap.run("info", path).stderr


def test_a_recording_that_was_cut_off_goes_on():
    def train(path, first, last, model, optimizer, fails_at=None, **options):
        with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST, name="same", checkpoint_steps=4, **options) as recorder:
            assert recorder.steps_done == first
            for step in range(first, last):
                torch.manual_seed(step)
                samples = torch.randperm(len(TRAIN))[:20]
                if step == fails_at:
                    raise KeyboardInterrupt
                with recorder.step(samples):
                    optimizer.zero_grad()
                    cross_entropy(model(X[samples]), Y[samples]).backward()
                    optimizer.step()

    whole = path_of(FOLDER, "whole")
    model = convolution()
    train(whole, 0, 15, model, sgd(model, momentum=0.9))
    path = path_of(FOLDER, "cut")
    model = convolution()
    optimizer = sgd(model, momentum=0.9)
    try:
        train(path, 0, 15, model, optimizer, fails_at=9)
        raise AssertionError("not interrupted")
    except KeyboardInterrupt:
        pass
    for command in ("info", "verify"):
        done = tap.run(command, path)
        assert done.returncode != 0 and "stopped at step 9" in done.stderr and "resume=True" in done.stderr, done.stderr
    other = convolution()
    refused("the model is not the one", lambda: train(path, 9, 15, other, sgd(other), resume=True))
    fresh = convolution()
    fresh.load_state_dict(copy.deepcopy(model.state_dict()))
    again = sgd(fresh, momentum=0.9)
    again.load_state_dict(optimizer.state_dict())
    train(path, 9, 15, fresh, again, resume=True)
    verified(path)
    assert stored(whole) == stored(path)
    refused("is finished", lambda: train(path, 15, 16, fresh, again, resume=True))


if __name__ == "__main__":
    tap.main(sys.modules["__main__"])
