"""Samples with a label each, which a model reads one by one: what pictures (data.py) and described samples (described.py) share."""
from __future__ import annotations

from typing import Any, Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import TensorDataset

from .errors import RecordError

CLASSES_MAX = 256
BATCH, QUERIES = 256, 64  # samples that a model reads at a time, to be judged and to be asked about


def whole_numbers(values: Any, what: str) -> np.ndarray:
    """An array of integers. Raises RecordError."""
    try:
        found = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
        with np.errstate(invalid="ignore"):
            whole = found.astype(np.int64)
    except (TypeError, ValueError) as error:
        raise RecordError(f"{what} are whole numbers ({error})") from error
    if found.dtype.kind not in "iub" and not np.array_equal(whole, found):
        raise RecordError(f"{what} are whole numbers")
    return whole


class Labelled:
    """labels: (n); classes: a name for every label; files: the name of each sample's file, or None; inputs: what the model
    reads: a tensor (n, ...), or a data set whose items begin with it."""

    labels: np.ndarray
    classes: list[str]
    files: Sequence[str] | None
    inputs: Any
    has_predictions: bool
    kind: str

    def _check(self, n: int, what: str) -> None:
        """Of labels and classes of n samples, called what. Raises RecordError."""
        self.labels = whole_numbers(self.labels, "labels")
        if isinstance(self.classes, (str, bytes)) or not hasattr(self.classes, "__iter__"):
            raise RecordError(f"classes are a list of names, not {self.classes!r}")
        self.classes = [str(name) for name in self.classes]
        if self.labels.shape != (n,):
            raise RecordError(f"there are {n} {what}, and labels of the shape {self.labels.shape}: one for each")
        if not 1 <= len(self.classes) <= CLASSES_MAX:
            raise RecordError(f"there are {len(self.classes)} classes: 1 to {CLASSES_MAX} can be recorded")
        if n and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise RecordError(f"labels count the {len(self.classes)} classes from 0: they are not from {self.labels.min()} to {self.labels.max()}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """What the model reads of a sample, and its label: as items of a data set, for a DataLoader(keylight.indexed(..))."""
        return self.read(np.array([range(len(self))[index]]))[0], int(self.labels[index])

    def settings(self) -> dict[str, str]:
        """What else stands in the run's settings."""
        return {}

    def names(self) -> list[str]:
        """What train and test must have in common: what their numbers mean."""
        return self.classes

    def standardised(self, index: np.ndarray) -> torch.Tensor | None:
        """What a perceptron would read of some samples' pictures, (n, numbers); None: they have none."""
        return None

    def padded(self, index: np.ndarray) -> torch.Tensor | None:
        """Which places of some samples are filling, (n, places); None: no sample has any."""
        return None

    def read(self, index: np.ndarray) -> torch.Tensor:
        """What the model reads of some samples."""
        source = self.inputs
        if isinstance(source, torch.Tensor):
            return source[torch.from_numpy(index)]
        if type(source) is TensorDataset:
            return source.tensors[0][torch.from_numpy(index)]
        items = [source[int(i)][0] for i in index]
        if not all(isinstance(item, torch.Tensor) for item in items):
            raise RecordError("the data set's items are no tensors that the model reads: say with inputs= what it reads of each sample "
                              "(keylight.Images, Table, Sequences, Described)")
        return torch.stack(items)

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for first in range(0, len(self), BATCH):
            index = np.arange(first, min(first + BATCH, len(self)))
            yield torch.from_numpy(self.labels[index]), self.read(index)

    def queries(self, wanted: np.ndarray) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor]]:
        for first in range(0, len(wanted), QUERIES):
            index = wanted[first:first + QUERIES]
            yield index, torch.from_numpy(self.labels[index]), self.read(index)

    def asked_by_default(self) -> np.ndarray:
        return np.arange(len(self))

    def write_samples(self, file: Any, test: Labelled, predicted: np.ndarray, probability: np.ndarray) -> None:
        """The rows of sample."""
        number = 0
        for split, samples in (("train", self), ("test", test)):
            for i in range(len(samples)):
                label = int(samples.labels[i])
                told = int(predicted[number]) if predicted[number] >= 0 else None
                file.insert("sample", number, 0, split, i, label, label, label, samples.files[i] if samples.files else None,
                            told, None if told is None else float(probability[number]))
                number += 1
