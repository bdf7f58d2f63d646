"""Samples that words describe: rows of tables, labelled sequences of tokens whose filling is left out."""
import json
import os
import sqlite3
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "..", "python")]
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402
from torch.utils.data import TensorDataset  # noqa: E402

import client  # noqa: E402
import keylight  # noqa: E402
import tap  # noqa: E402
from reader import Reader, sign  # noqa: E402

torch.set_num_threads(2)
COLUMNS, CLASSES = ["age", "income\tin k", "town", "height"], ["stays", "leaves"]
WORDS, LENGTH = ["<pad>", "good", "bad", "very", "not", "film", "plot"], 6


def rows(n, seed):
    """A table of numbers and a text, what a model reads of it, and labels that follow from it."""
    numbers = np.random.default_rng(seed).normal(size=(n, 3))
    towns = np.random.default_rng(seed + 1).integers(0, 2, n)
    labels = (numbers[:, 0] + towns > 0.5).astype(int)
    values = [[round(40 + 10 * a, 1), 30 + 5 * b, ["Bern", "Zürich"][town], 170 + 8 * c] for (a, b, c), town in zip(numbers, towns)]
    inputs = torch.from_numpy(np.column_stack([numbers, towns]).astype(np.float32))
    return keylight.Table(np.array(values, object), labels, COLUMNS, CLASSES, inputs)


def record_table(name, train, test, n_inputs=4):
    torch.manual_seed(3)
    model, path = nn.Sequential(nn.Linear(n_inputs, 8), nn.ReLU(), nn.Linear(8, 2)), os.path.join(FOLDER, f"{name}.keylight")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    x, labels = train.inputs if isinstance(train, keylight.Table) else train.tensors[0], torch.as_tensor(
        train.labels if isinstance(train, keylight.Table) else train.tensors[1])
    with keylight.Recorder(path, model, optimizer, train=train, test=test, dtype="float32") as recorder:
        for _ in range(30):
            samples = torch.randint(len(x), (12,))
            with recorder.step(samples):
                optimizer.zero_grad()
                cross_entropy(model(x[samples]), labels[samples]).backward()
                optimizer.step()
    return path, model


class Attentive(nn.Module):
    """A sequence's tokens attend to each other, but for the filling; their mean makes the class."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.inner, self.head = nn.Linear(8, 10), nn.Linear(10, 2)

    def forward(self, tokens):
        padded = tokens == 0
        x = self.embedding(tokens)
        x = x + self.attention(x, x, x, key_padding_mask=padded, need_weights=False)[0]
        x = torch.tanh(self.inner(x)).masked_fill(padded[:, :, None], 0).sum(1) / (~padded).sum(1, keepdim=True)
        return self.head(x)


def sentences(n, seed):
    chance = np.random.default_rng(seed)
    tokens = [list(chance.integers(1, len(WORDS), chance.integers(2, LENGTH + 1))) for _ in range(n - 1)] + [[1] * LENGTH]
    return keylight.Sequences(tokens, [int(row.count(1) > row.count(2)) for row in tokens], ["dull", "fine"], WORDS, padding=0)


def record_sentences(name, train, test):
    torch.manual_seed(5)
    model, path = Attentive(), os.path.join(FOLDER, f"{name}.keylight")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    with keylight.Recorder(path, model, optimizer, train=train, test=test, dtype="float32") as recorder:
        for _ in range(15):
            samples = torch.randint(len(train), (9,))
            with recorder.step(samples):
                optimizer.zero_grad()
                cross_entropy(model(train.inputs[samples]), torch.from_numpy(train.labels)[samples]).backward()
                optimizer.step()
    return path, model.eval()


def test_rows_of_a_table_are_shown_as_values():
    path, _ = record_table("table", rows(60, 1), rows(20, 9))
    assert "The dual form holds" in tap.succeed("verify", path)
    told = json.loads(tap.succeed("info", path, "--json"))
    assert told["kind"] == "described" and told["datasets"][0]["channels"] == 0 and "described samples" in tap.succeed("info", path)
    found = json.loads(tap.succeed("query", path, "--sample", "test/table/3", "--json"))
    description = found["spotlight"][0]["sample"]["description"]
    lines = [line.split("\t") for line in description.split("\n")]
    assert [line[0] for line in lines] == ["age", "income in k", "town", "height"] and lines[2][1] in ("Bern", "Zürich"), description
    index = found["spotlight"][0]["sample"]["index"]
    assert description == rows(60, 1).descriptions[index]
    text = tap.succeed("query", path, "--sample", "test/table/3")
    assert "test/table/3 (age: " in text and "; town: " in text, text
    assert "age: " in tap.succeed("suspects", path) and '"description"' in tap.succeed("suspects", path, "--json")
    for figure in ("strips", "card", "spotlight", "wall"):
        drawn = os.path.join(FOLDER, f"{figure}.svg")
        tap.succeed("figure", path, "--sample", "test/table/3", "--view", figure, "--output", drawn)
        with open(drawn) as file:
            assert ("Bern" in (content := file.read())) == (figure != "wall") and "<svg" in content
    page = os.path.join(FOLDER, "report.html")
    tap.succeed("report", path, "--html", page)
    with open(page) as file:
        assert "income in k" in file.read()


def test_vectors_without_names_are_numbered():
    def vectors(n, seed):
        x = torch.randn(n, 5, generator=torch.Generator().manual_seed(seed))
        return TensorDataset(x, (x[:, 0] > 0).long())
    path, _ = record_table("vectors", vectors(50, 1), vectors(10, 2), 5)
    found = json.loads(tap.succeed("query", path, "--sample", "test/vectors/3", "--json"))
    assert found["spotlight"][0]["sample"]["description"].startswith("x1\t")


def test_filling_attends_to_nothing():
    train, test = sentences(50, 1), sentences(12, 2)
    path, model = record_sentences("sentences", train, test)
    assert "The dual form holds" in tap.succeed("verify", path)
    reader, asked = Reader(path), 4
    x = model.embedding(test.inputs[asked:asked + 1])
    x = (x + model.attention(x, x, x, key_padding_mask=test.inputs[asked:asked + 1] == 0, need_weights=False)[0])[0].detach().double().numpy()
    there = test.inputs[asked].numpy() != 0
    inner = 1 + [row["name"] for row in reader.layers].index("inner")
    keys = reader.chunks("key_chunk", inner).reshape(len(reader.samples), LENGTH, 8)
    filled = train.inputs.numpy()[reader.samples] == 0
    assert filled.any() and not keys[filled].any() and keys[~filled].any()
    expected = np.einsum("tpi,qi->t", keys, x[there])
    found = json.loads(tap.succeed("query", path, "--sample", f"test/sentences/{asked}", "--layer", "inner", "--top", 60, "--json"))
    for lit in found["spotlight"]:
        assert abs(lit["attention"] - expected[lit["pattern"]]) < 1e-3 * np.abs(expected).max()
    assert found["spotlight"][0]["sample"]["description"] in train.descriptions and "<pad>" not in "".join(train.descriptions)


def test_a_tensor_is_read_as_recorded_samples_are():
    train, test = sentences(50, 1), sentences(12, 2)
    path, model = record_sentences("asked", train, test)
    server = client.Server(path)
    try:
        asker = keylight.Client(f"http://127.0.0.1:{server.port}", model=model)
        known, told = asker.ask(4), asker.ask(test.inputs[4], label=int(test.labels[4]))
        for layer in range(1, 1 + len(asker.run["layers"])):
            for rank in ("abs", "cosine", "logit", "influence"):
                for one, other in zip(told.spotlight(rank, layer), known.spotlight(rank, layer)):
                    assert one.name == other.name or abs(one.score - other.score) < 1e-3 * abs(other.score) + 1e-6, (layer, rank)
    finally:
        server.stop()


def test_inputs_are_what_the_model_reads():
    x, expected = torch.arange(12.0).reshape(6, 2).requires_grad_(), torch.arange(12.0).reshape(6, 2)
    for inputs in (x.detach(), x.detach().numpy(), x.detach().double().numpy(), x.tolist(), list(x), [(row.detach(), 0) for row in x],
                   TensorDataset(x.detach(), torch.zeros(6))):
        described = keylight.Described(["a"] * 6, [0, 1] * 3, ["p", "q"], inputs)
        read = described.read(np.array([1, 4]))
        assert read.dtype == torch.float32 and torch.equal(read, expected[[1, 4]]), type(inputs)
    assert np.array_equal(keylight.Described(["a"], [0], ["p"], np.array([[3]])).read(np.array([0])).numpy(), [[3]])


def test_they_are_items_of_a_loader():
    table = rows(20, 1)
    loader = torch.utils.data.DataLoader(keylight.indexed(table), batch_size=6)
    found = [(samples, x, y) for samples, x, y in loader]
    assert torch.equal(torch.cat([x for _, x, _ in found]), table.inputs)
    assert torch.cat([samples for samples, _, _ in found]).tolist() == list(range(20))
    assert np.array_equal(torch.cat([y for _, _, y in found]).numpy(), table.labels)


def test_contributions_of_sequences_are_what_autograd_says():
    train, test = sentences(50, 1), sentences(12, 2)
    path, model = record_sentences("contributions", train, test)
    logits = model(test.inputs[4:5])[0]
    logit = int(logits.argmax())
    model.zero_grad()
    logits[logit].backward()
    reader = Reader(path)
    p, q, made = 1.0, 0.0, []
    for rule in reversed(reader.steps):
        q -= rule["learning_rate"] * p
        made.append(rule["clip_factor"] * q)
        q *= rule["momentum"]
    c = np.repeat(made[::-1], [row["count"] for row in reader.steps])
    for number, layer in enumerate(reader.layers, 1):
        if layer["name"] not in ("inner", "head"):
            continue
        module = {"inner": model.inner, "head": model.head}[layer["name"]]
        shape = (len(reader.samples), layer["places"], -1)
        keys, errors = reader.chunks("key_chunk", number).reshape(shape), reader.chunks("error_chunk", number).reshape(shape)
        expected = c * (np.einsum("tpo,oi,tpi->t", errors, module.weight.grad.double().numpy(), keys) +
                        np.einsum("tpo,o->t", errors, module.bias.grad.double().numpy()))
        found = json.loads(tap.succeed("query", path, "--sample", "test/contributions/4", "--layer", number, "--rank", f"logit:{logit}",
                                       "--top", 60, "--json"))
        for lit in found["spotlight"]:
            assert abs(lit["contribution"] - expected[lit["pattern"]]) < 1e-3 * np.abs(expected).max(), (layer["name"], lit, expected[lit["pattern"]])


def test_the_server_tells_words_and_has_no_pictures():
    path, _ = record_table("served", rows(60, 1), rows(20, 9))
    server = client.Server(path)
    try:
        run = server.json("/api/v1/runs")["runs"][0]["id"]
        listed = server.json(f"/api/v1/runs/{run}/samples?limit=3")["samples"]
        assert all(one["description"].startswith("age\t") for one in listed)
        for resource in ("images/3.png", "sheet.png?samples=1,2"):
            status, _, body = server.ask(f"/api/v1/runs/{run}/{resource}")
            assert status == 404 and b"description" in body, body
        asker = keylight.Client(f"http://127.0.0.1:{server.port}")
        answer = asker.ask(3)
        assert answer.strips[0].lit[0].description.startswith("age\t") and "<td>Bern</td>" in answer._repr_html_()
    finally:
        server.stop()


def test_what_cannot_be_is_refused():
    two, pictures = torch.zeros(2, 3), TensorDataset(torch.zeros(4, 1, 2, 2), torch.zeros(4).long())
    for words, make in (("as there are names", lambda: keylight.Table(two, [0, 1], ["a"], CLASSES)),
                        ("whole numbers", lambda: keylight.Table(two, ["a", "b"], ["a", "b", "c"], CLASSES)),
                        ("whole numbers", lambda: keylight.Table(two, [0, 0.7], ["a", "b", "c"], CLASSES)),
                        ("list of names", lambda: keylight.Table(two, [0, 1], ["a", "b", "c"], "xy")),
                        ("columns each", lambda: keylight.Table([[1], [1, 2]], [0, 1], ["a", "b"], CLASSES)),
                        ("not from -1", lambda: keylight.Table(two, [0, -1], ["a", "b", "c"], CLASSES)),
                        ("what the model reads", lambda: keylight.Described(["a"], [0], CLASSES, None)),
                        ("rows, one for each", lambda: keylight.Sequences(5, [0], CLASSES, WORDS)),
                        ("whole numbers", lambda: keylight.Table(two, [0, float("nan")], ["a", "b", "c"], CLASSES)),
                        ("one sequence each", lambda: keylight.Sequences(torch.zeros(2, 2, 2).long(), [0, 1], CLASSES, WORDS)),
                        ("other classes, or columns", lambda: record_table("columns", rows(9, 1), keylight.Table(
                            torch.zeros(4, 4), [0] * 4, ["a", "b", "c", "d"], CLASSES))),
                        ("no numbers", lambda: keylight.Table([["a"], ["b"]], [0, 1], ["name"], CLASSES)),
                        ("reads of 3", lambda: keylight.Described(["a", "b"], [0, 1], CLASSES, torch.zeros(3, 1))),
                        ("say what tokens mean", lambda: keylight.Sequences([[1]], [0], CLASSES)),
                        ("several lengths", lambda: keylight.Sequences([[1], [1, 2]], [0, 1], CLASSES, WORDS)),
                        ("indices into the vocabulary", lambda: keylight.Sequences([[1, 9]], [0], CLASSES, WORDS)),
                        ("test of kind images", lambda: record_table("mixed", rows(9, 1), pictures))):
        try:
            make()
        except keylight.RecordError as error:
            assert words in str(error), (words, error)
        else:
            raise AssertionError(words)


def test_descriptions_that_are_missing_or_too_long_are_damage():
    for change, words in (("DELETE FROM description WHERE sample = 7", "descriptions"),
                          ("DELETE FROM description WHERE sample = 79", "missing"),
                          ("UPDATE description SET text = printf('%.9000c', 'x') WHERE sample = 7", "descriptions"),
                          ("UPDATE dataset SET width = 3", "impossible"), ("UPDATE dataset SET kind = 'images'", "impossible")):
        path, _ = record_table("damaged", rows(60, 1), rows(20, 9))
        with sqlite3.connect(path) as db:
            db.execute(change)
        db.close()
        sign(path)
        assert words in tap.run("info", path).stderr, change
        os.remove(path)


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
