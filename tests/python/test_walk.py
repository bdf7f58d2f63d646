"""The walk back through a training, against PyTorch's derivatives of the whole training in float64, against finite differences of
the samples' weights, and against what retraining shows."""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib")]
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

import tap  # noqa: E402
from reader import Reader  # noqa: E402

torch.set_num_threads(2)
KINDS = {"plain": [], "momentum": ["--momentum", "0.9", "--weight-decay", "0.01"], "clipped": ["--momentum", "0.8", "--clip", "0.6"],
         "nesterov": ["--momentum", "0.9", "--nesterov", "--weight-decay", "0.02", "--clip", "1.5"],
         "silu": ["--momentum", "0.9", "--activation", "silu"], "gelu": ["--activation", "gelu", "--clip", "2"],
         "adam": ["--optimiser", "adam", "--weight-decay", "0.01", "--clip", "0.5"],
         "adamw": ["--optimiser", "adamw", "--weight-decay", "0.1", "--activation", "silu", "--lr-schedule", "cosine"],
         "dampened": ["--momentum", "0.7", "--dampening", "0.3", "--lr-schedule", "cosine"]}
STEPS = 26


def train(kind):
    path = os.path.join(FOLDER, f"{kind}.keylight")
    if not os.path.exists(path):
        plain = [] if "--clip" in KINDS[kind] else ["--clip", "0"]
        rate = "0.004" if kind.startswith("adam") else "0.08"
        tap.succeed("train", "--data", "strokes", "--hidden", "12,9", "--steps", STEPS, "--batch", "20", "--lr", rate, "--limit", "40",
                    "--output", path, "--quiet", *plain, *KINDS[kind])
    return path


class Training:
    """The training of a run in float64, as a function of its samples' weights."""

    def __init__(self, path):
        self.reader = Reader(path)
        self.x = torch.from_numpy(self.reader.images())
        self.targets = torch.tensor([row["target"] for row in self.reader.db.execute("SELECT target FROM sample ORDER BY sample")])
        self.settings = {key: float(self.reader.settings.get(key, 0)) for key in ("clip_norm", "dampening", "nesterov")}

    def loss(self, weights, sample, first=0):
        """The loss of a sample after all steps; weights (samples) count in the steps after first."""
        parameters = [torch.from_numpy(part.copy()).requires_grad_() for layer in range(1, 1 + len(self.reader.layers))
                      for part in self.reader.parameters("initial", layer)]
        velocity = [torch.zeros_like(one) for one in parameters]
        squares = [torch.zeros_like(one) for one in parameters]
        optimiser = self.reader.settings.get("optimiser", "sgd")
        for number, step in enumerate(self.reader.steps):
            ids = torch.from_numpy(self.reader.samples[self.reader.step_of == number].astype(np.int64))
            losses = cross_entropy(self.run(parameters, self.x[ids]), self.targets[ids], reduction="none")
            own = weights[ids] if number >= first else torch.ones(len(ids), dtype=torch.float64)
            gradient = torch.autograd.grad((losses * own).sum() / len(ids), parameters, create_graph=True)
            norm = torch.sqrt(sum((one * one).sum() for one in gradient))
            clip = self.settings["clip_norm"]
            factor = torch.clamp(clip / (norm + 1e-6), max=1) if clip else 1.0
            if optimiser != "sgd":
                gradient = [factor * one for one in gradient]
                parameters, velocity, squares = self.adam(optimiser, number + 1, step, gradient, parameters, velocity, squares)
                continue
            share = 1 - (self.settings["dampening"] if number else 0)
            updates = [factor * one + step["weight_decay"] * w for one, w in zip(gradient, parameters)]
            velocity = [step["momentum"] * v + share * u for v, u in zip(velocity, updates)]
            moves = [u + step["momentum"] * v for u, v in zip(updates, velocity)] if self.settings["nesterov"] else velocity
            parameters = [w - step["learning_rate"] * move for w, move in zip(parameters, moves)]
        return cross_entropy(self.run(parameters, self.x[sample:sample + 1]), self.targets[sample:sample + 1])

    def adam(self, optimiser, number, step, gradient, parameters, mean, squares):
        """One step, without torch's in-place arithmetic."""
        beta_1, beta_2, epsilon = (float(self.reader.settings[key]) for key in ("beta_1", "beta_2", "epsilon"))
        rate, decay = step["learning_rate"], step["weight_decay"]
        if optimiser == "adam":
            gradient = [one + decay * w for one, w in zip(gradient, parameters)]
        mean = [beta_1 * m + (1 - beta_1) * one for m, one in zip(mean, gradient)]
        squares = [beta_2 * v + (1 - beta_2) * one * one for v, one in zip(squares, gradient)]
        roots = [torch.where(v > 0, torch.sqrt(torch.where(v > 0, v, torch.ones_like(v))), torch.zeros_like(v)) for v in squares]
        kept = 1 - rate * decay if optimiser == "adamw" else 1
        return [kept * w - rate * m / (1 - beta_1 ** number) / (root / (1 - beta_2 ** number) ** 0.5 + epsilon)
                for w, m, root in zip(parameters, mean, roots)], mean, squares

    def run(self, parameters, x):
        activate = getattr(torch.nn.functional, self.reader.layers[0]["activation"])
        for i in range(0, len(parameters), 2):
            x = x @ parameters[i].T + parameters[i + 1]
            x = activate(x) if i + 2 < len(parameters) else x
        return x

    def influences(self, sample, first=0):
        weights = torch.ones(len(self.x), dtype=torch.float64, requires_grad=True)
        derivative, = torch.autograd.grad(self.loss(weights, sample, first), weights)
        return -derivative.numpy()


def walked(path, name, *words):
    """What keylight says of every training sample, by id."""
    told = json.loads(tap.succeed("influence", path, "--sample", name, "--top", 1000, "--json", *words))
    query, = told["queries"]
    return {one["sample"]["id"]: one["influence"] for kind in ("influence", "hindrance") for one in query[kind]}, told, query


def compare(path, name, words, first):
    found, _, query = walked(path, name, *words)
    expected = Training(path).influences(query["sample"]["id"], first)
    most = np.abs(expected).max()
    assert most > 1e-4 and len(found) > 10
    for sample, influence in enumerate(expected):
        assert abs(found.get(sample, 0.0) - influence) < 1e-4 * most, (path, sample, found.get(sample), influence)


def test_it_is_what_pytorch_derives_of_the_whole_training():
    for kind in KINDS:
        compare(train(kind), "test/strokes/3", ["--damping", "0"], 0)
    reader = Reader(train("clipped"))
    factors = [step["clip_factor"] for step in reader.steps]
    assert min(factors) < 0.9 and any(step["momentum"] == 0.8 for step in reader.steps), factors


def test_parts_are_the_last_steps():
    for parts, first in (("6/13", STEPS - 12), ("1/26", STEPS - 1), ("1/1000", STEPS - 1), ("6/15", STEPS - 10)):
        compare(train("momentum"), "test/strokes/5", ["--parts", parts, "--damping", "0"], first)
    _, told, _ = walked(train("momentum"), "test/strokes/5")
    assert (told["first_step"], told["last_step"], told["damping"]) == (1, 26, 2.3)  # unless said


def test_damping_discounts_what_lies_back():
    """By the learning rates that came after: from walks of the last steps, one more each."""
    path, name = train("dampened"), "test/strokes/5"
    rates = [step["learning_rate"] for step in Reader(path).steps]
    expected, before = {}, {}
    for n in range(1, STEPS + 1):
        found, _, _ = walked(path, name, "--parts", f"{n}/{STEPS}", "--damping", "0")
        weight = np.exp(-1.7 * sum(rates[STEPS - n + 1:]) / sum(rates))
        for sample in found.keys() | before.keys():
            expected[sample] = expected.get(sample, 0) + weight * (found.get(sample, 0) - before.get(sample, 0))
        before = found
    found, _, _ = walked(path, name, "--damping", "1.7")
    most = max(map(abs, expected.values()))
    assert all(abs(found.get(sample, 0) - value) < 1e-4 * most for sample, value in expected.items())


def test_it_is_what_small_changes_of_weights_do():
    training, name = Training(train("nesterov")), "test/strokes/7"
    found, _, query = walked(train("nesterov"), name, "--damping", "0")
    most = max(abs(one) for one in found.values())
    for sample in sorted(found, key=lambda one: -abs(found[one]))[:4]:
        losses = []
        for step in (-1e-5, 1e-5):
            weights = torch.ones(len(training.x), dtype=torch.float64)
            weights[sample] += step
            losses.append(float(training.loss(weights, query["sample"]["id"])))
        assert abs(-(losses[1] - losses[0]) / 2e-5 - found[sample]) < 1e-4 * most, sample


def test_several_samples_are_walked_together():
    path = train("plain")
    one, _, _ = walked(path, "test/strokes/3", "--damping", "0")
    told = json.loads(tap.succeed("influence", path, "--sample", "test/strokes/1,test/strokes/3", "--top", 1000, "--damping", "0", "--json"))
    assert [query["sample"]["index"] for query in told["queries"]] == [1, 3]
    again = {lit["sample"]["id"]: lit["influence"] for kind in ("influence", "hindrance") for lit in told["queries"][1][kind]}
    assert again == one
    text = tap.succeed("influence", path, "--sample", "test/strokes/1", "--top", "3")
    assert "Walked back over steps 1 to 26 of 26, damped by 2.3." in text and text.count("train/strokes/") == 6, text


def test_retraining_changes_what_it_foretells():
    path, foretold, found = os.path.join(FOLDER, "calm.keylight"), [], []
    tap.succeed("train", "--data", "strokes", "--hidden", "30", "--steps", "80", "--batch", "20", "--lr", "0.01", "--limit", "200", "--clip", "0",
                "--output", path, "--quiet")
    for index in (1, 2):
        _, _, query = walked(path, f"test/strokes/{index}", "--damping", "0")
        for kind in ("influence", "hindrance"):
            for one in query[kind][:4]:
                told = json.loads(tap.succeed("retrain", path, "--without", f"sample:{one['sample']['id']}", "--sample",
                                              f"test/strokes/{index}", "--json"))
                foretold.append(one["influence"])
                found.append(told["after"]["loss"] - told["before"]["loss"])
    assert np.corrcoef(foretold, found)[0, 1] > 0.6, list(zip(foretold, found))


def test_a_training_too_unstable_is_told():
    path = os.path.join(FOLDER, "wild.keylight")
    tap.succeed("train", "--data", "strokes", "--hidden", "16,16,16", "--steps", "1500", "--batch", "20", "--lr", "5", "--lr-schedule",
                "constant", "--clip", "1", "--dtype", "float32", "--activation", "silu", "--output", path, "--quiet")
    for words in ([], ["--json"]):
        done = tap.run("influence", path, "--sample", "test/strokes/1", "--damping", "0", *words)
        assert done.returncode == 1 and not done.stdout and "too unstable to be walked back further than to step" in done.stderr
    done = tap.run("influence", path, "--check", "3", "--queries", "2", "--damping", "0", "--json")
    assert done.returncode == 0 and "the walk is left out" in done.stderr
    assert [one["rank"] for one in json.loads(done.stdout)["scores"]] == ["abs", "cosine", "proponents", "influence"]


def test_many_queries_are_walked_some_at_a_time():
    told = json.loads(tap.succeed("influence", train("plain"), "--check", "3", "--queries", "70", "--leave", "0.2", "--json"))
    walk = told["scores"][-1]
    assert told["queries"] == 70 and walk["rank"] == "walk" and walk["first_step"] == 1 and abs(walk["rank_correlation"]) <= 1


def test_what_cannot_be_walked_is_said():
    for words, arguments in (("has samples 0 to", (train("plain"), "--sample", "test/strokes/99999")),
                             ("leave them or --sample out", (train("plain"), "--sample", "test/strokes/1", "--leave", "0.2")),
                             ("goes with --sample", (train("plain"), "--top", "3")),
                             ("at most 64", (train("plain"), "--sample", ",".join(["test/strokes/1"] * 65))),
                             ("names samples", (train("plain"), "--sample", "")),
                             ("6/15, not '7/6'", (train("plain"), "--parts", "7/6")), ("6/15, not '0/3'", (train("plain"), "--parts", "0/3")),
                             ("6/15, not '-1/3'", (train("plain"), "--parts", "-1/3")), ("damping is 0", (train("plain"), "--damping", "-1")),
                             ("damping is 0", (train("plain"), "--damping", "much"))):
        done = tap.run("influence", *arguments)
        assert done.returncode != 0 and words in done.stderr, (words, done.stderr)


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
