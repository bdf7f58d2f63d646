"""The walk back through the training of a language model, against PyTorch's derivatives of it in float64: what is carried from one stretch to
the next is taken as given, by both."""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib")]
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

import tap  # noqa: E402
from text_reader import TextReader, train_text  # noqa: E402

torch.set_num_threads(2)
SMALL = ["--tokens", "words", "--embedding", "6", "--batch", "4", "--unroll", "7", "--steps", "24", "--lr", "0.4"]
KINDS = {"plain": ["--hidden", "8", "--clip", "0", "--dropout", "0"],
         "clipped": ["--hidden", "7,7", "--momentum", "0.8", "--clip", "0.25", "--weight-decay", "0.01", "--dropout", "0"],
         "adam": ["--hidden", "8", "--optimiser", "adam", "--lr", "0.005", "--momentum", "0", "--clip", "0.5", "--dropout", "0.3"]}
PATHS = {}


def run(kind):
    if kind not in PATHS:
        PATHS[kind] = train_text(FOLDER, kind, *SMALL, *KINDS[kind])
    return PATHS[kind]


def lstm(weights, biases, x, h, c):
    """One token of all streams."""
    i, f, g, o = (torch.cat([x, h], 1) @ weights.T + biases).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


class Training:
    """The training of a run in float64, as a function of its positions' weights."""

    def __init__(self, path):
        self.reader = TextReader(path)
        self.settings = self.reader.settings
        self.hidden = [layer["outputs"] // 4 for layer in self.reader.layers[:-1]]
        self.text = self.reader.tokens["train"].astype(np.int64)

    def initial(self):
        parts = [self.reader.embedding("initial")]
        for layer in range(1, 1 + len(self.reader.layers)):
            parts += self.reader.parameters("initial", layer)
        return [torch.from_numpy(np.array(part, float)).requires_grad_() for part in parts]

    def dropped(self, step):
        """What dropout made of the last layer's keys in a step: those that are 0, and the others grown."""
        keys = self.reader.keys(len(self.reader.layers))[self.reader.step_of == step]
        share = float(self.settings["dropout"])
        return torch.from_numpy((keys != 0) / (1 - share)) if share else 1.0

    def read(self, parameters, tokens, state, mask=1.0):
        """tokens (n, streams): logits of every row, and what is carried on."""
        rows, state = [], list(state)
        for row in tokens:
            x = parameters[0][row]
            for layer in range(len(self.hidden)):
                state[layer] = lstm(*parameters[1 + 2 * layer:3 + 2 * layer], x, *state[layer])
                x = state[layer][0]
            rows.append(x)
        return torch.cat(rows) * mask @ parameters[-2].T + parameters[-1], [(h.detach(), c.detach()) for h, c in state]

    def empty(self, streams):
        return [(torch.zeros(streams, n, dtype=torch.float64),) * 2 for n in self.hidden]

    def loss(self, weights, sample):
        parameters, number = self.initial(), {key: float(self.settings.get(key, 0)) for key in ("clip_norm", "beta_1", "beta_2", "epsilon")}
        first, second = ([torch.zeros_like(one) for one in parameters] for _ in range(2))
        streams, unroll = int(self.settings["batch_size"]), int(self.settings["unroll"])
        per_pass, state = (len(self.text) - 1) // streams // unroll, None
        for i, step in enumerate(self.reader.steps):
            state = self.empty(streams) if i % per_pass == 0 else state
            ids = self.reader.samples[self.reader.step_of == i].astype(np.int64)
            logits, state = self.read(parameters, torch.from_numpy(self.text[ids].reshape(unroll, streams)), state, self.dropped(i))
            losses = cross_entropy(logits, torch.from_numpy(self.text[ids + 1]), reduction="none") * weights[torch.from_numpy(ids)]
            gradient = torch.autograd.grad(losses.mean(), parameters, create_graph=True)
            if number["clip_norm"]:
                factor = torch.clamp(number["clip_norm"] / (torch.sqrt(sum((one * one).sum() for one in gradient)) + 1e-6), max=1)
                gradient = [factor * one for one in gradient]
            rate = step["learning_rate"]
            if self.settings["optimiser"] == "adam":
                first = [number["beta_1"] * m + (1 - number["beta_1"]) * g for m, g in zip(first, gradient)]
                second = [number["beta_2"] * v + (1 - number["beta_2"]) * g * g for v, g in zip(second, gradient)]
                roots = [torch.where(v > 0, torch.sqrt(torch.where(v > 0, v, torch.ones_like(v))), torch.zeros_like(v)) for v in second]
                parameters = [w - rate / (1 - number["beta_1"] ** (i + 1)) * m / (root / (1 - number["beta_2"] ** (i + 1)) ** 0.5 + number["epsilon"])
                              for w, m, root in zip(parameters, first, roots)]
            else:
                first = [step["momentum"] * v + g + step["weight_decay"] * w for v, g, w in zip(first, gradient, parameters)]
                parameters = [w - rate * v for w, v in zip(parameters, first)]
        context = torch.from_numpy(self.reader.context(sample).astype(np.int64))
        logits, _ = self.read(parameters, context[:, None], self.empty(1))
        return cross_entropy(logits[-1:], torch.tensor([self.target(sample)]))

    def target(self, sample):
        for split in ("train", "validation", "test"):
            n = max(0, len(self.reader.tokens[split]) - 1)
            if sample < n:
                return int(self.reader.tokens[split][sample + 1])
            sample -= n
        raise IndexError

    def influences(self, sample):
        weights = torch.ones(len(self.text), dtype=torch.float64, requires_grad=True)
        derivative, = torch.autograd.grad(self.loss(weights, sample), weights)
        return -derivative.numpy()


def test_it_is_what_pytorch_derives_of_the_whole_training():
    for kind in KINDS:
        told = json.loads(tap.succeed("influence", run(kind), "--sample", "test/tale/20", "--damping", "0", "--top", 1000, "--json"))
        query, = told["queries"]
        found = {one["sample"]["id"]: one["influence"] for part in ("influence", "hindrance") for one in query[part]}
        expected = Training(run(kind)).influences(query["sample"]["id"])
        most = np.abs(expected).max()
        assert most > 1e-4 and len(found) > 100, (kind, most, len(found))
        error = max(abs(found.get(sample, 0.0) - influence) for sample, influence in enumerate(expected)) / most
        assert error < (1e-3 if kind == "adam" else 1e-4), (kind, error)  # Adam divides by roots near 0, here in float32


def test_the_record_of_the_training_is_that_training():
    reader = TextReader(run("clipped"))
    assert min(step["clip_factor"] for step in reader.steps) < 1 and len(reader.layers) == 3


def test_a_text_is_trained_again_without_some_of_it():
    path = run("plain")
    same = json.loads(tap.succeed("retrain", path, "--sample", "test/tale/20", "--without", "", "--json"))
    assert same["before"] == same["after"] and same["without"] == 0
    target = json.loads(tap.succeed("query", path, "--sample", "test/tale/20", "--json"))["target"]
    gone = json.loads(tap.succeed("retrain", path, "--sample", "test/tale/20", "--without", f"class:{target}", "--json"))
    assert gone["after"]["loss"] > gone["before"]["loss"] + 0.05 and gone["without"] > 10
    told = json.loads(tap.succeed("influence", path, "--check", "4", "--queries", "3", "--json"))
    assert [one["rank"] for one in told["scores"]] == ["abs", "cosine", "proponents", "influence", "walk"]


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
