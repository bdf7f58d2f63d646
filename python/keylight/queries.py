"""What a finished model says of its samples; and of those that only PyTorch can run, all that keylight asks."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset

from .data import Images, Indexed
from .errors import RecordError
from .file import HistoryFile, numbers
from .watch import Layer, Watch, logits_and_keys

BATCH = 256
OUTPUTS_MAX = 16  # of so many, gradients of all are recorded; of more, those of the predicted one and the label


@dataclass
class Query:
    """One sample: its keys and logits, and gradients of some outputs w.r.t. each layer's output but
    the last one's, where they are 0 and 1."""

    logits: torch.Tensor
    keys: list[torch.Tensor]
    gradients: dict[int, list[torch.Tensor]]


@dataclass
class Found:
    """predicted, probability: (train and test samples); scores: accuracy and loss on test; queries: of test."""

    predicted: np.ndarray
    probability: np.ndarray
    scores: tuple[float, float] | None
    queries: list[Query] = field(default_factory=list)


def batches(dataset: Any, images: Images) -> Any:
    """(labels, inputs) of a data set as the model reads them, a batch at a time."""
    own = dataset.dataset if isinstance(dataset, Indexed) else dataset
    if images.inputs is not None:
        own = images.inputs
    for first in range(0, len(images), BATCH):
        index = np.arange(first, min(first + BATCH, len(images)))
        if isinstance(own, Images):
            x = own.standardised(index).reshape(len(index), *own.pixels.shape[1:])
        elif isinstance(own, torch.Tensor):
            x = own[torch.from_numpy(index)]
        elif type(own) is TensorDataset:
            x = own.tensors[0][torch.from_numpy(index)]
        else:
            items = [own[i][0] for i in index]
            if not all(isinstance(item, torch.Tensor) for item in items):
                raise RecordError("the data set's items are no tensors that the model reads: give keylight.Images with inputs=, "
                                  "which says what it reads of each sample")
            x = torch.stack(items)
        yield torch.from_numpy(images.labels[index]), x


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def scores(model: nn.Module, dataset: Any, images: Images) -> tuple[float, float] | None:
    """Accuracy and mean cross-entropy of the model's outputs; None where they are not one row a sample and class."""
    right, loss = 0, 0.0
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for labels, x in batches(dataset, images):
                logits = model(x.to(_device(model)))
                if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or logits.shape[1] <= int(labels.max()):
                    return None
                logits = logits.float().cpu()
                right += int((logits.argmax(1) == labels).sum())
                loss += float(nn.functional.cross_entropy(logits, labels, reduction="sum"))
    finally:
        model.train(was_training)
    return right / len(images), loss / len(images)


def makes_logits(model: nn.Module, last: Layer, dataset: Any, images: Images) -> bool:
    """Whether a layer makes what the model returns: one number for every class."""
    _, x = next(iter(batches(dataset, images)))
    x = x[:2].to(_device(model))
    was_training = model.training
    calls, last.calls = last.calls, []
    try:
        outputs, _ = logits_and_keys(model, [last], x)
        model.eval()
        with torch.no_grad():
            returned = model(x)
    finally:
        model.train(was_training)
        last.calls = calls
    return (isinstance(returned, torch.Tensor) and returned.ndim == 2 and outputs.shape == returned.shape and
            outputs.shape[1] >= len(images.classes) and torch.equal(outputs, returned.float().cpu()))


def _gradients(model: nn.Module, layers: list[Layer], x: torch.Tensor, outputs: torch.Tensor) -> list[torch.Tensor]:
    """Of one output of each sample, w.r.t. every layer's output: (n, out_features) by layer."""
    watch = Watch(layers, lambda: True, shields=True)
    try:
        with torch.enable_grad():
            model(x.clone().requires_grad_(x.is_floating_point()))
            logits = layers[-1].calls[-1].outputs
            assert logits is not None
            seen = [layer.calls[-1].outputs for layer in layers]
            logits.gather(1, outputs.to(logits.device)[:, None]).sum().backward(
                inputs=[one for one in seen if one is not None and one.requires_grad])
        return [rows.errors.float().cpu() if (rows := layer.calls[-1]).errors is not None else
                torch.zeros(len(x), layer.module.out_features) for layer in layers]
    finally:
        watch.end()
        for layer in layers:
            layer.calls.clear()


def ask(model: nn.Module, layers: list[Layer], x: torch.Tensor, labels: torch.Tensor) -> list[Query]:
    """All that keylight asks about samples: x as the model reads them, labels (n) outputs of the last layer."""
    x = x.to(_device(model))
    logits, keys = logits_and_keys(model, layers, x)
    n_outputs = logits.shape[1]
    wanted = ([torch.full((len(x),), output) for output in range(n_outputs)] if n_outputs <= OUTPUTS_MAX else
              [logits.argmax(1), labels])
    was_training = model.training
    model.eval()
    try:
        found = [(outputs, _gradients(model, layers, x, outputs)) for outputs in wanted] if len(layers) > 1 else []
    finally:
        model.train(was_training)
    return [Query(logits[i], [key[i] for key in keys],
                  {int(outputs[i]): [one[i] for one in gradients[:-1]] for outputs, gradients in found})
            for i in range(len(x))]


def run_all(model: nn.Module, layers: list[Layer], train: tuple[Any, Images], test: tuple[Any, Images],
            wants_queries: bool) -> Found:
    """Predictions of all samples, and what keylight asks about those of test."""
    predicted, probability, found = [], [], []
    right, loss = 0, 0.0
    for split, (dataset, images) in enumerate((train, test)):
        for labels, x in batches(dataset, images):
            logits, _ = logits_and_keys(model, layers, x.to(_device(model)))
            sure, best = logits.softmax(1).max(1)
            predicted.append(best.numpy())
            probability.append(sure.numpy())
            if split == 1:
                right += int((best == labels).sum())
                loss += float(nn.functional.cross_entropy(logits, labels, reduction="sum"))
                if wants_queries:
                    found += ask(model, layers, x, labels)
    n = len(test[1])
    return Found(np.concatenate(predicted), np.concatenate(probability).astype(np.float64),
                 (right / n, loss / n) if n else None, found)


def write(file: HistoryFile, images: Images, first: int, found: Found) -> None:
    """The rows of query and query_key_chunk, named as their samples are."""
    name, = file.select("SELECT name FROM dataset")[0]
    for i, query in enumerate(found.queries):
        file.insert("query", first + i, f"test/{name}/{i}", int(images.labels[i]), numbers(query.logits))
        for layer, key in enumerate(query.keys, 1):
            file.insert("query_key_chunk", first + i, layer, "key", None, numbers(key))
        for output, gradients in query.gradients.items():
            for layer, gradient in enumerate(gradients, 1):
                file.insert("query_key_chunk", first + i, layer, "gradient", output, numbers(gradient))
