"""What strangers write, made up: every fuzzer for a while, from the seeds that are kept (seeds/TARGET.tar.xz) and from what earlier long
ones found (fuzz/TARGET/corpus, below the folder of the build). None may crash, leak, hang or touch memory that is not its own.

KL_FUZZ_SECONDS is how long each runs (in `make fuzz` 600), KL_FUZZ_TARGETS which ones; KL_FUZZ_CFLAGS and KL_FUZZ_LIBS are the
build's. With KL_FUZZ_KEEP the seeds become the least that reach what was reached."""
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import tap  # noqa: E402
from reader import sign  # noqa: E402

SECONDS = float(os.environ.get("KL_FUZZ_SECONDS", "2"))
TARGETS = os.environ.get("KL_FUZZ_TARGETS", "head words body idx cifar images text run checkpoint").split()
LARGEST = {"cifar": 8192, "images": 8192, "text": 8192}  # bytes of an input; others 2048
WORK = os.path.join(os.getcwd(), "fuzz")
SANITIZED = ["-g", "-O1", "-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-DKL_PICTURE_SIDE_MAX=512"]
AT_ONCE = 2
LONG = 60  # seconds from which on what earlier runs found is tried, too, and kept


def compiler():
    found = os.environ.get("KL_FUZZ_CC") or shutil.which("clang")
    probe = "int LLVMFuzzerTestOneInput(const unsigned char *b, unsigned long n); int LLVMFuzzerTestOneInput(const unsigned char *b, " \
            "unsigned long n) { return !b && n; }"
    with tempfile.TemporaryDirectory() as folder:
        if not found or subprocess.run([found, "-fsanitize=fuzzer,address", "-x", "c", "-", "-o", os.path.join(folder, "probe")],
                                       input=probe, capture_output=True, text=True).returncode:
            raise tap.Skip("clang with its fuzzer is missing: run ./bootstrap check")
    return found


def sources():
    """All of keylight but its command line, and what the fuzzers share."""
    for room in ("core", "db", "api", "server", "tests/fuzz/lib"):
        for folder, _, names in os.walk(os.path.join(ROOT, room)):
            for name in sorted(names):
                if name.endswith(".c") and name != "assets_data.c":
                    yield os.path.join(folder, name)
    yield os.path.abspath("server/assets_data.c")  # which is made


def age(path):
    return os.path.getmtime(path) if os.path.exists(path) else 0


def newest_header():
    return max(age(os.path.join(folder, name)) for room in ("core", "db", "api", "server", "tests/fuzz/lib")
               for folder, _, names in os.walk(os.path.join(ROOT, room)) for name in names if name.endswith(".h"))


def build(cc):
    """Compiles what has changed, and links every target."""
    ignored = os.path.join(WORK, "uncovered")
    os.makedirs(WORK, exist_ok=True)
    with open(ignored, "w", encoding="utf-8") as file:
        file.write("fun:stbir__*\n")  # that resizes pictures, which is the same for all
    flags = [*SANITIZED, f"-fsanitize-coverage-ignorelist={ignored}", f"-I{ROOT}", "-I.", *os.environ.get("KL_FUZZ_CFLAGS", "").split()]
    header = newest_header()

    def run(*command):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"

    def compile_one(source):
        to = os.path.join(objects_folder, os.path.relpath(source, ROOT).replace("../", "").replace("/", "_") + ".o")
        if age(to) <= max(age(source), header):
            run(cc, *flags, "-fsanitize=fuzzer-no-link", "-c", source, "-o", to)
        return to

    def link(target):
        run(cc, *flags, "-fsanitize=fuzzer", "-o", os.path.join(WORK, target, "fuzzer"), os.path.join(HERE, f"fuzz_{target}.c"), *objects,
            *os.environ.get("KL_FUZZ_LIBS", "").split())

    objects_folder = os.path.join(WORK, "objects-" + hashlib.sha256(" ".join([cc, *flags]).encode()).hexdigest()[:8])
    os.makedirs(objects_folder, exist_ok=True)
    for target in TARGETS:
        os.makedirs(os.path.join(WORK, target, "corpus"), exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        objects = list(pool.map(compile_one, sources()))
        list(pool.map(link, TARGETS))


def small(path, to):
    """A run with small pages, so that an input is a large part of it, and can be written fast."""
    shutil.copyfile(path, to)
    os.chmod(to, 0o600)
    db = sqlite3.connect(to, isolation_level=None)
    db.execute("PRAGMA page_size = 512")
    db.execute("VACUUM")
    db.close()


def make_runs():
    text = os.path.join(FOLDER, "text.txt")
    with open(text, "w", encoding="utf-8") as file:
        file.write("She sells sea shells. They shine on the shore.\n" * 20)
    pixels = os.path.join(FOLDER, "pixels")
    os.mkdir(pixels)
    for split, count in (("train", 12), ("t10k", 6)):
        with open(os.path.join(pixels, f"{split}-images-idx3-ubyte"), "wb") as file:
            file.write(bytes([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 3, 0, 0, 0, 4]) + bytes(range(0, 12)) * count)
        with open(os.path.join(pixels, f"{split}-labels-idx1-ubyte"), "wb") as file:
            file.write(bytes([0, 0, 8, 1, 0, 0, 0, count]) + bytes(i % 3 for i in range(count)))
    options = ("--hidden", "4", "--batch", "4", "--steps", "6", "--checkpoint-steps", "2", "--evaluation-steps", "3", "--quiet")
    tap.succeed("train", "--data", f"fuzz={pixels}", *options, "--output", os.path.join(FOLDER, "image.keylight"))
    tap.succeed("train", "--data", f"text={text}", "--tokens", "words", "--embedding", "4", *options, "--unroll", "4", "--output",
                os.path.join(FOLDER, "text.keylight"))
    tap.succeed("split", os.path.join(FOLDER, "image.keylight"), "--shards", "2")
    cut = os.path.join(FOLDER, "cut")
    small(os.path.join(FOLDER, "image.keylight"), cut)
    with sqlite3.connect(cut) as db:  # as it was before its last steps, of which there were to be more
        db.execute("UPDATE run SET finished = 0, fingerprint = NULL")
        db.execute("UPDATE setting SET value = '20' WHERE key = 'steps'")
    db.close()
    sign(cut)


def folder_of(target):
    """Where a target runs: in memory, if there is room."""
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 1 << 28 else None
    folder = tempfile.mkdtemp(prefix=f"keylight-{target}-", dir=where)
    for name in ("image.keylight", "text.keylight", "image.0.keylight", "image.1.keylight"):
        small(os.path.join(FOLDER, name), os.path.join(folder, name))
    small(os.path.join(FOLDER, "cut"), os.path.join(folder, "cut.keylight.part"))
    return folder


def seeds_of(target):
    kept, to = os.path.join(HERE, "seeds", f"{target}.tar.xz"), os.path.join(WORK, target, "seeds")
    shutil.rmtree(to, ignore_errors=True)
    os.makedirs(to)
    if os.path.exists(kept):
        with tarfile.open(kept) as archive:
            archive.extractall(to)
    return to


def run(target):
    """Returns how many inputs were tried."""
    folder, seeds = folder_of(target), seeds_of(target)
    corpus = os.path.join(WORK, target, "corpus") if SECONDS >= LONG else tempfile.mkdtemp(dir=folder)
    environment = {**os.environ, "LSAN_OPTIONS": f"suppressions={HERE}/../lib/lsan.supp:print_suppressions=0",
                   "ASAN_OPTIONS": "malloc_context_size=3:quarantine_size_mb=8:max_malloc_fill_size=0",
                   "MALLOC_TRIM_THRESHOLD_": "1000000000", "OPENBLAS_NUM_THREADS": "1", "TMPDIR": folder}
    fuzzer = os.path.join(WORK, target, "fuzzer")
    try:
        done = subprocess.run([fuzzer, f"-max_total_time={max(int(SECONDS), 1)}", f"-max_len={LARGEST.get(target, 2048)}", "-timeout=25",
                               "-rss_limit_mb=2048", "-detect_leaks=0",  # LeakSanitizer looks for them at its end
                               "-print_final_stats=1", f"-artifact_prefix={WORK}/{target}/", corpus, seeds],
                              cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
        assert done.returncode == 0, f"{target}: the input that did it, unless it is a leak told at the end, is in {WORK}/{target}\n{done.stderr[-6000:]}"
        if "KL_FUZZ_KEEP" in os.environ:
            keep(target, fuzzer, folder, environment)
    finally:
        shutil.rmtree(folder)
    tried = int(re.search(r"stat::number_of_executed_units: (\d+)", done.stderr).group(1))
    print(f"# {target}: {tried:,} inputs in {SECONDS:.0f} s", flush=True)
    return tried


def keep(target, fuzzer, folder, environment):
    """The least of all inputs that reaches what they reach becomes the seeds."""
    least = tempfile.mkdtemp(dir=folder)
    subprocess.run([fuzzer, "-merge=1", least, os.path.join(WORK, target, "corpus"), os.path.join(WORK, target, "seeds")],
                   cwd=folder, env=environment, stderr=subprocess.DEVNULL, check=True)
    os.makedirs(os.path.join(HERE, "seeds"), exist_ok=True)
    with tarfile.open(os.path.join(HERE, "seeds", f"{target}.tar.xz"), "w:xz") as archive:
        for number, name in enumerate(sorted(os.listdir(least), key=lambda name: (os.path.getsize(os.path.join(least, name)), name))):
            info = tarfile.TarInfo(f"{number:04}")
            info.size = os.path.getsize(os.path.join(least, name))
            with open(os.path.join(least, name), "rb") as file:
                archive.addfile(info, file)


def test_nothing_that_a_stranger_writes_does_harm():
    build(compiler())
    make_runs()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tried = dict(zip(TARGETS, pool.map(run, TARGETS)))
    assert all(count > 10 for count in tried.values()), tried


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
