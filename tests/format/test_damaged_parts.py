"""What is whole of a damaged run can still be read: serve says which layer is damaged, refuses what needs it, and answers the rest as
it was written."""
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
from reader import sign  # noqa: E402


def set_up():
    global RUN, TEXT, SPARSE
    RUN = tap.train_strokes(FOLDER)
    with open(os.path.join(FOLDER, "text.txt"), "w") as file:
        file.write("She sells sea shells. They shine on the shore, and she is sure of it.\n" * 40)
    TEXT = os.path.join(FOLDER, "text.keylight")
    SPARSE = os.path.join(FOLDER, "sparse.keylight")
    for run, options in ((TEXT, ()), (SPARSE, ("--error-entries", "3"))):
        tap.succeed("train", "--data", f"shells={FOLDER}/text.txt", "--tokens", "words", "--hidden", "16", "--embedding", "8", "--steps", "40",
                    "--batch", "8", "--output", run, "--quiet", *options)


def harmed(run, table, layer, signed=False):
    """A copy with one chunk that is not what was written; signed: whose checksum is right all the same."""
    copy = os.path.join(FOLDER, "harmed.keylight")
    if os.path.exists(copy):
        os.remove(copy)
    shutil.copyfile(run, copy)
    os.chmod(copy, 0o600)
    with sqlite3.connect(copy) as db:
        where = "1" if layer is None else f"layer = {layer}"
        rowid, data = db.execute(f"SELECT rowid, data FROM {table} WHERE {where} ORDER BY rowid DESC LIMIT 1").fetchone()
        if signed:
            db.execute(f"UPDATE {table} SET first = first + 1 WHERE rowid = ?", (rowid,))
        else:
            db.execute(f"UPDATE {table} SET data = ? WHERE rowid = ?", (data[:-1] + bytes([data[-1] ^ 1]), rowid))
    db.close()
    if signed:
        sign(copy)
    return copy


def answers(server, samples, layers):
    """By what is asked for, what the server says to it."""
    run, = server.json("/api/v1/runs")["runs"]
    asked = ["answer?sample=" + samples, "views/learning?sample=" + samples]
    asked += [f"spotlight?sample={samples}&layer={layer}&rank=abs&k=5" for layer in range(1, layers + 1)]
    asked.append(f"spotlight?sample={samples}&rank=effect&k=5")  # which is of all layers
    return run, {path: server.ask(f"/api/v1/runs/{run['id']}/{path}") for path in asked}


def without_times(content):
    """What an answer says, but not how long it took, nor of which run, which chunks out of their place make another one."""
    def plain(value):
        if isinstance(value, dict):
            return {name: plain(member) for name, member in value.items() if name != "run" and "_ms" not in name and name != "timings"}
        return [plain(member) for member in value] if isinstance(value, list) else value
    return plain(json.loads(content))


def end(server):
    server.process.send_signal(signal.SIGTERM)
    _, errors = server.process.communicate(timeout=30)
    assert server.process.returncode == 0
    return errors


def wait_for_damage(server):
    """The runs, once the server has looked through them: it does so while it serves."""
    for _ in range(200):
        runs = server.json("/api/v1/runs")["runs"]
        if "damaged" in runs[0]:
            break
        time.sleep(0.05)
    return runs


def is_served_but_for(run, sample, table, layer, signed=False, is_derived=False, streams=False):
    """is_derived: what is asked of the layers before needs this one, too; streams: nothing is kept in memory, so that what is damaged comes out
    when it is read for the first time."""
    words = ("--memory", "0") if streams else ()
    sound = Server(run, *words)
    layers = len(sound.json("/api/v1/runs")["runs"][0]["layers"])
    _, before = answers(sound, sample, layers)
    sound.stop()
    copy = harmed(run, table, layer, signed)
    server = Server(copy, *words)
    at, after = answers(server, sample, layers)
    of = layer or 1
    if streams:
        assert "damaged" not in at, at["damaged"]
    else:
        at = wait_for_damage(server)[0]
        assert [damage["layer"] for damage in at["damaged"]] == [of] and table in at["damaged"][0]["what"], at["damaged"]
    server.validate("Run", server.json(f"/api/v1/runs/{at['id']}"))
    refused = set()
    for path, (status, _, content) in after.items():
        if status == 500:
            detail = json.loads(content)["detail"]
            assert "is damaged: " in detail and table in detail and "restore it from a copy" in detail and "/" not in detail, detail
            refused.add(path)
        else:
            assert status == before[path][0], (path, status, content)
            if status == 200:
                assert without_times(content) == without_times(before[path][2]), path
    first = 1 if is_derived else of
    needed = {path for path in after if "rank=effect" in path or any(f"layer={needing}&" in path for needing in range(first, of + 1))}
    if of == layers:  # the answer says what training added there
        needed.add(f"answer?sample={sample}")
    assert refused == needed, (table, layer, refused)
    errors = end(server)
    assert not errors if streams else errors.count("\n") == 1 and f"needs layer {of} is refused" in errors and "the rest is served" in errors, errors
    done = tap.run("verify", copy)
    assert done.returncode != 0 and "is damaged" in done.stderr, done


def test_one_layer_is_refused_and_the_others_are_answered():
    with sqlite3.connect(RUN) as db:
        n_layers, = db.execute("SELECT count(*) FROM layer").fetchone()
    db.close()
    for layer in range(1, n_layers + 1):
        is_served_but_for(RUN, "test/strokes/3", "error_chunk", layer)
        if layer > 1:
            is_served_but_for(RUN, "test/strokes/3", "key_chunk", layer)
    is_served_but_for(RUN, "test/strokes/3", "image_chunk", None)


def test_what_streams_is_looked_at_when_it_is_first_read():
    for table, layer in (("error_chunk", 2), ("key_chunk", 2), ("key_chunk", 3), ("image_chunk", None)):
        is_served_but_for(RUN, "test/strokes/3", table, layer, streams=True)


def test_chunks_that_are_out_of_their_place_are_told_too():
    is_served_but_for(RUN, "test/strokes/3", "key_chunk", 2, signed=True)
    is_served_but_for(RUN, "test/strokes/3", "error_chunk", 1, signed=True)


def test_of_a_text_likewise():
    is_served_but_for(TEXT, "test/shells/30", "key_chunk", 2, is_derived=True)
    is_served_but_for(TEXT, "test/shells/30", "error_chunk", 2, is_derived=True)
    for streams in (False, True):
        is_served_but_for(SPARSE, "test/shells/30", "sparse_error_chunk", 2, is_derived=True, streams=streams)


def test_a_healthy_run_beside_it_is_served():
    server = Server(harmed(RUN, "key_chunk", 2), TEXT)
    runs = wait_for_damage(server)
    assert ["damaged" in run for run in runs] == [True, False]
    end(server)


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
