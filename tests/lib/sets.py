"""Runs that are cut into shards, and the questions that every way of opening them is compared over."""
import json
import os
import shutil

import made_data
import tap
from client import Server
from text_reader import make_text

RUNS = {}  # paths of whole runs by name


def make_runs(folder):
    for name, seed in (("a", 1), ("b", 2)):
        made_data.idx(os.path.join(folder, name), seed)
    common = ("--data", f"a={folder}/a", "--data", f"b={folder}/b", "--steps", "67", "--batch", "7", "--hidden", "14,10", "--quiet")
    RUNS["images"] = os.path.join(folder, "images.keylight")
    tap.succeed("train", *common, "--lr", "0.03", "--clip", "1", "--output", RUNS["images"])
    RUNS["adam"] = os.path.join(folder, "adam.keylight")
    tap.succeed("train", *common, "--optimiser", "adam", "--lr", "0.003", "--dtype", "float32", "--output", RUNS["adam"])
    RUNS["text"] = os.path.join(folder, "text.keylight")
    tap.succeed("train", "--data", f"tale={make_text(folder)}", "--tokens", "characters", "--hidden", "12", "--steps", "40", "--batch", "4",
                "--unroll", "6", "--dropout", "0.2", "--lr", "0.5", "--error-entries", "5", "--gate-errors", "--output", RUNS["text"], "--quiet")


def shards_of(name, n=3):
    """A folder with the shards of a run, made anew."""
    folder = RUNS[name].replace(".keylight", "-shards")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    printed = tap.succeed("split", RUNS[name], "--shards", n, "--output", folder).split()
    assert printed == [os.path.join(folder, f"{name}.{i}.keylight") for i in range(n)], printed
    return folder


QUESTIONS = {
    "images": ["", "/samples?limit=9", "/attention?sample=test/a/3&views=curves,time,samples,learning",
               "/attention?sample=test/b/5&layer=2&by=sample&rank=influence", "/attention?sample=test/b/5&layer=1&rank=cosine&k=40",
               "/attention?sample=test/a/1&layer=2&rank=logit:2",
               "/attention?sample=test/a/1&rank=proponents&by=sample", "/attention?sample=test/a/2&remove=top:9,class:1",
               "/attention?sample=test/a/2&remove=steps:20-45", "/strips?sample=test/a/4", "/common?layer=2", "/suspects",
               "/attention?sample=train/a/7&rank=opponents"],
    "adam": ["/attention?sample=test/a/3&views=curves,time,samples,learning",
             "/attention?sample=test/b/5&layer=2&by=sample&rank=influence", "/suspects",
             "/attention?sample=test/a/2&remove=top:9,class:1", "/strips?sample=test/a/4"],
    "text": ["", "/attention?sample=test/tale/30&views=curves,time,samples,learning", "/attention?sample=test/tale/11&layer=1&by=sample&rank=logit",
             "/reading?sample=0", "/strips?sample=test/tale/30", "/documents"],
}
TOLD_APART = {"timing_ms", "total_ms", "scan_ms", "seconds", "gflops", "file", "file_bytes", "memory_bytes", "shards", "copied_bytes"}


def alike(a, b, where=""):
    """The same but for rounding and what is of the files."""
    if isinstance(a, dict):
        assert isinstance(b, dict) and set(a) - TOLD_APART == set(b) - TOLD_APART, (where, set(a) ^ set(b))
        for key in set(a) - TOLD_APART:
            alike(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list):
        assert isinstance(b, list) and len(a) == len(b), where
        for i, (one, other) in enumerate(zip(a, b)):
            alike(one, other, f"{where}[{i}]")
    elif isinstance(a, float) or isinstance(b, float):
        assert abs(a - b) <= 1e-5 * (1 + abs(a)), (where, a, b)
    else:
        assert a == b, (where, a, b)


def answers(path, questions, *more, under=()):
    """What a server says of the only run that it has."""
    server = Server(path, *more, under=under)
    try:
        runs = server.json("/api/v1/runs")["runs"]
        assert len(runs) == 1, [run["file"] for run in runs]
        found = {}
        for question in questions:
            status, headers, body = server.ask(f"/api/v1/runs/{runs[0]['id']}{question}")
            assert status == 200, (question, status, body)
            found[question] = json.loads(body), headers
        server.validate("Run", server.json(f"/api/v1/runs/{runs[0]['id']}"))
        return runs[0]["id"], found
    finally:
        server.process.terminate()
        server.process.communicate(timeout=30)
