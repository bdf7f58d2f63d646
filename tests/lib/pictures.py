"""Small labelled pictures for the tests of the recorder, and networks that learn them."""
import os

import numpy as np
import torch
from torch import nn

import keylight
import tap

torch.set_num_threads(2)
SIDE, CLASSES = 6, 4


def made(n, seed):
    """Pictures whose class is a bright row."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, n)
    pixels = random.integers(0, 200, (n, 1, SIDE, SIDE)).astype(np.uint8)
    pixels[np.arange(n), 0, labels] = 255
    return keylight.Images(pixels, labels, ["ant", "bee", "cat", "dog"], 110.0, 80.0)


def read(images):
    """What a model reads of them."""
    return images.standardised(np.arange(len(images))).reshape(-1, 1, SIDE, SIDE)


class Cut(nn.Module):
    """Convolutions of every kind: stride, padding, dilation, groups, one dimension."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.two = nn.Conv2d(4, 6, (3, 2), stride=(1, 2), padding=(2, 1), dilation=(2, 1), groups=2)
        self.line = nn.Conv1d(6, 3, 3, padding="same")
        self.head = nn.Linear(72, CLASSES)

    def forward(self, x):
        x = torch.relu(self.two(torch.relu(self.one(x))))
        return self.head(torch.tanh(self.line(x.flatten(2))).flatten(1))


class Convolution(nn.Module):
    """Two linear layers, the first without bias, behind what is not recorded."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(1, 5, 3)
        self.inner = nn.Linear(5 * 16, 12, bias=False)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x):
        return self.head(torch.relu(self.inner(torch.relu(self.features(x)).flatten(1))))


def convolution():
    torch.manual_seed(3)
    return Convolution()


def sgd(model, **options):
    return torch.optim.SGD(model.parameters(), **{"lr": 0.05, **options})


def path_of(folder, name):
    """Where a run of that name is recorded to; nothing is there."""
    path = os.path.join(folder, f"{name}.keylight")
    for there in (path, path + ".part"):
        if os.path.exists(there):
            os.remove(there)
    return path


def verified(path):
    out = tap.succeed("verify", path)
    assert "The dual form holds" in out, out
    return out


def refused(words, run):
    try:
        run()
    except keylight.RecordError as error:
        assert words in str(error), error
        return
    raise AssertionError(f"not refused: {words}")
