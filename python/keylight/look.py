"""What a run that is being recorded shows of itself while it is in training (keylight serve), within a share of the training's time."""
from __future__ import annotations

import contextlib
import time
import warnings
from dataclasses import dataclass
from typing import Iterator

import numpy as np
import torch
from torch import nn

from . import queries
from .errors import NotRecorded, RecordError
from .layers import Layer
from .samples import Samples

SHARE = 50  # looking takes its time from the training: at most one part of so many
ASKED_MAX = 16  # samples of test that can be asked about meanwhile


@dataclass
class Look:
    """What a model says of test as it is, and all that can be asked about some of its samples."""

    scores: queries.Scores | None
    found: list[tuple[np.ndarray, list[queries.Query]]]


class Looks:
    def __init__(self) -> None:
        self._next = 0.0  # when there is time for another one

    @contextlib.contextmanager
    def taking(self) -> Iterator[None]:
        """What happens within takes as long as a look, or is one."""
        begun = time.monotonic()
        yield
        ended = time.monotonic()
        self._next = ended + SHARE * (ended - begun)

    def is_due(self) -> bool:
        return time.monotonic() >= self._next

    def look(self, model: nn.Module, layers: list[Layer], test: Samples, asked: np.ndarray, batch_first: bool) -> Look | None:
        """layers: those that queries are made of; none of a model that keylight runs itself. asked: the samples of test that can be
        asked about in the end. None: the model cannot do it just now, which is warned of; the training goes on."""
        some = asked[np.linspace(0, len(asked) - 1, min(ASKED_MAX, len(asked))).astype(np.int64)]
        try:
            with self.taking(), torch.random.fork_rng(devices=[]):
                found = list(queries.all_of(model, layers, test, some, batch_first)) if layers else []
                return Look(queries.scores(model, test), found)
        except (RuntimeError, RecordError) as error:
            self._next = float("inf")
            warnings.warn(f"the run is not shown while it is in training: {error}", NotRecorded, stacklevel=2)
            return None
