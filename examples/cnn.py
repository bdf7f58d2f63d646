"""A convolutional network on Fashion-MNIST, recorded while PyTorch trains it.

    python3 examples/cnn.py cnn.keylight && keylight serve cnn.keylight

--data names a folder with Fashion-MNIST's four IDX files (./bootstrap data fetches them)."""
import argparse
import gzip
import os

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import keylight

CLASSES = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"]
MEAN, DEVIATION = 0.286, 0.353


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                                      nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.hidden = nn.Linear(32 * 7 * 7, 128)
        self.output = nn.Linear(128, 10)

    def forward(self, x):
        return self.output(torch.relu(self.hidden(self.features(x))))


def idx(folder, name):
    """One of the data set's files, packed or not."""
    path = os.path.join(folder, name)
    opened = gzip.open(f"{path}.gz") if os.path.exists(f"{path}.gz") else open(path, "rb")
    with opened as file:
        content = file.read()
    shape = np.frombuffer(content, ">i4", content[3], 4)
    return np.frombuffer(content, np.uint8, -1, 4 + 4 * content[3]).reshape(shape)


def images(folder, part, limit):
    pixels = idx(folder, f"{part}-images-idx3-ubyte")[:limit]
    x = torch.from_numpy(pixels[:, None].astype(np.float32) / 255)
    return TensorDataset((x - MEAN) / DEVIATION, torch.from_numpy(idx(folder, f"{part}-labels-idx1-ubyte")[:limit].astype(np.int64)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output")
    parser.add_argument("--data", default=os.path.expanduser("~/.cache/keylight/data/fashion-mnist"))
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--limit", type=int, default=20000, help="training images")
    parser.add_argument("--test", type=int, default=1000, help="test images, which are recorded as queries")
    parser.add_argument("--plain", action="store_true", help="train without recording, to compare times")
    options = parser.parse_args()
    torch.manual_seed(1)
    train, test = images(options.data, "train", options.limit), images(options.data, "t10k", options.test)
    loader = DataLoader(keylight.indexed(train), batch_size=64, shuffle=True)
    model = Network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step(x, y):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    if options.plain:
        for _ in range(options.epochs):
            for _, x, y in loader:
                step(x, y)
        return
    with keylight.Recorder(options.output, model, optimizer, train=train, test=test, name="fashion-cnn", classes=CLASSES,
                           normalise=([MEAN], [DEVIATION])) as recorder:
        for _ in range(options.epochs):
            for samples, x, y in loader:
                with recorder.step(samples):
                    step(x, y)


if __name__ == "__main__":
    main()
