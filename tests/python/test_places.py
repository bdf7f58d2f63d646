"""Layers that see a sample at several places: convolutions, tokens, repeated and tied layers, attention, LSTM and GRU,
against PyTorch's own gradients and against the format's recurrences in NumPy."""
import json
import os
import sqlite3
import sys
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "..", "python")]
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy, unfold  # noqa: E402

import keylight  # noqa: E402
import tap  # noqa: E402
from dual import contributions, rows_of  # noqa: E402
from pictures import CLASSES, SIDE, Cut, made, path_of, read, refused, verified  # noqa: E402
from reader import Reader  # noqa: E402

TRAIN, TEST = made(90, 1), made(20, 2)
X, XT = read(TRAIN), read(TEST)
Y = torch.from_numpy(TRAIN.labels)


class Rows(nn.Module):
    """Each row of the picture is a token; what stands between is given."""

    def __init__(self, between, width=8, turned=False):
        super().__init__()
        self.embed, self.between, self.head = nn.Linear(SIDE, width), between, nn.Linear(width, CLASSES)
        self.turned = turned

    def forward(self, x):
        x = self.embed(x[:, 0])
        x = self.between(x.transpose(0, 1)).transpose(0, 1) if self.turned else self.between(x)
        return self.head(x.mean(1))


class First(nn.Module):
    """The first of what a module returns."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


class Repeated(nn.Module):
    """A layer that is called three times, and two modules that share its weights."""

    def __init__(self):
        super().__init__()
        self.first, self.again, self.twin, self.head = nn.Linear(36, 7), nn.Linear(7, 7), nn.Linear(7, 7), nn.Linear(7, CLASSES)
        self.twin.weight, self.twin.bias = self.again.weight, self.again.bias

    def forward(self, x):
        x = torch.tanh(self.first(x.flatten(1)))
        for _ in range(2):
            x = x + torch.tanh(self.again(x))
        return self.head(x + torch.tanh(self.twin(x)))


def encoder(width=8):
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(width, 2, 12, dropout=0.1, batch_first=True), 1)


MODELS = {"cut": Cut, "tokens": lambda: Rows(nn.Sequential(nn.Linear(8, 8), nn.Tanh())), "repeated": Repeated,
          "attention": lambda: Rows(encoder()), "lstm": lambda: Rows(First(nn.LSTM(8, 5, 2, batch_first=True, bidirectional=True)), 8),
          "gru": lambda: Rows(First(nn.GRU(8, 8, bias=False)), 8, turned=True)}


def model_of(kind):
    torch.manual_seed(5)
    model = MODELS[kind]()
    if kind == "lstm":
        model.head = nn.Linear(10, CLASSES)
    return model


def record(name, model, optimizer, parts=1, epochs=2, clip=None, scale=1.0, **options):
    """Records a training with the gradients of so many parts of every batch added up. Returns the path."""
    path = path_of(FOLDER, name)
    torch.manual_seed(9)
    with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST, **{"dtype": "float32", **options}) as recorder:
        for _ in range(epochs):
            for samples in torch.randperm(len(TRAIN)).split(30):
                with recorder.step(samples):
                    optimizer.zero_grad()
                    for part in samples.split(30 // parts):
                        (scale * cross_entropy(model(X[part]), Y[part], reduction="sum") / len(samples)).backward()
                    if clip:
                        nn.utils.clip_grad_norm_(model.parameters(), clip)
                    optimizer.step()
    return path


def test_every_kind_of_layer_verifies():
    for kind in MODELS:
        for name, make, options in (
                ("sgd", lambda m: torch.optim.SGD(m.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01), {}),
                ("nesterov", lambda m: torch.optim.SGD(m.parameters(), lr=0.03, momentum=0.8, nesterov=True), {"clip": 0.5}),
                ("parts", lambda m: torch.optim.SGD(m.parameters(), lr=0.05), {"parts": 3, "scale": 16.0, "clip": 1.0}),
                ("adam", lambda m: torch.optim.Adam(m.parameters(), lr=0.004, weight_decay=0.01), {"parts": 2}),
                ("adamw", lambda m: torch.optim.AdamW(m.parameters(), lr=0.004, weight_decay=0.1), {"clip": 0.5})):
            model = model_of(kind)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                verified(record(f"{kind}-{name}", model, make(model), **options))


def parameters_of(model, layer):
    """The parameters of a recorded layer, and which of their rows and channels are its own."""
    name, _, group = layer["name"].partition("[")
    module = dict(model.named_modules()).get(name)
    if module is not None and hasattr(module, "weight"):
        n = layer["outputs"]
        rows = slice(int(group[:-1]) * n, (int(group[:-1]) + 1) * n) if group else slice(None)
        return module.weight, module.bias, rows
    owner, _, kind = name.rpartition(".")
    module = dict(model.named_modules())[owner]
    if isinstance(module, nn.MultiheadAttention):
        number = "qkv".index(kind)
        rows = slice(number * module.embed_dim, (number + 1) * module.embed_dim)
        return module.in_proj_weight, module.in_proj_bias, rows
    return getattr(module, f"weight_{kind}"), getattr(module, f"bias_{kind}", None), slice(None)


def test_contributions_are_per_sample_gradients_times_coefficients():
    place = 3
    for kind in MODELS:
        for name, make in (("sgd", lambda m: torch.optim.SGD(m.parameters(), lr=0.05, momentum=0.9)),
                           ("adamw", lambda m: torch.optim.AdamW(m.parameters(), lr=0.004, weight_decay=0.1))):
            model = model_of(kind)
            path = record(f"of-{kind}-{name}", model, make(model))
            reader = Reader(path)
            model.eval()
            model.zero_grad()
            logits = model(XT[place:place + 1])[0]
            logit = int(logits.argmax())
            logits[logit].backward()
            for number, layer in enumerate(reader.layers, 1):
                weights, bias, rows = parameters_of(model, layer)
                expected = contributions(reader, number, weights.grad[rows].flatten(1), None if bias is None else bias.grad[rows])
                found = json.loads(tap.succeed("query", path, "--sample", f"test/of-{kind}-{name}/{place}", "--layer", number,
                                               "--top", 180, "--rank", f"logit:{logit}", "--json"))
                assert len(found["spotlight"]) == 180
                for lit in found["spotlight"]:
                    assert abs(lit["contribution"] - expected[lit["pattern"]]) < 1e-3 * np.abs(expected).max(), (kind, name, number)
                attention = json.loads(tap.succeed("query", path, "--sample", f"test/of-{kind}-{name}/{place}", "--layer", number,
                                                   "--top", 180, "--rank", "positive", "--json"))["spotlight"]
                whole = rows_of(reader, number, "key_chunk").sum(1) @ asked_key(path, reader, number, place)
                assert all(abs(lit["attention"] - whole[lit["pattern"]]) < 1e-3 * np.abs(whole).max() for lit in attention)
                assert all(abs(lit["contribution"] - expected[lit["pattern"]]) < 1e-3 * np.abs(expected).max() for lit in attention)


def asked_key(path, reader, number, place):
    """The sum of a query's keys over its places."""
    layer = reader.layers[number - 1]
    sample = len(TRAIN) + place
    row = reader.db.execute("SELECT * FROM query_place_chunk WHERE query = ? AND layer = ? AND role = 'key'", (sample, number)).fetchone()
    if row is None:
        data, = reader.db.execute("SELECT data FROM query_key_chunk WHERE query = ? AND layer = ? AND role = 'key'",
                                  (sample, number)).fetchone()
        return np.frombuffer(data, "<f4").astype(np.float64)
    kept = reader.rows(row, "<f4").astype(np.float64)
    cut = reader.db.execute("SELECT * FROM convolution WHERE layer = ?", (number,)).fetchone()
    if cut is not None:
        kept = unfold(torch.from_numpy(kept.reshape(1, cut["channels"], cut["height"], cut["width"])),
                      (cut["kernel_height"], cut["kernel_width"]), (cut["dilation_down"], cut["dilation_right"]),
                      (cut["padding_height"], cut["padding_width"]), (cut["stride_down"], cut["stride_right"]))[0].T.numpy()
    return kept.reshape(-1, layer["inputs"]).sum(0)


def test_exposed_modules_compute_what_they_did():
    torch.manual_seed(1)
    x, mask, padded = torch.randn(3, 5, 8), torch.triu(torch.ones(5, 5, dtype=torch.bool), 1), torch.zeros(3, 5, dtype=torch.bool)
    padded[1, 3:] = True
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    other = nn.MultiheadAttention(8, 4, kdim=6, vdim=7)
    lstm = nn.LSTM(8, 5, 2, bidirectional=True, batch_first=True)
    gru = nn.GRU(8, 6, 2)
    state = torch.randn(4, 3, 5), torch.randn(4, 3, 5)
    calls = [(attention, (x, x, x), {"attn_mask": mask, "key_padding_mask": padded}), (attention, (x[0], x[0], x[0]), {"need_weights": False}),
             (attention, (x, x, x), {"attn_mask": torch.randn(6, 5, 5), "average_attn_weights": False}),
             (other, (torch.randn(5, 3, 8), torch.randn(4, 3, 6), torch.randn(4, 3, 7)), {}),
             (lstm, (x,), {}), (lstm, (x, state), {}), (lstm, (x[0],), {}), (gru, (x.transpose(0, 1),), {}),
             (gru, (x.transpose(0, 1), torch.randn(2, 3, 6)), {})]
    for module, arguments, options in calls:
        expected = module(*arguments, **options)
        watch = keylight.watch.Watch(module, keylight.layers.linear_layers(module), lambda: True)
        found = module(*arguments, **options)
        watch.end()
        again = module(*arguments, **options)

        def flat(answer):
            return [answer] if isinstance(answer, torch.Tensor) else [] if answer is None else [t for one in answer for t in flat(one)]
        assert len(flat(expected)) == len(flat(found))
        for a, b, c in zip(flat(expected), flat(found), flat(again)):
            assert a.shape == b.shape and torch.allclose(a, b, atol=1e-6) and torch.equal(a, c)


def test_turned_around_and_padded_batches():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head = nn.Linear(SIDE, 8), nn.Linear(8, CLASSES)

        def forward(self, x):
            return self.head(torch.tanh(self.embed(x[:, 0].transpose(0, 1))).mean(0))
    torch.manual_seed(2)
    model = Turned()
    path = record("turned", model, torch.optim.SGD(model.parameters(), lr=0.05), batch_first=False)
    verified(path)
    reader = Reader(path)
    first = X[reader.samples[:1].astype(np.int64)][0, 0].numpy()
    assert np.allclose(rows_of(reader, 1, "key_chunk")[0], first, atol=1e-5)

    class Growing(nn.Module):  # sees fewer rows of every sample in some steps
        def __init__(self):
            super().__init__()
            self.embed, self.head, self.rows = nn.Linear(SIDE, 8), nn.Linear(8, CLASSES), SIDE

        def forward(self, x):
            return self.head(torch.tanh(self.embed(x[:, 0, :self.rows])).mean(1))
    model = Growing()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    path = path_of(FOLDER, "padded")
    with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST, dtype="float32") as recorder:
        for rows in (6, 4, 5):
            model.rows = rows
            with recorder.step(range(30)):
                optimizer.zero_grad()
                cross_entropy(model(X[:30]), Y[:30]).backward()
                optimizer.step()
    verified(path)
    path = path_of(FOLDER, "longer")
    try:
        with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST) as recorder:
            for rows in (4, 6):
                model.rows = rows
                with recorder.step(range(30)):
                    optimizer.zero_grad()
                    cross_entropy(model(X[:30]), Y[:30]).backward()
                    optimizer.step()
    except keylight.RecordError as error:
        assert "pad sequences to one length" in str(error)
    else:
        raise AssertionError("a longer sequence was not refused")


def trains(name, model, loss_of, steps=4, rate=0.05, **options):
    """Records a training of all pictures at once."""
    path, optimizer = path_of(FOLDER, name), torch.optim.SGD(model.parameters(), lr=rate)
    with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST, **{"dtype": "float32", **options}) as recorder:
        for step in range(steps):
            with recorder.step(range(len(TRAIN))):
                optimizer.zero_grad()
                loss_of(step).backward()
                optimizer.step()
    return path


def test_convolutions_of_one_place():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(1, 5, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(5, 7, 3, padding=1), nn.Tanh(),
                          nn.Conv2d(7, CLASSES, 1), nn.Flatten())
    path = trains("oneplace", model, lambda step: cross_entropy(model(X), Y))
    verified(path)
    assert [layer["places"] for layer in Reader(path).layers] == [4, 1, 1]
    for layer in (1, 2, 3):
        for rank in ("logit", "influence", "cosine"):
            tap.succeed("query", path, "--sample", "test/oneplace/3", "--layer", layer, "--rank", rank)


def test_checkpoints_are_seen_once():
    from torch.utils.checkpoint import checkpoint

    class Saving(nn.Module):
        def __init__(self, reentrant):
            super().__init__()
            self.first, self.block, self.head = nn.Linear(36, 8), nn.Sequential(nn.Linear(8, 8), nn.Tanh()), nn.Linear(8, CLASSES)
            self.reentrant = reentrant

        def forward(self, x):
            return self.head(checkpoint(self.block, torch.tanh(self.first(x.flatten(1))), use_reentrant=self.reentrant))
    torch.manual_seed(3)
    model = Saving(False)
    path = trains("saving", model, lambda step: cross_entropy(model(X), Y))
    verified(path)
    assert [(layer["name"], layer["places"]) for layer in Reader(path).layers] == [("first", 1), ("block.0", 1), ("head", 1)]
    model = Saving(True)
    refused("use_reentrant=False", lambda: trains("reentrant", model, lambda step: cross_entropy(model(X), Y)))


def test_what_would_be_mixed_up_is_refused():
    class Stateful(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.head, self.state = nn.Linear(36, 8), nn.Linear(8, CLASSES), torch.zeros(len(TRAIN), 8)

        def forward(self, x):
            state = torch.tanh(self.first(x.flatten(1)) + (self.state.detach() if self.training else 0))
            self.state = state if self.training else self.state
            return self.head(state)
    model = Stateful()

    def loss(step):
        if step:
            with torch.no_grad():
                model.state[:4] = 0
        return cross_entropy(model(X), Y)
    try:  # as soon as the writer is late; otherwise the record is right
        verified(trains("state", model, loss, steps=60))
    except keylight.RecordError as error:
        assert "changed in place" in str(error), error

    def within():
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        with keylight.Recorder(path_of(FOLDER, "within"), model, optimizer, train=TRAIN, test=TEST) as recorder:
            with recorder.step(range(len(TRAIN))):
                optimizer.zero_grad()
                cross_entropy(model(X), Y).backward()
                optimizer.step()
                with torch.no_grad():
                    model.state.zero_()
    refused("before the step ended", within)
    rows = Rows(nn.Identity())

    def parts(step):
        for half in (slice(0, 45), slice(45, 90)):
            loss = cross_entropy(rows.head(torch.tanh(rows.embed(X[half][:, 0])).mean(1)), Y[half]) / 2
            if half.start == 0:
                loss.backward()
        return loss
    refused("the model itself is not", lambda: trains("parts", rows, parts))
    turned = nn.Sequential()
    turned.rows, turned.forward = rows, lambda x: rows.head(torch.tanh(rows.embed(x[:, 0].transpose(0, 1))).mean(0))
    refused("batch_first=False", lambda: trains("turn", turned, lambda step: cross_entropy(turned(X), Y)))

    class Sizes(nn.Module):
        def __init__(self):
            super().__init__()
            self.cut, self.head, self.wide = nn.Conv2d(1, 2, 3), nn.Linear(2, CLASSES), 6

        def forward(self, x):
            return self.head(torch.tanh(self.cut(x[:, :, :, :self.wide])).mean((2, 3)))
    sizes = Sizes()

    def shrinks(step):
        sizes.wide = 6 - step
        return cross_entropy(sizes(X), Y)
    refused("several sizes", lambda: trains("sizes", sizes, shrinks))

    class Twins(nn.Module):
        def __init__(self):
            super().__init__()
            self.cut, self.head = nn.Conv2d(1, 2, 3), nn.Linear(64, CLASSES)

        def forward(self, x):
            return self.head(torch.cat([torch.tanh(self.cut(x)).flatten(1), torch.tanh(self.cut(-x)).flatten(1)], 1))
    twins = Twins()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        verified(trains("twins", twins, lambda step: cross_entropy(twins(X), Y)))
    assert any("called several times in one pass" in str(one.message) for one in told)


def test_a_training_is_what_it_would_have_been():
    class Drops(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.attention = nn.LSTM(SIDE, 8, 2, batch_first=True, dropout=0.4), nn.MultiheadAttention(8, 2, dropout=0.3, batch_first=True)
            self.body, self.head = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)), nn.Linear(8, CLASSES)

        def forward(self, x):
            x, _ = self.lstm(x[:, 0])
            x, _ = self.attention(x, x, x)
            return self.head(self.body(x.mean(1)))

    def final(recorded):
        torch.manual_seed(7)
        model = Drops()
        model.body.eval()  # frozen statistics stay so
        torch.manual_seed(8)
        if recorded:
            trains("drops", model, lambda step: cross_entropy(model(X), Y))
        else:
            optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
            for _ in range(4):
                optimizer.zero_grad()
                cross_entropy(model(X), Y).backward()
                optimizer.step()
        assert model.training and not model.body[1].training
        return model
    for one, other in zip(final(True).state_dict().values(), final(False).state_dict().values()):
        assert torch.allclose(one.float(), other.float(), atol=1e-5)


def test_what_is_left_out_is_named():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.around, self.even = nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"), nn.Conv2d(2, 2, 2, padding="same")
            self.up, self.head = nn.ConvTranspose2d(2, 1, 3), nn.Linear(64, CLASSES)

        def forward(self, x):
            return self.head(self.up(self.even(self.around(x))).flatten(1))
    torch.manual_seed(2)
    model = Odd()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        path = record("odd", model, torch.optim.SGD(model.parameters(), lr=0.05))
    messages = sorted(str(one.message) for one in told if one.category is keylight.NotRecorded)
    assert len(messages) == 3 and "circular" in messages[0] and "one side more" in messages[1] and "ConvTranspose2d" in messages[2], messages
    verified(path)
    assert [layer["name"] for layer in Reader(path).layers] == ["head"]


def test_nothing_to_ask_about_is_said():
    model = model_of("tokens")
    path = record("unasked", model, torch.optim.SGD(model.parameters(), lr=0.05), epochs=1, asked=[])
    for command in (["report", path], ["query", path, "--sample", "test/unasked/1"]):
        done = tap.run(*command)
        assert done.returncode in (1, 2) and "recorded" in done.stderr, (done.returncode, done.stderr)
    verified(path)


def test_samples_are_added_later():
    model = model_of("cut")
    path = record("later", model, torch.optim.SGD(model.parameters(), lr=0.05), epochs=1, asked=[3])
    assert json.loads(tap.succeed("info", path, "--json"))["asked"] == [len(TRAIN) + 3]
    whole = record("whole-later", model_of("cut"), torch.optim.SGD(model_of("cut").parameters(), lr=0.05), epochs=0)
    assert not os.path.exists(whole)
    ask = ["query", path, "--sample", "test/later/5", "--layer", "2", "--rank", "logit", "--json"]
    assert "not among those" in tap.run(*ask).stderr
    from client import Server
    server = Server(path)
    try:
        client = keylight.Client(f"http://127.0.0.1:{server.port}")
        for _ in range(2):  # the second time there is nothing to do
            keylight.add_queries(path, model, [5, 3], test=TEST)
        answer = client.ask(5)  # while it is served
        model.eval()
        assert np.abs(answer.logits - model(XT[5:6])[0].detach().numpy()).max() < 1e-5
        assert keylight.Client(f"http://127.0.0.1:{server.port}").run["asked"] == [len(TRAIN) + 3, len(TRAIN) + 5]
    finally:
        server.stop()
    first = json.loads(tap.succeed(*ask))
    verified(path)
    again = model_of("cut")
    record("again", again, torch.optim.SGD(again.parameters(), lr=0.05), epochs=1)
    second = json.loads(tap.succeed("query", os.path.join(FOLDER, "again.keylight"), "--sample", "test/again/5", "--layer", "2", "--rank",
                                    "logit", "--json"))
    assert np.allclose([lit["contribution"] for lit in first["spotlight"]], [lit["contribution"] for lit in second["spotlight"]], rtol=1e-4)
    for words, call in (("not the one", lambda: keylight.add_queries(path, model_of("cut"), [4], test=TEST)),
                        ("indices into test", lambda: keylight.add_queries(path, model, [99], test=TEST)),
                        ("the run", lambda: keylight.add_queries(path, model, [4], test=made(20, 9))),
                        ("whole numbers", lambda: keylight.add_queries(path, model, [4.5], test=TEST)),
                        ("20 test samples", lambda: keylight.add_queries(path, model, [4], test=TRAIN)),
                        ("no file", lambda: keylight.add_queries(path + "x", model, [4], test=TEST))):
        try:
            call()
        except keylight.RecordError as error:
            assert words in str(error), error
        else:
            raise AssertionError(words)
    os.rename(f"{path}.queries", os.path.join(FOLDER, "again.keylight.queries"))
    assert "of another run" in tap.run("query", os.path.join(FOLDER, "again.keylight"), "--sample", "test/again/5").stderr


def test_damage_to_places_is_told():
    model = model_of("cut")
    path = record("whole", model, torch.optim.SGD(model.parameters(), lr=0.05), epochs=1)
    for change in ("UPDATE convolution SET kernel_width = 2 WHERE layer = 1", "UPDATE convolution SET stride_down = 0 WHERE layer = 1",
                   "UPDATE convolution SET padding_width = -1 WHERE layer = 1", "DELETE FROM convolution WHERE layer = 1",
                   "UPDATE layer SET places = 4294967297 WHERE layer = 1", "UPDATE layer SET places = 2 WHERE name = 'head'",
                   "UPDATE convolution SET channels = 1, height = 65536, width = 65537, stride_down = 13000, stride_right = 13000 WHERE layer = 1",
                   "UPDATE query_place_chunk SET data = nan(data) WHERE role = 'gradient'"):
        damaged = path_of(FOLDER, "damaged")
        with open(path, "rb") as source, open(damaged, "wb") as target:
            target.write(source.read())
        with sqlite3.connect(damaged) as db:
            db.create_function("nan", 1, lambda data: data[:-4] + b"\0\0\xc0\x7f")
            db.execute(change)
        db.close()
        from reader import sign
        sign(damaged)
        done = tap.run("verify", damaged)
        assert done.returncode != 0 and "damaged" in done.stderr, (change, done.returncode, done.stderr, done.stdout)


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
