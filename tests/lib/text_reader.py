"""A reader of text runs in another language, from docs/format.md alone; and a text to train them on."""
import os
import random

import numpy as np
import tap
from reader import Reader


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class TextReader(Reader):
    def __init__(self, path):
        super().__init__(path)
        self.vocabulary = [row[0] for row in self.db.execute("SELECT text FROM vocabulary ORDER BY token")]
        self.tokens, self.spaced = {}, {}
        for split in ("train", "validation", "test"):
            rows = self.db.execute("SELECT data FROM token_chunk WHERE split = ? ORDER BY first", (split,))
            stored = np.concatenate([np.frombuffer(row["data"], "<u4") for row in rows] or
                                    [np.zeros(0, np.uint32)])
            self.tokens[split], self.spaced[split] = stored & 0x7FFFFFFF, stored >> 31

    def embedding(self, state="current"):
        return self.tensor(state, "embedding", "embedding")

    def read(self, tokens):
        """From an empty state: keys of every layer, and logits, at every token."""
        x = self.embedding()[tokens]
        keys = []
        for layer in self.layers[:-1]:
            weights, biases = self.parameters("current", layer["layer"])
            hidden = layer["outputs"] // 4
            h, c, out, own = np.zeros(hidden), np.zeros(hidden), [], []
            for row in x:
                own.append(np.concatenate([row, h]))
                i, f, g, o = np.split(weights @ own[-1] + biases, 4)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
                out.append(h)
            keys.append(np.array(own))
            x = np.array(out)
        weights, biases = self.parameters("current", len(self.layers))
        return keys + [x], x @ weights.T + biases

    def context(self, sample, most=200):
        """The tokens that are read for a stored position."""
        for split in ("train", "validation", "test"):
            n = max(0, len(self.tokens[split]) - 1)
            if sample < n:
                return self.tokens[split][max(0, sample + 1 - most):sample + 1]
            sample -= n
        raise IndexError

    def errors(self, layer):
        if self.settings["error_entries"] == "0" or layer < len(self.layers):
            return super().errors(layer)
        out = []
        for row in self.db.execute("SELECT * FROM sparse_error_chunk WHERE layer = ? ORDER BY first", (layer,)):
            n, entries = row["count"], row["entries"]
            indices = np.frombuffer(row["data"], "<u4", n * entries).reshape(n, entries)
            dtype = {"float16": "<f2", "float32": "<f4"}[row["dtype"]]
            numbers = np.frombuffer(row["data"], dtype, offset=4 * n * entries).reshape(n, entries)
            rows = np.zeros((n, len(self.vocabulary)))
            np.put_along_axis(rows, indices.astype(np.int64), numbers * 2.0 ** -row["exponent"], 1)
            out.append(rows)
        return np.concatenate(out)

    def targets(self):
        """The token after every pattern."""
        return self.tokens["train"][self.samples + 1]


def make_text(folder, name="tale"):
    """A folder with three documents of sentences that repeat themselves, with some that do not."""
    path = os.path.join(folder, name)
    os.makedirs(path, exist_ok=True)
    rng = random.Random(4)
    for number in range(1, 4):
        lines = []
        for _ in range(60):
            who = rng.choice(["the cat", "the old dog", "a captain", "Zoë"])
            what = rng.choice(["sat on", "looked at", "went to", "sang of"])
            where = rng.choice(["the mat", "the sea", "the ship’s deck", "a whale"])
            lines.append(f"{who} {what} {where}.{rng.choice([' ', chr(10), ' ', chr(10) * 2])}")
        lines.insert(9, f"a quux{number} came by. ")  # a word that is there once
        with open(os.path.join(path, f"part {number}.txt"), "w", encoding="utf-8") as file:
            file.write("".join(lines))
    return path


def train_text(folder, name, *options):
    """Trains a small run on it and returns its path."""
    path = os.path.join(folder, f"{name}.keylight")
    tap.succeed("train", "--data", f"tale={make_text(folder)}", "--hidden", "20", "--embedding", "8",
                "--batch", "6", "--unroll", "10", "--steps", "90", "--output", path, "--quiet", *options)
    return path
