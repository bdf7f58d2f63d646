"""Samples that are recorded after the training: what keylight asks about them stands in a file beside the run, RUN.queries,
which a running server takes up by itself."""
from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any, Sequence

import numpy as np
from torch import nn

from . import data, queries
from .errors import RecordError
from .file import FORMAT, HistoryFile, numbers
from .layers import linear_layers
from .ranks import inner
from .run_file import copies
from .samples import indices_of

SAME = 1e-3  # how far logits may be apart: another machine adds up in another order


def _open_run(path: str) -> sqlite3.Connection:
    if not os.path.exists(path):
        raise RecordError(f"there is no file {path}")
    db = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        version, = db.execute("PRAGMA user_version").fetchone()
        finished, = db.execute("SELECT finished FROM run").fetchone()
        architecture, = db.execute("SELECT value FROM setting WHERE key = 'architecture'").fetchone() or (None,)
    except sqlite3.Error as error:
        db.close()
        raise RecordError(f"{path} is not a keylight run: {error}") from error
    if version != FORMAT or not finished:
        raise RecordError(f"{path} is of format {version}, not {FORMAT}" if version != FORMAT else f"{path} is not finished")
    if architecture != "recorded":
        raise RecordError(f"{path} needs no recorded samples: keylight runs its network itself")
    return db


def add_queries(path: str, model: nn.Module, asked: Sequence[int], *, test: Any, batch_first: bool = True,
                classes: Sequence[str] | None = None, normalise: tuple[Any, Any] | None = None) -> None:
    """Records what keylight asks about further samples of a finished run's test split.

    path: the run; model: as it was when the training ended; asked: indices into test, which is the data set that the run
    was recorded with (classes, normalise: likewise). What is in RUN.queries already stays. Raises RecordError."""
    db = _open_run(path)
    try:
        samples = data.samples_of(test, classes, normalise)
        (n_train, n_test), = db.execute("SELECT train_samples, test_samples FROM dataset").fetchall()
        if len(samples) != n_test:
            raise RecordError(f"{path} was recorded with {n_test} test samples, not {len(samples)}")
        index, model = indices_of(asked, samples), inner(model)
        layers, by_name = [], {layer.name: layer for layer in linear_layers(model)}
        rows = db.execute("SELECT name, places, bias FROM layer ORDER BY layer").fetchall()
        stored = dict(((name, role), blob) for name, role, blob in db.execute(
            "SELECT name, role, data FROM tensor WHERE state = 'current'"))
        for name, _, bias in rows:
            if name not in by_name:
                raise RecordError(f"{path} was recorded with other layers: this model has no {name}")
            for role, tensor in copies(by_name[name]):
                if stored.get((name, role if role == "weights" or bias else "offset")) != numbers(tensor):
                    raise RecordError(f"the model is not the one that {path} holds: load its parameters as they were at the end")
            layers.append(by_name[name])
        _compare(db, model, layers, samples, n_train, batch_first)
        dtype, = db.execute("SELECT dtype FROM key_chunk LIMIT 1").fetchone()
        fingerprint, = db.execute("SELECT fingerprint FROM run").fetchone()
        name, = db.execute("SELECT name FROM dataset").fetchone()
    finally:
        db.close()
    _write(path, fingerprint, name, model, layers, [places for _, places, _ in rows], samples, n_train, index, dtype, batch_first)


def _compare(db: sqlite3.Connection, model: nn.Module, layers: list, samples: Any, first: int, batch_first: bool) -> None:
    """That the model says of a sample that the run has what it said then: other parameters than the layers' count, too."""
    known = db.execute("SELECT query, label, logits FROM query ORDER BY query LIMIT 1").fetchone()
    if known is None:
        return
    for _, found in queries.all_of(model, layers, samples, np.array([known[0] - first]), batch_first):
        logits = np.frombuffer(known[2], "<f4")
        if int(samples.labels[known[0] - first]) != known[1]:
            raise RecordError("test is not the data set that the run was recorded with: its labels are others")
        if np.abs(found[0].logits.numpy() - logits).max() > SAME * (1 + np.abs(logits).max()):
            raise RecordError("the model, or test, is not that of the run: what it says of a sample that was recorded is something else")


def _write(path: str, fingerprint: str, name: str, model: nn.Module, layers: list, places: list[int], samples: Any, first: int,
           index: np.ndarray, dtype: str, batch_first: bool) -> None:
    """The new file becomes the old one as a whole."""
    beside, new = f"{path}.queries", f"{path}.queries.new"
    try:
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        raise RecordError(f"{new} is there: somebody else adds samples just now, or was cut off while doing so; then remove it") from None
    try:
        if os.path.exists(beside):
            shutil.copyfile(beside, new)
        file = HistoryFile(new, resume=os.path.exists(beside))
        try:
            (of,), = file.select("SELECT fingerprint FROM run")
            if of not in (None, fingerprint):
                raise RecordError(f"{beside} holds samples of another run: remove it")
            there = {row[0] for row in file.select("SELECT query FROM query")}
            wanted = np.array([i for i in index if first + int(i) not in there], np.int64)
            for part, found in queries.all_of(model, layers, samples, wanted, batch_first):
                queries.write(file, samples, name, first, part, found, places, dtype)
            file.finish_as(fingerprint)
        finally:
            file.close()
        with open(new, "rb") as written:
            os.fsync(written.fileno())
        os.replace(new, beside)
    except (sqlite3.Error, OSError, ValueError, OverflowError) as error:
        _remove(new)
        raise RecordError(f"{beside} cannot be written: {error}") from error
    except BaseException:
        _remove(new)
        raise


def _remove(new: str) -> None:
    for path in (new, f"{new}-journal"):
        if os.path.lexists(path):
            os.remove(path)
