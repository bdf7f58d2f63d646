"""Tensors that a running server is asked about: of a recorded network what the model itself says its layers see."""
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
from client import Server  # noqa: E402
from pictures import CLASSES, SIDE, Cut, made, path_of, read  # noqa: E402

TRAIN, TEST = made(90, 1), made(20, 2)
X, XT = read(TRAIN), read(TEST)


def record(name, model, **options):
    path = path_of(FOLDER, name)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    with keylight.Recorder(path, model, optimizer, train=TRAIN, test=TEST, dtype="float32", **options) as recorder:
        for samples in torch.randperm(len(TRAIN)).split(30) * 3:
            with recorder.step(samples):
                optimizer.zero_grad()
                cross_entropy(model(X[samples]), torch.from_numpy(TRAIN.labels)[samples]).backward()
                optimizer.step()
    return path


def served(name, model, **options):
    torch.manual_seed(5)
    server = Server(record(name, model, **options))
    return server, keylight.Client(f"http://127.0.0.1:{server.port}", model=model)


def refusal(of):
    try:
        of()
    except keylight.RecordError as error:
        return str(error)
    raise AssertionError("nothing was refused")


def same(one, other, what):
    assert len(one) == len(other) > 0, what
    for a, b in zip(one, other):
        assert abs(a.score - b.score) < 1e-3 * max(abs(other[0].score), 1e-6), (what, a, b)


def test_a_tensor_is_answered_as_the_recorded_sample_is():
    server, client = served("tensor", Cut())
    try:
        for index in (3, 11):
            known, told = client.ask(index), client.ask(XT[index], label=int(TEST.labels[index]))
            for part in ("logits", "initial_guess", "correction"):
                assert np.abs(getattr(known, part) - getattr(told, part)).max() < 1e-4, part
            for one, other in zip(told.strips, known.strips):
                assert [lit.name for lit in one.lit] == [lit.name for lit in other.lit], one.title
            for layer in range(1, 1 + len(client.run["layers"])):
                for rank in ("abs", "logit", "logit:1", "effect", "influence", "proponents"):
                    same(told.spotlight(rank, layer), known.spotlight(rank, layer), (layer, rank))
        assert told.link.endswith(f"/r/{client.run['id']}") and "<img" in told._repr_html_()
        # Nobody's picture: nothing in the splits is like it.
        strange = torch.zeros(1, SIDE, SIDE)
        with torch.no_grad():
            assert np.abs(client.ask(strange).logits - client._model.eval()(strange[None])[0].numpy()).max() < 1e-4
    finally:
        server.stop()


def test_large_questions_send_the_gradients_that_are_asked_most():
    from keylight import client as module
    server, client = served("large", Cut())
    before = module.NUMBERS_MAX
    try:
        known = client.ask(4)
        module.NUMBERS_MAX = 1300
        told = client.ask(XT[4], label=int(TEST.labels[4]))
        body = client._recorded(XT[4], None)
        assert set(body["layers"][0]["gradients"]) == {str(known.logits.argmax()), "loss"}
        for rank in ("logit", "effect", "influence"):
            same(told.spotlight(rank, 1), known.spotlight(rank, 1), rank)
        other = int(known.logits.argmin())
        assert "no gradients of what is asked" in refusal(lambda: told.spotlight(f"logit:{other}", 1))
        assert told.spotlight(f"logit:{other}")
        module.NUMBERS_MAX = 10
        assert "more than the 10 that a question holds" in refusal(lambda: client.ask(XT[4]))
    finally:
        module.NUMBERS_MAX = before
        server.stop()


def test_another_model_and_what_is_no_sample_are_refused():
    model = Cut()
    server, client = served("refused", model)
    try:
        assert "only the model can say" in refusal(lambda: keylight.Client(f"http://127.0.0.1:{server.port}").ask(XT[0]))
        assert "it has no " in refusal(lambda: keylight.Client(f"http://127.0.0.1:{server.port}", model=nn.Linear(2, 2)).ask(XT[0]))
        with torch.no_grad():
            model.head.weight.add_(0.5)
        assert "another model" in refusal(lambda: client.ask(XT[0]))
        with torch.no_grad():
            model.head.weight.sub_(0.5)
        good = {"recorded": client._recorded(XT[0], 1)}
        path = f"/api/v1/runs/{client.run['id']}/answer"

        def ask(change):
            body = json.loads(json.dumps(good))
            change(body["recorded"])
            status, _, content = server.ask(path, "POST", json.dumps(body), Content_Type="application/json")
            return status, json.loads(content).get("detail", "")
        assert ask(lambda one: None)[0] == 200
        assert "label is an output, from 0 to 3" in refusal(lambda: client.ask(XT[0], label=4))
        assert "does not read one such sample" in refusal(lambda: client.ask(torch.zeros(1, 2, 2)))
        drawn = server.ask(path.replace("answer", "figures/strips.svg"), "POST", json.dumps(good), Content_Type="application/json")[2].decode()
        assert "a sample that was given" in drawn and "nan" not in drawn
        for words, change in (("those of the run", lambda one: one["layers"].pop()),
                              ("base64", lambda one: one.update(logits="no base64")),
                              ("base64", lambda one: one.update(logits="AAA=AAAA")),
                              ("other logits", lambda one: one.update(logits="AAAAAA==")),
                              ("not finite", lambda one: one.update(logits="AADAfwAAAAAAAAAAAAAAAA==")),
                              ("label is an output", lambda one: one.update(label=CLASSES)),
                              ("keys are of another size", lambda one: one["layers"][1].update(keys="AAAAAA==")),
                              ("gradients are of another size", lambda one: one["layers"][0]["gradients"].update({"0": "AAAAAA=="})),
                              ("by their numbers", lambda one: one["layers"][0]["gradients"].update({"99": "AAAAAA=="})),
                              ("gradients are an object", lambda one: one["layers"][0].update(gradients=[1])),
                              ("label is an output", lambda one: one.update(label=1.5)),
                              ("base64", lambda one: one["layers"][0].pop("keys"))):
            status, detail = ask(change)
            assert status == 400 and words in detail, (words, status, detail)
    finally:
        server.stop()


def test_a_native_run_takes_pixels_and_links_to_them():
    torch.manual_seed(2)
    server = Server(record("native", nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 9), nn.ReLU(), nn.Linear(9, CLASSES))))
    try:
        client = keylight.Client(f"http://127.0.0.1:{server.port}")
        answer = client.ask(TEST.pixels[3])
        assert np.abs(answer.logits - client.ask(3).logits).max() < 1e-4
        assert "/q/drawing?pixels=" in answer.link
        status, _, _ = server.ask(answer.link.split(str(server.port))[1])
        assert status == 200
    finally:
        server.stop()


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
