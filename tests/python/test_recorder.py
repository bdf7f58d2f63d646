"""The recorder of PyTorch trainings: what it writes against PyTorch and against keylight's own runs."""
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
from torch.nn.functional import cross_entropy  # noqa: E402

import keylight  # noqa: E402
import tap  # noqa: E402
from pictures import CLASSES, SIDE, convolution, made, path_of, read, refused, sgd, verified  # noqa: E402
from reader import Reader  # noqa: E402

TRAIN, TEST = made(150, 1), made(40, 2)
X = read(TRAIN)
Y = torch.from_numpy(TRAIN.labels)


def perceptron():
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 16), nn.ReLU(inplace=True), nn.Linear(16, 12), nn.ReLU(),
                         nn.Linear(12, CLASSES))


def record(name, model, optimizer, update=None, epochs=3, schedule=None, batch=32, **options):
    """Records a training, its last batch of an epoch smaller; update does one step of it. Returns the path."""
    path = path_of(FOLDER, name)

    def plain(samples):
        optimizer.zero_grad()
        cross_entropy(model(X[samples]), Y[samples]).backward()
        optimizer.step()

    torch.manual_seed(9)
    with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST, **{"dtype": "float32", **options}) as recorder:
        for _ in range(epochs):
            for samples in torch.randperm(len(TRAIN)).split(batch):
                with recorder.step(samples):
                    (update or plain)(samples)
                if schedule:
                    schedule.step()
    return path


def test_the_tables_are_those_of_keylight():
    path = record("tables", perceptron(), sgd(perceptron()), epochs=0)
    assert not os.path.exists(path)  # nothing was recorded
    model = perceptron()
    schemas = []
    for run in (record("tables", model, sgd(model), epochs=1), tap.train_strokes(FOLDER)):
        schemas.append(sqlite3.connect(run).execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall())
        for pragma in ("application_id", "user_version", "page_size"):
            schemas[-1].append(sqlite3.connect(run).execute(f"PRAGMA {pragma}").fetchone())
    assert schemas[0] == schemas[1]


def test_kernels_encode_as_numpy_does():
    from keylight import file, kernels
    if kernels._library is None:
        raise tap.Skip("libencode.so is not built")
    library = kernels._library
    chance = torch.Generator().manual_seed(1)
    try:
        for width in (1, 7, 8, 13, 64, 129, 800):
            for share in (0.0, 0.1, 0.6, 1.0):
                for size in (1e-9, 1e-3, 1.0, 300.0):
                    parts = [size * torch.randn(n, width, generator=chance) for n in (1, 5, 3)]
                    for part in parts:
                        part[torch.rand(part.shape, generator=chance) < share] = 0
                    parts[1][0, 0] = -0.0
                    for scaled in (False, True):
                        told = []
                        for kernels._library in (library, None):
                            exponent, stored, data = file.Encoder("float16").encode(parts, scaled)
                            told.append((exponent, stored, bytes(data)))
                        assert told[0] == told[1], (width, share, size, scaled)
        for numbers, scaled in (([70000.0], False), ([65519.9], False), ([float("nan")], False), ([float("inf")], True), ([3e30, 1.0], True),
                                ([2.0 ** 100], True), ([1e-40], True)):
            told = []
            for kernels._library in (library, None):
                try:
                    told.append(file.Encoder("float16").encode([torch.tensor([numbers])], scaled)[:2])
                except OverflowError as error:
                    told.append(str(error))
            assert told[0] == told[1], (numbers, told)
    finally:
        kernels._library = library


def test_every_kind_of_training_verifies():
    for make in (perceptron, convolution):
        for name, options in {"plain": {}, "momentum": {"momentum": 0.9}, "decay": {"momentum": 0.8, "weight_decay": 0.01},
                              "nesterov": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.001},
                              "dampening": {"momentum": 0.9, "dampening": 0.3}}.items():
            model = make()
            verified(record(name, model, sgd(model, **options)))
        for name, kind, options in (("adam", torch.optim.Adam, {}), ("l2", torch.optim.Adam, {"weight_decay": 0.01}),
                                    ("adamw", torch.optim.AdamW, {"weight_decay": 0.1, "betas": (0.8, 0.99), "eps": 1e-6})):
            model = make()
            optimizer = kind(model.parameters(), lr=0.003, **options)
            verified(record(name, model, optimizer,
                            schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)))


def test_groups_have_rules_of_their_own():
    for kind, options in ((torch.optim.SGD, {"momentum": 0.9}), (torch.optim.Adam, {}), (torch.optim.AdamW, {})):
        model = convolution()
        optimizer = kind([{"params": [*model.features.parameters(), model.inner.weight], "lr": 0.002, "weight_decay": 0.1},
                          {"params": model.head.parameters(), "lr": 0.01, "weight_decay": 0.0}], lr=1.0, **options)
        verified(record("groups", model, optimizer))


def test_what_is_done_to_gradients_is_recognised():
    def clipped(model, optimizer):
        def update(samples):
            optimizer.zero_grad()
            cross_entropy(model(X[samples]), Y[samples]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.3)
            optimizer.step()
        return update

    def accumulated(model, optimizer):
        def update(samples):
            optimizer.zero_grad()
            for part in samples.split(8):
                (cross_entropy(model(X[part]), Y[part]) * len(part) / len(samples)).backward()
            optimizer.step()
        return update

    def scaled(model, optimizer):  # as GradScaler does
        def update(samples):
            optimizer.zero_grad()
            (cross_entropy(model(X[samples]), Y[samples]) * 1024).backward()
            for parameter in model.parameters():
                parameter.grad /= 1024
            optimizer.step()
        return update

    def summed(model, optimizer):
        def update(samples):
            optimizer.zero_grad()
            cross_entropy(model(X[samples]), Y[samples], reduction="sum").backward()
            optimizer.step()
        return update

    for name, make_update, rate in (("clipped", clipped, 0.1), ("scaled", scaled, 0.05), ("summed", summed, 0.002),
                                    ("accumulated", accumulated, 0.05)):
        for make in (perceptron, convolution):
            model = make()
            optimizer = sgd(model, lr=rate, momentum=0.9)
            path = record(name, model, optimizer, make_update(model, optimizer))
            verified(path)
            factors = [row[0] for row in sqlite3.connect(path).execute("SELECT clip_factor FROM rule")]
            assert name != "clipped" or min(factors) < 0.9
            assert name != "scaled" or max(abs(factor * 1024 - 1) for factor in factors) < 1e-4


def test_dropout_and_frozen_layers():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.ReLU(), nn.Dropout(0.4), nn.Linear(16, CLASSES))
    path = record("dropout", model, sgd(model))
    verified(path)
    assert json.loads(tap.succeed("info", path, "--json"))["training"]["architecture"] == "mlp"
    model = convolution()
    model.inner.weight.requires_grad_(False)
    model.features.requires_grad_(False)
    path = record("frozen", model, torch.optim.SGD(model.head.parameters(), lr=0.05))
    out = verified(path)
    assert "error signals not recorded" in out
    assert [row[0] for row in sqlite3.connect(path).execute("SELECT errors FROM layer ORDER BY layer")] == ["none", "whole"]


def native_run(*options):
    """A run that keylight trains, and what PyTorch needs to train the very same."""
    path = os.path.join(FOLDER, "native.keylight")
    tap.succeed("train", "--data", "strokes", "--hidden", "24,16", "--steps", "60", "--batch", "24", "--lr", "0.05",
                "--momentum", "0.9", "--clip", "0.7", "--weight-decay", "0.001", "--snapshot-steps", "0", "--force",
                "--output", path, "--quiet", *options)
    return path, Reader(path)


def of_native(reader):
    """Data sets of a native run's pictures."""
    rows = reader.db.execute("SELECT * FROM image_chunk ORDER BY first").fetchall()
    pixels = np.concatenate([np.frombuffer(row["data"], np.uint8).reshape(row["count"], 1, 28, 28) for row in rows])
    splits, labels = zip(*reader.db.execute("SELECT split, label FROM sample ORDER BY sample"))
    mean, deviation = reader.db.execute("SELECT mean, deviation FROM channel").fetchone()
    return [keylight.Images(pixels[np.array(splits) == split], np.array(labels)[np.array(splits) == split],
                            [str(digit) for digit in range(10)], mean, deviation) for split in ("train", "test")]


def test_a_perceptron_is_the_native_run():
    for options, activation in (((), nn.ReLU), (("--optimiser", "adam", "--lr", "0.003", "--momentum", "0"), nn.ReLU),
                                (("--activation", "silu"), nn.SiLU), (("--activation", "gelu"), nn.GELU)):
        native, reader = native_run(*options)
        train, test = of_native(reader)
        model = nn.Sequential(nn.Flatten(), nn.Linear(784, 24), activation(), nn.Linear(24, 16), activation(), nn.Linear(16, 10))
        layers = [module for module in model if isinstance(module, nn.Linear)]
        with torch.no_grad():
            for number, layer in enumerate(layers, 1):
                weights, biases = reader.parameters("initial", number)
                layer.weight.copy_(torch.from_numpy(weights))
                layer.bias.copy_(torch.from_numpy(biases))
        optimizer = (torch.optim.Adam(model.parameters(), weight_decay=0.001) if "adam" in options else
                     torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.001))
        inputs = train.standardised(np.arange(len(train)))
        path = path_of(FOLDER, "torch")
        with keylight.Recorder(path, model, optimizer, train=train, test=test, name="strokes") as recorder:
            for step in reader.steps:
                samples = torch.from_numpy(reader.samples[step["first_showing"]:][:step["count"]].astype(np.int64))
                optimizer.param_groups[0]["lr"] = step["learning_rate"]
                with recorder.step(samples):
                    optimizer.zero_grad()
                    cross_entropy(model(inputs[samples]), torch.from_numpy(train.labels)[samples]).backward()
                    nn.utils.clip_grad_norm_(model.parameters(), 0.7)
                    optimizer.step()
        verified(path)
        for layer in (1, 2, 3):
            own, other = (json.loads(tap.succeed("query", run, "--sample", "test/strokes/7", "--layer", layer, "--top", 200,
                                                 "--json")) for run in (native, path))
            assert own["predicted"] == other["predicted"]
            assert np.allclose(other["logits"], model(test.standardised(np.array([7])))[0].detach().numpy(), atol=1e-3)
            by_pattern = {lit["pattern"]: lit for lit in own["spotlight"]}
            common = [(by_pattern[lit["pattern"]], lit) for lit in other["spotlight"] if lit["pattern"] in by_pattern]
            assert len(common) > 180
            most = max(abs(lit["attention"]) for lit in own["spotlight"])
            largest = max(abs(lit["contribution"]) for lit in own["spotlight"])
            assert max(abs(a["attention"] - b["attention"]) for a, b in common) < 2e-3 * most
            assert max(abs(a["contribution"] - b["contribution"]) for a, b in common) < 1e-3 * max(largest, 1)
        for words in (("influence", path, "--sample", "test/strokes/1"), ("influence", path, "--check", "3"),
                      ("retrain", path, "--sample", "test/strokes/1", "--without", "top:3")):
            assert "cannot be trained again here" in tap.run(*words).stderr
        removed = [json.loads(tap.succeed("query", run, "--sample", "test/strokes/7", "--remove", "class:3", "--json"))["removed"]
                   for run in (native, path)]
        assert np.allclose(removed[0]["logits"], removed[1]["logits"], atol=2e-2)


def coefficients(reader, group):
    """c_s of SGD, from docs/format.md."""
    rules = reader.db.execute("SELECT * FROM rule WHERE parameter_group = ? ORDER BY step", (group,)).fetchall()
    p, q, out = 1.0, 0.0, []
    for rule in reversed(rules):
        q -= rule["learning_rate"] * p
        out.append(rule["clip_factor"] * q)
        p += rule["weight_decay"] * q
        q *= rule["momentum"]
    return np.array(out[::-1])


def test_contributions_are_per_sample_gradients_times_coefficients():
    model = convolution()
    optimizer = torch.optim.SGD([{"params": [*model.features.parameters(), model.inner.weight]},
                                 {"params": model.head.parameters(), "lr": 0.02}], lr=0.05, momentum=0.9, weight_decay=0.01)
    path = record("gradients", model, optimizer, layers=["inner", "head"])
    reader = Reader(path)
    place, logit = 5, 2
    x = TEST.standardised(np.arange(len(TEST))).reshape(-1, 1, SIDE, SIDE)[place:place + 1]
    model.zero_grad()
    model(x)[0, logit].backward()
    steps = np.repeat(np.arange(len(reader.db.execute("SELECT * FROM step").fetchall())),
                      [row["count"] for row in reader.db.execute("SELECT count FROM step ORDER BY step")])
    for layer, (module, group) in enumerate(((model.inner, 0), (model.head, 1)), 1):
        keys, errors = reader.chunks("key_chunk", layer), reader.chunks("error_chunk", layer)
        product = (errors @ module.weight.grad.double().numpy() * keys).sum(1)
        if module.bias is not None:
            product += errors @ module.bias.grad.double().numpy()
        expected = coefficients(reader, group)[steps] * product
        found = json.loads(tap.succeed("query", path, "--sample", f"test/gradients/{place}", "--layer", layer, "--top", 400,
                                       "--rank", f"logit:{logit}", "--json"))
        assert len(found["spotlight"]) == 400
        for lit in found["spotlight"]:
            assert abs(lit["contribution"] - expected[lit["pattern"]]) < 1e-3 * np.abs(expected).max(), layer
    guess = found["initial_guess"][logit] + expected.sum()
    assert abs(guess - float(model(x)[0, logit])) < 1e-3


def test_what_acts_on_the_weights_unseen_is_found():
    def by_value(model, optimizer):
        nn.utils.clip_grad_value_(model.parameters(), 1e-4)

    def hooked(model, optimizer):
        model.inner.weight.grad += 0.1

    for act in (by_value, hooked):
        model = convolution()
        optimizer = sgd(model)

        def update(samples):
            optimizer.zero_grad()
            cross_entropy(model(X[samples]), Y[samples]).backward()
            act(model, optimizer)
            optimizer.step()
        refused("is not what its inputs and error signals make of it", lambda: record("unseen", model, optimizer, update))

    model = convolution()
    optimizer = sgd(model)

    def penalised(samples):
        optimizer.zero_grad()
        (cross_entropy(model(X[samples]), Y[samples]) + 0.1 * model.inner.weight.square().sum()).backward()
        optimizer.step()
    refused("a penalty in the loss", lambda: record("penalty", model, optimizer, penalised))


def test_indices_and_outputs_are_copied():
    order, shown = np.arange(len(TRAIN)), []
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(48, 12), nn.ReLU(inplace=True), nn.Linear(12, CLASSES))
    optimizer, path = sgd(model), path_of(FOLDER, "copied")
    with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST) as recorder:
        for _ in range(3):
            np.random.default_rng(len(shown)).shuffle(order)
            for first in range(0, 150, 50):
                samples = order[first:first + 50]
                shown += samples.tolist()
                with recorder.step(samples):
                    optimizer.zero_grad()
                    cross_entropy(model(X[samples]), Y[samples]).backward()
                    optimizer.step()
    reader = Reader(path)
    assert reader.samples.tolist() == shown
    verified(path)
    x = TEST.standardised(np.arange(3)).reshape(3, 1, SIDE, SIDE)
    inner = model[2](model[1](model[0](x)))
    expected = (inner > 0) * model[4].weight[1]
    for query in range(3):
        data, = reader.db.execute("SELECT data FROM query_key_chunk WHERE query = ? AND layer = 2 AND role = 'gradient' AND output = 1",
                                  (150 + query,)).fetchone()
        assert np.allclose(np.frombuffer(data, "<f4"), expected[query].detach(), atol=1e-6)


def test_what_changes_on_the_way_is_found():
    def training(model, optimizer, change, at=2, name="changed"):
        count = 0

        def update(samples):
            nonlocal count
            count += 1
            optimizer.zero_grad(set_to_none=True)
            loss = cross_entropy(model(X[samples]), Y[samples])
            if count == at:
                loss = change(loss)
            loss.backward()
            optimizer.step()
        return lambda: record(name, model, optimizer, update)

    model = convolution()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    refused("the optimizer's constants",
            training(model, optimizer, lambda loss: optimizer.param_groups[0].update(betas=(0.8, 0.99)) or loss))
    model = convolution()
    refused("is not what its inputs", training(model, sgd(model), lambda loss: loss + model.head.bias.sum(), at=1))
    model = convolution()
    groups = [{"params": [model.inner.weight, model.head.weight, *model.features.parameters()]}, {"params": [model.head.bias]}]
    optimizer = torch.optim.SGD(groups, lr=0.05)
    refused("no longer follow one rule",
            training(model, optimizer, lambda loss: optimizer.param_groups[1].update(lr=0.01) or loss, name="parted"))
    model = convolution()
    refused("does not make the model's outputs", lambda: record("inner", model, sgd(model), layers="inner"))
    model = convolution()
    refused("the training diverged", training(model, sgd(model), lambda loss: loss * float("nan")))


def test_a_frozen_head_has_attention_only():
    for kind in (torch.optim.Adam, torch.optim.SGD):
        model = convolution()
        model.head.requires_grad_(False)
        path = record("headless", model, kind([p for p in model.parameters() if p.requires_grad], lr=0.003))
        found = json.loads(tap.succeed("query", path, "--sample", "test/headless/1", "--json"))
        assert found["spotlight"][0]["contribution"] is None and "correction" not in found
        assert "The dual form holds" in tap.succeed("verify", path)


def test_what_cannot_be_recorded_is_said_once():
    model = convolution()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        path = record("other", model, torch.optim.RMSprop(model.parameters(), lr=1e-3))
    assert [one.category for one in told] == [keylight.NotRecorded], [str(one.message) for one in told]
    assert "neither SGD, Adam nor AdamW" in str(told[0].message)
    assert "recorded" in tap.run("verify", path).stdout
    found = json.loads(tap.succeed("query", path, "--sample", "test/other/1", "--json"))
    assert found["spotlight"][0]["attention"] > 0 and found["spotlight"][0]["contribution"] is None
    assert "attention without contributions" in tap.run("query", path, "--sample", "test/other/1", "--rank", "logit").stderr
    model = convolution()
    refused("samples are indices into train", lambda: keylight.Recorder(path_of(FOLDER, "i"), model, sgd(model), train=TRAIN, test=TEST).step([150]))
    refused("no linear layer is called 'fc'", lambda: keylight.Recorder(path_of(FOLDER, "l"), model, sgd(model), train=TRAIN, test=TEST, layers="fc"))
    open(path_of(FOLDER, "there"), "w").close()
    refused("exists", lambda: keylight.Recorder(os.path.join(FOLDER, "there.keylight"), model, sgd(model), train=TRAIN, test=TEST))
    refused("no pictures", lambda: keylight.Recorder(path_of(FOLDER, "d"), model, sgd(model), train=[1, 2, 3], test=TEST))


def process(rank, path, port):
    """One of two that train together, each half of every batch."""
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    model = nn.parallel.DistributedDataParallel(convolution())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST, dtype="float32", name="together") as recorder:
        for samples in torch.arange(120).split(30):
            own = samples[15 * rank:15 * rank + 15]
            with recorder.step(own):
                optimizer.zero_grad()
                cross_entropy(model(X[own]), Y[own]).backward()
                nn.utils.clip_grad_norm_(model.parameters(), 0.4)
                optimizer.step()
    torch.distributed.barrier()
    os._exit(0)  # gloo does not always end


def test_processes_that_train_together_make_one_file():
    import socket
    import subprocess
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = path_of(FOLDER, "together")
    start = (f"import sys; sys.path[:0] = {[HERE, *sys.path[:2]]!r}; import test_recorder; test_recorder.process(int(sys.argv[1]), {path!r}, {port})")
    both = [subprocess.Popen([sys.executable, "-c", start, str(rank)], stderr=subprocess.PIPE, text=True) for rank in range(2)]
    for one in both:
        _, said = one.communicate(timeout=120)
        assert one.returncode == 0, said
    verified(path)
    model = convolution()
    optimizer, alone = torch.optim.Adam(model.parameters(), lr=0.003), path_of(FOLDER, "alone")
    with keylight.Recorder(alone, model, optimizer, train=TRAIN, test=TEST, dtype="float32", name="together") as recorder:
        for samples in torch.arange(120).split(30):
            with recorder.step(samples):
                optimizer.zero_grad()
                cross_entropy(model(X[samples]), Y[samples]).backward()
                nn.utils.clip_grad_norm_(model.parameters(), 0.4)
                optimizer.step()
    assert Reader(path).samples.tolist() == list(range(120))
    one, other = (json.loads(tap.succeed("query", run, "--sample", "test/together/3", "--layer", "1", "--rank", "logit", "--json"))
                  for run in (path, alone))
    assert [lit["pattern"] for lit in one["spotlight"]][:5] == [lit["pattern"] for lit in other["spotlight"]][:5]
    assert np.allclose([lit["contribution"] for lit in one["spotlight"]], [lit["contribution"] for lit in other["spotlight"]], rtol=1e-2)


def test_only_layers_that_were_named():
    model = convolution()
    path = record("named", model, sgd(model), layers="he*")
    assert "head" in tap.succeed("info", path)
    verified(path)


if __name__ == "__main__":
    tap.main(sys.modules["__main__"])
