"""What a run that is being recorded shows of itself while it is in training (keylight serve), within a share of the training's time."""
from __future__ import annotations

import contextlib
import random
import time
import warnings
from dataclasses import dataclass
from typing import Iterator

import numpy as np
import torch
from torch import nn

from . import queries
from .errors import NotRecorded
from .layers import Layer
from .samples import Samples

SHARE = 50  # looking takes its time from the training: at most one part of so many, after the first look
AT_EXIT_MAX_S = 5.0  # a loop that was interrupted does not wait longer for one
ASKED_MAX = 16  # samples of test that can be asked about meanwhile


@dataclass
class Look:
    """What a model says of test as it is, and all that can be asked about some of its samples."""

    scores: queries.Scores | None
    found: list[tuple[np.ndarray, list[queries.Query]]]


@contextlib.contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """What chance gives afterwards is what it would have given, whatever reads of samples and evaluation draw."""
    plain, of_numpy, device = random.getstate(), np.random.get_state(), queries.device_of(model)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(of_numpy)


class Looks:
    """When a model is looked at."""

    def __init__(self) -> None:
        self._next = 0.0  # when there is time for another one
        self._cost = 0.0  # seconds of one
        self._can = True

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        """What happens within takes as long as a look."""
        begun = time.monotonic()
        yield
        self._cost = time.monotonic() - begun

    def is_due(self) -> bool:
        return self._can and time.monotonic() >= self._next

    def is_short(self) -> bool:
        """Whether one can be waited for by who wants to stop."""
        return self._can and self._cost <= AT_EXIT_MAX_S

    def look(self, model: nn.Module, layers: list[Layer], test: Samples, asked: np.ndarray, batch_first: bool) -> Look | None:
        """layers: those that queries are made of; none of a model that keylight runs itself. asked: the samples of test that can be
        asked about in the end. None: the model cannot do it, which is warned of; the training goes on, and it is not looked at again."""
        some = asked[np.linspace(0, len(asked) - 1, min(ASKED_MAX, len(asked))).astype(np.int64)]
        try:
            with self.measured(), undisturbed(model):
                found = list(queries.all_of(model, layers, test, some, batch_first)) if layers else []
                look = Look(queries.scores(model, test), found)
        except Exception as error:  # whatever a model or a data set raises, nobody asked for this
            self._can = False
            warnings.warn(f"the run is not shown while it is in training: {error}", NotRecorded, stacklevel=2)
            return None
        self._next = time.monotonic() + SHARE * self._cost
        return look
