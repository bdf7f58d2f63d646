"""Training on texts: resumed, refused, damaged."""
import json
import os
import signal
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import numpy as np  # noqa: E402
import tap  # noqa: E402
from reader import sign, tables  # noqa: E402
from text_reader import TextReader, make_text, train_text  # noqa: E402


def test_a_killed_training_resumes_to_the_very_same_run():
    for options in (("--dropout", "0.2"), ("--optimiser", "adam", "--lr", "0.01")):
        options = ("--tokens", "characters", "--checkpoint-steps", "7", *options)
        whole = TextReader(train_text(FOLDER, "whole", "--force", "--name", "same", *options))
        path = os.path.join(FOLDER, "killed.keylight")
        child = subprocess.Popen([tap.KEYLIGHT, "train", "--data", f"tale={make_text(FOLDER)}", "--hidden", "20",
                                  "--embedding", "8", "--batch", "6", "--unroll", "10", "--steps", "90", "--force",
                                  "--name", "same", "--output", path, *options],
                                 stderr=subprocess.PIPE, text=True)
        for line in child.stderr:
            if "step 3" in line:
                child.send_signal(signal.SIGKILL)
        child.wait()
        tap.succeed("train", "--resume", path, "--force", "--quiet")
        killed = TextReader(path)
        for table in tables(whole.db):
            mine, other = ([tuple(row) for row in r.db.execute(f"SELECT * FROM {table} ORDER BY checksum")]
                           for r in (whole, killed))
            assert mine == other, table
        for layer in range(1, len(whole.layers) + 1):
            assert np.array_equal(whole.keys(layer), killed.keys(layer))
        assert whole.db.execute("SELECT count(*) FROM tensor WHERE state NOT IN "
                                "('initial', 'current', 'snapshot')").fetchone()[0] == 0


def test_adam_has_a_rate_of_its_own():
    info = json.loads(tap.succeed("info", train_text(FOLDER, "rate", "--tokens", "characters", "--optimiser", "adam"), "--json"))
    assert info["training"]["learning_rate"] == 0.001 and info["training"]["momentum"] == 0


def test_an_unfinished_file_that_was_changed_is_refused():
    path = os.path.join(FOLDER, "cut.keylight")
    child = subprocess.Popen([tap.KEYLIGHT, "train", "--tokens", "characters", "--data", f"tale={make_text(FOLDER)}", "--hidden", "20",
                              "--embedding", "8", "--batch", "6", "--unroll", "10", "--steps", "5000", "--evaluation-steps", "20",
                              "--checkpoint-steps", "10", "--output", path], stderr=subprocess.PIPE, text=True)
    for line in child.stderr:
        if "step 40" in line:
            child.send_signal(signal.SIGKILL)
    child.wait()
    for key, value in (("unroll", "60000"), ("error_entries", "1000"), ("batch_size", "60000")):
        sql = f"UPDATE setting SET value = '{value}' WHERE key = '{key}'"
        copy = os.path.join(FOLDER, "changed.keylight.part")
        db = sqlite3.connect(path + ".part")
        db.execute("SELECT * FROM run")  # takes back what was not committed
        db.close()
        with open(path + ".part", "rb") as source, open(copy, "wb") as file:
            file.write(source.read())
        db = sqlite3.connect(copy)
        db.execute(sql)
        db.commit()
        db.close()
        sign(copy)
        done = tap.run("train", "--resume", copy, "--quiet")
        assert done.returncode == 1 and "damaged" in done.stderr, (sql, done)


def test_what_cannot_be_trained_is_refused_in_a_sentence():
    latin = os.path.join(FOLDER, "latin.txt")
    with open(latin, "wb") as file:
        file.write("naïve café".encode("latin-1"))
    short = os.path.join(FOLDER, "short.txt")
    with open(short, "w", encoding="utf-8") as file:
        file.write("too short")
    tale = f"tale={make_text(FOLDER)}"
    one, held = (os.path.join(FOLDER, name) for name in ("one", "held"))
    for folder, files in ((one, {"a.train.txt": "a b c d " * 30, "a.test.txt": "x"}),
                          (held, {"a.VALID.txt": "a b c d " * 30, "a.test.txt": "a b"})):
        os.mkdir(folder)
        for name, content in files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(content)
    for arguments, says in (
            (("--tokens", "characters", "--data", f"x={latin}"), "is not UTF-8"),
            (("--tokens", "characters", "--data", f"x={short}"), "too few for"),
            (("--tokens", "characters", "--data", "x=/nowhere"), "cannot read the text"),
            (("--tokens", "syllables", "--data", tale), "--tokens is"),
            (("--tokens", "words", "--data", tale, "--dropout", "1"), "--dropout is"),
            (("--tokens", "words", "--data", tale, "--hidden", "20,30"), "all of one size"),
            (("--tokens", "words", "--data", tale, "--hidden", "none"), "--hidden names"),
            (("--tokens", "words", "--data", tale, "--label-noise", "0.1"), "for images"),
            (("--tokens", "words", "--data", tale, "--data", f"y={tale[5:]}"), "one text"),
            (("--tokens", "words", "--data", tale, "--attention-only", "--gate-errors"), "take one of them"),
            (("--tokens", "words", "--data", tale, "--beta1", "0.8"), "--beta1 is Adam's"),
            (("--tokens", "words", "--data", tale, "--optimiser", "adam", "--momentum", "0.9"), "--momentum, --nesterov and --dampening are SGD's"),
            (("--preset", "quick", "--tokens", "words"), "is of images"),
            (("--data", "strokes", "--error-entries", "3"), "for text"),
            (("--data", "strokes", "--gate-errors"), "for text"),
            (("--tokens", "words", "--data", tale, "--heads", "separate"), "for images"),
            (("--tokens", "words", "--data", tale, "--test-files", "zz*"), "no file is called"),
            (("--tokens", "words", "--data", f"x={one}"), "single token"),
            (("--tokens", "words", "--data", f"x={held}"), "nothing to train on"),
            (("--data", "strokes", "--unroll", "5"), "for text"),
            (("--data", "strokes", "--dropout", "0.5"), "for text"),
            (("--tokens", "words", "--data", tale, "--test-share", "1"), "--test-share")):
        done = tap.run("train", *arguments, "--output", os.path.join(FOLDER, "never.keylight"))
        assert done.returncode != 0 and says in done.stderr and done.stderr.count("\n") == 1, (arguments, done)
        assert not os.path.exists(os.path.join(FOLDER, "never.keylight"))


def test_damaged_text_is_refused_in_a_sentence():
    run = train_text(FOLDER, "words", "--tokens", "words", "--min-count", "2", "--error-entries", "5", "--lr", "1")
    with open(run, "rb") as file:
        whole = file.read()
    for sql in ("UPDATE vocabulary SET token = token + 1000000 WHERE token = 3", "DELETE FROM document WHERE document = 1",
                "UPDATE document SET count = count + 1 WHERE document = 0", "DELETE FROM token_chunk WHERE split = 'test'",
                "UPDATE corpus SET unknown = 99999999", "UPDATE dataset SET classes = 3", "DELETE FROM tensor WHERE role = 'embedding'",
                "UPDATE dataset SET kind = 'images', width = 1, height = 1, channels = 1",
                "UPDATE dataset SET train_samples = 2000000000", "UPDATE setting SET value = '2000000000' WHERE key = 'unroll'",
                "UPDATE setting SET value = 'mlp' WHERE key = 'architecture'", "UPDATE setting SET value = '4' WHERE key = 'error_entries'", "UPDATE setting SET value = 'adam' WHERE key = 'optimiser'; UPDATE setting SET value = 'mlp' WHERE key = 'architecture'",
                "DELETE FROM sparse_error_chunk", "UPDATE token_chunk SET data = CAST(substr(data, 5) || x'ffffff7f' AS BLOB) WHERE rowid = 1",
                "UPDATE sparse_error_chunk SET data = CAST(x'ffffffff' || substr(data, 5) AS BLOB)"):
        path = os.path.join(FOLDER, "broken.keylight")
        with open(path, "wb") as file:
            file.write(whole)
        db = sqlite3.connect(path)
        db.execute("PRAGMA ignore_check_constraints = 1")
        db.executescript(sql)
        db.commit()
        db.close()
        sign(path)
        done = tap.run("query", path, "--text", "the cat")
        assert done.returncode == 1 and "damaged" in done.stderr and done.stderr.count("\n") == 1, (sql, done)


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
