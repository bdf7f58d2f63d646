"""scan=8-bit: the same patterns, to the bit, from keys in 8 bits, and answers that say where they are from."""
import json
import os
import shutil
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import made_data  # noqa: E402
import tap  # noqa: E402
from client import Server  # noqa: E402

TESTED = 60
SERVERS = {}
BASE = {}


def set_up():
    made_data.idx(os.path.join(FOLDER, "a"), 1, train=300, test=TESTED)
    for name, more in (("sgd", ()), ("shards", ()), ("adam", ("--optimiser", "adam", "--lr", "0.003"))):
        path = os.path.join(FOLDER, f"{name}.keylight")
        tap.succeed("train", "--data", f"a={FOLDER}/a", "--steps", "400", "--batch", "20", "--hidden", "40,24", "--lr", "0.05",
                    *more, "--output", path, "--quiet")
    tap.succeed("split", os.path.join(FOLDER, "shards.keylight"), "--shards", "3", "--output", os.path.join(FOLDER, "parts"))
    for name in ("sgd", "adam", "parts"):
        # every processor has the portable kernels, and they have products of bytes
        SERVERS[name] = Server(os.path.join(FOLDER, "parts" if name == "parts" else f"{name}.keylight"),
                               environment={"KEYLIGHT_KERNEL": "portable"})
        BASE[name] = f"/api/v1/runs/{SERVERS[name].json('/api/v1/runs')['runs'][0]['id']}"


def tear_down():
    for server in SERVERS.values():
        server.stop()


def ask(name, sample, **words):
    words = "&".join(f"{word}={value}" for word, value in words.items())
    return SERVERS[name].json(f"{BASE[name]}/spotlight?sample=test/a/{sample}&{words}")


def wait_for(name, layer):
    """Asks until a layer's keys are in memory in 8 bits: other samples than the tests do, whose attention is not known yet."""
    for i in range(300):
        if ask(name, 30 + i % 30, layer=layer, k=1, contributions="no", scan="8-bit", rank="negative")["scores"]["scan"] == "8-bit":
            return
        time.sleep(0.05)
    raise AssertionError(f"no 8-bit keys of layer {layer} in {name}")


def check_same(name):
    found = 0
    for layer in (2, 3):
        wait_for(name, layer)
        for sample, rank in enumerate(["abs", "positive", "negative"] * 6):
            words = {"layer": layer, "rank": rank, "k": 1 + 3 * (sample % 4), "contributions": "no" if name == "adam" else "yes"}
            quick, full = ask(name, sample, scan="8-bit", **words), ask(name, sample, **words)
            assert full["scores"]["scan"] == "full"
            found += quick["scores"]["scan"] == "8-bit"
            assert quick["spotlight"] == full["spotlight"], (name, layer, sample, rank)
            for exact in ("count", "max"):
                assert quick["scores"][exact] == full["scores"][exact]
            for near in ("mean", "deviation"):
                size = max(abs(full["scores"]["mean"]), full["scores"]["deviation"])
                assert abs(quick["scores"][near] - full["scores"][near]) <= 0.02 * size, (quick["scores"], full["scores"])
    assert found >= 12, found  # of 36: in small runs the others leave too many in question


def test_the_same_patterns_are_lit_with_the_same_numbers():
    check_same("sgd")


def test_so_they_are_after_adam():
    check_same("adam")


def test_so_they_are_of_shards():
    check_same("parts")


def test_what_needs_every_pattern_is_scanned_in_full_and_says_so():
    wait_for("sgd", 3)
    for i, words in enumerate(({"by": "sample"}, {"class": 1}, {"rank": "cosine"}, {"rank": "logit"}, {"layer": 1})):
        words = {"layer": 3, **words}
        quick = ask("sgd", 20 + i, scan="8-bit", **words)
        assert quick["scores"]["scan"] == "full", words
        assert quick["spotlight"] == ask("sgd", 20 + i, **words)["spotlight"]


def test_contributions_after_adam_take_their_own_pass():
    wait_for("adam", 3)
    assert ask("adam", 25, layer=3, scan="8-bit")["scores"]["scan"] == "full"


def test_what_is_known_already_is_not_asked_again():
    wait_for("sgd", 2)
    assert ask("sgd", 27, layer=2)["scores"]["scan"] == "full"
    assert ask("sgd", 27, layer=2, scan="8-bit")["scores"]["scan"] == "full"


def test_another_word_is_refused():
    for word in ("4-bit", "", "8"):
        problem = SERVERS["sgd"].problem(f"{BASE['sgd']}/spotlight?sample=test/a/1&scan={word}", 400, "scan")
        assert "full or 8-bit" in problem["detail"]
    SERVERS["sgd"].problem(f"{BASE['sgd']}/attention?sample=test/a/1&scan=8-bit", 400, "scan")


def test_a_layer_with_a_damaged_chunk_is_no_answer_and_the_others_are():
    for what, change in (("data", lambda data, stored: (data[:-1] + bytes([data[-1] ^ 1]), stored)),
                         ("row", lambda data, stored: (data, stored - 1))):
        path = os.path.join(FOLDER, f"damaged {what}.keylight")
        shutil.copy(os.path.join(FOLDER, "sgd.keylight"), path)
        os.chmod(path, 0o644)
        with sqlite3.connect(path) as db:
            rowid, data, stored = db.execute("SELECT rowid, data, stored FROM key_chunk WHERE layer = 2 LIMIT 1 OFFSET 1").fetchone()
            db.execute("PRAGMA ignore_check_constraints = ON")
            db.execute("UPDATE key_chunk SET data = ?, stored = ? WHERE rowid = ?", (*change(data, stored), rowid))
        db.close()
        server = SERVERS["damaged"] = Server(path, environment={"KEYLIGHT_KERNEL": "portable"})
        BASE["damaged"] = f"/api/v1/runs/{server.json('/api/v1/runs')['runs'][0]['id']}"
        for i in range(20):
            status, _, body = server.ask(f"{BASE['damaged']}/spotlight?sample=test/a/{i}&layer=2&scan=8-bit&contributions=no")
            assert status == 500 and f"key_chunk {rowid} " in json.loads(body)["detail"], (status, body)
            time.sleep(0.02)
        wait_for("damaged", 3)
        assert ask("damaged", 1, layer=3, scan="8-bit")["spotlight"] == ask("sgd", 1, layer=3)["spotlight"]
        process = SERVERS.pop("damaged").process  # which may say on stderr what is damaged
        process.terminate()
        process.communicate(timeout=30)
        assert process.returncode == 0


def test_they_are_told_among_what_is_in_memory():
    before = SERVERS["adam"].json("/api/v1/memory")["copied_bytes"]
    wait_for("adam", 2)
    wait_for("adam", 3)
    assert SERVERS["adam"].json("/api/v1/memory")["copied_bytes"] >= before > 0


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
