"""A run that is cut into several files answers everything as the whole one does; where files are missing, from
those that are there, and says so."""
import hashlib
import json
import os
import shutil
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import numpy as np  # noqa: E402
import tap  # noqa: E402
from client import Server  # noqa: E402
from reader import Reader, sign, wrong_rows  # noqa: E402
from sets import QUESTIONS, RUNS, alike, answers, make_runs, shards_of  # noqa: E402


def set_up():
    make_runs(FOLDER)


def digest(folder):
    return {name: hashlib.sha256(open(os.path.join(folder, name), "rb").read()).hexdigest() for name in sorted(os.listdir(folder))}


def rows(folder, name, n, table):
    """The rows of a table of all shards, in order."""
    found = []
    for i in range(n):
        db = sqlite3.connect(os.path.join(folder, f"{name}.{i}.keylight"))
        found += db.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()
        db.close()
    return found


def test_shards_are_the_history_cut_at_steps_each_as_large_and_as_whole_as_the_other():
    for name in RUNS:
        folder = shards_of(name)
        whole = Reader(RUNS[name])
        labels = rows(folder, name, 3, "shard")
        assert [row[:3] for row in labels] == [(i, 3, whole.db.execute("SELECT fingerprint FROM run").fetchone()[0]) for i in range(3)]
        n_steps, last = len(whole.steps), 0
        patterns = []
        for _, _, _, first_step, last_step, _ in labels:
            assert first_step == last + 1 <= last_step
            patterns.append(sum(step["count"] for step in whole.steps[first_step - 1:last_step]))
            last = last_step
        assert last == n_steps and max(patterns) - min(patterns) <= 2 * max(step["count"] for step in whole.steps), patterns
        for table in ("showing_chunk", "key_chunk", "error_chunk", "sparse_error_chunk"):
            layers = [None] if table == "showing_chunk" else [row[0] for row in whole.db.execute(f"SELECT DISTINCT layer FROM {table}")]
            for layer in layers:
                firsts = []
                for i in range(3):
                    db = sqlite3.connect(os.path.join(folder, f"{name}.{i}.keylight"))
                    condition = "" if layer is None else f" WHERE layer = {layer}"
                    mine = db.execute(f"SELECT first, count FROM {table}{condition} ORDER BY first").fetchall()
                    assert sum(count for _, count in mine) == patterns[i], (name, table, layer, i)
                    firsts += mine
                    assert not wrong_rows(db), (name, i)
                    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
                    db.close()
                at = 0
                for first, count in firsts:
                    assert first == at
                    at += count
        assert all(not os.access(os.path.join(folder, file), os.W_OK) or os.getuid() == 0 for file in os.listdir(folder))
        for i in (1, 2):  # no data nor weights but in the first
            db = sqlite3.connect(os.path.join(folder, f"{name}.{i}.keylight"))
            for table in ("sample", "image_chunk", "tensor", "step", "rule", "token_chunk", "curve"):
                assert db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0, table
            db.close()


def test_all_questions_are_answered_as_by_the_whole_run():
    for name, questions in QUESTIONS.items():
        folder = shards_of(name)
        before = digest(folder)
        whole_id, whole = answers(RUNS[name], questions)
        for path in (folder, os.path.join(folder, f"{name}.2.keylight")):
            shard_id, found = answers(path, questions)
            assert shard_id == whole_id  # links stay good
            for question in questions:
                alike(whole[question][0], found[question][0], f"{name}{question}")
                assert "Keylight-History-Share" not in found[question][1]
        assert {file: value for file, value in digest(folder).items() if file in before} == before


def test_a_shard_more_than_there_are_chunks_and_one_a_step():
    for n in (2, 40, 67):
        folder = shards_of("images", n)
        _, found = answers(folder, QUESTIONS["images"][2:5])
        _, whole = answers(RUNS["images"], QUESTIONS["images"][2:5])
        for question, (answer, _) in found.items():
            alike(whole[question][0], answer, question)


def test_files_of_several_folders_are_one_run_when_all_are_named():
    folder, other = shards_of("images"), os.path.join(FOLDER, "elsewhere")
    shutil.rmtree(other, ignore_errors=True)
    os.makedirs(other)
    os.rename(os.path.join(folder, "images.1.keylight"), os.path.join(other, "images.1.keylight"))
    question = QUESTIONS["images"][2]
    _, whole = answers(RUNS["images"], [question])
    _, found = answers(os.path.join(folder, "images.0.keylight"), [question], os.path.join(other, "images.1.keylight"),
                       os.path.join(folder, "images.2.keylight"))
    alike(whole[question][0], found[question][0], question)
    _, found = answers(folder, [question], other)  # or as folders
    alike(whole[question][0], found[question][0], question)


def sub_history(name, left_out):
    """The reader of a whole run whose patterns of some steps are as if they had not been."""
    reader = Reader(RUNS[name])
    return reader, np.array([not any(first <= step + 1 <= last for first, last in left_out) for step in reader.step_of])


def test_where_shards_are_missing_the_others_answer_and_all_say_from_how_much():
    folder = shards_of("images", 4)
    steps = {row[0]: (row[3], row[4]) for row in rows(folder, "images", 4, "shard")}
    for number in (1, 2):
        os.remove(os.path.join(folder, f"images.{number}.keylight"))
    reader, here = sub_history("images", [steps[1], steps[2]])
    share = here.mean()
    server = Server(folder)
    try:
        run = server.json("/api/v1/runs")["runs"][0]
        assert run["shards"] == {"count": 4, "missing": [1, 2], "missing_patterns": int((~here).sum()),
                                 "history_share": float(f"{share:.7g}")}, run["shards"]
        assert run["patterns"] == here.sum() and run["steps"] == len(reader.steps)
        base = f"/api/v1/runs/{run['id']}"
        sample = 3 + reader.db.execute("SELECT min(sample) FROM sample WHERE dataset = 0 AND split = 'test'").fetchone()[0]
        keys, logits = reader.forward(sample)
        c, alpha = reader.coefficients()
        for layer in (1, 2, 3):
            status, headers, body = server.ask(f"{base}/attention?sample=test/a/3&layer={layer}&k=20&views=time")
            answer = json.loads(body)
            assert status == 200, body
            assert abs(answer["history_share"] - share) < 1e-6, (answer["history_share"], share)
            assert abs(float(headers["Keylight-History-Share"]) - share) < 1e-5
            server.validate("Attention", answer)
            attention = np.where(here, reader.keys(layer) @ keys[layer - 1], 0)
            best = np.sort(np.abs(attention))[::-1][:20]
            lit = answer["spotlight"]
            assert np.allclose([abs(one["attention"]) for one in lit], best, rtol=2e-3, atol=2e-3), layer
            steps_here = {int(step) + 1 for step, is_here in zip(reader.step_of, here) if is_here}
            assert all(one["step"] in steps_here for one in lit)  # steps are those of the whole training
            for one in lit:
                same = (reader.samples == one["sample"]["id"]) & (reader.step_of + 1 == one["step"])
                assert np.isclose(attention[same], one["attention"], rtol=2e-3, atol=2e-3).any()
        given = np.where(here, c * (reader.keys(3) @ keys[2] + 1), 0) @ reader.errors(3)
        assert np.allclose(answer["correction"], given, atol=2e-2), (answer["correction"], given)
        missing = np.where(here, 0, c * (reader.keys(3) @ keys[2] + 1)) @ reader.errors(3)
        assert abs(answer["exactness"]["max_abs_error"] - np.abs(missing).max()) < 2e-2
        for question in ("/strips?sample=test/a/4", "/suspects", "/common?layer=2"):
            assert abs(server.json(base + question)["history_share"] - share) < 1e-6, question
        status, headers, body = server.ask(f"{base}/figures/strips.svg?sample=test/a/3")
        assert status == 200 and float(headers["Keylight-History-Share"]) < 1, (status, body)
        status, _, body = server.ask(f"{base}/truth", method="POST", body="{}", Content_Type="application/json")
        assert status == 400 and "shards of this run are missing" in json.loads(body)["detail"], body
        server.process.terminate()
        _, said = server.process.communicate(timeout=30)
        assert "of the shards 0 to 3 of a+b, 1 to 2 are missing: all that follows is from" in said, said
    finally:
        server.process.kill()


def test_an_answer_of_some_shards_is_never_taken_for_one_of_all():
    """Its tag is another one."""
    folder = shards_of("images")
    question = QUESTIONS["images"][2]
    _, whole = answers(folder, [question])
    os.remove(os.path.join(folder, "images.2.keylight"))
    _, part = answers(folder, [question])
    assert whole[question][1]["ETag"] != part[question][1]["ETag"]


def test_of_adam_attention_alone_is_left_without_all_shards():
    folder = shards_of("adam")
    os.remove(os.path.join(folder, "adam.1.keylight"))
    server = Server(folder)
    try:
        run = server.json("/api/v1/runs")["runs"][0]
        base = f"/api/v1/runs/{run['id']}"
        assert not run["dual"]
        answer = server.json(f"{base}/attention?sample=test/a/3&rank=abs")
        assert answer["spotlight"] and not answer["exactness"]["dual"] and answer["history_share"] < 1
        for question in ("/attention?sample=test/a/3&rank=logit", "/attention?sample=test/a/3&remove=top:3", "/suspects"):
            status, _, body = server.ask(base + question)
            assert status == 400 and "shards of this run are missing" in json.loads(body)["detail"], (question, body)
    finally:
        server.process.kill()
        server.process.communicate()


def test_commands_take_shards_and_folders_as_they_take_runs():
    folder = shards_of("images")
    shard = os.path.join(folder, "images.1.keylight")
    whole = tap.succeed("query", RUNS["images"], "--sample", "test/a/3", "--json")
    for path in (folder, shard):
        alike(json.loads(whole), json.loads(tap.succeed("query", path, "--sample", "test/a/3", "--json")))
        assert "shards     0: steps 1 to " in tap.succeed("info", path)
        alike(json.loads(tap.succeed("report", RUNS["images"], "--json")), json.loads(tap.succeed("report", path, "--json")))
        alike(json.loads(tap.succeed("suspects", RUNS["images"], "--json")), json.loads(tap.succeed("suspects", path, "--json")))
        assert "The dual form holds" in tap.succeed("verify", path)
    assert tap.succeed("verify", shards_of("text"))
    os.remove(os.path.join(folder, "images.0.keylight"))
    done = tap.run("info", shard)
    assert done.returncode == 1 and "shard 1 (of 0 to 2)" in done.stderr and "shard 0" in done.stderr, done.stderr
    folder = shards_of("images")
    os.remove(os.path.join(folder, "images.1.keylight"))
    for command in (("query", folder, "--sample", "test/a/3"), ("info", folder), ("report", folder), ("suspects", folder)):
        done = tap.run(*command)
        assert done.returncode == 0 and "1 is missing: all that follows is from" in done.stderr, (command, done.stderr)
    assert "The sum lacks what the missing shards added" in tap.succeed("query", folder, "--sample", "test/a/3")
    done = tap.run("verify", folder)
    assert done.returncode == 1 and "is what was written, but of its shards 0 to 2 these are missing: 1" in done.stderr, done.stderr
    done = tap.run("info", FOLDER)
    assert done.returncode == 1 and "more than one run" in done.stderr, done.stderr


def test_one_byte_of_any_shard_is_noticed():
    folder = shards_of("images")
    for i in range(3):
        path = os.path.join(folder, f"images.{i}.keylight")
        good = open(path, "rb").read()
        os.chmod(path, 0o644)
        for table in ("key_chunk", "showing_chunk", "shard", "run", "layer"):
            db = sqlite3.connect(path)
            column = {"key_chunk": "data", "showing_chunk": "data", "shard": "last_step", "run": "steps_done", "layer": "inputs"}[table]
            value = db.execute(f"SELECT {column} FROM {table}").fetchone()[0]
            value = value[:-1] + bytes([value[-1] ^ 1]) if isinstance(value, bytes) else value + 1
            db.execute("PRAGMA ignore_check_constraints = 1")
            db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = (SELECT min(rowid) FROM {table})", (value,))
            db.commit()
            db.close()
            done = tap.run("verify", folder)
            assert done.returncode == 1, (i, table, done.stdout)
            assert f"images.{i}.keylight" in done.stderr and "is damaged" in done.stderr, (i, table, done.stderr)
            with open(path, "wb") as file:
                file.write(good)


def test_a_shard_that_cannot_be_read_is_named_where_it_is_missed():
    folder = shards_of("images")
    path = os.path.join(folder, "images.1.keylight")
    good = open(path, "rb").read()
    os.chmod(path, 0o644)
    for bad in (good[:len(good) // 2], b"x" * len(good), b""):
        with open(path, "wb") as file:
            file.write(bad)
        for named in (folder, os.path.join(folder, "images.2.keylight")):
            done = tap.run("info", named)
            assert done.returncode == 0 and "1 is missing" in done.stderr and "images.1.keylight" in done.stderr, done.stderr
            done = tap.run("verify", named)
            assert done.returncode == 1 and "images.1.keylight" in done.stderr, done.stderr


def test_the_most_that_there_is_of_a_run_is_opened():
    """A whole run before its shards, complete ones before others, whatever their names."""
    folder, question = shards_of("images"), QUESTIONS["images"][2]
    _, whole = answers(RUNS["images"], [question])
    os.remove(os.path.join(folder, "images.0.keylight"))
    for i, name in enumerate(sorted(os.listdir(shards_of("images", 2)))):  # made anew: the folder has those of two alone
        os.rename(os.path.join(folder, name), os.path.join(folder, f"a{i}.keylight"))
    os.remove(os.path.join(folder, "a1.keylight"))
    other = os.path.join(FOLDER, "three")
    shutil.rmtree(other, ignore_errors=True)
    os.makedirs(other)
    tap.succeed("split", RUNS["images"], "--shards", "3", "--output", other)
    for name in os.listdir(other):
        shutil.copy(os.path.join(other, name), os.path.join(folder, f"b-{name}"))
    _, found = answers(folder, [question])
    alike(whole[question][0], found[question][0])
    assert tap.run("info", folder).stderr == ""
    os.remove(os.path.join(folder, "b-images.1.keylight"))
    shutil.copy(RUNS["images"], os.path.join(folder, "z.keylight"))
    _, found = answers(folder, [question])
    alike(whole[question][0], found[question][0])
    assert tap.run("info", folder).stderr == ""


def test_links_lead_to_shards():
    folder, links = shards_of("images"), os.path.join(FOLDER, "links")
    os.makedirs(links)
    os.symlink(os.path.join(folder, "images.1.keylight"), os.path.join(links, "one.keylight"))
    done = tap.run("info", os.path.join(links, "one.keylight"))
    assert done.returncode == 0 and done.stderr == "", done.stderr


def test_what_is_found_out_from_a_part_is_not_kept_for_the_whole():
    folder = shards_of("images")
    path = os.path.join(folder, "images.1.keylight")
    question = ("retrain", folder, "--sample", "test/a/3", "--without", "top:10", "--json")
    whole = json.loads(tap.succeed(*question))
    os.rename(path, path + ".away")
    part = json.loads(tap.succeed(*question))
    assert part["history_share"] < 1 and part["after"]["loss"] != whole["after"]["loss"], part
    os.rename(path + ".away", path)
    server = Server(folder)
    try:
        run = server.json("/api/v1/runs")["runs"][0]["id"]
        kept = server.json(f"/api/v1/runs/{run}/retrain?sample=test/a/3&without=top:10")
        assert "history_share" not in json.dumps(kept) and str(whole["after"]["loss"]) in json.dumps(kept), kept
    finally:
        server.process.kill()
        server.process.communicate()


def test_what_was_added_to_a_run_is_said_to_stay_beside_it():
    with open(RUNS["text"] + ".marks", "wb") as file:
        file.write(b"x")
    folder = os.path.join(FOLDER, "beside")
    done = tap.run("split", RUNS["text"], "--shards", "2", "--output", folder)
    os.remove(RUNS["text"] + ".marks")
    assert done.returncode == 0 and f"cp {RUNS['text']}.marks {folder}/text.0.keylight.marks" in done.stderr, done.stderr


def test_shards_that_do_not_belong_together_are_told():
    folder = shards_of("images")
    other = shards_of("adam")
    shutil.copy(os.path.join(other, "adam.1.keylight"), os.path.join(folder, "adam.1.keylight"))  # of another run: left out
    assert "of its shards" not in tap.run("verify", os.path.join(folder, "images.0.keylight")).stderr
    os.remove(os.path.join(folder, "adam.1.keylight"))
    path = os.path.join(folder, "images.1.keylight")
    os.chmod(path, 0o644)
    for change, says in (("first_step = first_step + 1", "not those that the other shards leave"),
                         ("last_step = 4000000000", "not those that the other shards leave"),
                         ("last_step = first_step - 1", "missing"), ("shard = 2", ""),
                         ("shards = 0", "missing"), ("shards = 1", "missing"), ("shards = 257", "missing"),
                         ("run = '0123456789abcdef'", "missing"), ("first_step = 4294967297", "missing")):
        good = open(path, "rb").read()
        db = sqlite3.connect(path)
        db.execute("PRAGMA ignore_check_constraints = 1")
        db.execute(f"UPDATE shard SET {change}")
        db.commit()
        db.close()
        sign(path)
        for command in (("verify", os.path.join(folder, "images.0.keylight")), ("info", os.path.join(folder, "images.0.keylight"))):
            done = tap.run(*command)
            assert says in done.stderr and done.returncode in (0, 1), (change, done.stderr)
        with open(path, "wb") as file:
            file.write(good)


def test_what_cannot_be_split_is_told_and_nothing_is_left():
    folder = os.path.join(FOLDER, "none")
    os.makedirs(folder, exist_ok=True)
    shard = os.path.join(shards_of("images"), "images.1.keylight")
    for arguments, says in (((RUNS["images"],), "--shards says into how many"), ((RUNS["images"], "--shards", "1"), "--shards"),
                            ((RUNS["images"], "--shards", "68"), "at most the run's steps, 67"),
                            ((RUNS["images"], "--shards", "3", "--output", os.path.join(FOLDER, "no", "where")), "cannot make the folder"),
                            ((shard, "--shards", "2", "--output", folder), "is a shard already"),
                            ((os.path.join(FOLDER, "a"), "--shards", "2"), "has no run")):
        done = tap.run("split", *arguments)
        assert done.returncode in (1, 2) and says in done.stderr and done.stderr.count("\n") == 1, (arguments, done.stderr)
        assert os.listdir(folder) == []
    tap.succeed("split", RUNS["images"], "--shards", "3", "--output", folder)
    before = digest(folder)
    done = tap.run("split", RUNS["images"], "--shards", "2", "--output", folder)
    assert done.returncode == 1 and "exists" in done.stderr and "--output" in done.stderr, done.stderr
    assert digest(folder) == before
    damaged = os.path.join(FOLDER, "damaged.keylight")
    shutil.copy(RUNS["images"], damaged)
    os.chmod(damaged, 0o644)
    db = sqlite3.connect(damaged)
    first, data = db.execute("SELECT rowid, data FROM key_chunk LIMIT 1").fetchone()
    db.execute("UPDATE key_chunk SET data = ? WHERE rowid = ?", (data[:-1] + bytes([data[-1] ^ 1]), first))
    db.commit()
    db.close()
    done = tap.run("split", damaged, "--shards", "3")
    assert done.returncode == 1 and "key_chunk" in done.stderr and "is damaged" in done.stderr, done.stderr
    assert not [name for name in os.listdir(FOLDER) if name.startswith("damaged.") and name != "damaged.keylight"]


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
