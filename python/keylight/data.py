"""The samples of a recording: pictures, labels and names, taken from what PyTorch trains on."""
from __future__ import annotations

import random
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset, TensorDataset

from .described import Described, table_of
from .errors import NotRecorded, RecordError
from .labelled import Labelled
from .text import Text

CHUNK_BYTES = 1 << 20


@dataclass
class Images(Labelled):
    """Pictures with labels, as keylight shows them.

    pixels: (n, channels, height, width) bytes; labels: (n); classes: a name for every label; mean, deviation:
    (channels) of the standardisation, in units of a byte, so that (pixels - mean) / deviation is what the model
    reads, if it reads the pictures themselves; files: the name of each sample's file, or None; inputs: what the model reads,
    where that is something else: a tensor (n, ...), or a data set whose items begin with it."""

    pixels: np.ndarray
    labels: np.ndarray
    classes: list[str]
    mean: np.ndarray = field(default_factory=lambda: np.zeros(1))
    deviation: np.ndarray = field(default_factory=lambda: np.full(1, 255.0))
    files: Sequence[str] | None = None
    inputs: Any = None
    has_predictions: bool = field(default=True, init=False)
    kind: str = field(default="images", init=False)

    def __post_init__(self) -> None:
        self.pixels = np.ascontiguousarray(self.pixels)
        if self.pixels.ndim == 3:
            self.pixels = self.pixels[:, None]
        if self.pixels.ndim != 4 or self.pixels.dtype != np.uint8 or not 1 <= self.pixels.shape[1] <= 4:
            raise RecordError(f"pixels are bytes (n, channels, height, width) with 1 to 4 channels, not "
                              f"{self.pixels.dtype} {self.pixels.shape}")
        self._check(len(self.pixels), "pictures")
        channels = self.pixels.shape[1]
        self.mean = np.broadcast_to(np.asarray(self.mean, np.float64), channels)
        self.deviation = np.broadcast_to(np.asarray(self.deviation, np.float64), channels)

    def standardised(self, index: np.ndarray) -> torch.Tensor:
        """What a model reads of some samples: (n, channels * height * width), float32."""
        pixels = (self.pixels[index] - self.mean[:, None, None]) / self.deviation[:, None, None]
        return torch.from_numpy(pixels.reshape(len(index), -1).astype(np.float32))

    def read(self, index: np.ndarray) -> torch.Tensor:
        """What the model reads of some samples: the pictures themselves, unless inputs are something else."""
        if self.inputs is None:
            return self.standardised(index).reshape(len(index), *self.pixels.shape[1:])
        return super().read(index)

    def write(self, file: Any, name: str, test: Any) -> None:
        """The rows of dataset, class, channel and image_chunk."""
        shape = self.pixels.shape[1:]
        if test.pixels.shape[1:] != shape:
            raise RecordError(f"test pictures are {test.pixels.shape[1:]}, those of training {shape}")
        file.insert("dataset", 0, name, "images", shape[2], shape[1], shape[0], len(self.classes), len(self), 0, len(test))
        for label, text in enumerate(self.classes):
            file.insert("class", 0, label, text)
        for channel in range(shape[0]):
            file.insert("channel", 0, channel, float(self.mean[channel]), float(self.deviation[channel]))
        for first, rows in _pixel_chunks(self, test):
            file.insert("image_chunk", first, len(rows), int(np.prod(shape)), rows.tobytes())


def _normalisation(dataset: Any) -> tuple[Any, Any] | None:
    """Mean and deviation of a torchvision Normalize among a data set's transforms, if there is one."""
    while dataset is not None:
        transform = getattr(dataset, "transform", None)
        for one in reversed(getattr(transform, "transforms", [transform])):
            if hasattr(one, "mean") and hasattr(one, "std"):
                return one.mean, one.std
        dataset = getattr(dataset, "dataset", None)  # of a Subset
    return None


def _base(dataset: Any) -> tuple[Any, Any]:
    """What Subsets are made of, and which of its samples they take, or None for all."""
    indices = None
    while hasattr(dataset, "dataset") and hasattr(dataset, "indices"):
        own = np.asarray(dataset.indices)
        indices = own if indices is None else own[indices]
        dataset = dataset.dataset
    return dataset, indices


def _files(dataset: Any, n: int) -> list[str] | None:
    """The names of files that torchvision's folders keep, below the folder."""
    base, indices = _base(dataset)
    listed = getattr(base, "samples", None)
    if not isinstance(listed, (list, tuple)) or not listed or not isinstance(listed[0], tuple):
        return None
    root = str(getattr(base, "root", ""))
    names = [str(one[0]) for one in listed]
    names = [name[len(root):].lstrip("/") if root and name.startswith(root) else name for name in names]
    return names if indices is None else [names[i] for i in indices][:n]


def _tensor(item: Any) -> torch.Tensor:
    """An item's picture (channels, height, width): of a tensor that, of a PIL image its bytes."""
    if isinstance(item, np.ndarray):
        item = torch.from_numpy(item)
    if not isinstance(item, torch.Tensor):
        item = torch.from_numpy(np.array(item, np.uint8))
        item = item.permute(2, 0, 1) if item.ndim == 3 else item
    return item[None] if item.ndim == 2 else item


def _bytes_of(items: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> np.ndarray:
    if items.dtype == torch.uint8:
        return items.numpy()
    shaped = items.float() * std[:, None, None] + mean[:, None, None]
    if shaped.numel() and not (-0.01 < float(shaped.min()) and float(shaped.max()) < 1.01):
        warnings.warn("the pictures' values leave 0 to 1, and are shown cut off there: say normalise=(mean, std), or give "
                      "keylight.Images", NotRecorded, stacklevel=5)
    return (shaped * 255).round().clamp(0, 255).to(torch.uint8).numpy()


@contextmanager
def _unmoved_chance() -> Iterator[None]:
    """Random numbers go on as if nothing had been drawn: items may be random, and are taken before the training is."""
    python, numpy_state = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)


def _items(dataset: Any) -> tuple[torch.Tensor, np.ndarray]:
    if type(dataset) is TensorDataset and len(dataset.tensors) >= 2:
        return dataset.tensors[0].detach().cpu(), dataset.tensors[1].detach().cpu().numpy()
    pictures, labels = [], []
    for i in range(len(dataset)):
        item = dataset[i]
        pictures.append(_tensor(item[0]))
        labels.append(int(item[1]))
    return torch.stack(pictures), np.array(labels, np.int64)


def samples_of(dataset: Any, classes: Sequence[str] | None, normalise: tuple[Any, Any] | None) -> Any:
    """The samples of a data set: Images, Described or a Text as they are, or the pictures, or rows, of one that PyTorch trains on.

    classes, normalise: where the data set does not tell them itself. Every item is taken once. Raises RecordError."""
    if isinstance(dataset, (Images, Described, Text)):
        return dataset
    if isinstance(dataset, Indexed):
        dataset = dataset.dataset
    try:
        with _unmoved_chance():
            items, labels = _items(dataset)
    except (TypeError, IndexError, KeyError, ValueError, RuntimeError) as error:
        raise RecordError(f"the data set's items are no pictures of one size, or vectors, with a label ({error}): give "
                          "keylight.Images, Table, Sequences or Described") from error
    names = [str(name) for name in classes or getattr(_base(dataset)[0], "classes", None) or range(int(labels.max(initial=0)) + 1)]
    if items.ndim == 2 and items.is_floating_point():
        return table_of(items, labels, names, dataset)
    if items.ndim == 3:
        items = items[:, None]
    if items.ndim != 4 or not 1 <= items.shape[1] <= 4:
        raise RecordError(f"the data set's items are no pictures (channels, height, width), nor vectors of floats, but {tuple(items.shape[1:])}: "
                          "give keylight.Images, Table, Sequences or Described, which say what is to be shown of each sample")
    mean, std = normalise or _normalisation(dataset) or (0.0, 1.0)
    channels = items.shape[1]
    mean = torch.as_tensor(mean, dtype=torch.float64).flatten().expand(channels)
    std = torch.as_tensor(std, dtype=torch.float64).flatten().expand(channels)
    return Images(_bytes_of(items, mean.float(), std.float()), labels, names, mean.numpy() * 255,
                  std.numpy() * 255, _files(dataset, len(labels)), inputs=dataset)


class Indexed(Dataset):
    """A data set whose items begin with their index, so that a loader tells which samples a batch has."""

    def __init__(self, dataset: Any):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple:
        item = self.dataset[index]
        return (index, *item) if isinstance(item, (tuple, list)) else (index, item)


def indexed(dataset: Any) -> Indexed:
    """The data set with every item's index before it: for samples, x, y in DataLoader(keylight.indexed(train))."""
    return Indexed(dataset)


def _pixel_chunks(train: Images, test: Images) -> Iterator[tuple[int, np.ndarray]]:
    first = 0
    for images in (train, test):
        for rows in np.array_split(images.pixels, max(1, images.pixels.nbytes // CHUNK_BYTES)):
            if len(rows):
                yield first, rows
            first += len(rows)
