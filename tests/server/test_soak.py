"""A server asked by all kinds of clients at once for KL_SOAK_SECONDS (default 12): every answer stays what it was, jobs come and go, a run in
training is followed, and memory, descriptors and threads stay flat. Images, text and a training; readers, drawers, starters of jobs,
markers, and clients who send what is wrong, hang up, or never finish."""
import http.client
import itertools
import json
import os
import random
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402
from client import Server  # noqa: E402
from text_reader import train_text  # noqa: E402

SECONDS = float(os.environ.get("KL_SOAK_SECONDS", "12"))
SLICE_S, PAUSE_S = 0.02, 4  # the training gets that much of every so much: it lasts, and its file stays small
THINK_S = 0 if SECONDS < 60 else 0.05  # what a client waits between two calls, on average: who soaks for long has other things to do, too
GROWTH_MB = 24  # what the heap may grow by from the second quarter of a long soak to its last
SERVER = TRAINING = None


def set_up():
    global SERVER, TRAINING, IMAGES, TEXT, QUESTIONS, BODIES, AT_REST
    images = tap.train_strokes(FOLDER, "images.keylight", "--momentum", "0.9", "--name", "images")
    text = train_text(FOLDER, "text", "--tokens", "words", "--gate-errors", "--name", "text")
    TRAINING = subprocess.Popen([tap.KEYLIGHT, "train", "--data", "strokes", "--hidden", "16", "--batch", "1", "--steps", "100000000",
                                 "--checkpoint-steps", "200", "--evaluation-steps", "1000", "--name", "endless",
                                 "--output", os.path.join(FOLDER, "endless.keylight")], stderr=subprocess.PIPE, text=True)
    for line in TRAINING.stderr:
        if line.startswith("step 2,000 ") or line.startswith("step 2000 "):
            break
    TRAINING.send_signal(signal.SIGSTOP)
    threading.Thread(target=TRAINING.stderr.read, daemon=True).start()
    SERVER = Server(images, text, os.path.join(FOLDER, "endless.keylight.part"))
    ids = {run["name"]: run["id"] for run in SERVER.json("/api/v1/runs")["runs"]}
    IMAGES, TEXT = f"/api/v1/runs/{ids['images']}", f"/api/v1/runs/{ids['text']}"
    AT_REST = held()
    QUESTIONS = list(questions())
    BODIES = [(f"{IMAGES}/{resource}", {"pixels": [random.Random(seed).randrange(256) for _ in range(784)]})
              for seed in range(3) for resource in ("attention", "answer", "spotlight", "strips", "views/time")]
    BODIES += [(f"{TEXT}/{resource}", {"text": typed}) for typed in ("the old cat ", "once upon a time there was ") for resource in
               ("attention", "answer", "reading", "strips", "heat", "continuation")]


def questions():
    """What stays as it is while the server runs, of both runs."""
    yield from ("/", "/api/v1/ranks", "/api/v1/openapi.json", "/assets/icon.svg", IMAGES, TEXT)
    trained = SERVER.json(f"{IMAGES}/spotlight?sample=0")["spotlight"][0]["sample"]["id"]
    for sample in (0, 3, 77, 6001, 6300):
        of = f"?sample={sample}"
        yield from (f"{IMAGES}/{resource}{'&' + of[1:] if '?' in resource else of}" for resource in ("attention", "answer", "spotlight", "strips", f"why?training={trained}"))
        yield f"{IMAGES}/removal{of}&remove=top:20"
        yield f"{IMAGES}/samples/{sample}"
        yield f"{IMAGES}/images/{sample}.png?scale=4"
        for layer, rank, by in itertools.product((1, 2, 3), ("abs", "effect", "logit"), ("pattern", "sample")):
            yield f"{IMAGES}/attention{of}&layer={layer}&rank={rank}&by={by}&k=50"
        yield from (f"{IMAGES}/views/{view}{of}" for view in ("classes", "curves", "time", "samples", "learning"))
        yield from (f"{IMAGES}/figures/{file}{of}" for file in ("card.png", "spotlight.svg"))
    yield from (f"{IMAGES}/{resource}" for resource in (
        "samples?split=test&limit=100", "samples?split=train&label=3&sort=loss&limit=50", "confusion?split=test", "map", "sheet.png?samples=0,1,2,3&scale=2",
        "common?layer=3&rank=abs&by=pattern", "suspects?limit=20"))
    for sample in (5, 100, 400):
        yield from (f"{TEXT}/{resource}{'&' if '?' in resource else '?'}sample={sample}" for resource in (
            "attention?views=time,learning,samples,curves", "answer", "strips",
            *(f"attention?layer={layer}&rank={rank}&by={by}" for layer in (1, 2) for rank in ("abs", "effect", "logit") for by in ("pattern", "sample")),
            "reading?count=100", "heat?count=40", "continuation?count=30&seed=3", "views/classes", "views/curves"))
    yield f"{TEXT}/documents"


# ---- the clients, each one call after another until the time is over

ANSWERS, LOCK, COUNTS, LATEST, WRONG = {}, threading.Lock(), {}, {}, []


def counted(what, seconds):
    with LOCK:
        COUNTS[what] = COUNTS.get(what, 0) + 1
        LATEST[what] = max(LATEST.get(what, 0), seconds)


def told(content):
    """An answer without what it says of its own time."""
    return re.sub(rb'"(timing_ms|scan_ms|seconds|training_seconds)": ?[\d.e+-]+', b"", content)


def where(first, now):
    """The first difference, and what is around it."""
    at = next((i for i, (mine, theirs) in enumerate(zip(first, now)) if mine != theirs), min(len(first), len(now)))
    return at, first[max(0, at - 200):at + 60], now[max(0, at - 200):at + 60]


def same(name, status, content):
    """The first answer to a question is the answer. While a list is being made somebody may be told to come again."""
    if status == 503:
        return counted("told to come again", 0)
    assert status == 200, (name, status, content[:300])
    now = told(content)
    with LOCK:
        first = ANSWERS.setdefault(name, now)
    assert first == now, (name, *where(first, now))


def ask(what, path, method="GET", body=None, **headers):
    begun = time.monotonic()
    status, headers, content = SERVER.ask(path, method, body, **headers)
    counted(what, time.monotonic() - begun)
    return status, content


def read(chance):
    path = chance.choice(QUESTIONS)
    same(path, *ask("read", path))


def draw(chance):
    path, words = chance.choice(BODIES)
    body = json.dumps(words)
    same((path, body), *ask("draw", path, "POST", body, Content_Type="application/json"))


def start(chance):
    """Begins, follows or cancels a job."""
    sample = chance.randrange(6000, 6400)
    kind, words = chance.choice((
        ("retrain", {"sample": sample, "without": f"top:{chance.randrange(1, 9)}"}), ("retrain", {"without": f"class:{chance.randrange(10)}"}),
        ("walk", {"sample": sample}), ("truth", {"check": chance.randrange(3, 6), "queries": 1}), ("votes", {}), ("truth", {"check": 5000, "queries": 2})))
    status, content = ask("start", f"{IMAGES}/{kind}", "POST", json.dumps(words), Content_Type="application/json")
    assert status in (200, 503), (kind, words, status, content)
    time.sleep(chance.random() / 2)
    status, content = ask("follow", f"{IMAGES}/progress")
    assert status == 200, content
    if chance.random() < 0.5 or words.get("check") == 5000:
        status, content = ask("cancel", f"{IMAGES}/{kind}", "POST", json.dumps({**words, "cancel": True}), Content_Type="application/json")
        assert status in (200, 400, 409), (kind, words, status, content)


def mark(chance):
    body = json.dumps({"sample": chance.randrange(6000), "decision": chance.choice(("fine", None)), "label": None})
    status, content = ask("mark", f"{IMAGES}/marks", "POST", body, Content_Type="application/json")
    assert status in (200, 204), (body, status, content)
    time.sleep(0.2)


def follow(chance):
    """Whatever the training has come to, it answers; a checkpoint that has gone since is another's."""
    run = next(run for run in SERVER.json("/api/v1/runs")["runs"] if run["name"] == "endless")
    path = f"/api/v1/runs/{run['id']}/{chance.choice(('attention', 'strips', 'answer', 'views/time'))}?sample={chance.randrange(6400)}"
    status, content = ask("follow a training", path)
    assert status in (200, 503), (path, status, content[:300])


def spoil(chance):
    """What no client should send; of the server only that it goes on is asked."""
    with socket.create_connection(("127.0.0.1", SERVER.port), timeout=20) as client:
        path = chance.choice(QUESTIONS).encode()
        sent = chance.choice((
            b"GET / HTTP/1.1\r\nHost", b"\0" * 900, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"pixels\": [",
            b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"pixels\": 3",
            b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET " + path + b" HTTP/1.1\r\nHost: strangers.example\r\n\r\n"))
        try:
            client.sendall(sent)
            time.sleep(chance.choice((0, 0.001, 0.05, 0.5)))
            if chance.random() < 0.5:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it hangs up at once
            else:
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
        except TimeoutError:
            raise
        except OSError:
            pass
    counted("spoil", 0)


def work(client, seed, until):
    chance = random.Random(seed)
    while time.monotonic() < until and not WRONG:
        try:
            client(chance)
            if THINK_S:
                time.sleep(chance.expovariate(1 / THINK_S))
        except Exception:  # the first that is wrong ends the soak
            WRONG.append(traceback.format_exc())


def train_slowly(until):
    while time.monotonic() < until and not WRONG:
        TRAINING.send_signal(signal.SIGCONT)
        time.sleep(SLICE_S)
        TRAINING.send_signal(signal.SIGSTOP)
        time.sleep(PAUSE_S)


# ---- what the server holds

def held():
    """Megabytes of its own (not of files), descriptors, threads."""
    with open(f"/proc/{SERVER.process.pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return (int(fields["RssAnon"].split()[0]) / 1024, len(os.listdir(f"/proc/{SERVER.process.pid}/fd")), int(fields["Threads"]))


def test_every_answer_stays_what_it_was_and_the_server_holds_no_more():
    for path in QUESTIONS:
        for _ in range(20):  # a list that is being made is asked for again
            same(path, *ask("read", path))
            if path in ANSWERS:
                break
            time.sleep(0.5)
    assert len(ANSWERS) == len(QUESTIONS), COUNTS
    before, until, seen = held(), time.monotonic() + SECONDS, []
    clients = [(read, 4), (draw, 2), (start, 1), (mark, 1), (follow, 1), (spoil, 2)]
    threads = [threading.Thread(target=work, args=(client, seed, until)) for client, n in clients for seed in range(n)]
    threads.append(threading.Thread(target=train_slowly, args=(until,)))
    for thread in threads:
        thread.start()
    while time.monotonic() < until and not WRONG:
        time.sleep(min(30, SECONDS / 24))
        seen.append(held())
        if len(seen) % 10 == 0:
            print(f"# {SECONDS - until + time.monotonic():6.0f} s: {seen[-1][0]:.0f} MB, {seen[-1][1]} descriptors, {seen[-1][2]} threads", flush=True)
    for thread in threads:
        thread.join()
    assert not WRONG, WRONG[0]
    quarter = len(seen) // 4
    early, late = ([statistics.median(column) for column in zip(*part)] for part in (seen[quarter:2 * quarter], seen[-quarter:]))
    print(f"# {SECONDS:.0f} s: " + ", ".join(f"{n} x {what} ({LATEST[what]:.2f} s at most)" for what, n in COUNTS.items()))
    print(f"# at first {before[0]:.0f} MB, {before[1]} descriptors, {before[2]} threads; second quarter {early}; last {late}")
    assert late[0] < early[0] + GROWTH_MB or SECONDS < 600, "memory grows"
    assert late[1] < early[1] + 16 and late[2] < early[2] + 16, "descriptors or threads grow"  # as many as there are clients
    assert COUNTS.get("told to come again", 0) < sum(COUNTS.values()) / 20, COUNTS


def test_whoever_is_gone_holds_nothing():
    for _ in range(100):
        time.sleep(0.5)
        now = held()
        if now[1] <= AT_REST[1] + 4:
            break
    assert now[1] <= AT_REST[1] + 4, (AT_REST, now)


def test_it_ends_when_it_is_told_to():
    SERVER.process.send_signal(signal.SIGTERM)
    _, errors = SERVER.process.communicate(timeout=60)
    assert SERVER.process.returncode == 0 and all("its last checkpoint" in line for line in errors.splitlines()), errors


def tear_down():
    if TRAINING:
        TRAINING.kill()
        TRAINING.wait()
    if SERVER and SERVER.process.poll() is None:
        SERVER.process.kill()


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
