"""Several processes that mpirun starts answer together what one process answers that has the whole run."""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402
from client import Server  # noqa: E402
from sets import QUESTIONS, RUNS, alike, answers, make_runs, shards_of  # noqa: E402

# As root, too, without ssh, and without a warning that a machine in a container gives each time.
os.environ.update(OMPI_MCA_plm="isolated", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                  OMPI_MCA_btl_vader_single_copy_mechanism="none")
if os.environ.get("KEYLIGHT_BUILD") == "sanitize":  # what MPI leaks has no name once its modules are gone
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"


def under(n):
    return ["mpirun", "--oversubscribe", "--bind-to", "none", "--quiet", "-n", str(n)]


def set_up():
    if not shutil.which("mpirun") or "without MPI" in run(2, "--version").stderr:
        raise tap.Skip("mpirun, or keylight built with MPI, is missing")
    make_runs(FOLDER)


def run(n, *arguments, **options):
    """keylight by n processes; returns the completed process."""
    return subprocess.run([*under(n), tap.KEYLIGHT, *map(str, arguments)], capture_output=True, text=True, timeout=240, **options)


def job(name, n, n_shards=None, *more):
    return Server(shards_of(name, n_shards or n), *more, under=under(n))


def ranks_of(server):
    """The processes that compute, by their number: those that mpirun started wait for them."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = dict(one.split(b"=", 1) for one in file.read().split(b"\0") if b"=" in one)
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                parent = int(file.read().split("PPid:")[1].split()[0])
            with open(f"/proc/{parent}/comm", encoding="ascii") as file:
                is_waited_for = file.read().strip() == "keylight"
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                is_ours = server.folder.encode() in file.read()
        except (OSError, IndexError):
            continue
        if is_ours and is_waited_for and b"OMPI_COMM_WORLD_RANK" in environment:
            found[int(environment[b"OMPI_COMM_WORLD_RANK"])] = int(pid)
    return found


def run_id(server):
    return server.json("/api/v1/runs")["runs"][0]["id"]


def finish(server):
    """Ends a job by a signal to mpirun, which hands it on; returns what was said."""
    server.process.send_signal(signal.SIGTERM)
    return server.process.communicate(timeout=60)


def test_every_question_is_answered_as_by_one_process_that_has_the_whole_run():
    for name, n in (("images", 3), ("images", 2), ("text", 3), ("adam", 3)):
        whole_id, whole = answers(RUNS[name], QUESTIONS[name])
        job_id, shared = answers(shards_of(name, 5), QUESTIONS[name], under=under(n))
        assert job_id == whole_id
        for question in QUESTIONS[name]:
            alike(whole[question][0], shared[question][0], f"{n} {question}")
            assert shared[question][1].get("Keylight-History-Share") is None


def test_drawings_texts_and_figures_too():
    questions = {
        "images": [("/spotlight", {"pixels": [3 * i % 256 for i in range(made_size())], "layer": 2}),
                   ("/strips", {"pixels": [7 * i % 256 for i in range(made_size())]}),
                   ("/figures/wall.svg?sample=test/a/3&layer=2&rank=abs", None), ("/figures/matrix.svg?sample=test/a/3", None),
                   ("/why?sample=test/a/3&training=train/a/7", None), ("/views/curves?sample=test/b/1&layer=1", None), ("/map", None)],
        "text": [("/heat", {"text": "the tale of", "layer": 1}), ("/strips", {"text": "once upon"}),
                 ("/figures/along.svg?sample=test/tale/30&layer=1", None), ("/spotlight?sample=test/tale/30&rank=influence&by=sample", None)]}
    for name, asked in questions.items():
        both = []
        for server in (Server(RUNS[name]), job(name, 3)):
            found = []
            for path, body in asked:
                options = {"method": "POST", "body": json.dumps(body), "Content_Type": "application/json"} if body else {}
                found.append(server.ask(f"/api/v1/runs/{run_id(server)}{path}", **options))
            both.append(found)
            finish(server)
        for (path, _), (status, headers, whole), (other, _, shared) in zip(asked, *both):
            assert status == other == 200, (path, status, whole, other, shared)
            if "json" in headers["Content-Type"]:
                alike(json.loads(whole), json.loads(shared), path)
            else:
                assert whole == shared, path


def made_size():
    whole = json.loads(tap.succeed("info", RUNS["images"], "--json"))
    return whole["layers"][0]["inputs"] if "layers" in whole else whole["training"]["shape"][0]


def test_the_command_line_too():
    folder = shards_of("images", 4)
    for arguments in (("query", "--sample", "test/a/3", "--json"), ("report", "--json"), ("suspects", "--json"),
                      ("influence", "--check", "3", "--leave", "0.3", "--queries", "4", "--json"),
                      ("retrain", "--sample", "test/a/3", "--without", "top:9", "--json")):
        whole = tap.succeed(arguments[0], RUNS["images"], *arguments[1:])
        done = run(3, arguments[0], folder, *arguments[1:])
        assert done.returncode == 0, (arguments, done.stderr)
        alike(json.loads(whole), json.loads(done.stdout), str(arguments))
    for arguments in (("retrain", "--sample", "test/a/3", "--without", "top:9"), ("influence", "--sample", "test/a/3", "--top", "3")):
        done = run(3, arguments[0], folder, *arguments[1:])
        assert done.returncode == 0 and "killed" not in done.stderr and len(done.stdout.splitlines()) > 3, (arguments, done.stderr, done.stdout)
    done = run(2, "figure", folder, "--view", "layers", "--sample", "test/a/3", "--output", os.path.join(FOLDER, "job.svg"))
    assert done.returncode == 0, done.stderr
    tap.succeed("figure", RUNS["images"], "--view", "layers", "--sample", "test/a/3", "--output", os.path.join(FOLDER, "one.svg"))
    with open(os.path.join(FOLDER, "job.svg"), encoding="utf-8") as one, open(os.path.join(FOLDER, "one.svg"), encoding="utf-8") as other:
        assert one.read() == other.read()


def test_machines_need_not_be_alike():
    folder = shards_of("images", 3)
    for arguments in (("report", "--json"), ("suspects", "--json")):
        whole = tap.succeed(arguments[0], RUNS["images"], *arguments[1:])
        command = [tap.KEYLIGHT, arguments[0], folder, *arguments[1:]]
        done = subprocess.run([*under(1), "taskset", "-c", "0", *command, ":", "-n", "2", *command], capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        alike(json.loads(whole), json.loads(done.stdout), str(arguments))
    question = [tap.KEYLIGHT, "query", folder, "--sample"]
    done = subprocess.run([*under(1), *question, "test/a/3", ":", "-n", "1", *question, "test/a/4"], capture_output=True, text=True, timeout=240)
    assert done.returncode == 2 and "other words" in done.stderr and done.stderr.count("keylight: ") == 1, (done.returncode, done.stderr)


def test_what_a_job_cannot_do_is_said_once_with_what_helps():
    for n, arguments, says in ((2, ("query", RUNS["images"], "--sample", "test/a/3"), "split"),
                               (4, ("query", shards_of("images", 3), "--sample", "test/a/3"), "none is left for process 3"),
                               (2, ("train", "--data", "strokes", "--output", os.path.join(FOLDER, "no.keylight")), "without mpirun"),
                               (2, ("query", os.path.join(FOLDER, "nowhere"), "--sample", "test/a/3"), "nowhere"),
                               (2, ("query", shards_of("text", 2), "--sample", "test/tale/999999"), "sample")):
        done = run(n, *arguments)
        said = [line for line in done.stderr.splitlines() if line.startswith("keylight: ")]
        assert done.returncode != 0 and len(said) == 1 and says in said[0], (arguments, done.returncode, done.stderr)
        assert done.stdout == ""
    assert not os.path.exists(os.path.join(FOLDER, "no.keylight"))


def test_missing_shards_are_said_and_the_rest_answers():
    folder = shards_of("images", 5)
    os.remove(os.path.join(folder, "images.3.keylight"))
    question = "/attention?sample=test/a/3&views=time"
    one_id, one = answers(folder, [question])
    job_id, shared = answers(folder, [question], under=under(2))
    assert one_id == job_id
    alike(one[question][0], shared[question][0])
    assert 0.7 < shared[question][0]["history_share"] < 0.9
    assert shared[question][1]["Keylight-History-Share"] == one[question][1]["Keylight-History-Share"]


def test_what_one_process_finds_damaged_all_refuse_and_go_on():
    server = job("images", 3)
    path = os.path.join(server.folder, "images.2.keylight")
    finish(server)
    os.chmod(path, 0o644)
    db = sqlite3.connect(path)
    rowid, data = db.execute("SELECT rowid, data FROM key_chunk WHERE layer = 2 LIMIT 1").fetchone()
    db.execute("UPDATE key_chunk SET data = ? WHERE rowid = ?", (data[:-1] + bytes([data[-1] ^ 1]), rowid))
    db.commit()
    db.close()
    server = Server(server.folder, under=under(3))
    try:
        for _ in range(2):
            status, _, body = server.ask(f"/api/v1/runs/{run_id(server)}/attention?sample=test/a/3&layer=2")
            assert status == 500 and "key_chunk" in json.loads(body)["detail"], (status, body)
            status, _, body = server.ask(f"/api/v1/runs/{run_id(server)}/spotlight?sample=test/a/3&layer=3&contributions=no")
            assert status == 200, (status, body)
    finally:
        finish(server)


def test_a_shard_that_is_cut_off_while_it_is_served_is_no_answer():
    server = job("images", 3)
    path = os.path.join(server.folder, "images.2.keylight")
    try:
        question = f"/api/v1/runs/{run_id(server)}/spotlight?layer=2&sample=test/a/"
        assert server.ask(question + "1")[0] == 200
        os.chmod(path, 0o644)
        os.truncate(path, 4096)
        for sample in (2, 1):
            status, _, body = server.ask(f"{question}{sample}&k=7")
            assert status == 500 and "cut off" in json.loads(body)["detail"], (status, body)
    finally:
        finish(server)


def test_one_run_that_cannot_be_opened_leaves_the_others():
    folder = os.path.join(FOLDER, "two")
    os.makedirs(folder)
    for name in ("images", "adam"):
        for file in os.listdir(shards_of(name, 3)):
            shutil.copy(os.path.join(shards_of(name, 3), file), folder)
    path = os.path.join(folder, "images.2.keylight")
    os.chmod(path, 0o644)
    db = sqlite3.connect(path)
    db.execute("DELETE FROM showing_chunk")
    db.commit()
    db.close()
    server = Server(folder, under=under(3))
    runs = server.json("/api/v1/runs")["runs"]
    assert len(runs) == 1, runs
    assert server.ask(f"/api/v1/runs/{runs[0]['id']}/strips?sample=test/a/3")[0] == 200
    _, errors = finish(server)
    said = [line for line in errors.splitlines() if line.startswith("keylight: ")]
    assert len(said) == 1 and "left out" in said[0] and "images.2.keylight is damaged" in said[0] and "process 2" in said[0], errors


def test_many_ask_at_once():
    server = job("images", 3)
    try:
        whole_id, failures = run_id(server), []
        paths = [f"/api/v1/runs/{whole_id}/attention?sample=test/a/{i % 6}&layer={1 + i % 3}" for i in range(24)] + \
                [f"/api/v1/runs/{whole_id}/samples?limit=3", f"/api/v1/runs/{whole_id}", "/r/nothing"] * 8
        first = {path: server.ask(path)[2] for path in paths}

        def ask(path):
            body = server.ask(path)[2]
            if "json" in path or body != first[path]:
                try:
                    alike(json.loads(first[path]), json.loads(body))
                except (AssertionError, ValueError) as failure:
                    failures.append((path, failure))

        threads = [threading.Thread(target=ask, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures[:3]
    finally:
        finish(server)


def test_training_is_left_to_the_command_line():
    server = job("images", 2)
    try:
        server.problem(f"/api/v1/runs/{run_id(server)}/retrain", 400, method="POST", body='{"without": "top:3", "sample": "test/a/3"}',
                       Content_Type="application/json")
    finally:
        finish(server)


def test_a_killed_process_ends_the_job_and_its_shards_are_named():
    for number, says in ((2, "shards 4, 5 of"), (0, "shards 0, 1 of")):
        server = job("images", 3, 6)
        assert server.ask(f"/api/v1/runs/{run_id(server)}/strips?sample=test/a/3")[0] == 200
        ranks = ranks_of(server)
        assert sorted(ranks) == [0, 1, 2], ranks
        os.kill(ranks[number], signal.SIGKILL)
        _, errors = server.process.communicate(timeout=60)
        said = [line for line in errors.splitlines() if line.startswith("keylight: ")]
        assert server.process.returncode != 0 and len(said) == 1, (server.process.returncode, errors)
        assert f"process {number} of 3" in said[0] and says in said[0] and "start it again" in said[0], said
        deadline = time.monotonic() + 20
        while ranks_of(server) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not ranks_of(server)


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
