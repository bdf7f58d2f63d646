"""Runs of every format since 4, kept as they were written: they are brought up to date, verify, and
answer as the program that wrote them answered. Whatever happens on the way, the old file stays."""
import hashlib
import json
import lzma
import os
import platform
import random
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402
from client import Server  # noqa: E402
from reader import Reader, fingerprint, wrong_rows  # noqa: E402

FIXTURES = os.path.join(os.path.dirname(__file__), "fixtures")
RUNS = ("strokes", "images", "characters", "words", "adam")
# The answers were computed with these: the same sums in the same order give the same digits.
EXACT = {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1", "KEYLIGHT_KERNEL": "portable"}
RENAMED = {"helped": "proponents", "harmed": "opponents"}


def unpack(name, to):
    path = os.path.join(FOLDER, to)
    with lzma.open(os.path.join(FIXTURES, name + ".xz")) as packed, open(path, "wb") as file:
        file.write(packed.read())
    return path


def set_up():
    for name in RUNS:
        unpack(f"{name}-4.keylight", f"{name}.keylight")


def path(name):
    return os.path.join(FOLDER, f"{name}.keylight")


def digest(file):
    with open(file, "rb") as content:
        return hashlib.sha256(content.read()).hexdigest()


def test_an_old_run_is_told_with_the_command_that_helps():
    for command in (("info",), ("verify",), ("serve",), ("query", "--sample", "test/strokes/1"), ("report",)):
        done = tap.run(command[0], path("strokes"), *command[1:])
        assert done.returncode == 1 and "format version 4" in done.stderr, done
        assert f"'keylight upgrade {path('strokes')}'" in done.stderr and done.stderr.count("\n") == 1
    done = tap.run("train", "--resume", path("strokes"))
    assert done.returncode == 1 and "keylight upgrade" in done.stderr, done


def test_a_new_file_holds_the_same_numbers():
    for name in RUNS:
        before = digest(path(name))
        tap.succeed("upgrade", path(name), "--output", path(f"{name}-new"))
        assert digest(path(name)) == before
        assert "structure and fingerprint in order" in tap.succeed("verify", path(f"{name}-new"))
        old, new = sqlite3.connect(path(name)), Reader(path(f"{name}-new"))
        assert wrong_rows(new.db) == [] and fingerprint(new.db) == new.run["fingerprint"]
        assert new.settings["fingerprint_before"] == old.execute("SELECT fingerprint FROM run").fetchone()[0]
        for before, after in (
                ("SELECT layer, first, data FROM key_chunk ORDER BY 1, 2",) * 2,
                ("SELECT layer, first, exponent, data FROM error_chunk ORDER BY 1, 2",) * 2,
                ("SELECT * FROM sparse_error_chunk ORDER BY layer, first",
                 "SELECT rowid, * FROM sparse_error_chunk ORDER BY layer, first"),
                ("SELECT first, data FROM pattern_chunk ORDER BY 1", "SELECT first, data FROM showing_chunk ORDER BY 1"),
                ("SELECT weights FROM parameters WHERE state = 'current' ORDER BY layer",
                 "SELECT data FROM tensor WHERE state = 'current' AND role = 'weights' ORDER BY layer"),
                ("SELECT biases FROM snapshot ORDER BY step, layer",
                 "SELECT data FROM tensor WHERE state = 'snapshot' AND role = 'bias' ORDER BY step, layer"),
                ("SELECT step, learning_rate, clip_factor FROM step ORDER BY 1",
                 "SELECT step, learning_rate, clip_factor FROM rule ORDER BY 1")):
            rows = old.execute(before).fetchall()
            others = [tuple(row)[:len(rows[0])] if rows else tuple(row) for row in new.db.execute(after)]
            if "sparse" in before:
                rows, others = [row[1:] for row in rows], [row[1:] for row in others]
            assert rows == others, (name, before)


# Members that are made of float32 sums over patterns, which were added up in another order.
SUMS = ("contributions", "correction", "max_abs_error")


def agree(mine, stored, where, is_sum=False):
    """The same to the last digit, on the kind of machine that the stored answers are of; sums of float32 but for their rounding."""
    if isinstance(stored, dict):
        for key, value in stored.items():
            agree(mine[key], value, f"{where}.{key}", is_sum or key in SUMS)
    elif isinstance(stored, list):
        assert len(mine) == len(stored), where
        for i, value in enumerate(stored):
            agree(mine[i], value, f"{where}[{i}]", is_sum)
    elif isinstance(stored, float) and (is_sum or platform.machine() != "x86_64"):
        most = 1e-6 if platform.machine() == "x86_64" else 1e-4
        assert abs(mine - stored) <= most * (1 + abs(stored)), (where, mine, stored)
    else:
        assert mine == RENAMED.get(stored, stored), (where, mine, stored)


def check_suspects(mine, stored):
    trained = [one for one in mine["suspects"] if one["sample"]["split"] == "train"]
    for one, was in zip(trained, stored["suspects"]):
        was.pop("rank")
        agree(one, was, "suspects")
    agree(mine["auc"], stored["auc"], "suspects.auc")


def check_answers(runs):
    """Asks all that is stored of runs (name and file): returns how many answers that was."""
    with lzma.open(os.path.join(FIXTURES, "answers-4.json.xz")) as file:
        stored = json.load(file)
    server = Server(*(file for _, file in runs), environment=EXACT)
    ids = [run["id"] for run in server.json("/api/v1/runs")["runs"]]
    n = 0
    for (name, _), run in zip(runs, ids):
        for address, answer in stored[name].items():
            if address == "":  # named by another fingerprint, in another file, with its settings under other names
                for member in ("id", "fingerprint", "training", "file_bytes"):
                    answer.pop(member, None)
            if address.startswith("/suspects"):  # held-out samples are listed among them by now
                check_suspects(server.json(f"/api/v1/runs/{run}/suspects?limit=1000"), answer)
                n += 1
                continue
            agree(server.json(f"/api/v1/runs/{run}{address}"), answer, f"{name} {address}")
            n += 1
    server.stop()
    return n


def test_every_stored_answer_is_given_again():
    assert check_answers([(name, path(f"{name}-new")) for name in RUNS]) > 150


def test_runs_of_format_5_are_read_as_they_were_written():
    names = ("images", "characters", "adam")
    files = [unpack(f"{name}-5.keylight", f"{name}-5.keylight") for name in names]
    for file in files:
        tap.succeed("verify", file)
        db = Reader(file).db
        assert wrong_rows(db) == [] and db.execute("PRAGMA user_version").fetchone()[0] == 5
    assert check_answers(list(zip(names, files))) > 80


def test_a_run_is_found_by_its_fingerprint_of_before():
    old = sqlite3.connect(path("strokes")).execute("SELECT fingerprint FROM run").fetchone()[0]
    server = Server(path("strokes-new"))
    assert server.json(f"/api/v1/runs/{old}")["name"] == "strokes"
    server.stop()


def test_in_place_the_new_run_takes_the_name_of_the_old():
    copy = unpack("images-4.keylight", "place.keylight")
    said = tap.succeed("upgrade", copy)
    assert "format 5, from format 4" in said
    tap.succeed("verify", copy)
    assert not [name for name in os.listdir(FOLDER) if name.startswith("place.keylight.")]
    done = tap.run("upgrade", copy)
    assert done.returncode == 2 and "is up to date" in done.stderr


def test_what_cannot_be_upgraded_is_refused_and_stays():
    done = tap.run("upgrade", path("images"), "--output", path("images-new"))
    assert done.returncode == 1 and "exists" in done.stderr
    done = tap.run("upgrade", path("nothing"))
    assert done.returncode == 1 and "there is no file" in done.stderr
    for sql, says in (("DROP TABLE step", "does not have the tables"), ("UPDATE run SET momentum = 7", "damaged"),
                      ("DELETE FROM run", "damaged"), ("PRAGMA user_version = 3", "train it again"),
                      ("PRAGMA user_version = 99", "use a newer keylight"), ("PRAGMA application_id = 1", "not a keylight run")):
        copy = unpack("images-4.keylight", "wrong.keylight")
        with sqlite3.connect(copy) as db:
            db.execute(sql)
        db.close()
        before = digest(copy)
        done = tap.run("upgrade", copy)
        assert done.returncode == 1 and says in done.stderr and done.stderr.count("\n") == 1, (sql, done)
        assert digest(copy) == before, sql
        assert not os.path.exists(copy + ".upgrading"), sql


def test_of_two_upgrades_at_once_one_waits_for_nobody():
    for delay in (0, 0.01, 0.03, 0.06):
        run = unpack("strokes-4.keylight", "both.keylight")
        first = subprocess.Popen([tap.KEYLIGHT, "upgrade", run], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        time.sleep(delay)
        second = subprocess.Popen([tap.KEYLIGHT, "upgrade", run], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        said = [process.communicate(timeout=60)[1] for process in (first, second)]
        codes = [first.returncode, second.returncode]
        assert 0 in codes, said
        if codes != [0, 0]:
            assert "another keylight" in "".join(said) or "is up to date" in "".join(said), (delay, said)
        tap.succeed("verify", run)
        assert [name for name in os.listdir(FOLDER) if name.startswith("both.keylight.")] == []


def test_a_link_stays_one_and_what_it_leads_to_is_upgraded():
    run = unpack("strokes-4.keylight", "real.keylight")
    link = os.path.join(FOLDER, "link.keylight")
    os.symlink(run, link)
    tap.succeed("upgrade", link)
    assert os.path.islink(link)
    tap.succeed("verify", run)


def test_killed_in_the_middle_nothing_is_lost():
    copy = unpack("strokes-4.keylight", "killed.keylight")
    started = time.monotonic()
    tap.succeed("upgrade", copy)
    whole = time.monotonic() - started  # as long as it takes on this machine
    copy = unpack("strokes-4.keylight", "killed.keylight")
    before, begun = digest(copy), 0
    rng = random.Random(5)
    for _ in range(25):
        child = subprocess.Popen([tap.KEYLIGHT, "upgrade", copy], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(whole * rng.random())
        child.send_signal(signal.SIGKILL)
        child.wait()
        if child.returncode == 0 or digest(copy) != before:  # it was faster: the new one is whole
            tap.succeed("verify", copy)
            copy = unpack("strokes-4.keylight", "killed.keylight")
            continue
        begun += os.path.exists(copy + ".upgrading")
    assert begun > 0, "no upgrade was cut off while it wrote"
    tap.succeed("upgrade", copy)
    tap.succeed("verify", copy)
    assert not os.path.exists(copy + ".upgrading")


def test_an_unfinished_run_is_upgraded_and_goes_on():
    copy = unpack("images-4.keylight", "cut.keylight")
    with sqlite3.connect(copy) as db:  # as of a checkpoint: no step has been taken back, none is to come
        db.execute("UPDATE run SET finished = 0, fingerprint = NULL")
    db.close()
    tap.succeed("upgrade", copy)
    done = tap.run("info", copy)
    assert done.returncode == 1 and "step 36 of 36" in done.stderr
    tap.succeed("train", "--resume", copy, "--quiet")
    tap.succeed("verify", copy)


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
