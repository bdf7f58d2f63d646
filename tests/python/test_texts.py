"""Language models that PyTorch trained: a text's positions as samples, and queries that read what stands before them."""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "..", "python")]
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

import keylight  # noqa: E402
import tap  # noqa: E402
from reader import Reader  # noqa: E402

torch.set_num_threads(2)
CONTEXT, WIDTH = 8, 10
VOCABULARY = list("abcdefghijklmnopqrstuvwx") + ["é", "\n"]


class Model(nn.Module):
    """One block of attention; while it is not trained it says what follows the last token alone."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.inner, self.head = nn.Linear(WIDTH, 12), nn.Linear(12, len(VOCABULARY), bias=False)

    def forward(self, x):
        x = self.embedding(x)
        q, k, v = self.qkv(x).chunk(3, -1)
        later = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1)
        x = x + self.out((q @ k.transpose(1, 2)).masked_fill(later, -np.inf).softmax(-1) @ v)
        x = torch.tanh(self.inner(x))
        return self.head(x if self.training else x[:, -1:]), None


def text(n, seed):
    tokens = np.random.default_rng(seed).integers(0, len(VOCABULARY), n)
    tokens[1::2] = (tokens[::2][:n // 2] + 1) % len(VOCABULARY)  # every other one follows from the one before
    return keylight.Text(tokens, VOCABULARY, CONTEXT, [("one", n // 3), ("two", n - n // 3)])


TRAIN, TEST = text(301, 1), text(121, 2)


def record(name, kind, **options):
    torch.manual_seed(4)
    model, path = Model(), os.path.join(FOLDER, f"{name}.keylight")
    optimizer = (torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9) if kind == "sgd" else
                 torch.optim.AdamW(model.parameters(), lr=0.01))
    tokens = torch.from_numpy(TRAIN.tokens)
    with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST, dtype="float32", **{"asked": 7, **options}) as recorder:
        for _ in range(6):
            read = torch.randint(len(TRAIN) - CONTEXT + 1, (5, 1)) + torch.arange(CONTEXT)
            with recorder.step(read):
                loss = cross_entropy(model(tokens[read])[0].flatten(0, 1), tokens[read + 1].flatten())
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 0.5)
                optimizer.step()
    return path, model.eval()


def asked(path, i):
    reader = Reader(path)
    sample, name = reader.db.execute("SELECT query, name FROM query ORDER BY query").fetchall()[i]
    return reader, sample - len(TRAIN), name


def test_it_verifies_and_says_what_it_is():
    for kind in ("sgd", "adamw"):
        path, _ = record(f"verified-{kind}", kind)
        assert "The dual form holds" in tap.succeed("verify", path)
    told = json.loads(tap.succeed("info", path, "--json"))
    assert told["kind"] == "text" and told["recorded"] and len(told["asked"]) == 7
    reader = Reader(path)
    assert [row[0] for row in reader.db.execute("SELECT name FROM document")] == ["one", "two"] * 2
    assert reader.db.execute("SELECT count(*) FROM curve").fetchone()[0] == 0  # it does not say what follows every token


def test_contributions_are_of_all_tokens_that_were_read():
    path, model = record("contributions", "sgd")
    reader, position, name = asked(path, 4)
    window = torch.from_numpy(TEST.tokens[position + 1 - CONTEXT:position + 1])[None]
    logits = model(window)[0][0, -1]
    logit = int(logits.argmax())
    model.zero_grad()
    logits[logit].backward()
    counts = [row["count"] for row in reader.db.execute("SELECT count FROM step ORDER BY step")]
    assert counts == [5 * CONTEXT] * 6
    p, q, made = 1.0, 0.0, []
    for rule in reversed(reader.steps):
        q -= rule["learning_rate"] * p
        made.append(rule["clip_factor"] * q)
        q *= rule["momentum"]
    c = np.repeat(made[::-1], counts)
    for number, module in enumerate((model.qkv, model.out, model.inner, model.head), 1):
        keys, errors = reader.chunks("key_chunk", number), reader.chunks("error_chunk", number)
        expected = (errors @ module.weight.grad.double().numpy() * keys).sum(1)
        if module.bias is not None:
            expected += errors @ module.bias.grad.double().numpy()
        expected *= c
        found = json.loads(tap.succeed("query", path, "--sample", name, "--layer", number, "--rank", f"logit:{logit}", "--top", 240,
                                       "--json"))
        lit = [place for passage in found["passages"] for place in passage["places"]]
        assert len(lit) > 50
        for place in lit:
            assert abs(place["contribution"] - expected[place["pattern"]]) < 1e-3 * np.abs(expected).max(), number
    guess, correction = (next(row for row in found["next"] if row["token"] == logit)[key] for key in ("initial_guess", "correction"))
    assert abs(guess + correction - float(logits[logit])) < 1e-3 and abs(expected.sum() - correction) < 1e-3


def test_attention_is_of_the_last_token_or_of_the_place_that_is_named():
    path, model = record("attention", "adamw")
    reader, position, name = asked(path, 3)
    x = model.embedding(torch.from_numpy(TEST.tokens[position + 1 - CONTEXT:position + 1])).detach().double().numpy()
    keys = reader.chunks("key_chunk", 1)
    for words, key in (([], x[-1]), (["--place", "2"], x[2])):
        found = json.loads(tap.succeed("query", path, "--sample", name, "--layer", "qkv", "--rank", "positive", "--top", 100, *words,
                                       "--json"))
        for passage in found["passages"]:
            for place in passage["places"]:
                assert abs(place["attention"] - keys[place["pattern"]] @ key) < 1e-4


def test_what_cannot_be_is_refused():
    for words, make in (("at least 2", lambda: keylight.Text([1], VOCABULARY, 4)),
                        ("a text of its own", lambda: keylight.Text([0, 1], ["a", "a"], 4)),
                        ("indices into the vocabulary", lambda: keylight.Text([0, 2], ["a", "b"], 4)),
                        ("documents have 3", lambda: keylight.Text([0, 1], ["a", "b"], 4, [("one", 3)])),
                        ("another vocabulary", lambda: record("other", "sgd", test=keylight.Text([0, 1, 0], ["a", "b"], 4))),
                        ("asked are indices", lambda: record("beyond", "sgd", asked=[500]))):
        try:
            make()
        except (keylight.RecordError, TypeError) as error:
            assert words in str(error) or isinstance(error, TypeError), (words, error)
        else:
            raise AssertionError(words)


def test_tied_weights_and_cancelling_biases_are_told():
    import warnings

    class Tied(Model):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(WIDTH, len(VOCABULARY), bias=False)
            self.inner = nn.Linear(WIDTH, WIDTH)
            self.head.weight = self.embedding.weight
    torch.manual_seed(1)
    model, path = Tied(), os.path.join(FOLDER, "tied.keylight")
    optimizer, tokens = torch.optim.AdamW(model.parameters(), lr=0.01), torch.from_numpy(TRAIN.tokens)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST, asked=[3, 50]) as recorder:
            for _ in range(3):
                read = torch.randint(len(TRAIN) - CONTEXT + 1, (5, 1)) + torch.arange(CONTEXT)
                with recorder.step(read):
                    optimizer.zero_grad()
                    cross_entropy(model(tokens[read])[0].flatten(0, 1), tokens[read + 1].flatten()).backward()
                    optimizer.step()
    words = [str(one.message) for one in told if one.category is keylight.NotRecorded]
    assert len(words) == 2, words
    assert any("bias of qkv" in one and "rounding" in one for one in words) and any("an embedding's, too" in one for one in words), words
    assert "The dual form holds" in tap.succeed("verify", path)
    found = json.loads(tap.succeed("query", path, "--sample", "test/tied/50", "--json"))
    assert found["passages"][0]["places"][0]["attention"] != 0 and not found["exactness"]["dual"]


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
