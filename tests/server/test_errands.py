"""What takes training, asked of a real server: begun, followed, cancelled, kept beside the run."""
import json
import os
import shutil
import signal
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402
from client import Server  # noqa: E402
from text_reader import train_text  # noqa: E402

SERVER = RUN = API = None
LONG = {"check": 10000, "queries": 1}


def set_up():
    global SERVER, RUN, API
    RUN = tap.train_strokes(FOLDER, "run.keylight", "--momentum", "0.9")
    SERVER = Server(RUN)
    API = f"/api/v1/runs/{json.loads(tap.succeed('info', RUN, '--json'))['id']}/"


def tear_down():
    if SERVER and SERVER.process.poll() is None:
        SERVER.process.kill()


def post(kind, server=None, **words):
    status, headers, content = (server or SERVER).ask(API + kind, "POST", json.dumps(words), Content_Type="application/json")
    return status, headers, json.loads(content)


def begun(kind, **words):
    status, _, said = post(kind, **words)
    assert status == 200 and said["state"] in ("waiting", "running", "done"), (status, said)
    return said


def look(kind, server=None, **words):
    return (server or SERVER).json(API + kind + ("?" if words else "") + "&".join(f"{word}={value}" for word, value in words.items()))


def wait_for(kind, *states, **words):
    for _ in range(600):
        said = look(kind, **words)
        if said["state"] in states:
            return said
        time.sleep(0.05)
    raise AssertionError(said)


def without_times(answer):
    return {name: value for name, value in answer.items() if name != "seconds"}


def close_to(mine, theirs):
    """The same answer, but for the last digits: BLAS has another number of threads there."""
    if isinstance(mine, dict):
        return mine.keys() == theirs.keys() and all(close_to(mine[name], theirs[name]) for name in mine)
    if isinstance(mine, list):
        return len(mine) == len(theirs) and all(map(close_to, mine, theirs))
    return mine == theirs or isinstance(mine, float) and abs(mine - theirs) <= 1e-3 * max(abs(mine), 1)


def test_a_run_says_what_it_can():
    assert SERVER.json(API[:-1])["errands"] == ["retrain", "walk", "truth", "votes"]


def test_retraining_is_a_job_and_its_answer_that_of_the_command_line():
    words = {"sample": "test/strokes/5", "without": "top:3"}
    assert look("retrain", **words) == {"state": "none", "training_seconds": None}
    begun("retrain", **words)
    answer = wait_for("retrain", "done", **words)["answer"]
    copy = shutil.copy(RUN, os.path.join(FOLDER, "copy.keylight"))
    printed = json.loads(tap.succeed("retrain", copy, "--sample", "test/strokes/5", "--without", "top:3", "--json"))
    assert close_to(without_times(answer), without_times(printed)), (answer, printed)
    assert look("retrain", sample="test/strokes/5", without="top:4")["training_seconds"] == answer["seconds"]
    assert begun("retrain", **words)["answer"] == answer  # and is not done again


def test_a_walk_and_a_check_are_too():
    begun("walk", sample="test/strokes/5")
    begun("truth", check=4, queries=2, leave=0.25)
    begun("retrain", without="class:3")
    walked = wait_for("walk", "done", sample="test/strokes/5")["answer"]
    (missed,) = walked["queries"]
    assert missed["sample"]["index"] == 5 and missed["influence"][0]["influence"] > 0 > missed["hindrance"][0]["influence"]
    told = wait_for("truth", "done", check=4, queries=2, leave=0.25)["answer"]
    assert [one["rank"] for one in told["scores"]] == ["abs", "cosine", "proponents", "influence", "walk"]
    assert look("truth")["answer"] == told  # whatever was asked for last
    alone = wait_for("retrain", "done", without="class:3")["answer"]
    assert "sample" not in alone and alone["after"]["test_accuracy"] < alone["before"]["test_accuracy"]


def test_answers_are_as_the_description_says():
    import jsonschema
    schemas = SERVER.json("/api/v1/openapi.json")["components"]
    for name, document in (("RetrainJob", look("retrain", sample="test/strokes/5", without="top:3")), ("RetrainJob", look("retrain", without="class:3")),
                           ("RetrainJob", look("retrain", without="class:0")), ("WalkJob", look("walk", sample="test/strokes/5")),
                           ("TruthJob", look("truth"))):
        validator = jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": schemas})
        wrong = [error.message[:200] for error in validator.iter_errors(document)]
        assert not wrong, (name, wrong)


def test_what_was_found_is_there_after_a_restart():
    first = look("retrain", sample="test/strokes/5", without="top:3")
    server = Server(RUN)
    assert look("retrain", server, sample="test/strokes/5", without="top:3") == first
    assert look("walk", server, sample="test/strokes/5")["state"] == "done" and look("truth", server)["state"] == "done"
    server.stop()


def test_a_sample_has_one_name():
    run = SERVER.json(API[:-1])
    number = run["datasets"][0]["splits"]["test"]["first_sample"] + 5
    assert look("retrain", sample=number, without="top:3")["state"] == "done"


def test_progress_is_told_and_a_job_can_be_cancelled():
    begun("truth", **LONG)
    waiting = begun("retrain", without="class:1", seed=3)
    assert waiting["state"] == "waiting" and waiting["before"] == 1
    for _ in range(200):
        said = look("truth", **LONG)
        if said["state"] == "running" and said["done"]:
            break
        time.sleep(0.05)
    assert 0 < said["done"] < said["total"] and said["seconds"] >= 0
    assert wait_for("truth", "running", **LONG)["done"] >= said["done"]
    assert post("truth", cancel=True, **LONG)[0] == 200
    assert wait_for("truth", "cancelled", **LONG)["state"] == "cancelled"
    assert wait_for("retrain", "done", without="class:1", seed=3)["answer"]["seed"] == 3
    begun("truth", **LONG)  # again
    begun("retrain", without="class:1", seed=4)
    assert post("retrain", cancel=True, without="class:1", seed=4)[2]["state"] == "cancelled"
    post("truth", cancel=True, **LONG)
    wait_for("truth", "cancelled", **LONG)


def test_answers_go_on_while_it_trains():
    begun("truth", **LONG)
    wait_for("truth", "running", **LONG)
    for sample in range(5):
        assert SERVER.json(f"{API}spotlight?sample=test/strokes/{sample}&rank=influence")["spotlight"]
    post("truth", cancel=True, **LONG)
    wait_for("truth", "cancelled", **LONG)


def test_too_many_are_refused():
    begun("truth", **LONG)
    wait_for("truth", "running", **LONG)
    said = [post("retrain", without=f"class:{c}", seed=s) for c in range(3) for s in range(3)]
    assert [status for status, *_ in said] == [200] * 8 + [503]
    assert said[-1][1]["Retry-After"] == "10" and "wait already" in said[-1][2]["detail"]
    for c in range(3):
        for s in range(3):
            post("retrain", cancel=True, without=f"class:{c}", seed=s)
    post("truth", cancel=True, **LONG)
    wait_for("truth", "cancelled", **LONG)


def test_what_makes_no_sense_is_refused():
    for kind, words, parameter, sentence in (
            ("retrain", {}, "without", "say who is left out"), ("retrain", {"without": "top:3"}, "sample", "name the sample"),
            ("retrain", {"without": "steps:1-2"}, "without", "not steps"), ("retrain", {"without": "all"}, "without", "not all"),
            ("retrain", {"without": "class:1", "parts": "1/2"}, "parts", "has no word"),
            ("walk", {}, "sample", "name the samples"), ("walk", {"sample": "test/strokes/5", "parts": "3/2"}, "parts", "6/15"),
            ("truth", {"check": 2}, "check", "3 to 10000"), ("truth", {"leave": 2}, "leave", "share"),
            ("truth", {"check": [1]}, "check", "a text or a number")):
        status, _, said = post(kind, **words)
        assert status == 400 and said["parameter"] == parameter and sentence in said["detail"], (kind, words, status, said)
    assert SERVER.ask(API + "retrain", "POST", "[]", Content_Type="application/json")[0] == 400
    assert SERVER.ask(API + "truth?check=3&check=3")[0] == 400
    for body in ('{"without": "class:3"} more', '{"without": "class:3", "without": "class:4"}', '{"without": "class:3", "cancel": "yes"}'):
        assert SERVER.ask(API + "retrain", "POST", body, Content_Type="application/json")[0] == 400, body
    for words in ({"sample": "test/strokes/99999"}, {"sample": "test/strokes/5,test/strokes/6", "without": "class:1"}):
        assert post("retrain" if "without" in words else "walk", **words)[0] == 404
    assert SERVER.ask(API + "truth", "POST", "{}", Content_Type="text/plain")[0] == 415
    assert post("truth", check=3, leave=0.00001)[0] == 200
    assert "leaves out none" in wait_for("truth", "failed", check=3, leave="0.00001")["note"]


def test_other_runs_say_that_they_cannot():
    text = train_text(FOLDER, "words", "--tokens", "words")
    alone = tap.train_strokes(FOLDER, "alone.keylight", "--attention-only", "--optimiser", "adam", "--momentum", "0")
    server = Server(text, alone)
    for path, errands in ((text, ["retrain", "walk", "truth"]), (alone, ["retrain", "walk", "votes"])):
        api = f"/api/v1/runs/{json.loads(tap.succeed('info', path, '--json'))['id']}"
        assert server.json(api)["errands"] == errands
        for kind in {"retrain", "walk", "truth", "votes"} - set(errands):
            status, _, content = server.ask(f"{api}/{kind}?sample=test/strokes/0")
            assert status == 400 and FOLDER.encode() not in content, (kind, status, content)
    api = f"/api/v1/runs/{json.loads(tap.succeed('info', text, '--json'))['id']}/"
    for kind, words in (("walk", {"sample": "test/tale/7"}), ("retrain", {"sample": "test/tale/7", "without": "top:5"})):
        assert server.ask(api + kind, "POST", json.dumps(words), Content_Type="application/json")[0] == 200
        while (said := server.json(f"{api}{kind}?" + "&".join("=".join(pair) for pair in words.items())))["state"] in ("waiting", "running"):
            time.sleep(0.05)
        assert said["state"] == "done" and said["answer"]["seconds"] > 0, said
    server.stop()


def test_a_folder_is_all_its_runs():
    folder = os.path.join(FOLDER, "runs")
    os.makedirs(folder)
    for name in ("b", "a"):
        tap.train_strokes(folder, f"{name}.keylight", "--seed", "7" if name == "a" else "8")
    shutil.copy(os.path.join(folder, "a.keylight"), os.path.join(folder, "copy.keylight"))
    with open(os.path.join(folder, "torn.keylight"), "w", encoding="utf-8") as file:
        file.write("no run")
    server = Server(folder, RUN)
    assert [run["file"] for run in server.json("/api/v1/runs")["runs"]] == ["run.keylight", "a.keylight", "b.keylight"]
    server.process.send_signal(signal.SIGTERM)
    _, errors = server.process.communicate(timeout=30)
    assert server.process.returncode == 0 and errors.count("left out") == 1 and "torn.keylight" in errors, errors
    os.makedirs(os.path.join(FOLDER, "empty"))
    for arguments, words in (((os.path.join(FOLDER, "empty"),), "has no runs"), ((RUN, RUN), "are the same run")):
        done = tap.run("serve", *arguments)
        assert done.returncode != 0 and words in done.stderr, (arguments, done.stderr)


def test_a_file_of_another_run_is_left_alone():
    path = tap.train_strokes(FOLDER, "other.keylight", "--seed", "5")
    shutil.copy(RUN + ".results", path + ".results")
    before = open(path + ".results", "rb").read()
    server = Server(path)
    api = f"/api/v1/runs/{json.loads(tap.succeed('info', path, '--json'))['id']}/"
    status, _, content = server.ask(api + "retrain?without=class:1")
    assert status == 500 and b"results of another run" in content, (status, content)
    assert server.ask(api[:-1])[0] == 200
    server.stop()
    assert open(path + ".results", "rb").read() == before


def test_an_answer_that_cannot_be_kept_is_given():
    folder = os.path.join(FOLDER, "full")
    os.makedirs(folder)
    path = shutil.copy(RUN, folder)
    os.symlink("/dev/full", path + ".results")
    done = tap.run("retrain", path, "--without", "class:1", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["without"] and "not kept beside the run" in done.stderr


def mark(sample, decision):
    status, _, content = SERVER.ask(API + "marks", "POST", json.dumps({"sample": sample, "decision": decision}), Content_Type="application/json")
    assert status == 200, content


def test_who_is_marked_is_settled_when_it_is_asked():
    status, _, said = post("retrain", without="marked")
    assert status == 400 and "marked as wrong" in said["detail"]
    mark(1, "wrong")
    begun("truth", **LONG)  # what follows has to wait
    begun("retrain", without="marked")
    mark(2, "wrong")
    mark(3, "wrong")
    assert look("retrain", without="marked")["state"] == "none"  # of three
    begun("retrain", without="marked")
    mark(3, None)
    mark(2, None)
    post("truth", cancel=True, **LONG)
    assert wait_for("retrain", "done", without="marked")["answer"]["without"] == 1
    mark(2, "wrong")
    mark(3, "wrong")
    assert wait_for("retrain", "done", without="marked")["answer"]["without"] == 3
    with sqlite3.connect(RUN + ".results") as db:
        kept = [json.loads(answer)["without"] for answer, in db.execute("SELECT answer FROM result WHERE question LIKE '%marked%' ORDER BY number")]
    assert kept == [1, 3]


def test_what_was_cancelled_can_be_wanted_again():
    begun("truth", **LONG)
    wait_for("truth", "running", **LONG)
    post("truth", cancel=True, **LONG)
    begun("truth", **LONG)
    time.sleep(0.5)
    assert look("truth", **LONG)["state"] in ("waiting", "running")
    post("truth", cancel=True, **LONG)
    wait_for("truth", "cancelled", **LONG)


def test_several_samples_are_found_again_together_and_alone():
    begun("walk", sample="test/strokes/1,test/strokes/2", damping=1.25)
    both = wait_for("walk", "done", sample="test/strokes/1,test/strokes/2", damping=1.25)["answer"]
    server = Server(RUN)
    assert look("walk", server, sample="test/strokes/1,test/strokes/2", damping=1.25)["answer"] == both
    assert look("walk", server, sample="test/strokes/2", damping=1.25)["answer"]["queries"] == both["queries"][1:]
    assert look("walk", server, sample="test/strokes/2", damping="1.2500000001")["state"] == "none"
    server.stop()


def test_what_is_kept_and_is_no_answer_is_not_passed_on():
    with sqlite3.connect(RUN + ".results") as db:
        db.execute("INSERT INTO result (kind, question, answer) VALUES ('retrain', 'without=class:9&seed=99', '}{ evil')")
    db.close()
    status, _, content = SERVER.ask(API + "retrain?without=class:9&seed=99")
    assert status == 500 and b"cannot be read" in content


def test_votes_are_those_of_the_class_totals_and_filter_the_samples():
    status, _, said = SERVER.ask(API + "samples?split=test&vote=differs")
    assert status == 404 and json.loads(said)["parameter"] == "vote" and "not counted yet" in json.loads(said)["detail"]
    assert SERVER.ask(API + "samples?vote=perhaps")[0] == 400
    begun("votes")
    answer = wait_for("votes", "done")["answer"]
    run = SERVER.json(API[:-1])
    first, n = (run["datasets"][0]["splits"]["test"][name] for name in ("first_sample", "samples"))
    assert answer["asked"] == n == 1000
    differing = {one["sample"]: one for one in answer["differing"]}
    for sample in [*range(first, first + 40), *list(differing)[:20]]:
        totals = SERVER.json(API + f"views/classes?sample={sample}")
        vote = max(totals["by_class"], key=lambda one: one["sum_abs"])["label"]
        assert (vote != totals["predicted"]) == (sample in differing), sample
        if sample in differing:
            assert (differing[sample]["vote"], differing[sample]["predicted"]) == (vote, totals["predicted"])
    pages = {vote: SERVER.json(API + f"samples?split=test&vote={vote}&limit=1000") for vote in ("differs", "agrees")}
    assert [one["id"] for one in pages["differs"]["samples"]] == sorted(differing)
    assert pages["agrees"]["total"] == n - len(differing)
    wrong = SERVER.json(API + "samples?split=test&vote=differs&correct=false&limit=1000")["samples"]
    assert {one["id"] for one in wrong} == {one["id"] for one in pages["differs"]["samples"] if not one["correct"]}
    assert SERVER.json(API + "samples?split=train&vote=agrees")["total"] == 0  # of those it was trained on nobody asked


def test_it_ends_with_the_server():
    begun("truth", **LONG)
    wait_for("truth", "running", **LONG)
    started = time.monotonic()
    SERVER.stop()
    assert time.monotonic() - started < 10
    with sqlite3.connect(RUN + ".results") as db:
        assert db.execute("SELECT count(*) FROM result WHERE question LIKE '%10000%'").fetchone() == (0,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


if __name__ == "__main__":
    tap.main(sys.modules["__main__"])
