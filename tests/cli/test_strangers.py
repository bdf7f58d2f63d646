"""Files that strangers put beside a run: whatever they hold, no other file is touched, and readers
write nothing at all."""
import hashlib
import os
import shutil
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402

RUN = None
UNFINISHED = None
PAGE = 65536
MAGIC = bytes([0xD9, 0xD5, 0x05, 0xF9, 0x20, 0xA1, 0x63, 0xD7])


def set_up():
    global RUN, UNFINISHED
    RUN = tap.train_strokes(FOLDER)
    UNFINISHED = tap.stopped_training(FOLDER)


def journal(run, super_journal=None, records=0):
    """A journal that SQLite would roll back, and the name of a super-journal at its end."""
    pages = os.path.getsize(run) // PAGE
    out = (MAGIC + struct.pack(">IIIII", records, 0, pages, 512, PAGE)).ljust(512, b"\0")
    with open(run, "rb") as file:
        for number in range(1, records + 1):
            page = file.read(PAGE)
            total = sum(page[i] for i in range(PAGE - 200, 0, -200)) & 0xFFFFFFFF
            out += struct.pack(">I", number) + page + struct.pack(">I", total)
    if super_journal:
        name = os.path.abspath(super_journal).encode()
        out += struct.pack(">I", 0x40000000 // PAGE + 1) + name
        out += struct.pack(">II", len(name), sum(name)) + MAGIC
    return out


def state(folder):
    """Everything in a folder: names, contents, times."""
    found = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                content = hashlib.sha256(file.read()).hexdigest()
        else:
            content = "folder"
        info = os.lstat(path)
        found[name] = (content, info.st_mtime_ns, info.st_size)
    return found


def put_down(name, source):
    """A copy of a run, finished or not, in a folder of its own, and a file that is nobody's business."""
    folder = os.path.join(FOLDER, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    victim = os.path.join(folder, "victim")
    with open(victim, "w") as file:
        file.write("precious")
    run = os.path.join(folder, "run.keylight" + (".part" if source.endswith(".part") else ""))
    return folder, shutil.copyfile(source, run), victim


READERS = (("info",), ("verify",), ("query", "--sample", "test/strokes/3"), ("report", "--samples", "20"), ("suspects",),
           ("serve", "--port", "0"))
WRITERS = (("train", "--resume"),)


def commands(run, which):
    run = run.removesuffix(".part")
    return [(command[0], *([run] if command[0] != "train" else []), *command[1:],
             *([run] if command[0] == "train" else [])) for command in which]


def refuses(arguments):
    done = tap.run(*arguments, timeout=30)
    lines = done.stderr.splitlines()
    assert done.returncode != 0 and len(lines) == 1 and lines[0].startswith("keylight: "), (arguments, done)
    return lines[0]


def test_a_journal_that_names_a_super_journal_removes_nothing():
    for source in (RUN, UNFINISHED):
        folder, run, victim = put_down("super", source)
        with open(run + "-journal", "wb") as out:
            out.write(journal(run, victim))
        before = state(folder)
        for arguments in commands(run, READERS):
            said = refuses(arguments)  # who follows what is not finished looks at its journal
            assert ("is not the journal of" if arguments[0] == "serve" else "is not finished") in said, said
            assert state(folder) == before, arguments
        for arguments in commands(run, WRITERS):
            assert f"{os.path.basename(run)}-journal is not the journal of" in refuses(arguments)
            assert state(folder) == before, arguments
        tap.train_strokes(folder, "run.keylight", "--force")
        assert open(victim).read() == "precious"
        tap.succeed("verify", os.path.join(folder, "run.keylight"))
        assert sorted(os.listdir(folder)) == ["run.keylight", "victim"]


def test_a_new_run_beside_a_planted_journal_removes_nothing():
    folder, run, victim = put_down("new", RUN)
    planted = journal(run, victim)
    os.remove(run)
    for name in (run + ".part-journal", run + "-journal"):
        with open(name, "wb") as out:
            out.write(planted)
        assert "is not the journal of" in refuses(
            ("train", "--data", "strokes", "--hidden", "8", "--steps", "2", "--output", run))
        os.remove(name)
    assert open(victim).read() == "precious" and not os.path.exists(run)
    os.symlink(victim, run + ".part")
    assert "is not a file of its own" in refuses(("train", "--data", "strokes", "--steps", "2", "--output", run, "--force"))
    assert open(victim).read() == "precious" and not os.path.exists(run)


def test_links_and_folders_under_the_names_of_journals_are_left_alone():
    def link(path, victim):
        os.symlink(victim, path)

    def hard_link(path, victim):
        os.link(victim, path)

    def folder_of(path, victim):
        os.mkdir(path)

    for source in (RUN, UNFINISHED):
        for plant in (link, hard_link, folder_of):
            folder, run, victim = put_down("links", source)
            plant(run + "-journal", victim)
            before = state(folder)
            for arguments in commands(run, READERS):
                refuses(arguments)
                assert state(folder) == before, arguments
            for arguments in commands(run, WRITERS):
                assert "is not the journal of" in refuses(arguments)
                assert state(folder) == before, arguments


def test_write_ahead_logs_are_never_read_nor_removed():
    folder, run, victim = put_down("wal", RUN)
    for suffix in ("-wal", "-shm"):
        os.symlink(victim, run + suffix)
    before = state(folder)
    for arguments in commands(run, READERS[:5]):
        tap.succeed(*arguments)
        assert state(folder) == before, arguments
    with open(run, "r+b") as file:  # a run that says that it has such a log
        file.seek(18)
        file.write(b"\2\2")
    before = state(folder)
    for arguments in commands(run, READERS + WRITERS):
        assert "write-ahead log" in refuses(arguments)
        assert state(folder) == before, arguments


def test_readers_never_roll_back_and_a_resumed_training_does():
    whole = journal(RUN, records=3)
    for length in (1, 27, 28, 511, 512, 513, 600, 512 + PAGE, len(whole) - 1, len(whole)):
        folder, run, victim = put_down("cut", RUN)
        with open(run + "-journal", "wb") as out:
            out.write(whole[:length])
        before = state(folder)
        assert "was cut off while it wrote" in refuses(("info", run))
        assert state(folder) == before, length
        assert "is finished" in refuses(("train", "--resume", run))
        tap.succeed("verify", run)  # what the journal held are the run's own pages
        assert open(victim).read() == "precious"


def test_a_file_that_was_torn_while_it_was_written_is_what_its_journal_says():
    folder, run, _ = put_down("torn", UNFINISHED)
    name = run.removesuffix(".part")
    with open(run + "-journal", "wb") as out:
        out.write(journal(run, records=3))
    with open(run, "r+b") as file:
        file.seek(28)
        file.write(struct.pack(">I", 1 << 20))  # the page that says how many there are came before them,
        file.seek(100)
        file.write(b"\xff" * (3 * PAGE - 100))  # and a schema that is none
    before = state(folder)
    for command in ("info", "verify"):
        assert "was cut off while it wrote" in refuses((command, name))
        assert state(folder) == before
    tap.succeed("train", "--resume", run, "--quiet")
    tap.succeed("verify", name)


def test_an_empty_journal_is_none():
    folder, run, _ = put_down("empty", RUN)
    open(run + "-journal", "w").close()
    before = state(folder)
    for arguments in commands(run, READERS[:5]):
        tap.succeed(*arguments)
    assert state(folder) == before


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
