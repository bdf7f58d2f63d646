"""Files that a stranger made on purpose, with checksums that are right: what they define is not run, what has no end is
not waited for, and numbers are read as what they are."""
import os
import shutil
import sqlite3
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402
from reader import sign, tables  # noqa: E402

READERS = (("info",), ("verify",), ("query", "--sample", "test/strokes/3"), ("report", "--samples", "20"), ("suspects",),
           ("serve", "--port", "0"))
PAGE = 65536


def set_up():
    global RUN, UNFINISHED
    RUN, UNFINISHED = tap.train_strokes(FOLDER), tap.stopped_training(FOLDER)


def changed(source, sql, *values):
    """A copy of a run that another program changed."""
    for suffix in ("", ".part"):
        if os.path.exists(os.path.join(FOLDER, "changed.keylight" + suffix)):
            os.remove(os.path.join(FOLDER, "changed.keylight" + suffix))
    path = os.path.join(FOLDER, "changed.keylight" + (".part" if source.endswith(".part") else ""))
    shutil.copyfile(source, path)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA ignore_check_constraints = ON")
    for each in sql if isinstance(sql, list) else [sql]:
        db.execute(each, values)
    db.close()
    return path


def refuses(run, command):
    """One sentence, soon; returns it."""
    done = tap.run(command[0], *(("--resume",) if command[0] == "train" else ()), run, *command[1:], timeout=30)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and done.stderr.startswith("keylight: "), (command, done)
    return done.stderr


OBJECTS = {
    "view curve": ["DROP TABLE curve", "CREATE VIEW curve AS WITH RECURSIVE n(step) AS (SELECT 0 UNION ALL SELECT step + 1 FROM n) "
                   "SELECT step, 0 AS dataset, 0.5 AS accuracy, 0.5 AS loss, 0 AS checksum FROM n"],
    "trigger evil": "CREATE TRIGGER evil AFTER INSERT ON step BEGIN DELETE FROM rule; END",
    "table notes": "CREATE TABLE notes (text TEXT)",
    "table words": "CREATE VIRTUAL TABLE words USING fts5(text)",
    "index fast": "CREATE INDEX fast ON sample (label)",
    "table curve": ["DROP TABLE curve", "CREATE TABLE curve (step INTEGER, dataset INTEGER, accuracy REAL, loss REAL, checksum INTEGER)"],
    "table rule": "ALTER TABLE rule ADD COLUMN twice REAL AS (momentum * 2)",
    "index sqlite_fast": ["CREATE INDEX fast ON sample (label)", "PRAGMA writable_schema = ON",
                          "UPDATE sqlite_schema SET name = 'sqlite_fast', sql = 'CREATE INDEX sqlite_fast ON sample (label)' WHERE name = 'fast'"],
    "table a?[31mb": 'CREATE TABLE "a\x1b[31mb" (text TEXT)',
}


def test_only_what_the_format_has_is_accepted():
    for name, sql in OBJECTS.items():
        run = changed(RUN, sql)
        for command in READERS:
            assert f"has a {name} that no keylight wrote" in refuses(run, command) or name == "table words", (name, command)
        run = changed(UNFINISHED, sql)
        assert "that no keylight wrote" in refuses(run, ("train", "--quiet")), name


def test_what_sqlite_keeps_for_itself_does_no_harm():
    run = changed(RUN, "ANALYZE")
    for command in READERS[:3]:
        tap.succeed(command[0], run, *command[1:])


def interior(children, n):
    """A page of a table's tree with n entries that all lead to the same page."""
    cells = b"".join(struct.pack(">I", children) + bytes([1]) for _ in range(n))
    start = PAGE - len(cells)
    head = struct.pack(">BHHHBI", 5, 0, n, start, 0, children)
    pointers = b"".join(struct.pack(">H", start + 5 * i) for i in range(n))
    return (head + pointers).ljust(start, b"\0") + cells


def test_a_table_without_end_is_not_waited_for():
    for source, table in ((RUN, "curve"), (RUN, "step"), (RUN, "sample"), (RUN, "setting"), (RUN, "rule"), (UNFINISHED, "step"),
                          (UNFINISHED, "sample"), (UNFINISHED, "setting")):
        run = changed(source, "SELECT 1")
        with sqlite3.connect(run) as db:
            root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
        db.close()
        with open(run, "r+b") as file:
            pages = os.path.getsize(run) // PAGE
            file.seek((root - 1) * PAGE)
            leaf = file.read(PAGE)
            for level in range(4):  # 10,000 ^ 4 leaves
                file.seek((pages + level) * PAGE)
                file.write(interior(pages + level + 2, 5000))
            file.write(leaf)
            file.seek((root - 1) * PAGE)
            file.write(interior(pages + 1, 5000))
            file.seek(28)
            file.write(struct.pack(">I", pages + 5))
        for command in (("info",), ("verify",), ("serve", "--port", "0")) if source == RUN else (("train", "--quiet"),):
            refuses(run, command)


def integers(run):
    with sqlite3.connect(run) as db:
        for table in tables(db):
            for column in db.execute(f"PRAGMA table_info({table})").fetchall():
                row = db.execute(f"SELECT rowid, {column[1]} FROM {table} WHERE {column[1]} IS NOT NULL LIMIT 1").fetchone()
                if column[2] == "INTEGER" and column[1] != "checksum" and row:
                    yield table, column[1], *row
    db.close()


def is_never_taken_for_another(run, queries):
    """What a column cannot hold is noticed by verify; the others do not crash, nor wait. KL_CHANGES: all lies, not two."""
    believed = []
    for table, column, rowid, value in integers(run):
        lies = [value + 2 ** 32, -1 if value >= 0 else -200, value - 2 ** 32, 2 ** 63 - 1, -2 ** 63]
        for lie in lies if "KL_CHANGES" in os.environ else lies[:2]:
            lying = changed(run, f"UPDATE {table} SET {column} = ? WHERE rowid = {rowid}", lie)
            sign(lying)
            said = tap.run("verify", lying, timeout=30)
            assert said.returncode in (0, 1, 3) and said.stderr.count("\n") == (said.returncode > 0), (table, column, lie, said)
            believed += [(table, column, lie)] if said.returncode == 0 else []
            for command in queries:
                assert tap.run(command[0], lying, *command[1:], timeout=30).returncode in (0, 1), (table, column, lie, command)
    assert not believed, believed


def test_numbers_beyond_their_range_are_not_those_within():
    is_never_taken_for_another(RUN, (("query", "--sample", "test/strokes/3"),))


def train_shells(name, *options):
    text, run = os.path.join(FOLDER, "text.txt"), os.path.join(FOLDER, name)
    with open(text, "w") as file:
        file.write("She sells sea shells. They shine on the shore, and she is sure of it.\n" * 40)
    tap.succeed("train", "--data", f"shells={text}", "--tokens", "words", "--hidden", "16", "--embedding", "8", "--steps", "20", "--batch", "8",
                "--unroll", "10", "--lr", "0.5", "--output", run, "--quiet", *options)
    return run


def test_nor_in_a_text():
    is_never_taken_for_another(train_shells("text.keylight"), (("info",),))


def with_blob(source, table, where, change):
    """A copy with other bytes in a row's data, and right checksums."""
    path = changed(source, "SELECT 1")
    with sqlite3.connect(path) as db:
        rowid, data = db.execute(f"SELECT rowid, data FROM {table} WHERE {where} LIMIT 1").fetchone()
        db.execute(f"UPDATE {table} SET data = ? WHERE rowid = ?", (change(data), rowid))
    db.close()
    sign(path)
    return path


def exchanged(data):
    """The first number and the first after it that is another one, of 32 bits each, in each other's place."""
    words = [data[i:i + 4] for i in range(0, len(data), 4)]
    other = next(i for i, word in enumerate(words) if word != words[0])
    words[0], words[other] = words[other], words[0]
    return b"".join(words)


def test_what_does_not_belong_together_is_noticed_however_it_is_signed():
    partial = train_shells("partial.keylight", "--error-entries", "3", "--dropout", "0.1")
    adam = train_shells("adam.keylight", "--optimiser", "adam", "--momentum", "0", "--lr", "0.01", "--gate-errors")
    for run in (RUN, partial, adam):
        tap.succeed("verify", run)
        # other samples than were shown
        done = tap.run("verify", with_blob(run, "showing_chunk", "first = 0", exchanged))
        assert done.returncode == 1 and "was shown in step 1 is not what its settings make of its samples" in done.stderr, (run, done)
        with sqlite3.connect(run) as db:
            steps = [step for step, in db.execute("SELECT DISTINCT step FROM tensor WHERE state = 'snapshot' ORDER BY step")]
            layers = db.execute("SELECT max(layer) FROM tensor").fetchone()[0]
        db.close()
        # a snapshot that is another one's
        late, early = steps[-1], steps[len(steps) // 2]
        for step in (early, late):  # numbers that are finite, if no more than that
            huge = with_blob(run, "tensor", f"state = 'snapshot' AND step = {step} AND layer = {layers} AND role = 'weights'",
                             lambda data: struct.pack("<2f", 3e38, -3e38) * (len(data) // 8))
            done = tap.run("verify", huge)
            assert done.returncode == 3 and done.stderr.count("\n") == 1, (run, step, done)
        lying = changed(run, [f"UPDATE tensor SET data = (SELECT data FROM tensor AS other WHERE other.state = 'snapshot' AND other.step = {early} AND "
                              f"other.layer = tensor.layer AND other.role = tensor.role) WHERE state = 'snapshot' AND step = {late} AND layer = {layers}"])
        sign(lying)
        done = tap.run("verify", lying)
        told = f"step {late + 1} are off by" if run == partial else f"the snapshot of step {late} is off by"
        assert done.returncode == 3 and told in done.stderr, (run, late, done)
    # inner layers of whose error signals nothing is recorded: what they passed on tells it, even if only attention is recorded
    attention = train_shells("attention.keylight", "--attention-only", "--hidden", "16,16", "--lr", "4")
    tap.succeed("verify", attention)
    for run, names in ((partial, ("embedding", "lstm1")), (attention, ("embedding", "lstm1", "lstm2"))):
        with sqlite3.connect(run) as db:
            steps = [step for step, in db.execute("SELECT DISTINCT step FROM tensor WHERE state = 'snapshot' ORDER BY step")]
        db.close()
        for name in names:
            lying = changed(run, [f"UPDATE tensor SET data = (SELECT data FROM tensor AS other WHERE other.state = 'snapshot' AND other.step = {steps[0]} "
                                  f"AND other.name = tensor.name AND other.role = tensor.role) WHERE state = 'snapshot' AND step = {steps[-1]} "
                                  f"AND name = '{name}'"])
            sign(lying)
            done = tap.run("verify", lying)
            layer = 2 if name == "lstm2" else 1
            assert done.returncode == 3 and f"what layer {layer} saw and passed on in step {steps[-1] + 1} is off by" in done.stderr, (run, name, done)
        # what the last layer saw, which is what attention is made of
        layers = 2 if run == partial else 3
        with sqlite3.connect(run) as db:
            count, width, stored = db.execute("SELECT count, width, stored FROM key_chunk WHERE layer = ? AND first = 0", (layers,)).fetchone()
        db.close()
        begin = 0 if stored == count * width else count * ((width + 7) // 8)  # of its float16, behind the bits
        done = tap.run("verify", with_blob(run, "key_chunk", f"layer = {layers} AND first = 0", lambda data: data[:begin] + bytes(
            byte ^ 128 if i % 2 else byte for i, byte in enumerate(data[begin:]))))
        assert done.returncode == 3 and ("what layer" in done.stderr or "error signals of step 1" in done.stderr), (run, done)
    # the sign of a number of an error signal of which others are not recorded: behind the places, float16
    done = tap.run("verify", with_blob(partial, "sparse_error_chunk", "first = 0", lambda data: data[:(n := len(data) // 6 * 4) + 1] +
                                       bytes((data[n + 1] ^ 128,)) + data[n + 2:]))
    assert done.returncode == 3 and "error signals of step 1 are off by" in done.stderr, done
    done = tap.run("verify", with_blob(partial, "sparse_error_chunk", "first = 0", lambda data: data[:(n := len(data) // 6 * 4)] + bytes(len(data) - n)))
    assert done.returncode == 3 and "error signals of step 1 are off by" in done.stderr, done


def test_honest_runs_of_which_little_is_left_to_learn_are_believed():
    """Error signals that float16 cannot tell from 0, and logits so large that the keys' rounding matters."""
    for number, options in enumerate((("--hidden", "64", "--steps", "1500", "--batch", "1", "--lr", "0.3"),
                                      ("--hidden", "64", "--steps", "500", "--batch", "16", "--lr", "2"))):
        run = os.path.join(FOLDER, f"fitted-{number}.keylight")
        tap.succeed("train", "--data", "strokes", "--output", run, "--quiet", *options)
        tap.succeed("verify", run)
    tap.succeed("verify", train_shells("fitted.keylight", "--steps", "1000", "--dropout", "0"))
    # gates that are shut for good, and stretches of which keys say little
    for number, options in enumerate((("--lr", "20", "--dtype", "float32"), ("--lr", "50", "--hidden", "16,16", "--dropout", "0.3"),
                                      ("--unroll", "2", "--dropout", "0.3"))):
        assert ("says nothing" in tap.succeed("verify", train_shells(f"shut-{number}.keylight", "--tokens", "characters", *options))) == (number == 2)


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
