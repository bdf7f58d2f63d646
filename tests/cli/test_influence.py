"""What would be missed: the estimate against its definition, and retraining."""
import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import numpy as np  # noqa: E402

import made_data  # noqa: E402
import tap  # noqa: E402
from reader import Reader  # noqa: E402

RUN = None


def set_up():
    global RUN
    RUN = tap.train_strokes(FOLDER, "run.keylight", "--momentum", "0.9")


def evenly(n_patterns, wanted):
    """The patterns that a second moment is made of: runs of 32, evenly over the training."""
    n, chosen = min(n_patterns, wanted), []
    while len(chosen) < n:
        run = min(32, n - len(chosen))
        first = min(len(chosen) * n_patterns // n, n_patterns - run)
        chosen += range(first, first + run)
    return chosen


def estimates(path, position):
    """docs/influence.md's score of every pattern, by NumPy from the file."""
    reader, n_layers = Reader(path), len(Reader(path).layers)
    images = reader.images()
    sample, target = reader.db.execute("SELECT sample, target FROM sample WHERE split = 'test' AND position = ?",
                                       (position,)).fetchone()
    layers = [reader.parameters("current", layer) for layer in range(1, n_layers + 1)]
    queries = [images[sample]]
    for weights, biases in layers[:-1]:
        queries.append(np.maximum(weights @ queries[-1] + biases, 0))
    logits = layers[-1][0] @ queries[-1] + layers[-1][1]
    gradients = [np.exp(logits - logits.max())]
    gradients[0] /= gradients[0].sum()
    gradients[0][target] -= 1
    for layer in range(n_layers - 1, 0, -1):
        gradients.insert(0, layers[layer][0].T @ gradients[0] * (queries[layer] > 0))
    p, q, coefficients = 1.0, 0.0, []
    for step in reversed(reader.steps):
        q -= step["learning_rate"] * p
        coefficients.append(step["clip_factor"] * q)
        p += step["weight_decay"] * q
        q *= step["momentum"]
    weights, total = np.array(coefficients[::-1])[reader.step_of], 0
    for layer in range(n_layers):
        keys = images[reader.samples] if layer == 0 else reader.chunks("key_chunk", layer + 1)
        keys = np.concatenate([keys, np.ones((len(keys), 1))], 1)
        width = keys.shape[1]
        some = keys[evenly(len(keys), 2048 if width > 2048 else max(2 * width, 4096))]
        moment = some.T @ some / len(some)
        mean = np.trace(moment) / width
        query = mean * np.linalg.solve(moment + 0.03 * mean * np.eye(width), np.append(queries[layer], 1))
        total = total + weights * (keys @ query) * (reader.chunks("error_chunk", layer + 1) @ gradients[layer])
    return -total


def test_the_estimate_is_what_its_definition_says():
    for position in (3, 40):
        expected = estimates(RUN, position)
        for rank, sign in (("influence", 1), ("hindrance", -1)):
            found = json.loads(tap.succeed("query", RUN, "--sample", f"test/strokes/{position}", "--rank", rank, "--top", 100,
                                           "--json"))["spotlight"]
            assert abs(found[0]["score"] - (sign * expected).max()) < 1e-4 * np.abs(expected).max()
            for lit in found:
                assert abs(lit["score"] - sign * expected[lit["pattern"]]) < 1e-4 * np.abs(expected).max(), (rank, lit)


def test_wide_layers_are_decorrelated_too():
    random = np.random.default_rng(1)
    for label in range(3):
        os.makedirs(os.path.join(FOLDER, "wide", str(label)))
        for i in range(40):
            pixels = random.integers(0, 150, (48, 48)).astype(np.uint8)
            pixels[12 * label:12 * label + 8] = 255
            made_data.png(os.path.join(FOLDER, "wide", str(label), f"{i}.png"), pixels)
    path = os.path.join(FOLDER, "wide.keylight")
    tap.succeed("train", "--data", f"w={os.path.join(FOLDER, 'wide')}", "--hidden", "none", "--steps", "60", "--batch", "16", "--lr", "0.001",
                "--clip", "1", "--output", path, "--quiet", "--dtype", "float32")
    assert json.loads(tap.succeed("info", path, "--json"))["layers"][0]["inputs"] == 2304
    expected = estimates(path, 0)
    for lit in json.loads(tap.succeed("query", path, "--sample", "test/w/0", "--rank", "influence", "--top", 50, "--json"))["spotlight"]:
        assert abs(lit["score"] - expected[lit["pattern"]]) < 1e-4 * np.abs(expected).max(), lit


def test_it_is_there_after_adam():
    path = tap.train_strokes(FOLDER, "adam.keylight", "--optimiser", "adam", "--momentum", "0", "--lr", "0.003")
    found = json.loads(tap.succeed("query", path, "--sample", "test/strokes/1", "--rank", "influence", "--json"))["spotlight"]
    assert found[0]["score"] > 0


def retrain(*options):
    return json.loads(tap.succeed("retrain", RUN, "--sample", "test/strokes/5", "--json", *options))


def test_with_nobody_left_out_it_is_the_run():
    again = retrain("--without", "")
    assert again["without"] == 0 and again["before"] == again["after"]
    assert again["foretold"] == {"influence": 0, "proponents": 0}


def test_who_is_left_out_teaches_nothing():
    whole = json.loads(tap.succeed("query", RUN, "--sample", "test/strokes/5", "--json"))
    again = retrain("--without", f"class:{whole['target']}")
    assert again["without"] > 300 and again["after"]["loss"] > again["before"]["loss"] + 1
    assert again["foretold"]["influence"] > 0
    assert again["after"]["logits"][whole["target"]] == min(again["after"]["logits"])
    one, other = retrain("--without", "sample:7,sample:7,top:3"), retrain("--without", "sample:7,top:3", "--rank", "abs")
    assert 3 <= one["without"] <= 4 and 3 <= other["without"] <= 4
    assert retrain("--without", "", "--seed", "9")["after"]["logits"] != again["before"]["logits"]
    assert "from the same initial weights" in tap.succeed("retrain", RUN, "--sample", "test/strokes/5", "--without", "top:3")


def kept(path):
    """What is kept beside a run: {(kind, question): answer}."""
    with sqlite3.connect(f"file:{path}.results?mode=ro", uri=True) as db:
        assert db.execute("PRAGMA application_id").fetchone() == (0x6b6c7273,)
        return {(kind, question): json.loads(answer) for kind, question, answer in db.execute("SELECT kind, question, answer FROM result")}


def test_answers_are_kept_beside_the_run():
    path = tap.train_strokes(FOLDER, "keeps.keylight", "--momentum", "0.9")
    whole = open(path, "rb").read()
    said = [json.loads(tap.succeed(*words, "--json")) for words in (
        ("retrain", path, "--sample", "test/strokes/5", "--without", "top:3", "--rank", "influence"),
        ("retrain", path, "--without", "class:2", "--seed", "4"),
        ("influence", path, "--check", 3, "--queries", 2))]
    walked = json.loads(tap.succeed("influence", path, "--sample", "test/strokes/5,test/strokes/6", "--parts", "1/2", "--json"))
    answers = kept(path)
    assert list(answers)[:3] == [("retrain", "sample=test/strokes/5&without=top:3"), ("retrain", "without=class:2&seed=4"),
                                 ("truth", "check=3&leave=0.1&queries=2&parts=1/1&damping=2.3")]
    assert list(answers.values())[:3] == said
    assert "sample" not in said[1] and 0 <= said[1]["after"]["test_accuracy"] < said[1]["before"]["test_accuracy"]
    for i, one in enumerate(walked["queries"]):
        one_kept = answers["walk", f"sample=test/strokes/{5 + i}&parts=1/2&damping=2.3"]["queries"]
        assert len(one_kept) == 1 and one_kept[0]["influence"][:len(one["influence"])] == one["influence"]
    assert open(path, "rb").read() == whole
    tap.succeed("train", "--data", "strokes", "--output", path, "--force", "--steps", 5, "--quiet")
    assert not os.path.exists(path + ".results") and len(kept_at(path + ".results.old")) == 6


def kept_at(path):
    with sqlite3.connect(path) as db:
        return db.execute("SELECT question FROM result").fetchall()


def test_who_is_marked_is_left_out():
    path = tap.train_strokes(FOLDER, "marked.keylight", "--momentum", "0.9")
    assert "no training sample is marked as wrong" in tap.run("retrain", path, "--without", "marked").stderr
    with sqlite3.connect(path + ".marks") as db:
        fingerprint = json.loads(tap.succeed("info", path, "--json"))["id"]
        db.executescript(f"""PRAGMA application_id = {0x6b6c6d6b}; PRAGMA user_version = 1;
            CREATE TABLE run (fingerprint TEXT NOT NULL) STRICT; INSERT INTO run VALUES ('{fingerprint}');
            CREATE TABLE mark (sample INTEGER PRIMARY KEY, dataset TEXT NOT NULL, split TEXT NOT NULL, position INTEGER NOT NULL, file TEXT,
             decision TEXT NOT NULL, label INTEGER, class TEXT, time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP) STRICT;
            INSERT INTO mark VALUES (3, 'strokes', 'train', 3, NULL, 'wrong', NULL, NULL, ''), (4, 'strokes', 'train', 4, NULL, 'fine', NULL, NULL, ''),
             (9, 'strokes', 'train', 9, NULL, 'wrong', NULL, NULL, '')""")
    db.close()
    assert json.loads(tap.succeed("retrain", path, "--without", "marked", "--json"))["without"] == 2
    assert json.loads(tap.succeed("retrain", path, "--without", "sample:7,marked,sample:3", "--json"))["without"] == 3


def test_a_run_without_error_signals_foretells_nothing():
    path = tap.train_strokes(FOLDER, "alone.keylight", "--attention-only")
    words = ("retrain", path, "--sample", "test/strokes/5", "--without", "class:3")
    assert json.loads(tap.succeed(*words, "--json"))["foretold"] == {"influence": None, "proponents": None}
    assert "Nothing was foretold: no error signals are recorded" in tap.succeed(*words)
    assert "records no error signals" in tap.run("influence", path).stderr


def test_a_check_tells_every_score():
    once, again = (json.loads(tap.succeed("influence", RUN, "--check", 6, "--leave", "0.3", "--queries", 5, "--json")) for _ in range(2))
    assert once.pop("seconds") > 0 and again.pop("seconds") > 0
    assert once == again and once["subsets"] == 6 and once["queries"] == 5
    assert [one["rank"] for one in once["scores"]] == ["abs", "cosine", "proponents", "influence", "walk"]
    assert all(-1 <= one["rank_correlation"] <= 1 and 0 <= one["standard_error"] < 1 for one in once["scores"])
    assert "would be missed" in tap.succeed("influence", RUN, "--check", 3, "--queries", 2)


def test_what_makes_no_sense_is_refused():
    for arguments, words in ((("retrain", RUN, "--sample", "test/strokes/5"), "say who is left out"),
                             (("retrain", RUN, "--sample", "test/strokes/5", "--without", "steps:1-3"), "not steps and not all"),
                             (("retrain", RUN, "--sample", "test/strokes/5", "--without", "all"), "not steps and not all"),
                             (("retrain", RUN, "--without", "top:3"), "name the sample"),
                             (("retrain", RUN, "--without", "marked,top:x", "--sample", "test/strokes/5"), "without cannot take 'top:x'"),
                             (("retrain", RUN, "--without", "class:1", "--seed", "x"), "seed is a number"),
                             (("influence", RUN, "--sample", "test/strokes/5,"), "sample names samples"),
                             (("influence", RUN, "--sample", "test/strokes/5", "--parts", "7/6"), "parts says how many"),
                             (("influence", RUN, "--leave", "1"), "leave is a share"),
                             (("influence", RUN, "--leave", "0.00001"), "leaves out none"),
                             (("influence", RUN, "--check", "2"), "check is 3 to 10000")):
        done = tap.run(*arguments)
        assert done.returncode != 0 and words in done.stderr, (arguments, done.stderr)


if __name__ == "__main__":
    tap.main(sys.modules["__main__"])
