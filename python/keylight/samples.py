"""What a recorder and its queries need of a split of data, whatever kind it is: images (data.py), described
samples (described.py) or a text (text.py)."""
from __future__ import annotations

from typing import Any, Iterator, Protocol, Sequence

import numpy as np
import torch

from .errors import RecordError


def evenly(count: int, n: int) -> np.ndarray:
    """So many of the numbers below n, one from the middle of each of as many equal parts."""
    return (np.arange(count) * 2 + 1) * n // (2 * max(count, 1))


class Samples(Protocol):
    """labels: (samples) what the model should say of each; classes: a name for every output; has_predictions: whether what it
    says of each is kept; kind: "images", "described" or "text"."""

    labels: np.ndarray
    classes: list[str]
    has_predictions: bool
    kind: str

    def __len__(self) -> int:
        """How many samples there are."""

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """All samples in order, some at a time: labels, and what the model reads."""

    def queries(self, wanted: np.ndarray) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor]]:
        """Some samples, a few at a time: their indices and labels, and what the model reads to be asked about each."""

    def standardised(self, index: np.ndarray) -> torch.Tensor | None:
        """What a perceptron would read of some samples, (n, numbers); None: it could not."""

    def settings(self) -> dict[str, str]:
        """What else stands in the run's settings."""

    def names(self) -> list[str]:
        """What train and test must have in common: what their numbers mean."""

    def padded(self, index: np.ndarray) -> torch.Tensor | None:
        """Which places of some samples are filling, (n, places); None: no sample has any."""

    def asked_by_default(self) -> np.ndarray:
        """The indices of those that are recorded as queries, if nobody says which."""

    def write(self, file: Any, name: str, test: Any) -> None:
        """The rows of a data set, of which these are the training samples; their predictions come at the end."""

    def write_samples(self, file: Any, test: Any, predicted: np.ndarray, probability: np.ndarray) -> None:
        """What there is to say of every sample, training first: predicted is an output, or -1 for none."""


def without_padding(rows: torch.Tensor, errors: torch.Tensor | None, padded: torch.Tensor | None) -> torch.Tensor:
    """Keys (n, places, inputs) with 0 at places that are filling, (n, length), and where nothing was taught: errors is what came
    back, (n, places, outputs), 0 there. So attention leaves them out, and nothing else changes. Of shorter batches the places are the
    first; a layer with more places than a sequence, or with one, is left as it is."""
    n_places = rows.shape[1]
    if padded is None or n_places == 1 or n_places > padded.shape[1]:
        return rows
    mute = padded[:, :n_places].to(rows.device)
    if errors is not None:
        mute = mute & ~errors.any(2)
    return rows.masked_fill(mute[:, :, None], 0)


def indices_of(asked: int | Sequence[int] | None, samples: Samples) -> np.ndarray:
    """Which samples are asked about: of a number so many, evenly; None: those of their kind. Raises RecordError."""
    if asked is None:
        return samples.asked_by_default()
    if isinstance(asked, (int, np.integer)) and not isinstance(asked, bool) and asked >= 0:
        return evenly(min(int(asked), len(samples)), len(samples))
    found = np.unique(np.asarray(asked)) if not isinstance(asked, (bool, int)) else np.array([-1])
    if len(found) and found.dtype.kind not in "iu":
        raise RecordError("asked are whole numbers: indices into test, or how many")
    found = found.astype(np.int64)
    if len(found) and not 0 <= found[0] <= found[-1] < len(samples):
        raise RecordError(f"asked are indices into test, from 0 to {len(samples) - 1}")
    return found
