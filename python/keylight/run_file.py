"""The file of one recording: what stands in it before the first step, at checkpoints and at the end, and how it is taken
up again."""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from . import queries
from .errors import RecordError
from .file import HistoryFile, numbers
from .layers import Layer
from .native import Perceptron
from .rules import Optimiser, Rule
from .samples import Samples

SHOWN = "shown"  # the state of parameters as of the step that is shown while the run is in training
LAYERS_MAX, GROUPS_MAX, NAME_MAX, WIDTH_MAX, ROW_MAX = 64, 32, 63, 65536, 1 << 24  # what keylight reads; names in bytes


@dataclass
class Recorded:
    """One layer as it is recorded: whether its error signals are, and its bias by the same rule as its weights; which parameter
    group these follow, and how many rows it has of every sample."""

    layer: Layer
    has_errors: bool
    has_bias: bool
    group: int
    places: int
    initial: list[tuple[str, torch.Tensor]] = field(repr=False)


def copies(layer: Layer) -> list[tuple[str, torch.Tensor]]:
    """A layer's parameters as they are."""
    tensors = [("weights", layer.weight)] + ([("bias", layer.bias)] if layer.bias is not None else [])
    return [(role, tensor.detach().float().cpu().clone()) for role, tensor in tensors]


@dataclass
class RunFile:
    """What all rows of a recording's file say. layers: in the order of their numbers, the last makes the outputs. activation: what
    follows the inner layers of a perceptron that keylight knows itself; None: it does not know the model."""

    name: str
    dtype: str
    train: Samples
    test: Samples
    optimiser: Optimiser
    layers: list[Recorded]
    activation: str | None
    checkpoint_steps: int
    evaluation_steps: int | None

    @property
    def is_native(self) -> bool:
        return self.activation is not None

    def name_of(self, number: int) -> str:
        """What a layer, from 1, is called: as the framework calls it, unless keylight knows the model itself."""
        if not self.is_native:
            return self.layers[number - 1].layer.name
        return "output" if number == len(self.layers) else f"hidden{number}"

    def parameters(self, initial: bool = False) -> list[tuple[int, str, str, torch.Tensor]]:
        """(layer, name, role, copy) of all, as they are or as they were before the first step."""
        return [(number, self.name_of(number), "offset" if role == "bias" and not one.has_bias else role, tensor)
                for number, one in enumerate(self.layers, 1)
                for role, tensor in (one.initial if initial else copies(one.layer))]

    def check(self, n_groups: int) -> None:
        """Raises RecordError for what keylight would not read."""
        for one in self.layers:
            layer = one.layer
            if len(layer.name.encode()) > NAME_MAX:
                raise RecordError(f"the name of layer {layer.name} is longer than {NAME_MAX} bytes: leave it out (layers=...)")
            if max(layer.in_features, layer.out_features) > WIDTH_MAX:
                raise RecordError(f"layer {layer.name} is wider than {WIDTH_MAX}: leave it out (layers=...)")
            cut = layer.convolution
            if max(layer.in_features * one.places, layer.out_features * one.places,
                   cut.channels * cut.size[0] * cut.size[1] if cut else 0) > ROW_MAX:
                raise RecordError(f"layer {layer.name} sees more than {ROW_MAX} numbers of every sample: leave it out (layers=...)")
        if len(self.layers) > LAYERS_MAX:
            raise RecordError(f"there are {len(self.layers)} layers: at most {LAYERS_MAX} can be recorded, choose them (layers=...)")
        if n_groups > GROUPS_MAX:
            raise RecordError(f"there are {n_groups} parameter groups: at most {GROUPS_MAX} can be recorded")
        if len(self.name.encode()) > NAME_MAX:
            raise RecordError(f"the name {self.name} is longer than {NAME_MAX} bytes: give another (name=...)")

    def write_start(self, file: HistoryFile, scores: queries.Scores | None) -> None:
        """scores: those of test before the first step."""
        self.train.write(file, self.name, self.test)
        last = len(self.layers)
        for number, one in enumerate(self.layers, 1):
            layer = one.layer
            file.insert("layer", number, self.name_of(number), layer.in_features, layer.out_features,
                        int(one.has_bias), one.places, one.group,
                        "softmax" if number == last else self.activation or "",
                        "samples" if self.is_native and number == 1 else "chunks", "whole" if one.has_errors else "none")
            cut = layer.convolution
            if cut is not None and one.places > 1:
                file.insert("convolution", number, cut.channels, *cut.size, *cut.kernel, *cut.stride, *cut.padding, *cut.dilation)
        write_tensors(file, "initial", self.parameters(initial=True))
        self._write_samples(file, None, None)
        self.write_scores(file, 0, scores)
        known = {"framework": _framework(), "optimiser": self.optimiser.name, **self.train.settings(), **self.optimiser.settings}
        for key, value in known.items():
            file.insert("setting", key, value)
        file.checkpoint(0)

    def _settings(self, steps: int, batch_max: int, rules: list[Rule]) -> dict[str, str]:
        """rules: of the first and the last step. What each really used stands in its own; these are for people, within what
        a setting may be."""
        hidden = ",".join(str(one.layer.out_features) for one in self.layers[:-1]) if self.is_native else ""
        return {"name": self.name, "architecture": "mlp" if self.is_native else "recorded", "hidden": hidden or "none",
                **({"activation": self.activation} if self.activation else {}),
                "steps": str(steps), "batch_size": str(batch_max), "optimiser": self.optimiser.name,
                "learning_rate": repr(min(max(rules[0].learning_rate, 1e-30), 1000.0)),
                "momentum": repr(rules[0].momentum), "weight_decay": repr(min(rules[0].weight_decay, 1.0)), "dtype": self.dtype,
                "checkpoint_steps": str(self.checkpoint_steps), "evaluation_steps": str(self.evaluation_steps or max(steps, 1)),
                "snapshot_steps": "0", "framework": _framework(), **self.train.settings(), **self.optimiser.settings}

    def write_end(self, file: HistoryFile, steps: int, batch_max: int,
                  scores: tuple[queries.Scores | None, queries.Scores | None]) -> None:
        """All but the queries, which stand in the file already. scores: of train and test."""
        self.write_shown(file, steps, batch_max, scores[1])
        file.delete("tensor", "state = ?", (SHOWN,))
        file.delete("sample", "1")
        self._write_samples(file, *scores)
        file.checkpoint(steps)
        file.finish(steps)

    def write_shown(self, file: HistoryFile, steps: int, batch_max: int, scores: queries.Scores | None) -> None:
        """What makes a run be shown as of a step, but the queries: its settings, and the scores of test."""
        first, = file.select("SELECT learning_rate, momentum, weight_decay FROM rule WHERE step = 1 AND parameter_group = 0")
        before = dict(file.select("SELECT key, CAST(value AS INTEGER) FROM setting WHERE key IN ('steps', 'evaluation_steps')"))
        file.delete("setting", "1")
        for key, value in self._settings(steps, batch_max, [Rule(*first)]).items():
            file.insert("setting", key, value)
        shown, every = before.get("steps", 0), before.get("evaluation_steps", 0)
        asked_for = [n for n in (self.evaluation_steps, every) if n and (n != shown or n == self.evaluation_steps)]
        if shown and all(shown % n for n in asked_for):
            file.delete("curve", "step = ?", (shown,))  # which stood there only to be shown
        file.delete("curve", "step = ?", (steps,))
        self.write_scores(file, steps, scores)

    def write_scores(self, file: HistoryFile, step: int, scores: queries.Scores | None) -> None:
        """scores: of test, after a step."""
        if scores is not None and len(self.test):
            file.insert("curve", step, 0, scores.accuracy, scores.loss)

    def _write_samples(self, file: HistoryFile, *scores: queries.Scores | None) -> None:
        """scores: of train and test."""
        told = [(one.predicted, one.probability) if one is not None else (np.full(len(samples), -1), np.zeros(len(samples)))
                for one, samples in zip(scores, (self.train, self.test))]
        self.train.write_samples(file, self.test, *(np.concatenate(parts) for parts in zip(*told)))

    def check_is_of(self, file: HistoryFile, path: str) -> int:
        """That a file that is taken up again is of this recording, and holds what the model is now: returns its steps."""
        (done, finished), = file.select("SELECT steps_done, finished FROM run")
        if finished:
            raise RecordError(f"{path} is finished: there is nothing to go on with")
        state = "current" if done else "initial"
        stored = dict(((name, role), data) for name, role, data in file.select(
            "SELECT name, role, data FROM tensor WHERE state = ?", (state,)))
        for _, name, role, tensor in self.parameters():
            if stored.get((name, role)) != numbers(tensor):
                raise RecordError(f"the model is not the one that {path} holds: load its parameters, and the "
                                  f"optimizer's state, as they were after step {done}")
        if {row[0] for row in file.select("SELECT DISTINCT dtype FROM key_chunk")} - {self.dtype}:
            raise RecordError(f"{path} was recorded with another dtype")
        names = [name for name, in file.select("SELECT name FROM class ORDER BY label")]
        words = [text for text, in file.select("SELECT text FROM description ORDER BY sample")] if self.train.kind == "described" else []
        if names != list(self.train.classes)[:len(names)] or words and words != [*self.train.descriptions, *self.test.descriptions]:
            raise RecordError(f"{path} was recorded with other data sets: their classes or descriptions are others")
        before = {str(key): value for key, value in file.select("SELECT key, value FROM setting")}
        if any(before.get(key) != value for key, value in self.train.settings().items()):
            raise RecordError(f"{path} was recorded with other data sets: another token fills their sequences up")
        now = {"optimiser": self.optimiser.name, **self.optimiser.settings}
        if any(before.get(key) != value for key, value in now.items()):
            raise RecordError(f"{path} was recorded with another optimizer, or other constants of it")
        return int(done)


def read_layers(file: HistoryFile, path: str, chosen: list[Layer], native: Perceptron | None) -> tuple[list[Recorded], str | None]:
    """The layers of a file that is taken up again, among those of the model, and RunFile's activation; native: the model, if it is a
    perceptron."""
    found: list[Recorded] = []
    rows = file.select("SELECT name, keys, errors, bias, parameter_group, places FROM layer ORDER BY layer")
    is_native = rows[0][1] == "samples"
    (behind,), = file.select("SELECT activation FROM layer WHERE layer = 1")
    activation = (native.activation if native is not None else None) if is_native else None
    if is_native and (native is None or len(native.layers) != len(rows) or len(rows) > 1 and behind != activation):
        raise RecordError(f"{path} was recorded with another model: a perceptron of {len(rows)} layers"
                          f"{f' with {behind} between them' if len(rows) > 1 else ''}")
    for number, (name, _, errors, bias, group, places) in enumerate(rows):
        same = [layer for layer in chosen
                if (layer.modules[0] is native.layers[number] if native is not None and is_native else layer.name == name)]
        if not same:
            raise RecordError(f"{path} was recorded with other layers: this model has no {name}")
        found.append(Recorded(same[0], errors == "whole", bool(bias), group, places, []))
    return found, activation


def write_tensors(file: HistoryFile, state: str, parameters: list[tuple[int, str, str, torch.Tensor]]) -> None:
    """Writes, or overwrites, parameters in a state: initial or current."""
    file.delete("tensor", "state = ?", (state,))
    for layer, name, role, tensor in parameters:
        file.insert("tensor", layer, name, role, state, 0, ",".join(map(str, tensor.shape)), "float32", numbers(tensor))


def _framework() -> str:
    return f"PyTorch {torch.__version__}"
