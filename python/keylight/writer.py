"""The thread that writes a history while the training goes on."""
from __future__ import annotations

import queue
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable

import torch

from .draft import Draft
from .errors import RecordError
from .file import Chunks, Encoder, HistoryFile
from .rules import Rule
from .run_file import SHOWN, write_tensors

WAITING_MAX = 8  # steps: a training that is faster than the disk waits
POSTPONED_MAX_S = 60  # a checkpoint that need not be kept at once, while the file is copied


class Waiting:
    """Rows of a layer that wait to be written: the network's own tensor, which nobody may change until then."""

    def __init__(self, tensor: torch.Tensor):
        self.tensor, self._version = tensor, tensor._version  # PyTorch's count of changes in place

    def check(self, name: str, step: int) -> None:
        """Raises RecordError where they were changed since."""
        if self.tensor._version != self._version:
            raise RecordError(f"step {step}: what {name} saw was changed in place after the step, before it was written: change a "
                              "copy of it (clone()) instead")


@dataclass
class Step:
    """One update: by layer, its name, keys (n, numbers of all places, or of a convolution's map) or None where they are the
    samples themselves, and error signals (n, places * outputs) or None where they are not recorded."""

    number: int
    samples: torch.Tensor
    loss: float
    clip_factor: float
    rules: list[Rule]
    names: list[str]
    keys: list[Waiting | None]
    errors: list[Waiting | None]


class Writer:
    """Writes steps in the order in which they come. What fails in the thread is raised by the next call."""

    def __init__(self, path: str, dtype: str, resume: bool = False):
        self._path, self._resume, self._dtype = path, resume, dtype
        self.first = 0  # the next step's first pattern
        self._tasks: queue.Queue[Callable[[], None] | None] = queue.Queue(WAITING_MAX)
        self._failure: BaseException | None = None
        self._encoder = Encoder(dtype)
        self._chunks: dict[tuple[str, int], Chunks] = {}
        self._samples: list[torch.Tensor] = []
        self._steps: list[tuple] = []  # rows that wait for a checkpoint: one by one they would hold Python back
        self._thread = threading.Thread(target=self._run, name="keylight", daemon=True)
        self._drops = False
        self._postponed: float | None = None  # since when a checkpoint is
        self._draft: Draft
        self.file: HistoryFile
        n_threads = torch.get_num_threads()
        self._thread.start()
        try:
            self.call(lambda: None)  # so that a file that cannot be opened is told at once
        except BaseException:
            self._tasks.put(None)
            raise
        finally:
            torch.set_num_threads(n_threads)  # of every thread but the one that has set its own

    def _run(self) -> None:
        torch.set_num_threads(1)  # of this thread: others would take the training's processors
        while (task := self._tasks.get()) is not None:
            try:
                if self._failure is None:
                    if not hasattr(self, "file"):
                        self._draft = Draft(self._path, self._resume)
                        self.file = HistoryFile(self._draft.path, self._resume)
                    task()
            except (sqlite3.Error, OSError, ValueError, OverflowError) as failure:  # the training's thread raises it
                self._failure = RecordError(f"{self._path} cannot be written: {failure}")
            except BaseException as failure:
                self._failure = failure
            finally:
                self._tasks.task_done()
        if hasattr(self, "file"):
            self.file.close()
        if hasattr(self, "_draft"):
            if self._drops or not (self._resume or hasattr(self, "file")):
                self._draft.remove()
            self._draft.end()

    def publish(self) -> None:
        """The file, which is finished, gets its name. In the thread."""
        self._draft.publish()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def call(self, task: Callable[[], Any]) -> None:
        """Runs in the thread after all that came before, and is waited for."""
        self._tasks.put(task)
        self._tasks.join()
        self._check()

    def write(self, task: Callable[[], None]) -> None:
        """Runs in the thread after all that came before, and is not waited for."""
        self._check()
        self._tasks.put(task)

    def add(self, step: Step) -> None:
        self.write(lambda: self._add(step))

    def _add(self, step: Step) -> None:
        count = len(step.samples)
        self._steps.append(("step", step.number, self.first, count, step.loss))
        self._steps += [("rule", step.number, group, rule.learning_rate, rule.momentum, rule.weight_decay, step.clip_factor)
                        for group, rule in enumerate(step.rules)]
        for layer, (keys, errors) in enumerate(zip(step.keys, step.errors), 1):
            for table, rows in (("key_chunk", keys), ("error_chunk", errors)):
                if rows is None:
                    continue
                if (table, layer) not in self._chunks:
                    self._chunks[table, layer] = Chunks(self.file, table, layer, self._dtype, self.first, self._encoder)
                self._chunks[table, layer].add(rows.tensor)
                rows.check(step.names[layer - 1], step.number)
        self._samples.append(step.samples)
        self.first += count

    def _flush(self) -> None:
        for chunks in self._chunks.values():
            chunks.flush()
        for row in self._steps:
            self.file.insert(*row)
        self._steps = []
        if self._samples:
            samples = torch.cat(self._samples)
            self.file.insert("showing_chunk", self.first - len(samples), len(samples),
                             samples.numpy().astype("<u4").tobytes())
            self._samples = []

    def checkpoint(self, steps_done: int, parameters: list[tuple[int, str, str, torch.Tensor]],
                   show: Callable[[HistoryFile], None] | None = None, may_wait: bool = False) -> None:
        """All steps so far are kept, with the parameters as they are: (layer, its name, role, copy). show: writes what makes the run be
        shown as of this step. may_wait: until nobody copies the file."""
        def keep() -> None:
            self._flush()
            write_tensors(self.file, "current", parameters)
            if show is not None:
                write_tensors(self.file, SHOWN, parameters)
                show(self.file)
            if may_wait and self._draft.is_copied():
                self._postponed = self._postponed or time.monotonic()
                if time.monotonic() - self._postponed < POSTPONED_MAX_S:
                    return
            self.file.checkpoint(steps_done)
            self._postponed = None
        self.write(keep)

    def end(self, drops: bool = False) -> None:
        """Ends the thread. What no checkpoint kept is gone, unless the file was finished; drops: all of it is."""
        self._drops = drops
        self._tasks.put(None)
        self._thread.join()
        self._check()
