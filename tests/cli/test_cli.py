"""The command line as a person meets it: help, results, and one sentence for every mistake."""
import contextlib
import ctypes
import json
import os
import platform
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import numpy as np  # noqa: E402
import made_data  # noqa: E402
import tap  # noqa: E402
from client import Server  # noqa: E402
from reader import sign  # noqa: E402

RUN = None
COMMANDS = ("train", "serve", "query", "report", "suspects", "verify", "info")


def set_up():
    global RUN
    RUN = tap.train_strokes(FOLDER)


def path(name):
    return os.path.join(FOLDER, name)


def refuse(*arguments, says, code=None, **options):
    """The command must fail with one line on stderr that says this."""
    done = tap.run(*arguments, **options)
    assert done.returncode != 0, f"{arguments} succeeded"
    if code is not None:
        assert done.returncode == code, f"{arguments}: exit {done.returncode}: {done.stderr}"
    lines = [line for line in done.stderr.splitlines() if not line.startswith("step ")]
    assert len(lines) == 1, f"{arguments}: {done.stderr}"
    assert lines[0].startswith("keylight: "), lines
    assert says in lines[0], f"{arguments}: {lines[0]!r} does not say {says!r}"


def test_classes_are_named_by_name():
    path = os.path.join(FOLDER, "named.keylight")
    with tempfile.TemporaryDirectory() as made:
        for name, value in (("Coat", 200), ("Bag", 90)):
            os.makedirs(os.path.join(made, name))
            for i in range(12):
                made_data.png(os.path.join(made, name, f"{i}.png"), np.full((6, 6), value + i, np.uint8))
        tap.succeed("train", "--data", f"named={made}", "--hidden", "6", "--steps", "12", "--batch", "6", "--output", path, "--quiet")
    classes = json.loads(tap.succeed("info", path, "--json"))["datasets"][0]["classes"]
    number = classes.index("Coat")
    ask = ("query", path, "--sample", "test/named/0", "--json", "--class")
    by_name, by_number = (json.loads(tap.succeed(*ask, which)) for which in ("Coat", number))
    assert by_name["spotlight"] == by_number["spotlight"] and by_name["spotlight"]
    left = [json.loads(tap.succeed("retrain", path, "--without", f"class:{which}", "--json"))["without"] for which in ("Coat", number)]
    assert left[0] == left[1] > 0
    for which in ("coat", "Shoe", "7"):
        assert "class is 0 to 1 in this run, or the name" in tap.run(*ask, which).stderr


def test_help_and_version_are_everywhere():
    assert tap.succeed("--version").startswith("keylight ")
    for command in COMMANDS:
        assert command in tap.succeed("--help")
        assert tap.succeed(command, "--help").startswith("usage: keylight " + command)
        assert tap.succeed(command, "--version").startswith("keylight ")


def test_wrong_usage_is_told_in_a_sentence():
    refuse(says="name a command", code=2)
    refuse("explain", says="no command 'explain'", code=2)
    for command in COMMANDS:
        refuse(command, "--nonsense", says="does not know --nonsense", code=2)
    refuse("train", "--steps", says="--steps needs a value", code=2)
    for option, value, says in (
            ("--steps", "0", "--steps is 1 to"), ("--steps", "many", "--steps is a whole number"),
            ("--steps", "-3", "--steps is a whole number"), ("--batch", "0", "--batch is 1 to"),
            ("--lr", "0", "--lr is above 0"), ("--lr", "nan", "--lr is a number"),
            ("--momentum", "1", "--momentum is"), ("--weight-decay", "-1", "--weight-decay is"),
            ("--clip", "-1", "--clip is"), ("--hidden", "10,,3", "--hidden is a list"),
            ("--hidden", "0", "--hidden is a list"), ("--init", "zeros", "--init is xavier or he"),
            ("--lr-schedule", "lin", "--lr-schedule is"), ("--dtype", "int8", "--dtype is float16"),
            ("--dtype", "uint8", "--dtype is float16"), ("--preset", "slow", "no preset"),
            ("--seed", "99999999999999999", "0 to 9007199254740991"),
            ("--name", "", "--name is 1 to"), ("--lr-gamma", "2", "--lr-gamma is")):
        refuse("train", "--data", "strokes", option, value, says=says, code=2)
    refuse("train", "--data", "No Such", says="data set's name", code=2)
    refuse("train", "--data", "strokes", "--data", "strokes", says="given twice", code=2)
    refuse("train", "strokes", says="takes no operand", code=2)
    refuse("train", "--resume", RUN, "--steps", "3", says="takes no others", code=2)
    refuse("query", RUN, says="--sample test/", code=2)
    for option, value, says in (
            ("--sample", "test/strokes", "SPLIT/DATASET/INDEX"), ("--sample", "val/strokes/0", "train, validation or test"),
            ("--sample", "validation/strokes/0", "has no validation split"),
            ("--sample", "test/mnist/0", "no data set 'mnist'"), ("--sample", "test/strokes/1000", "0 to 999"),
            ("--layer", "0", "--layer is"), ("--layer", "4", "layer is 1 to 3"),
            ("--rank", "best", "--rank is"), ("--rank", "logit:10", "logit is 0 to 9"),
            ("--by", "class", "--by is"), ("--top", "0", "--top is"), ("--class", "12", "class is 0 to 9")):
        refuse("query", RUN, "--sample", "test/strokes/0", option, value, says=says)
    refuse("serve", says="name the run files", code=2)
    refuse("serve", RUN, "--port", "99999", says="--port is", code=2)
    refuse("serve", RUN, "--memory", "lots", says="--memory is a size", code=2)
    refuse("serve", RUN, RUN, says="the same run", code=2)
    refuse("serve", RUN, "--bind", "0.0.0.0", "--port", "0", says="--token", code=2)
    refuse("serve", RUN, "--bind", "no.such.address.invalid", "--token", "12345678",
           says="no address of this machine", code=2)
    refuse("info", says="takes one run file", code=2)
    refuse("info", RUN, RUN, says="takes one run file", code=2)


def test_info_and_query_say_the_same_in_words_and_json():
    info = json.loads(tap.succeed("info", RUN, "--json"))
    assert info["patterns"] == 80 * 32 and info["steps"] == 80
    assert [layer["outputs"] for layer in info["layers"]] == [40, 24, 10]
    assert info["datasets"][0]["accuracy"] == info["test_accuracy"] > 0.5
    assert info["fingerprint"] in tap.succeed("info", RUN)
    assert f"memory     {info['memory_bytes'] / 1e6:.1f} MB if serve copies all layers" in tap.succeed("info", RUN)
    assert info["name"] == "strokes", "not the preset's: it was changed"
    answer = json.loads(tap.succeed("query", RUN, "--sample", "train/strokes/7", "--by", "sample",
                                    "--rank", "logit:3", "--top", "5", "--layer", "2", "--json"))
    assert answer["sample"] == {"id": 7, "dataset": "strokes", "split": "train", "index": 7,
                                "label": answer["sample"]["label"]}
    assert len(answer["spotlight"]) == 5 and answer["logit"] == 3 and answer["layer"] == 2
    scores = [lit["score"] for lit in answer["spotlight"]]
    assert scores == sorted(scores, reverse=True)
    table = tap.succeed("query", RUN, "--sample", "train/strokes/7", "--by", "sample", "--rank",
                        "logit:3", "--top", "5", "--layer", "2")
    for lit in answer["spotlight"]:
        assert f"train/strokes/{lit['sample']['index']} " in table


def test_training_twice_gives_the_same_run():
    one = json.loads(tap.succeed("info", RUN, "--json"))
    two = json.loads(tap.succeed("info", tap.train_strokes(FOLDER, "again.keylight"), "--json"))
    other = json.loads(tap.succeed("info", tap.train_strokes(FOLDER, "other.keylight", "--seed", "2"), "--json"))
    assert one["fingerprint"] == two["fingerprint"] != other["fingerprint"]


def test_verify_passes_and_finds_what_does_not_belong_together():
    assert "The dual form holds" in tap.succeed("verify", RUN)
    copy = shutil.copy(RUN, path("copy.keylight"))
    with sqlite3.connect(copy) as db:
        db.execute("UPDATE rule SET learning_rate = 2 * learning_rate WHERE step < 40")
    refuse("verify", copy, says="its table rule is not what was written", code=1)
    sign(copy)
    refuse("verify", copy, says="do not belong together", code=3)
    with sqlite3.connect(copy) as db:
        db.execute("UPDATE key_chunk SET data = CAST(substr(data, 1, length(data) - 2) || x'007c' AS BLOB) "
                   "WHERE layer = 2")
    refuse("verify", copy, says="its table key_chunk is not what was written", code=1)
    sign(copy)
    refuse("verify", copy, says="not finite", code=1)
    for bits in ("ff", "00"):  # more numbers, and fewer, than are stored
        shutil.copy(RUN, copy)
        with sqlite3.connect(copy) as db:
            assert db.execute("SELECT min(stored < count * width) FROM key_chunk").fetchone() == (1,)
            db.execute(f"UPDATE key_chunk SET data = CAST(x'{bits * 9}' || substr(data, 10) AS BLOB) "
                       "WHERE layer = 2")
        sign(copy)
        refuse("query", copy, "--sample", "test/strokes/3", "--layer", "2", code=1,
               says="has not the numbers that its bits say")


def test_a_damaged_last_page_is_told():
    """Cells that point behind the end of the last page: nothing is mapped there."""
    copy = os.path.join(FOLDER, "page.keylight")
    with open(RUN, "rb") as file:
        content = bytearray(file.read())
    pages = range(len(content) - 65536, 0, -65536)
    last = next(page for page in pages if content[page] == 13)  # a leaf of a table
    content = content[:last + 65536]
    n_cells = int.from_bytes(content[last + 3:last + 5], "big")
    content[last + 8:last + 8 + 2 * n_cells] = b"\xff\xff" * n_cells
    content[-1] = 0xff
    with open(copy, "wb") as file:
        file.write(content)
    for command in (("info",), ("verify",), ("query", "--sample", "1")):
        done = tap.run(command[0], copy, *command[1:])
        assert done.returncode in (0, 1, 3), (command, done.returncode, done.stderr)
        assert done.returncode == 0 or "keylight: " in done.stderr, done.stderr


def test_files_that_are_no_finished_runs_are_refused():
    with open(path("text.keylight"), "w") as file:
        file.write("hello " * 1000)
    open(path("empty.keylight"), "w").close()
    os.makedirs(path("folder"), exist_ok=True)
    with sqlite3.connect(path("foreign.keylight")) as db:
        db.execute("CREATE TABLE t (x)")
    truncated = path("truncated.keylight")
    with open(RUN, "rb") as whole, open(truncated, "wb") as part:
        part.write(whole.read(os.path.getsize(RUN) // 2))
    for command in ("info", "verify", "serve", "query"):
        extra = ("--sample", "test/strokes/0") if command == "query" else ()
        refuse(command, path("nothing.keylight"), *extra, says="there is no file", code=1)
        if command != "serve":  # which serves all its runs
            refuse(command, FOLDER, *extra, says="has more than one run", code=1)
            refuse(command, path("folder"), *extra, says="has no run, a file whose name ends in .keylight", code=1)
        for name in ("text", "foreign"):
            refuse(command, path(f"{name}.keylight"), *extra, says="is not a keylight run", code=1)
        refuse(command, path("empty.keylight"), *extra, says="is empty", code=1)
        refuse(command, truncated, *extra, says="damaged", code=1)


def test_an_output_that_exists_is_kept_without_force():
    before = open(RUN, "rb").read()
    refuse("train", "--data", "strokes", "--output", RUN, says="--force", code=1)
    assert open(RUN, "rb").read() == before
    small = ("train", "--data", "strokes", "--hidden", "none", "--steps", "2", "--batch", "4")
    tap.succeed(*small, "--output", path("small.keylight"))
    tap.succeed(*small, "--output", path("small.keylight"), "--force")
    tap.succeed("verify", path("small.keylight"))
    refuse(*small, "--output", "/nowhere/x.keylight", says="cannot write /nowhere/x.keylight", code=1)
    refuse(*small, "--output", FOLDER, says="exists", code=1)
    assert os.path.isdir(FOLDER)


def test_missing_data_is_told_with_its_remedy():
    environment = {**os.environ, "XDG_CACHE_HOME": FOLDER}
    refuse("train", "--data", "letters", "--output", path("x.keylight"), says="bootstrap data", code=1,
           env=environment)
    refuse("train", "--data", f"letters={FOLDER}", "--output", path("x.keylight"),
           says="holds no images (but .keylight", code=1)
    assert not os.path.exists(path("x.keylight"))


def test_diverging_training_is_told_and_never_a_finished_run():
    refuse("train", "--data", "strokes", "--lr", "900", "--clip", "0", "--momentum", "0.9",
           "--steps", "200", "--hidden", "32", "--output", path("wild.keylight"), says="diverged", code=1)
    assert not os.path.exists(path("wild.keylight")), "nothing is left in the way of the next try"


def test_a_full_disk_is_told():
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # it ends a process that does not know of it
        resource.setrlimit(resource.RLIMIT_FSIZE, (12 << 20, 12 << 20))
    refuse("train", "--data", "strokes", "--steps", "4000", "--checkpoint-steps", "20",
           "--output", path("full.keylight"), says="full.keylight.part, or for a file as large (ulimit -f)", code=1, preexec_fn=limit)
    refuse("info", path("full.keylight"), says="not finished", code=1)
    with open("/dev/full", "w") as full:
        done = subprocess.run([tap.KEYLIGHT, "info", RUN], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "cannot write the output" in done.stderr


def test_no_memory_is_told():
    if "sanitize" in os.environ.get("KEYLIGHT_BUILD", ""):
        raise tap.Skip("sanitizers need the whole address space")

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
    refuse("train", "--data", "strokes", "--hidden", "60000,60000", "--steps", "1",
           "--output", path("huge.keylight"), says="not enough memory", code=1, preexec_fn=limit,
           env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    assert not os.path.exists(path("huge.keylight"))


def table(file):
    """Everything a training leaves, for comparison."""
    with sqlite3.connect(file) as db:
        return [db.execute(sql).fetchall() for sql in (
            "SELECT fingerprint, finished FROM run", "SELECT * FROM step",
            "SELECT layer, first, data FROM key_chunk ORDER BY layer, first",
            "SELECT layer, first, exponent, data FROM error_chunk ORDER BY layer, first",
            "SELECT * FROM rule", "SELECT first, data FROM showing_chunk ORDER BY first", "SELECT * FROM sample",
            "SELECT step, accuracy, loss FROM curve ORDER BY step")]


def test_a_killed_training_resumes_to_the_very_same_run():
    options = ("--data", "strokes", "--hidden", "64", "--steps", "1500", "--batch", "16",
               "--checkpoint-steps", "50")
    tap.succeed("train", *options, "--output", path("whole.keylight"), "--quiet")
    killed = path("killed.keylight")
    for signal_number in (signal.SIGKILL, signal.SIGINT):
        child = subprocess.Popen([tap.KEYLIGHT, "train", *options, "--output", killed, "--force"],
                                 stderr=subprocess.PIPE, text=True)
        for line in child.stderr:
            if line.startswith("step 300 "):
                break
        child.send_signal(signal_number)
        rest = child.stderr.read()
        child.wait()
        assert child.returncode == (-signal.SIGKILL if signal_number == signal.SIGKILL else 130)
        if signal_number == signal.SIGINT:
            assert "--resume" in rest
        for command in ("info", "verify"):
            refuse(command, killed, says="not finished", code=1)
        refuse("train", *options, "--output", killed, says="killed.keylight.part is there", code=1)
        tap.succeed("train", "--resume", killed, "--quiet")
        assert table(killed) == table(path("whole.keylight"))
        refuse("train", "--resume", killed, says="is finished", code=1)
        os.remove(killed)


def test_a_run_that_is_replaced_stays_until_the_new_one_is_whole():
    options = ("--data", "strokes", "--hidden", "64", "--steps", "1500", "--batch", "16", "--checkpoint-steps", "50", "--seed", "2")
    old = path("old.keylight")
    shutil.copy(RUN, old)
    before = table(old)
    for name in ("marks", "results"):
        with open(f"{old}.{name}", "w") as file:
            file.write("found before")
    child = subprocess.Popen([tap.KEYLIGHT, "train", *options, "--output", old, "--force"], stderr=subprocess.PIPE, text=True)
    for line in child.stderr:
        if line.startswith("step 300 "):
            break
    child.send_signal(signal.SIGKILL)
    child.stderr.read()
    assert child.wait() == -signal.SIGKILL and os.path.exists(old + ".part")
    assert table(old) == before and open(old + ".marks").read() == "found before"
    refuse("train", "--resume", old, says="may be replaced", code=1)
    tap.succeed("train", "--resume", old + ".part", "--force", "--quiet")  # either name will do
    assert table(old) != before and not os.path.exists(old + ".part") and not os.path.exists(old + ".marks")
    assert open(old + ".marks.old").read() == open(old + ".results.old").read() == "found before"
    assert os.stat(old).st_mode & 0o222 == 0, "a finished run can be written"


def test_two_trainings_of_one_target_leave_one():
    options = ("--data", "strokes", "--hidden", "8", "--steps", "30", "--quiet")
    both = path("both.keylight")
    for _ in range(12):
        children = [subprocess.Popen([tap.KEYLIGHT, "train", *options, "--output", both, "--force"], stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [child.communicate(timeout=60)[1] for child in children]
        codes = sorted(child.returncode for child in children)
        assert codes in ([0, 0], [0, 1]) and all(text == "" or "being written" in text for text in said), (codes, said)
        tap.succeed("verify", both)
        assert [name for name in os.listdir(FOLDER) if name.startswith("both.keylight.")] == []


def test_what_was_cut_off_at_its_ends_is_told():
    """Before anything was kept, and between being whole and having its name."""
    cut = path("cut.keylight")
    open(cut + ".part", "w").close()
    refuse("train", "--resume", cut, says="cut off before it began", code=1)
    tap.succeed("train", "--data", "strokes", "--hidden", "8", "--steps", "3", "--output", cut, "--quiet")
    shutil.copyfile(cut, cut + ".part")
    refuse("info", path("none.keylight"), says="there is no file", code=1)
    refuse("train", "--resume", cut, says="exists, and the training", code=1)
    before = table(cut)
    os.remove(cut)
    refuse("info", cut, says="was cut off before it was named", code=1)
    refuse("train", "--resume", cut, says="is finished", code=1)
    assert table(cut) == before and not os.path.exists(cut + ".part")


@contextlib.contextmanager
def training(output):
    """A long training that is writing its file."""
    child = subprocess.Popen([tap.KEYLIGHT, "train", "--data", "strokes", "--steps", "100000",
                              "--output", output, "--quiet"], stderr=subprocess.DEVNULL)
    try:
        while not os.path.exists(output + ".part-journal"):
            time.sleep(0.02)
            assert child.poll() is None
        time.sleep(0.3)
        yield child
    finally:
        child.kill()
        child.wait()


def test_a_file_being_written_is_left_alone():
    busy = path("busy.keylight")
    with training(busy) as child:
        refuse("info", busy, says="being written", code=1)
        refuse("train", "--resume", busy, says="being written", code=1)
        refuse("train", "--data", "strokes", "--steps", "10", "--output", busy, "--force",
               says="being written", code=1)
        assert child.poll() is None and os.path.exists(busy + ".part-journal") and not os.path.exists(busy)


def test_text_and_paths_of_any_kind_are_met():
    refuse("train", "--data", "strokes", "--name", b"a\xffb", says="UTF-8", code=2)
    refuse("info", b"\xff.keylight", says="there is no file", code=1)
    refuse("query", RUN, "--bad", says="does not know --bad", code=2)
    refuse("query", RUN, "--sample", says="--sample needs a value", code=2)
    odd = path("a ?#%41 é.keylight")
    shutil.copy(RUN, odd)
    assert "strokes" in tap.succeed("info", odd)
    assert "strokes" in tap.succeed("info", "/" + RUN)
    refuse("info", "x" * 5000, says="too long", code=2)


def test_a_port_in_use_is_told():
    import socket
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refuse("serve", RUN, "--port", taken.getsockname()[1], says="is in use", code=1)


def test_every_kernel_gives_the_same_answer():
    answers = []
    for kernel in ("portable", ""):
        answer = json.loads(tap.succeed("query", RUN, "--sample", "test/strokes/3", "--json", "--layer", "2",
                                        env={**os.environ, "KEYLIGHT_KERNEL": kernel}))
        answers.append([lit["attention"] for lit in answer["spotlight"]])
    assert all(abs(a - b) < 1e-3 for a, b in zip(*answers))
    refuse("info", RUN, says="KEYLIGHT_KERNEL=abacus", code=2,
           env={**os.environ, "KEYLIGHT_KERNEL": "abacus"})


def test_help_is_wrapped_between_words():
    glued = re.compile(r"\b(orany|whichtraining|ifthat|showhow|theyare|lstmfor)\b")
    for command in ("train", "serve", "query", "report", "suspects", "marks", "verify", "split", "upgrade", "info"):
        text = tap.succeed(command, "--help")
        man = " ".join(tap.succeed(command, "--help=man").replace("\\-", "-").split())
        assert not glued.search(text) and max(map(len, text.split("\nExamples:")[0].splitlines())) <= 110, command
        for option in re.findall(r"\n  --\S.*?(?=\n  --|\n\n|\Z)", text, re.S):
            words = option.split()
            tail = " ".join(words[-6:]) if len(words) > 8 else ""
            assert tail in man or "help, --version" in option or "version" in tail, (command, tail)


def test_every_command_has_a_page_of_the_manual_with_examples_that_it_takes():
    listed = [line.split("\t") for line in tap.succeed("--help=words").splitlines()]
    assert len(listed) == 13
    for command, _, summary in listed:
        assert summary, command
        options = {line.split("\t")[0] for line in tap.succeed(command, "--help=words").splitlines()}
        page = tap.succeed(command, "--help=man")
        assert [line for line in page.splitlines() if line.startswith(".SH")] == [".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS", ".SH EXAMPLES"]
        assert "\n\n" not in page and all(option.replace("-", "\\-") in page for option in options), command
        examples = tap.succeed(command, "--help").split("\nExamples:\n")[1].splitlines()[1::2]
        assert examples, command
        for example in (part for line in examples for part in line.strip().split(" && ")):
            _, name, *words = example[example.index("keylight "):].split()  # mpirun's words may stand before
            known = {line.split("\t")[0] for line in tap.succeed(name, "--help=words").splitlines()}
            assert {word for word in words if word.startswith("--")} <= known, example
    if shutil.which("man"):
        page = os.path.join(FOLDER, "keylight-query.1")
        with open(page, "w", encoding="utf-8") as file:
            file.write(".TH KEYLIGHT 1\n.SH NAME\nkeylight\\-query \\- ask\n" + tap.succeed("query", "--help=man"))
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", page], capture_output=True, text=True, env={**os.environ, "MANWIDTH": "80"})
        assert done.returncode == 0 and not done.stderr and "keylight query RUN --sample SPLIT/DATASET/INDEX" in done.stdout, done.stderr


def test_openblas_is_told_of_a_processor_that_it_does_not_know():
    """Where it takes one with wide vectors for one without; otherwise, or where somebody has chosen, nothing changes."""
    if platform.machine() != "x86_64":
        raise tap.Skip("only for x86-64 does OpenBLAS have such cores")
    try:
        library = ctypes.CDLL("libopenblas.so.0")
    except OSError as missing:
        raise tap.Skip("there is no OpenBLAS") from missing
    library.openblas_get_corename.restype = ctypes.c_char_p
    with open("/proc/cpuinfo", encoding="ascii") as file:
        flags = set(re.search(r"^flags\s*: (.*)$", file.read(), re.M)[1].split())
    bits = {"Haswell": 256, "Excavator": 256, "Zen": 256, "SkylakeX": 512, "Cooperlake": 512, "SapphireRapids": 512}
    better = "SkylakeX" if "avx512vl" in flags else "Haswell" if "avx2" in flags else None
    if "OPENBLAS_CORETYPE" in os.environ or bits.get(better, 0) <= bits.get(library.openblas_get_corename().decode(), 128):
        better = None
    for environment, core in (({}, better or os.environ.get("OPENBLAS_CORETYPE")), ({"OPENBLAS_CORETYPE": "Prescott"}, "Prescott")):
        server = Server(RUN, environment=environment)
        with open(f"/proc/{server.process.pid}/environ", encoding="utf-8") as file:
            told = dict(line.partition("=")[::2] for line in file.read().split("\0") if line)
        with open(f"/proc/{server.process.pid}/comm", encoding="utf-8") as file:
            assert file.read().strip() == os.path.basename(tap.KEYLIGHT)
        server.stop()
        assert told.get("OPENBLAS_CORETYPE") == core, told.get("OPENBLAS_CORETYPE")


def test_a_training_is_the_same_with_any_number_of_processors():
    """To the bit, with layers that are shared out among workers: the fingerprint is of everything in the file."""
    if len(os.sched_getaffinity(0)) == 1:
        raise tap.Skip("there is one processor only")
    prints = []
    for cpus in (os.sched_getaffinity(0), set(list(os.sched_getaffinity(0))[:1])):
        output = path(f"on{len(prints)}.keylight")
        tap.succeed("train", "--data", "strokes", "--hidden", "300,300", "--clip", "0.5", "--steps", "8", "--output", output, "--quiet",
                    preexec_fn=lambda cpus=cpus: os.sched_setaffinity(0, cpus))
        prints.append(json.loads(tap.succeed("info", output, "--json"))["fingerprint"])
    assert prints[0] == prints[1]


def completed(*words):
    """What the bash completion offers for the last word."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "completions", "keylight")
    typed = " ".join(f"'{word}'" for word in (os.path.abspath(tap.KEYLIGHT), *words))
    done = subprocess.run(["bash", "-c", f"source '{script}'; COMP_WORDS=({typed}); COMP_CWORD={len(words)}; _keylight; "
                           "printf '%s\\n' \"${COMPREPLY[@]}\""], capture_output=True, text=True, cwd=FOLDER)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


def test_a_shell_completes_commands_options_and_choices():
    assert completed("re") == ["report", "retrain"]
    assert completed("query", "--la") == ["--layer"]
    assert completed("query", "x.keylight", "--rank", "inf") == ["influence"]
    assert completed("query", "x.keylight", "--json", "--la") == ["--layer"]
    assert {"sgd", "adam", "adamw"} <= set(completed("train", "--optimiser", ""))
    assert "quick-text" in completed("train", "--preset", "quick")
    for name in ("one.keylight", "two.txt"):
        open(os.path.join(FOLDER, name), "w").close()
    assert "one.keylight" in completed("serve", "") and "two.txt" not in completed("serve", "")
    assert "two.txt" in completed("train", "--output", "t")
    if shutil.which("zsh"):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "completions", "_keylight")
        assert subprocess.run(["zsh", "-n", script]).returncode == 0


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
