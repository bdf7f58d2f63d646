"""What a model says of its samples; and of those that only PyTorch can run, all that keylight asks."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

import numpy as np
import torch
from torch import nn

from .errors import RecordError
from .file import Encoder, HistoryFile, numbers
from .layers import Layer
from .samples import Samples, without_padding
from .watch import Watch, evaluating

OUTPUTS_MAX = 16  # of so many, gradients of all are recorded; of more, those of the predicted one and the label


@dataclass
class Query:
    """One sample: logits (outputs); by layer its keys, (places, in_features) or a convolution's map (1, numbers), and
    gradients of some outputs w.r.t. the layer's output (places, out_features) but the last one's, where they are 0 and 1; that of
    None is the gradient of the loss of the sample's label."""

    logits: torch.Tensor
    keys: list[torch.Tensor]
    gradients: dict[int | None, list[torch.Tensor]]


@dataclass
class Scores:
    """Of a split: what the model predicts, with which probability (samples); accuracy and mean cross-entropy."""

    predicted: np.ndarray
    probability: np.ndarray
    accuracy: float
    loss: float


def device_of(model: nn.Module) -> torch.device:
    """Where its parameters are."""
    return next(model.parameters()).device


def first_tensor(outputs: object) -> torch.Tensor | None:
    """What a model returns, or the first thing of several."""
    if isinstance(outputs, (tuple, list)) and outputs:
        outputs = outputs[0]
    return outputs if isinstance(outputs, torch.Tensor) else None


def scores(model: nn.Module, samples: Samples) -> Scores | None:
    """Of all samples; None where the model's outputs are not one row a sample, with a number for every class."""
    predicted, probability, loss = [], [], 0.0
    with evaluating(model), torch.no_grad():
        for labels, x in samples.batches():
            logits = first_tensor(model(x.to(device_of(model))))
            if logits is None:
                return None
            logits = logits.reshape(-1, logits.shape[-1]).float().cpu()
            if len(logits) != len(labels) or logits.shape[1] < len(samples.classes):
                return None
            sure, best = logits.softmax(1).max(1)
            predicted.append(best.numpy())
            probability.append(sure.numpy())
            loss += float(nn.functional.cross_entropy(logits, labels, reduction="sum"))
    if not predicted:
        return Scores(np.zeros(0, np.int64), np.zeros(0), 0.0, 0.0)
    told = np.concatenate(predicted)
    return Scores(told, np.concatenate(probability).astype(np.float64), float((told == samples.labels).mean()),
                  loss / len(told))


class Passage:
    """Some samples on their way through a model in evaluation: x as it reads them. Ended by `end`."""

    def __init__(self, model: nn.Module, layers: list[Layer], x: torch.Tensor, batch_first: bool = True):
        self._layers, self._before = layers, [layer.calls for layer in layers]
        for layer in layers:
            layer.calls = []
        self._watch = Watch(model, layers, lambda: True, shields=True, batch_first=batch_first)
        self._n = len(x)
        try:
            # With gradients, though none may be asked for: without, PyTorch runs whole blocks past their layers.
            with evaluating(model), torch.enable_grad():
                self.returned = first_tensor(model(x.clone().requires_grad_(x.is_floating_point())))
        except BaseException:
            self.end()
            raise
        self._last = layers[-1].calls[-1] if layers[-1].calls else None

    @property
    def logits(self) -> torch.Tensor | None:
        """(samples, outputs): what the last layer makes of each, at its last place; None: the model does not call it."""
        if self._last is None:
            return None
        rows = self._last.output_rows
        if len(rows) % self._n:
            raise RecordError("the layer that makes the logits sees the samples in parts: ask it about all of them at once")
        return rows.reshape(self._n, -1, rows.shape[-1])[:, -1]

    def keys(self) -> list[list[torch.Tensor]]:
        """By layer and sample, as Query has them."""
        found = []
        for layer in self._layers:
            if not layer.places(self._n):
                raise RecordError(f"layer {layer.name} cannot be asked about: {layer.why_not(self._n)}")
            kept = layer.inputs(self._n).float().cpu()
            if layer.is_cut(self._n):
                kept = kept.flatten(1)[:, None]
            elif layer is self._layers[-1]:
                kept = kept[:, -1:]
            found.append(list(kept))
        return found

    def gradients(self, of: torch.Tensor) -> list[list[torch.Tensor]]:
        """By layer and sample, (places, out_features). of: the sum over the samples of what they are of, made of logits."""
        calls = [call for layer in self._layers for call in layer.calls]
        for call in calls:
            call.errors = None
        of.backward(
            inputs=[call.outputs for call in calls if call.outputs is not None and call.outputs.requires_grad], retain_graph=True)
        for call in calls:
            if call.outputs is not None:
                call.outputs.grad = None
        return [list(layer.errors(self._n).float().cpu()) for layer in self._layers[:-1]]

    def end(self) -> None:
        self._watch.end()
        for layer, before in zip(self._layers, self._before):
            layer.calls = before


def _last_of_each(returned: torch.Tensor, n: int, outputs: int) -> torch.Tensor:
    """(n, outputs) of what a model returns of n samples, at its last place; of sequences that go first, too."""
    if returned.ndim == 3 and returned.shape[0] != n and returned.shape[1] == n:
        returned = returned.transpose(0, 1)
    return returned.reshape(n, -1, outputs)[:, -1]


def makes_logits(model: nn.Module, layers: list[Layer], samples: Samples, batch_first: bool) -> bool:
    """Whether the last layer makes what the model returns: one number for every class."""
    _, x = next(iter(samples.batches()))
    passage = Passage(model, layers[-1:], x[:2].to(device_of(model)), batch_first)
    try:
        made, returned = passage.logits, passage.returned
        if made is None or returned is None or made.shape[1] < len(samples.classes) or returned.numel() % made.numel():
            return False
        return torch.equal(made, _last_of_each(returned, len(made), made.shape[1]))
    finally:
        passage.end()


@torch.enable_grad()
def ask(model: nn.Module, layers: list[Layer], x: torch.Tensor, labels: torch.Tensor, batch_first: bool = True,
        padded: torch.Tensor | None = None) -> list[Query]:
    """All that keylight asks about samples: x as the model reads them, labels (n) outputs of the last layer; padded: which of their
    places are filling, (n, places)."""
    passage = Passage(model, layers, x.to(device_of(model)), batch_first)
    try:
        assert passage.logits is not None
        made = passage.logits
        logits, keys = made.detach().float().cpu(), passage.keys()
        n_outputs = logits.shape[1]
        wanted = ([torch.full((len(labels),), output) for output in range(n_outputs)] if n_outputs <= OUTPUTS_MAX else
                  [logits.argmax(1), labels])
        found: list[tuple[list[int | None], list[list[torch.Tensor]]]] = []
        for outputs in wanted if len(layers) > 1 else []:
            found.append(([int(output) for output in outputs],
                          passage.gradients(made.gather(1, outputs.to(made.device)[:, None]).sum())))
        if n_outputs > OUTPUTS_MAX and len(layers) > 1:
            loss = nn.functional.cross_entropy(made.float(), labels.to(made.device), reduction="sum")
            found.append(([None] * len(labels), passage.gradients(loss)))
        if padded is not None:
            _forget_padding(layers, keys, [gradients for _, gradients in found], padded)
        return [Query(logits[i], [key[i] for key in keys],
                      {outputs[i]: [one[i] for one in gradients] for outputs, gradients in found})
                for i in range(len(labels))]
    finally:
        passage.end()


def _forget_padding(layers: list[Layer], keys: list[list[torch.Tensor]], gradients: list[list[list[torch.Tensor]]],
                    padded: torch.Tensor) -> None:
    """Keys of places that are filling become 0, by layer and sample, where none of the gradients, by layer and sample, is anything."""
    for number, layer in enumerate(layers[:-1]):
        if layer.convolution is None:
            back = torch.cat([torch.stack(one[number]) for one in gradients], 2) if gradients else None
            keys[number] = list(without_padding(torch.stack(keys[number]), back, padded))


def all_of(model: nn.Module, layers: list[Layer], samples: Samples, wanted: np.ndarray,
           batch_first: bool = True) -> Iterator[tuple[np.ndarray, list[Query]]]:
    """What keylight asks about some samples, a few at a time."""
    for index, labels, x in samples.queries(wanted):
        yield index, ask(model, layers, x, labels, batch_first, samples.padded(index))


def rehearse(model: nn.Module, layers: list[Layer], samples: Samples, wanted: np.ndarray, batch_first: bool) -> None:
    """Asks about the first of the samples, so that what cannot be asked about is told before the training. Raises RecordError."""
    for _, labels, x in samples.queries(wanted[:1]):
        try:
            ask(model, layers, x, labels, batch_first)
        except RuntimeError as error:
            remedy = ": checkpoint with use_reentrant=False" if "heckpoint" in str(error) else ""
            raise RecordError(f"the model cannot be asked about a sample of test ({error}){remedy}") from error


def clear(file: HistoryFile) -> None:
    """Forgets those of an earlier step."""
    for table in ("query_key_chunk", "query_place_chunk", "query"):
        file.delete(table, "1")


def write(file: HistoryFile, samples: Samples, name: str, first: int, index: np.ndarray, found: list[Query], places: list[int],
          dtype: str) -> None:
    """More rows of query, query_key_chunk and query_place_chunk. name: the data set's; first: the id of the split's first sample; places: what the
    layers have of every sample in training."""
    encoder = Encoder(dtype)
    for i, query in zip(index, found):
        number = first + int(i)
        file.insert("query", number, f"test/{name}/{int(i)}", int(samples.labels[i]), numbers(query.logits))
        for layer, key in enumerate(query.keys, 1):
            _write_rows(file, number, layer, "key", None, key, places[layer - 1], encoder, dtype)
        for output, gradients in query.gradients.items():
            for layer, gradient in enumerate(gradients, 1):
                _write_rows(file, number, layer, "gradient", output, gradient, places[layer - 1], encoder, dtype)


def _write_rows(file: HistoryFile, query: int, layer: int, role: str, output: int | None, rows: torch.Tensor, places: int,
                encoder: Encoder, dtype: str) -> None:
    if places == 1 and len(rows) == 1:
        file.insert("query_key_chunk", query, layer, role, output, numbers(rows))
        return
    exponent, stored, data = encoder.encode([rows], scaled=role == "gradient")
    file.insert("query_place_chunk", query, layer, role, output, *rows.shape, dtype, exponent, stored, data)
