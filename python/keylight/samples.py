"""What a recorder and its queries need of a split of data, whatever kind it is: images (data.py) or a text (text.py)."""
from __future__ import annotations

from typing import Any, Iterator, Protocol

import numpy as np
import torch


def evenly(count: int, n: int) -> np.ndarray:
    """So many of the numbers below n, one from the middle of each of as many equal parts."""
    return (np.arange(count) * 2 + 1) * n // (2 * max(count, 1))


class Samples(Protocol):
    """labels: (samples) what the model should say of each; classes: a name for every output; has_predictions: whether what it
    says of each is kept."""

    labels: np.ndarray
    classes: list[str]
    has_predictions: bool

    def __len__(self) -> int:
        """How many samples there are."""

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """All samples in order, some at a time: labels, and what the model reads."""

    def queries(self, wanted: np.ndarray) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor]]:
        """Some samples, a few at a time: their indices and labels, and what the model reads to be asked about each."""

    def standardised(self, index: np.ndarray) -> torch.Tensor | None:
        """What a perceptron would read of some samples, (n, numbers); None: it could not."""

    def asked_by_default(self) -> np.ndarray:
        """The indices of those that are recorded as queries, if nobody says which."""

    def write(self, file: Any, name: str, test: Any) -> None:
        """The rows of a data set, of which these are the training samples; their predictions come at the end."""

    def write_samples(self, file: Any, test: Any, predicted: np.ndarray, probability: np.ndarray) -> None:
        """What there is to say of every sample, training first: predicted is an output, or -1 for none."""
