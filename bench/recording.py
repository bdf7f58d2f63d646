"""What recording costs: the same steps of an example with and without a recorder, in turns.

    PYTHONPATH=python python3 bench/recording.py cnn FOLDER     (Fashion-MNIST's files, as ./bootstrap data fetches them)
    PYTHONPATH=python python3 bench/recording.py gpt FOLDER     (Moby Dick's chapters)"""
import os
import sqlite3
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples"))
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

import cnn  # noqa: E402
import gpt  # noqa: E402
import keylight  # noqa: E402

PAIRS = int(os.environ.get("PAIRS", "7"))


class OfPictures:
    """examples/cnn.py"""

    steps, batch = 150, 64

    def __init__(self, folder):
        self.train = cnn.images(folder, "train", (self.steps + 1) * self.batch)
        self.test = cnn.images(folder, "t10k", 10)
        self.options = {"classes": cnn.CLASSES}

    def begin(self):
        model = cnn.Network()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

        def step(samples):
            x, y = self.train[samples]
            loss = cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return model, optimizer, torch.randperm(len(self.train)).split(self.batch), step


class OfText:
    """examples/gpt.py"""

    steps, batch = 40, 8

    def __init__(self, folder):
        self.train, self.test = gpt.texts(folder)
        self.test = keylight.Text(self.test.tokens[:200], self.test.vocabulary, gpt.CONTEXT)
        self.options = {"asked": 1}

    def begin(self):
        model, tokens = gpt.GPT(len(self.train.vocabulary)), torch.from_numpy(self.train.tokens)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)

        def step(read):
            loss = cross_entropy(model(tokens[read]).flatten(0, 1), tokens[read + 1].flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        starts = torch.randint(len(self.train) - gpt.CONTEXT + 1, (self.steps + 1, self.batch, 1))
        return model, optimizer, starts + torch.arange(gpt.CONTEXT), step


def seconds(example, path):
    """One run; path None: without a recorder. What stands before the second step and after the last, samples and queries, is not
    counted."""
    torch.manual_seed(1)
    model, optimizer, batches, step = example.begin()
    if path is None:
        step(batches[0])
        started = time.perf_counter()
        for samples in batches[1:example.steps + 1]:
            step(samples)
        return time.perf_counter() - started
    with keylight.Recorder(path, model, optimizer, train=example.train, test=example.test, **example.options) as recorder:
        with recorder.step(batches[0]):
            step(batches[0])
        started = time.perf_counter()
        for samples in batches[1:example.steps + 1]:
            with recorder.step(samples):
                step(samples)
        recorder.wait()
        return time.perf_counter() - started


def tell_sizes(path):
    """Bytes a showing of every layer's keys and error signals."""
    with sqlite3.connect(path) as db:
        showings, = db.execute("SELECT sum(count) FROM step").fetchone()
        for layer, name, places in db.execute("SELECT layer, name, places FROM layer ORDER BY layer"):
            keys, errors = (db.execute(f"SELECT coalesce(sum(length(data)), 0) FROM {table} WHERE layer = ?", (layer,)).fetchone()[0]
                            for table in ("key_chunk", "error_chunk"))
            print(f"  {name}: keys {keys / showings:.0f}, error signals {errors / showings:.0f} bytes a showing, {places} places")


def main():
    example = {"cnn": OfPictures, "gpt": OfText}[sys.argv[1]](sys.argv[2])
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(PAIRS):
            path = os.path.join(folder, f"{pair}.keylight")
            plain, recorded = seconds(example, None), seconds(example, path)
            ratios.append(recorded / plain)
            print(f"{example.steps} steps of {example.batch}: {plain:.2f} s, recorded {recorded:.2f} s, ratio {ratios[-1]:.2f}, "
                  f"{os.path.getsize(path) / 1e6:.1f} MB", flush=True)
            if pair + 1 == PAIRS:
                tell_sizes(path)
            os.remove(path)
    print(f"median {statistics.median(ratios):.2f}, at most 1.25")


if __name__ == "__main__":
    main()
