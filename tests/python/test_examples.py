"""The worked examples, on small settings, from training to a client's question."""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "..", "..")
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(SOURCE, "python"), os.path.join(SOURCE, "examples")]
import numpy as np  # noqa: E402
import torch  # noqa: E402

import made_data  # noqa: E402
import tap  # noqa: E402
from client import Server  # noqa: E402
from dual import contributions  # noqa: E402
from reader import Reader  # noqa: E402


def example(name, *arguments):
    """Runs an example; returns the path of what it recorded."""
    path = os.path.join(FOLDER, f"{name}.keylight")
    done = subprocess.run([sys.executable, os.path.join(SOURCE, "examples", f"{name}.py"), *map(str, arguments)],
                          capture_output=True, text=True, timeout=300, cwd=FOLDER,
                          env={**os.environ, "PYTHONPATH": os.path.join(SOURCE, "python")})
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "The dual form holds" in tap.succeed("verify", path)
    return path


def fashion(folder):
    """A folder as Fashion-MNIST's, with a few pictures that are made up."""
    os.makedirs(folder)
    random = np.random.default_rng(1)
    for part, n in (("train", 256), ("t10k", 40)):
        labels = random.integers(0, 10, n).astype(np.uint8)
        pixels = random.integers(0, 120, (n, 28, 28)).astype(np.uint8)
        pixels[np.arange(n), 2 * labels] = 255
        for name, array in ((f"{part}-images-idx3-ubyte", pixels), (f"{part}-labels-idx1-ubyte", labels)):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes())


def compare(path, name, number, expected, rank):
    """What the program says of a layer's contributions, with what is expected of every showing."""
    found = json.loads(tap.succeed("query", path, "--sample", name, "--layer", number, "--rank", rank, "--top", 100, "--json"))
    lit = found["spotlight"] if "spotlight" in found else [place for passage in found["passages"] for place in passage["places"]]
    assert len(lit) > 20
    # Adam divides by gradients that nearly cancel, which the program sums in float32, and this in float64: some may be further off.
    off = [abs(one["contribution"] - expected[one["pattern"]]) / np.abs(expected).max() for one in lit]
    assert max(off) < 3e-3 and sum(one >= 1e-3 for one in off) <= len(lit) // 20, (number, sorted(off))


def compare_network(path, answer):
    """Contributions through every layer of the CNN to the answer about sample 3, by PyTorch's autograd of its final weights."""
    import cnn
    reader, model = Reader(path), cnn.Network()
    model.load_state_dict({f"{layer['name']}.{kind}": torch.from_numpy(values).float().reshape(parameter.shape)
                           for number, layer in enumerate(reader.layers, 1)
                           for kind, values, parameter in zip(("weight", "bias"), reader.parameters("current", number),
                                                              model.get_submodule(layer["name"]).parameters())})
    first, = reader.db.execute("SELECT train_samples FROM dataset").fetchone()
    logits = model(torch.from_numpy(reader.images()[first + 3]).float().reshape(1, 1, 28, 28))[0]
    assert np.abs(logits.detach().numpy() - answer.logits).max() < 1e-3
    logits[int(logits.argmax())].backward()
    for number, layer in enumerate(reader.layers, 1):
        module = model.get_submodule(layer["name"])
        compare(path, "test/fashion-cnn/3", number, contributions(reader, number, module.weight.grad.flatten(1), module.bias.grad),
                f"logit:{int(logits.argmax())}")


def compare_record(path, query, name):
    """The same of a text, whose other parameters the file does not have: by the gradients that PyTorch recorded of the query."""
    reader = Reader(path)
    logits = np.frombuffer(reader.db.execute("SELECT logits FROM query WHERE query = ?", (query,)).fetchone()[0], "<f4")
    for number in (1, 4, 7):
        kept = {role: reader.db.execute("SELECT * FROM query_place_chunk WHERE query = ? AND layer = ? AND role = ? AND "
                                        "(output = ? OR role = 'key')", (query, number, role, int(logits.argmax()))).fetchone()
                for role in ("key", "gradient")}
        key, gradient = (reader.rows(row, "<f2").astype(np.float64) * 2.0 ** -row["exponent"] for row in kept.values())
        has_bias = reader.layers[number - 1]["bias"]
        compare(path, name, number, contributions(reader, number, gradient.T @ key, gradient.sum(0) if has_bias else None),
                f"logit:{int(logits.argmax())}")


def test_a_convolutional_network():
    import keylight
    folder = os.path.join(FOLDER, "fashion")
    fashion(folder)
    path = example("cnn", "cnn.keylight", "--data", folder, "--epochs", 12, "--test", 30)
    server = Server(path)
    try:
        client = keylight.Client(f"http://127.0.0.1:{server.port}")
        assert [layer["name"] for layer in client.run["layers"]] == ["features.0", "features.3", "hidden", "output"]
        answer = client.ask(3)
        assert np.abs(answer.initial_guess + answer.correction - answer.logits).max() < 5e-2
        assert answer.predicted in answer.outputs and answer.strips[0].title == "It looks at"
        compare_network(path, answer)
        hidden = answer.spotlight("logit", layer="hidden", k=5)
        assert len(hidden) == 5 and all(one.contribution == one.score for one in hidden)
        assert answer.link.endswith("/q/test/fashion-cnn/3") and answer.predicted in repr(answer)
        assert answer._repr_html_().count("data:image/png;base64,") == sum(len(strip.lit) for strip in answer.strips)
        for wrong, words in ((lambda: client.ask("train/fashion-cnn/3"), "ask about one of the test split"),
                             (lambda: client.ask(np.zeros((28, 28))), "only the model can say"),
                             (lambda: client.ask("test/fashion-cnn/999"), "has samples 0 to 29"),
                             (lambda: answer.spotlight(layer="conv"), "the layers features.0, features.3, hidden, output"),
                             (lambda: keylight.Client(f"http://127.0.0.1:{server.port}", "other"), "name one of them")):
            try:
                wrong()
                raise AssertionError(words)
            except keylight.ServerError as error:
                assert words in str(error), error
    finally:
        server.stop()
    assert "does not answer" in refusal(lambda: keylight.Client("http://127.0.0.1:1"))


def test_a_transformer():
    import keylight
    folder = os.path.join(FOLDER, "book")
    os.makedirs(folder)
    for chapter in range(1, 21):
        with open(os.path.join(folder, f"chapter_{chapter}.txt"), "w") as file:
            file.write("the whale swims and the ship sails after it. " * 4)
    path = example("gpt", "gpt.keylight", "--data", folder, "--steps", 12, "--batch", 3, "--asked", 5)
    server = Server(path)
    try:
        client = keylight.Client(f"http://127.0.0.1:{server.port}")
        assert client.run["kind"] == "text" and len(client.run["layers"]) == 17 and len(client.run["asked"]) == 5
        first = client.run["datasets"][0]["splits"]["test"]["first_sample"]
        asked = f"test/gpt/{client.run['asked'][2] - first}"
        found = client._ask("spotlight", {"sample": asked, "layer": "blocks.1.attention.qkv", "rank": "logit", "k": 5})
        assert found["layer"] == 5 and len(found["passages"]) >= 1
        reading = client._ask("reading", {"sample": client.run["asked"][2], "count": 30})
        assert reading["asked"][0] == 0 and reading["bits"][1] > 0 and reading["bits"][0] is None
        for resource, words in (("heat", "attention to one token at a time"), ("continuation", "cannot read or write here")):
            assert words in refusal(lambda: client._ask(resource, {"sample": client.run["asked"][2]}))
    finally:
        server.stop()
    compare_record(path, client.run["asked"][2], asked)
    for rank in ("effect", "influence"):
        assert "passage" in tap.succeed("query", path, "--sample", asked, "--rank", rank, "--top", "3")
    assert "5 of the test positions can be asked about" in tap.succeed("info", path)
    tap.succeed("report", path)
    assert "not among those" in tap.run("query", path, "--sample", "test/gpt/1").stderr
    assert "place is 0 to" in tap.run("query", path, "--sample", asked, "--layer", "blocks.0.mlp.0", "--place", 4000).stderr
    assert "has no places" in tap.run("query", path, "--sample", asked, "--place", 0).stderr


def refusal(run):
    import keylight
    try:
        run()
    except keylight.ServerError as error:
        return str(error)
    raise AssertionError("not refused")


def test_a_frozen_networks_head():
    random = np.random.default_rng(2)
    for name, colour in (("red", (200, 40, 40)), ("green", (40, 180, 60))):
        os.makedirs(os.path.join(FOLDER, "pictures", name))
        for i in range(16):
            pixels = np.clip(np.array(colour) + random.normal(0, 40, (40, 40, 3)), 0, 255).astype(np.uint8)
            made_data.png(os.path.join(FOLDER, "pictures", name, f"{name} {i}.png"), pixels)
    path = example("head", "pictures", "head.keylight", "--epochs", 3)
    out = tap.succeed("query", path, "--sample", "test/head/1", "--rank", "logit", "--top", "3")
    assert ".png" in out
    assert ".png" in tap.succeed("suspects", path)
    reader = Reader(path)
    first, = reader.db.execute("SELECT train_samples FROM dataset").fetchone()
    key, = reader.db.execute("SELECT data FROM query_key_chunk WHERE query = ? AND role = 'key'", (first + 1,)).fetchone()
    fc = torch.nn.Linear(512, 2)
    logits = fc(torch.from_numpy(np.frombuffer(key, "<f4").copy()))
    logits[1].backward()  # of the last layer it does not hang on its weights
    compare(path, "test/head/1", 1, contributions(reader, 1, fc.weight.grad, fc.bias.grad), "logit:1")


if __name__ == "__main__":
    tap.main(sys.modules["__main__"])
