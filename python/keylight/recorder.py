"""Records a training as it goes on, from inside its loop."""
from __future__ import annotations

import math
import os
import types
import warnings
from typing import Any, Iterable, Sequence

import numpy as np
import torch
from torch import nn

from . import data, queries
from .errors import NotRecorded, RecordError
from .file import HistoryFile, numbers
from .native import perceptron
from .rules import Rule, describe, rule_of
from .watch import Layer, Watch, choose
from .writer import Step, Writer, write_tensors

HALF_MAX = 65504
LAYERS_MAX, GROUPS_MAX, NAME_MAX, WIDTH_MAX = 64, 32, 63, 65536  # what keylight reads; names in bytes of UTF-8
WHOLE, ROUNDED = 1e-3, 3e-2  # how far a gradient may be from D^T X: in float32; under autocast
ROWS_CHECKED = 4  # outputs of a layer whose gradients are looked at in every step


class Recording:
    """One step that is being recorded. loss: set it where it is no mean cross-entropy of the last layer's outputs."""

    def __init__(self, recorder: Recorder, samples: torch.Tensor):
        self._recorder, self.samples = recorder, samples
        self.loss: float | torch.Tensor | None = None
        self.factor: float | None = None  # once the optimizer has stepped
        self.rules: list[Rule] = []

    def __enter__(self) -> Recording:
        if self._recorder.current is not None:
            raise RecordError("a step begins within another one: record each optimizer.step() by itself")
        self._recorder.current = self
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._recorder.current = None
        try:
            if kind is None and self.factor is not None:
                self._recorder._keep(self)
        finally:
            self._recorder._watch.forget()


class Recorder:
    """Writes down what every linear layer of a model sees while it is trained.

    path: the file to make. train, test: data sets of (picture, label), or keylight.Images. layers: names or patterns
    of nn.Linear (default: all). classes: their names; normalise: (mean, std) per channel of what the pictures were
    standardised by, in units of 1 (both only where the data set does not tell). dtype: float16 or float32.
    checkpoint_steps: after how many steps what is written is kept; check_steps: after how many steps whole gradients
    are compared. resume: go on with an unfinished file, from step recorder.steps_done, with the model and the
    optimizer as they were there.

    Raises RecordError for what cannot be recorded, and warns NotRecorded of what is left out."""

    def __init__(self, path: str, model: nn.Module, optimizer: torch.optim.Optimizer, *, train: Any, test: Any,
                 layers: str | Iterable[str] | None = None, name: str | None = None,
                 classes: Sequence[str] | None = None, normalise: tuple[Any, Any] | None = None,
                 dtype: str = "float16", checkpoint_steps: int = 100, check_steps: int = 100, resume: bool = False):
        if checkpoint_steps < 1 or check_steps < 1:
            raise RecordError("checkpoint_steps and check_steps are at least 1")
        if dtype not in ("float16", "float32"):
            raise RecordError(f"dtype is float16 or float32, not {dtype!r}")
        if os.path.exists(path) and not resume:
            raise RecordError(f"{path} exists: record to another file, or remove it, or go on with it (resume=True)")
        resume = resume and os.path.exists(path)
        self.path, self.name = path, name or os.path.splitext(os.path.basename(path))[0]
        self._model, self._optimizer, self._dtype = model, optimizer, dtype
        self._checkpoint_steps, self._check_steps, self._resume = checkpoint_steps, check_steps, resume
        self._train_set, self._test_set = train, test
        self._train = data.images_of(train, classes, normalise)
        self._test = data.images_of(test, classes or self._train.classes, normalise)
        self._chosen = choose(model, layers)
        self._initial = {layer.name: _copies(layer) for layer in self._chosen}
        self._optimiser = describe(optimizer, resume)
        if self._optimiser.reason:
            _tell(f"contributions are not defined, only attention: {self._optimiser.reason}")
        self._batch_max = 0
        self._errors: list[str] = []
        self._groups: list[int] = []
        self._scores_before: tuple[float, float] | None = None
        self._is_native = False
        self._layers: list[Layer] = []
        self._writer: Writer | None = None
        self._step: Any = None
        self._patched: Any = None
        self._is_ahead = False  # whether the optimizer made a step that is not recorded yet
        self._watch: Watch
        self.current: Recording | None = None
        self.steps_done = self._steps_of_file() if resume else 0

    def _steps_of_file(self) -> int:
        file = HistoryFile(self.path, resume=True)
        try:
            return int(file.select("SELECT steps_done FROM run")[0][0])
        finally:
            file.close()

    # The loop.

    def __enter__(self) -> Recorder:
        self._watch = Watch(self._chosen, lambda: self.current is not None and torch.is_grad_enabled())
        self._step = self._optimizer.step

        def step(optimizer: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> Any:
            if self.current is not None:
                self._before_update(self.current)
                self._is_ahead = True
            return self._step(*args, **kwargs)

        step._with_counter = True  # type: ignore[attr-defined] # or schedulers think that nobody counts its calls
        self._patched = types.MethodType(step, self._optimizer)
        self._optimizer.step = self._patched  # type: ignore
        if self._resume:
            self._go_on()
        else:
            self._scores_before = queries.scores(self._model, self._test_set, self._test)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._optimizer.step is self._patched:
            self._optimizer.step = self._step  # type: ignore
        self._watch.end()
        if self._writer is None:
            return
        try:
            if kind is None:
                self._finish()
            elif not self._is_ahead:  # or the weights are those of a step that is not in the record
                self._writer.call(lambda: None)
                self._checkpoint()
        finally:
            self._writer.end()

    def step(self, samples: Sequence[int] | torch.Tensor | np.ndarray) -> Recording:
        """Records one update: forward, backward and optimizer.step() happen within. samples: the indices in train of
        the batch, in its order. A step in which the optimizer did not step is not recorded."""
        indices = torch.as_tensor(samples, dtype=torch.int64).flatten().cpu().clone()  # they are kept for a while
        if len(indices) == 0 or int(indices.min()) < 0 or int(indices.max()) >= len(self._train):
            raise RecordError(f"samples are indices into train, from 0 to {len(self._train) - 1}: "
                              "keylight.indexed(train) adds them to a data set's items")
        return Recording(self, indices)

    def checkpoint(self) -> None:
        """Keeps what was recorded so far: a place to go on from (resume=True), at which the model's and the optimizer's state
        are to be saved."""
        if self._writer is not None:
            self._checkpoint()
            self.wait()

    def wait(self) -> None:
        """Until all steps so far are written."""
        if self._writer is not None:
            self._writer.call(lambda: None)

    # A step.

    def _before_update(self, recording: Recording) -> None:
        if recording.factor is not None:
            raise RecordError("the optimizer stepped twice within one recorded step: record each by itself")
        if not self._watch.order:
            raise RecordError("none of the layers was called: is the loop's model the recorder's?")
        if not self._layers:
            self._layers = self._find_layers(len(recording.samples))
        if describe(self._optimizer, True) != self._optimiser and not self._optimiser.reason:
            raise RecordError(f"step {self.steps_done + 1}: the optimizer's constants (betas, eps, dampening, nesterov) changed: "
                              "only rates, momentum and decay may; OneCycleLR takes cycle_momentum=False")
        self._check_groups()
        is_checked = self.steps_done % self._check_steps == 0
        recording.factor = self._find_factor(is_checked) if not self._optimiser.reason else 1.0
        recording.rules = [rule_of(group) for group in self._optimizer.param_groups]

    def _find_layers(self, n: int) -> list[Layer]:
        """Those that can be recorded, in the order in which the model calls them."""
        layers = []
        for layer in self._watch.order:
            if layer.n_rows == n:
                layers.append(layer)
            else:
                _tell(f"layer {layer.name} is left out: it saw {layer.n_rows} rows for {n} samples, in "
                      f"{len(layer.calls)} call{'s' * (len(layer.calls) > 1)}")
        for layer in self._chosen:
            if layer not in self._watch.order:
                _tell(f"layer {layer.name} is left out: the model does not call it")
        if not layers:
            raise RecordError("no layer sees one row a sample: nothing can be recorded")
        return layers

    def _group_of(self, layer: Layer) -> int | None:
        """The number of the parameter group that a layer's weights and bias follow; None: none, or two rules."""
        def number(parameter: torch.Tensor) -> int | None:
            for i, group in enumerate(self._optimizer.param_groups):
                if any(one is parameter for one in group["params"]):
                    return i
            return None
        weights = number(layer.module.weight)
        if weights is None or layer.module.bias is None:
            return weights
        groups = self._optimizer.param_groups
        bias = number(layer.module.bias)
        return weights if bias is not None and rule_of(groups[bias]) == rule_of(groups[weights]) else None

    def _check_groups(self) -> None:
        """That every layer still follows the group that it was recorded with."""
        for layer, errors, group in zip(self._layers, self._errors, self._groups):
            if errors == "whole" and self._group_of(layer) != group:
                raise RecordError(f"step {self.steps_done + 1}: the weights and the bias of {layer.name} no longer follow one rule "
                                  "(their parameter groups differ in rate or decay): put them into one group, or leave it out")

    def _find_factor(self, is_checked: bool) -> float:
        """By what the gradients were scaled or clipped: grad = factor D^T X, the same for all layers.

        Raises RecordError where it is not so."""
        seen = []
        for layer in self._layers:
            gradient, bias = layer.module.weight.grad, layer.module.bias
            if not layer.came_back or not layer.is_trained or self._group_of(layer) is None:
                continue
            if gradient is None or bias is not None and bias.grad is None:
                raise RecordError(f"step {self.steps_done + 1}: {layer.name} has error signals, but its weights or bias no gradient: "
                                  "what is frozen, or set to None, in some steps cannot be recorded. Leave the layer out (layers=...)")
            errors, inputs = layer.errors.float(), layer.inputs.float()
            bias_gradient = None if bias is None else bias.grad.float()
            if not is_checked and errors.shape[1] > ROWS_CHECKED:
                outputs = errors.abs().sum(0).topk(ROWS_CHECKED).indices
                errors, gradient = errors[:, outputs], gradient[outputs]
                bias_gradient = None if bias_gradient is None else bias_gradient[outputs]
            made, found = errors.T @ inputs, gradient.float()
            if bias_gradient is not None:
                made = torch.cat([made, errors.sum(0)[:, None]], 1)
                found = torch.cat([found, bias_gradient[:, None]], 1)
            seen.append((layer, made, found))
        square = sum(float((made * made).sum()) for _, made, _ in seen)
        factor = sum(float((made * found).sum()) for _, made, found in seen) / square if square > 0 else 1.0
        bound = ROUNDED if any(rows.is_rounded for layer in self._layers for rows in layer.calls) else WHOLE
        for layer, made, found in seen:
            off, size = float((found - factor * made).norm()), float(found.norm())
            if not math.isfinite(off + size):
                raise RecordError(f"step {self.steps_done + 1}: the training diverged: the gradient of {layer.name} is no number")
            if not off <= bound * size + 1e-30:
                raise RecordError(
                    f"step {self.steps_done + 1}: the gradient of {layer.name} is not what its inputs and error signals "
                    f"make of it, it is off by {100 * off / size if size else 100:.3g} %. Something else acts on its "
                    "weights: a gradient that was not zeroed, a functional use of them, a penalty in the loss, a hook, "
                    "or clipping by value, which has no dual form. Leave the layer out (layers=...), or that")
        return factor

    def _loss_of(self, recording: Recording) -> float:
        if recording.loss is not None:
            return float(recording.loss)
        outputs = torch.cat([call.outputs for call in self._layers[-1].calls if call.outputs is not None])
        labels = torch.from_numpy(self._train.labels[recording.samples.numpy()])
        if outputs.shape[-1] <= int(labels.max()):
            return 0.0  # no cross-entropy: the loop did not say what it is
        return float(nn.functional.cross_entropy(outputs.detach().float().cpu().reshape(len(labels), -1), labels))

    def _keep(self, recording: Recording) -> None:
        n = len(recording.samples)
        for layer in self._layers:
            if layer.n_rows != n:
                raise RecordError(f"step {self.steps_done + 1}: layer {layer.name} did not see one row for each of the "
                                  f"{n} samples")
        if self._writer is None:
            self._begin(recording)
        if self._is_native:
            self._check_pictures(recording.samples)
        keys: list[torch.Tensor | None] = []
        errors: list[torch.Tensor | None] = []
        for number, layer in enumerate(self._layers):
            keys.append(None if self._is_native and number == 0 else _to_cpu(layer.inputs, self._dtype, layer.name))
            errors.append(None if self._errors[number] == "none" else _to_cpu(layer.errors, "float32", layer.name))
        assert self._writer is not None and recording.factor is not None
        self._writer.add(Step(self.steps_done + 1, recording.samples, self._loss_of(recording), recording.factor,
                              recording.rules, keys, errors))
        self._batch_max = max(self._batch_max, n)
        self.steps_done += 1
        self._is_ahead = False
        if self.steps_done % self._checkpoint_steps == 0:
            self._checkpoint()

    def _check_pictures(self, samples: torch.Tensor) -> None:
        if not self._reads_pictures(samples):
            raise RecordError(f"step {self.steps_done + 1}: what the model read is not what train has for these samples "
                              "(another order, or augmentation that began later)")

    def _reads_pictures(self, samples: torch.Tensor) -> bool:
        """Whether the first layer's inputs are the standardised pictures themselves."""
        inputs = self._layers[0].inputs.float().cpu()
        pictures = self._train.standardised(samples.numpy())
        return inputs.shape == pictures.shape and bool((inputs - pictures).abs().max() < 1e-3)

    # The file.

    def _begin(self, recording: Recording) -> None:
        """What stands before the first step. Of the first one the layers are known."""
        self._check_limits()
        modules = perceptron(self._model)
        groups = [None if self._optimiser.reason or not layer.is_trained else self._group_of(layer)
                  for layer in self._layers]
        self._errors = ["none" if group is None else "whole" for group in groups]
        self._groups = [group or 0 for group in groups]
        for layer, group in zip(self._layers, groups):
            if group is None and layer.is_trained and not self._optimiser.reason:
                _tell(f"contributions through {layer.name} are not defined: the optimizer does not update it, or its "
                      "bias by another rule")
        self._is_native = (modules is not None and modules == [layer.module for layer in self._layers] and
                           set(groups) == {0} and len(self._optimizer.param_groups) == 1 and
                           self._layers[-1].module.out_features == len(self._train.classes) and
                           self._reads_pictures(recording.samples))
        self._writer = Writer(self.path, self._dtype)
        self._writer.call(self._write_start)

    def _check_limits(self) -> None:
        last = self._layers[-1]
        for layer in self._layers:
            if len(layer.name.encode()) > NAME_MAX:
                raise RecordError(f"the name of layer {layer.name} is longer than {NAME_MAX} bytes: leave it out (layers=...)")
            if max(layer.module.in_features, layer.module.out_features) > WIDTH_MAX:
                raise RecordError(f"layer {layer.name} is wider than {WIDTH_MAX}: leave it out (layers=...)")
        if len(self._layers) > LAYERS_MAX:
            raise RecordError(f"there are {len(self._layers)} layers: at most {LAYERS_MAX} can be recorded, choose them (layers=...)")
        if len(self._optimizer.param_groups) > GROUPS_MAX:
            raise RecordError(f"there are {len(self._optimizer.param_groups)} parameter groups: at most {GROUPS_MAX} can be recorded")
        if len(self.name.encode()) > NAME_MAX:
            raise RecordError(f"the name {self.name} is longer than {NAME_MAX} bytes: give another (name=...)")
        if not queries.makes_logits(self._model, last, self._test_set, self._test):
            raise RecordError(f"layer {last.name}, the last that is recorded, does not make the model's outputs, one for each of the "
                              f"{len(self._train.classes)} classes: record the layer that does (layers=...)")

    def _write_start(self) -> None:
        assert self._writer is not None
        file = self._writer.file
        data.write(file, self.name, self._train, self._test)
        last = len(self._layers)
        for number, layer in enumerate(self._layers, 1):
            native = self._is_native
            file.insert("layer", number, self._name_of(number), layer.module.in_features, layer.module.out_features,
                        int(layer.module.bias is not None), 1, self._groups[number - 1],
                        "softmax" if number == last else "relu" if native else "",
                        "samples" if native and number == 1 else "chunks", self._errors[number - 1])
        write_tensors(file, "initial", [(number, self._name_of(number), role, tensor)
                                        for number, layer in enumerate(self._layers, 1)
                                        for role, tensor in self._initial[layer.name]])
        if self._scores_before is not None:
            file.insert("curve", 0, 0, *self._scores_before)
        file.insert("setting", "framework", _framework())
        file.insert("setting", "optimiser", self._optimiser.name)
        for key, value in self._optimiser.settings.items():
            file.insert("setting", key, value)
        file.checkpoint(0)

    def _name_of(self, number: int) -> str:
        """What a layer is called: as the framework calls it, unless keylight knows the model itself."""
        if not self._is_native:
            return self._layers[number - 1].name
        return "output" if number == len(self._layers) else f"hidden{number}"

    def _parameters(self) -> list[tuple[int, str, str, torch.Tensor]]:
        return [(number, self._name_of(number), role, tensor) for number, layer in enumerate(self._layers, 1)
                for role, tensor in _copies(layer)]

    def _checkpoint(self) -> None:
        assert self._writer is not None
        self._writer.checkpoint(self.steps_done, self._parameters())

    def _settings(self, rule: Rule) -> dict[str, str]:
        """rule: that of the first step. What each really used stands in its own; these are for people, within what a setting
        may be."""
        hidden = ",".join(str(layer.module.out_features) for layer in self._layers[:-1]) if self._is_native else ""
        return {"name": self.name, "architecture": "mlp" if self._is_native else "recorded", "hidden": hidden or "none",
                "steps": str(self.steps_done), "batch_size": str(self._batch_max),
                "optimiser": self._optimiser.name,
                "learning_rate": repr(min(max(rule.learning_rate, 1e-30), 1000.0)),
                "momentum": repr(rule.momentum), "weight_decay": repr(min(rule.weight_decay, 1.0)), "dtype": self._dtype,
                "checkpoint_steps": str(self._checkpoint_steps), "evaluation_steps": str(max(self.steps_done, 1)),
                "snapshot_steps": "0", "framework": _framework(), **self._optimiser.settings}

    def _finish(self) -> None:
        self._checkpoint()
        assert self._writer is not None
        file_of = self._writer
        found = queries.run_all(self._model, self._layers, (self._train_set, self._train), (self._test_set, self._test),
                                wants_queries=not self._is_native)

        def finish() -> None:
            file = file_of.file
            (first,) = file.select(
                "SELECT learning_rate, momentum, weight_decay FROM rule WHERE step = 1 AND parameter_group = 0")
            file.delete("setting", "1")
            for key, value in self._settings(Rule(*first)).items():
                file.insert("setting", key, value)
            data.write_samples(file, self._train, self._test, found.predicted, found.probability)
            if found.scores is not None:
                file.insert("curve", self.steps_done, 0, *found.scores)
            queries.write(file, self._test, len(self._train), found)
            file.checkpoint(self.steps_done)
            file.finish(self.steps_done)
        self._writer.call(finish)

    def _go_on(self) -> None:
        """Takes up an unfinished file where its last checkpoint stands."""
        self._writer = Writer(self.path, self._dtype, resume=True)
        try:
            self._writer.call(self._read_start)
        except BaseException:
            self._writer.end()
            raise

    def _read_start(self) -> None:
        assert self._writer is not None
        file = self._writer.file
        (done, finished), = file.select("SELECT steps_done, finished FROM run")
        if finished:
            raise RecordError(f"{self.path} is finished: there is nothing to go on with")
        counts = file.select("SELECT train_samples, test_samples, classes FROM dataset")
        if counts != [(len(self._train), len(self._test), len(self._train.classes))]:
            raise RecordError(f"{self.path} was recorded with other data sets")
        rows = file.select("SELECT name, keys, errors, parameter_group FROM layer ORDER BY layer")
        self._is_native = rows[0][1] == "samples"
        modules = perceptron(self._model) if self._is_native else None
        for number, (name, _, errors, group) in enumerate(rows):
            found = [layer for layer in self._chosen
                     if (layer.module is modules[number] if modules else layer.name == name)]
            if not found:
                raise RecordError(f"{self.path} was recorded with other layers: this model has no {name}")
            self._layers.append(found[0])
            self._errors.append(errors)
            self._groups.append(group)
        state = "current" if done else "initial"
        stored = dict(((name, role), data) for name, role, data in file.select(
            "SELECT name, role, data FROM tensor WHERE state = ?", (state,)))
        for _, name, role, tensor in self._parameters():
            if stored.get((name, role)) != numbers(tensor):
                raise RecordError(f"the model is not the one that {self.path} holds: load its parameters, and the "
                                  f"optimizer's state, as they were after step {done}")
        if {row[0] for row in file.select("SELECT DISTINCT dtype FROM key_chunk")} - {self._dtype}:
            raise RecordError(f"{self.path} was recorded with another dtype")
        self.steps_done = done
        (self._writer.first,), = file.select("SELECT coalesce(sum(count), 0) FROM step")
        (self._batch_max,), = file.select("SELECT coalesce(max(count), 0) FROM step")
        before = {str(key): value for key, value in file.select("SELECT key, value FROM setting")}
        now = {"optimiser": self._optimiser.name, **self._optimiser.settings}
        if any(before.get(key) != value for key, value in now.items()):
            raise RecordError(f"{self.path} was recorded with another optimizer, or other constants of it")
        keeps = self._optimiser.name != "sgd" or any(group.get("momentum") for group in self._optimizer.param_groups)
        if done and keeps and not self._optimizer.state:
            raise RecordError(f"the optimizer has no state: load it as it was after step {done}")


def _framework() -> str:
    return f"PyTorch {torch.__version__}"


def _tell(what: str) -> None:
    warnings.warn(what, NotRecorded, stacklevel=3)


def _copies(layer: Layer) -> list[tuple[str, torch.Tensor]]:
    tensors = [("weights", layer.module.weight)]
    if layer.module.bias is not None:
        tensors.append(("bias", layer.module.bias))
    return [(role, tensor.detach().float().cpu().clone()) for role, tensor in tensors]


def _to_cpu(rows: torch.Tensor, dtype: str, name: str) -> torch.Tensor:
    """Rows as they wait to be written: halves take half the memory, and keys are stored so."""
    if dtype == "float16" and rows.numel() and float(rows.abs().max()) > HALF_MAX:
        raise RecordError(f"the keys of {name} reach {float(rows.abs().max()):g}, more than float16 holds: record with "
                          "dtype='float32'")
    wanted = torch.float16 if dtype == "float16" else torch.float32
    return rows.to(wanted).cpu()
