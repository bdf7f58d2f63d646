"""Reads a run with nothing but sqlite3 and NumPy, as docs/format.md describes it, recomputes keys,
coefficients, attention and the dual form, and compares them with what the program says."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import numpy as np  # noqa: E402
import tap  # noqa: E402
from reader import Reader, fingerprint, wrong_rows  # noqa: E402

RUNS = {}


def set_up():
    RUNS["float16"] = Reader(tap.train_strokes(FOLDER, "half.keylight"))
    RUNS["float32"] = Reader(tap.train_strokes(FOLDER, "single.keylight", "--dtype", "float32",
                                               "--lr-schedule", "step", "--lr-period", "30"))


def test_the_file_says_what_it_is():
    db = RUNS["float16"].db
    assert db.execute("PRAGMA application_id").fetchone()[0] == 0x6B6C6974
    assert db.execute("PRAGMA user_version").fetchone()[0] == 5
    assert db.execute("PRAGMA page_size").fetchone()[0] == 65536
    assert db.execute("PRAGMA journal_mode").fetchone()[0] in ("delete", "off")
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    strict = db.execute("SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND strict = 0 "
                        "AND name NOT LIKE 'sqlite%'").fetchone()[0]
    assert strict == 0


def test_the_dual_form_rebuilt_from_the_file_is_the_network():
    for dtype, reader in RUNS.items():
        c, alpha = reader.coefficients()
        for layer in reader.layers:
            number = layer["layer"]
            w0, b0 = reader.parameters("initial", number)
            w, b = reader.parameters("current", number)
            values = c[:, None] * reader.errors(number)
            dual = alpha * w0 + values.T @ reader.keys(number)
            distance = np.linalg.norm(dual - w) / np.linalg.norm(w - w0)
            assert distance < {"float16": 2e-3, "float32": 1e-4}[dtype], (dtype, number, distance)
            assert np.abs(alpha * b0 + values.sum(0) - b).max() < 1e-3


def test_the_program_gives_the_attention_that_the_file_gives():
    for reader in RUNS.values():
        c, _ = reader.coefficients()
        sample = 6000 + 17
        keys, logits = reader.forward(sample)
        for layer in reader.layers:
            number = layer["layer"]
            answer = json.loads(tap.succeed("query", reader.path, "--sample", "test/strokes/17",
                                            "--layer", number, "--top", 30, "--json"))
            attention = reader.keys(number) @ keys[number - 1]
            assert np.allclose(answer["logits"], logits, atol=1e-3)
            order = np.argsort(-np.abs(attention))[:30]
            for lit, expected in zip(answer["spotlight"], order):
                size = abs(attention[expected])
                assert abs(abs(lit["attention"]) - size) < 1e-4 * (1 + size)
                t = lit["pattern"]
                assert abs(lit["attention"] - attention[t]) < 1e-4 * (1 + size)
                assert lit["sample"]["id"] == reader.samples[t]
                assert lit["step"] == reader.step_of[t] + 1
            assert abs(sum(total["sum_abs"] for total in answer["by_class"]) -
                       np.abs(attention).sum()) < 1e-4 * np.abs(attention).sum()
        # The last layer: contributions to the predicted logit, exactly.
        values = c * reader.errors(number)[:, answer["predicted"]] * (attention + 1)
        for lit in answer["spotlight"]:
            assert abs(lit["contribution"] - values[lit["pattern"]]) < 1e-5
        assert abs(answer["correction"][answer["predicted"]] - values.sum()) < 1e-3


def test_after_adam_the_dual_form_rebuilt_from_the_file_is_the_network_and_what_the_program_says():
    for optimiser, decay, dtype in (("adam", 0, "float32"), ("adam", 0.01, "float16"), ("adamw", 0.1, "float32")):
        reader = Reader(tap.train_strokes(FOLDER, f"{optimiser}{decay}.keylight", "--optimiser", optimiser, "--weight-decay", decay, "--lr", 0.003,
                                          "--momentum", 0, "--dtype", dtype, "--clip", 0.5))
        keys, logits = reader.forward(6000 + 17)
        for layer in reader.layers:
            number = layer["layer"]
            c, p = reader.adam(number)
            w0, w = (np.column_stack(reader.parameters(state, number)) for state in ("initial", "current"))
            products = np.array([reader.errors(number)[reader.step_of == s].T @ reader.with_bias(reader.keys(number)[reader.step_of == s])
                                 for s in range(len(reader.steps))])
            distance = np.linalg.norm(p * w0 + (c * products).sum(0) - w) / np.linalg.norm(w - w0)
            assert distance < {"float16": 5e-3, "float32": 2e-5}[dtype], (optimiser, number, distance)
        given, guess = reader.given(number, keys[-1])
        answer = json.loads(tap.succeed("query", reader.path, "--sample", "test/strokes/17", "--rank", "logit:3", "--top", 30, "--json"))
        assert np.allclose(answer["logits"], logits, atol=1e-3)
        assert np.allclose(answer["initial_guess"], guess, atol=1e-3) and np.allclose(answer["correction"], given.sum(0), atol=1e-3)
        assert [lit["pattern"] for lit in answer["spotlight"]][:5] == np.argsort(-given[:, 3])[:5].tolist()
        for lit in answer["spotlight"]:
            assert abs(lit["contribution"] - given[lit["pattern"], 3]) < 1e-4 * (1 + abs(lit["contribution"]))
        classes = reader.classes()[0][reader.samples]
        for number_of, total in enumerate(answer["by_class"]):
            assert np.allclose(total["contributions"], given[classes == number_of].sum(0), atol=1e-3)
        gradients = reader.gradients(keys, np.eye(10)[3])
        for l in (1, 2):
            answer = json.loads(tap.succeed("query", reader.path, "--sample", "test/strokes/17", "--rank", "logit:3", "--layer", l, "--top", 30, "--json"))
            through = reader.given(l, keys[l - 1])[0] @ gradients[l - 1]
            for lit in answer["spotlight"]:
                assert abs(lit["contribution"] - through[lit["pattern"]]) < 1e-3 * (1 + abs(lit["contribution"])), (optimiser, decay, l, lit, through[lit["pattern"]])
        tap.succeed("verify", reader.path)


def test_checksums_and_fingerprint_can_be_recomputed():
    for reader in RUNS.values():
        assert wrong_rows(reader.db) == []
        assert fingerprint(reader.db) == reader.run["fingerprint"]


def test_predictions_and_the_curve_are_those_of_the_network():
    reader = RUNS["float16"]
    x = reader.images()
    for layer in reader.layers:
        weights, biases = reader.parameters("current", layer["layer"])
        x = x @ weights.T + biases
        x = np.maximum(x, 0) if layer["activation"] == "relu" else x
    stored = reader.db.execute("SELECT predicted, label, split FROM sample ORDER BY sample").fetchall()
    agree = np.mean(x.argmax(1) == [row["predicted"] for row in stored])
    assert agree > 0.9999, agree
    right = np.mean([row["predicted"] == row["label"] for row in stored if row["split"] == "test"])
    info = json.loads(tap.succeed("info", reader.path, "--json"))
    assert abs(info["test_accuracy"] - right) < 1e-9
    assert abs(info["curve"][-1]["accuracy"] - right) < 1e-9


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
