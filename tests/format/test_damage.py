"""One byte that is not what was written, in any column of any table of any kind of run: verify says where. How many
are tried is KL_CHANGES, a run (in `make damage` 700, so that it is 2,100 in all)."""
import os
import random
import re
import shutil
import sqlite3
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import tap  # noqa: E402
from reader import tables  # noqa: E402

CHANGES = int(os.environ.get("KL_CHANGES", "40"))


def set_up():
    with open(os.path.join(FOLDER, "text.txt"), "w") as file:
        file.write("She sells sea shells. They shine on the shore, and she is sure of it.\n" * 80)


def other_byte(value):
    """A value of the same type that differs in one byte, or in one bit of a number."""
    if isinstance(value, int):
        return struct.unpack("<q", struct.pack("<Q", struct.unpack("<Q", struct.pack("<q", value))[0] ^ 1 << random.randrange(64)))[0]
    if isinstance(value, float):
        return struct.unpack("<d", struct.pack("<Q", struct.unpack("<Q", struct.pack("<d", value))[0] ^ 1 << random.randrange(64)))[0]
    if isinstance(value, str):
        at = random.randrange(max(len(value), 1))
        return value[:at] + ("x" if value[at:at + 1] != "x" else "y") + value[at + 1:]
    at = random.randrange(max(len(value), 1))
    return value[:at] + bytes([(value[at] if value else 0) ^ 1 << random.randrange(8)]) + value[at + 1:]


def columns_of(run):
    """(table, column) of everything that has rows."""
    with sqlite3.connect(run) as db:
        return [(table, column[1]) for table in tables(db) for column in db.execute(f"PRAGMA table_info({table})")
                if db.execute(f"SELECT 1 FROM {table} WHERE {column[1]} IS NOT NULL LIMIT 1").fetchone()]


def change(run, table, column):
    """Changes one byte of a value somewhere in a column; returns the row's number then, or None if it cannot be."""
    db = sqlite3.connect(run)
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.row_factory = sqlite3.Row
    rowid, value = db.execute(f"SELECT rowid AS number, {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY random() LIMIT 1").fetchone()
    new = other_byte(value)
    if new == value or new != new:
        return None  # a zero of another sign, or no number (which would be NULL)
    db.execute("CREATE TEMP TABLE before AS SELECT rowid AS number FROM main." + table)
    try:
        with db:
            db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (new, rowid))
    except sqlite3.IntegrityError:
        return None  # two rows of one key: it cannot be so in a file
    moved = db.execute(f"SELECT rowid AS number FROM {table} WHERE rowid NOT IN (SELECT number FROM before)").fetchone()
    db.close()
    return moved["number"] if moved else rowid  # an INTEGER PRIMARY KEY is the row's number itself


def is_noticed_everywhere(kind, run):
    random.seed(len(kind))
    tap.succeed("verify", run)
    places = columns_of(run)
    copy, done, noticed = run + ".copy", 0, {}
    while done < CHANGES:
        for table, column in random.sample(places, len(places)):
            shutil.copyfile(run, copy)
            os.chmod(copy, 0o600)
            row = change(copy, table, column)
            if row is None:
                continue
            said = tap.run("verify", copy, timeout=60)
            assert said.returncode == 1 and said.stderr.count("\n") == 1, (kind, table, column, row, said)
            named = re.search(r"row (-?\d+) of its table (\w+) is not what was written", said.stderr)
            assert named and named.group(2) == table and int(named.group(1)) == row, (kind, table, column, row, said.stderr)
            noticed[table] = noticed.get(table, 0) + 1
            done += 1
            if done >= CHANGES:
                break
    for table in sorted(noticed):
        print(f"# {kind}: {table} {noticed[table]}")


def test_in_a_run_of_images():
    is_noticed_everywhere("images", tap.train_strokes(FOLDER))


def test_in_a_run_of_text():
    run = os.path.join(FOLDER, "text.keylight")
    tap.succeed("train", "--data", f"shells={FOLDER}/text.txt", "--tokens", "words", "--hidden", "16", "--embedding", "8", "--steps", "40", "--batch", "8",
                "--unroll", "10", "--output", run, "--quiet")
    is_noticed_everywhere("text", run)


def test_in_a_recorded_run():
    try:
        import torch
    except ImportError:
        raise tap.Skip("PyTorch is not there")
    sys.path.insert(0, os.path.join(HERE, "..", "..", "python"))
    import keylight
    from pictures import Cut, made, path_of, read, sgd
    train, test = made(60, 1), made(12, 2)
    images, labels = read(train), torch.from_numpy(train.labels)
    torch.manual_seed(3)
    model = Cut()
    optimizer = sgd(model)
    run = path_of(FOLDER, "recorded")
    with keylight.Recorder(run, model, optimizer, train=train, test=test) as recorder:
        for samples in torch.randperm(len(train)).split(20):
            with recorder.step(samples):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(images[samples]), labels[samples]).backward()
                optimizer.step()
    is_noticed_everywhere("recorded", run)


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
