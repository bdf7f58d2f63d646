"""Samples with a label each, which a model reads one by one: what pictures (data.py) and described samples (described.py) share."""
from __future__ import annotations

from typing import Any, Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import TensorDataset

from .errors import RecordError

CLASSES_MAX = 256
BATCH, QUERIES = 256, 64  # samples that a model reads at a time, to be judged and to be asked about


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
        self.labels = np.asarray(self.labels, np.int64)
        self.classes = [str(name) for name in self.classes]
        if self.labels.shape != (n,):
            raise RecordError(f"there are {n} {what} and {self.labels.shape} labels")
        if not 1 <= len(self.classes) <= CLASSES_MAX:
            raise RecordError(f"there are {len(self.classes)} classes: 1 to {CLASSES_MAX} can be recorded")
        if n and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise RecordError(f"labels count the {len(self.classes)} classes from 0, not up to {self.labels.max()}")

    def __len__(self) -> int:
        return len(self.labels)

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
            raise RecordError("the data set's items are no tensors that the model reads: give keylight.Images with inputs=, "
                              "which says what it reads of each sample")
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
