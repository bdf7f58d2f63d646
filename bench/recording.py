"""What recording costs: the same steps of examples/cnn.py with and without a recorder, in turns.

    PYTHONPATH=python python3 bench/recording.py FOLDER     (Fashion-MNIST's files, as ./bootstrap data fetches them)"""
import os
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples"))
import torch  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

import cnn  # noqa: E402
import keylight  # noqa: E402

STEPS, PAIRS, BATCH = 150, 7, 64


def seconds(train, test, path):
    """One run over STEPS steps; path None: without a recorder. What stands before the first step and after the last,
    pictures and queries, is not counted."""
    torch.manual_seed(1)
    model = cnn.Network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batches = torch.randperm(len(train)).split(BATCH)

    def step(samples):
        x, y = train[samples]
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    if path is None:
        step(batches[0])
        started = time.perf_counter()
        for samples in batches[1:STEPS + 1]:
            step(samples)
        return time.perf_counter() - started
    with keylight.Recorder(path, model, optimizer, train=train, test=test, classes=cnn.CLASSES) as recorder:
        with recorder.step(batches[0]):
            step(batches[0])
        started = time.perf_counter()
        for samples in batches[1:STEPS + 1]:
            with recorder.step(samples):
                step(samples)
        recorder.wait()
        return time.perf_counter() - started


def main():
    train, test = cnn.images(sys.argv[1], "train", STEPS * BATCH + BATCH), cnn.images(sys.argv[1], "t10k", 10)
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(PAIRS):
            path = os.path.join(folder, f"{pair}.keylight")
            plain, recorded = seconds(train, test, None), seconds(train, test, path)
            ratios.append(recorded / plain)
            size = os.path.getsize(path)
            print(f"{STEPS} steps of {BATCH}: {plain:.2f} s, recorded {recorded:.2f} s, ratio {ratios[-1]:.2f}, "
                  f"{size / 1e6:.1f} MB")
            os.remove(path)
    print(f"median {statistics.median(ratios):.2f}, at most 1.25")


if __name__ == "__main__":
    main()
