"""Records a training as it goes on, from inside its loop."""
from __future__ import annotations

import os
import sqlite3
import types
import warnings
from typing import Any, Callable, Iterable, Sequence

import numpy as np
import torch
from torch import nn

from . import data, queries
from .draft import SUFFIX, Draft, is_begun
from .errors import NotRecorded, RecordError
from .file import HistoryFile
from .gradients import find_factor, is_rounding
from .layers import Layer, choose, joined, tied_to_embedding, why_not
from .look import Looks, undisturbed
from .native import perceptron
from .ranks import Ranks, inner
from .rules import Rule, describe, rule_of
from .run_file import Recorded, RunFile, copies, read_layers
from .samples import Samples, indices_of, without_padding
from .watch import Watch
from .writer import Step, Waiting, Writer


class Recording:
    """One step that is being recorded. loss: set it where it is no mean cross-entropy of the last layer's outputs."""

    def __init__(self, recorder: Recorder, samples: torch.Tensor, shape: torch.Size):
        self._recorder, self.samples, self.shape = recorder, samples, shape  # as they were given
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

    path: the file to make. train, test: data sets of (picture or vector, label), or keylight.Images, Table, Sequences or Described; of a
    language model keylight.Text.
    layers: names or patterns of linear layers (default: every nn.Linear, and each Conv1d, Conv2d, MultiheadAttention, LSTM and GRU
    that is trained).
    classes: their names; normalise: (mean, std) per channel of what the pictures were standardised by, in units of 1 (both only
    where the data set does not tell). asked: which samples of test can be asked about, by their indices, or how many (default:
    all of images, some of a text). dtype: float16 or float32. batch_first: whether samples are the first dimension of what
    layers read, or the second. checkpoint_steps: after how many steps what is written is kept; check_steps: after how many
    steps whole gradients are compared. evaluation_steps: after how many steps the model is tried on test, for the curve of the
    training (default: before the first and after the last one). resume: go on with an unfinished file, from step
    recorder.steps_done, with the model and the optimizer as they were there.

    Raises RecordError for what cannot be recorded, and warns NotRecorded of what is left out."""

    def __init__(self, path: str, model: nn.Module, optimizer: torch.optim.Optimizer, *, train: Any, test: Any,
                 layers: str | Iterable[str] | None = None, name: str | None = None,
                 classes: Sequence[str] | None = None, normalise: tuple[Any, Any] | None = None,
                 asked: int | Sequence[int] | None = None, dtype: str = "float16", batch_first: bool = True,
                 checkpoint_steps: int = 100, check_steps: int = 100, evaluation_steps: int | None = None, resume: bool = False):
        if min(checkpoint_steps, check_steps, 1 if evaluation_steps is None else evaluation_steps) < 1:
            raise RecordError("checkpoint_steps, check_steps and evaluation_steps are at least 1")
        if dtype not in ("float16", "float32"):
            raise RecordError(f"dtype is float16 or float32, not {dtype!r}")
        self._ranks, model = Ranks(), inner(model)
        if resume and self._ranks.count > 1:
            raise RecordError("a training of several processes cannot be gone on with: record it anew")
        for there in (path, path + SUFFIX):
            if os.path.exists(there) and not resume and self._ranks.is_first:
                raise RecordError(f"{there} exists: record to another file, or remove it, or go on with it (resume=True)")
        if os.path.exists(f"{path}.queries") and not os.path.exists(path) and self._ranks.is_first:
            raise RecordError(f"{path}.queries exists, of a run that is gone: remove it")
        resume = resume and is_begun(path) and not forget_empty(path)
        self.path, self.name = path, name or os.path.splitext(os.path.basename(path))[0]
        self._model, self._optimizer, self._dtype, self._batch_first = model, optimizer, dtype, batch_first
        self._checkpoint_steps, self._check_steps, self._resume = checkpoint_steps, check_steps, resume
        self._evaluation_steps = evaluation_steps
        self._train: Samples = data.samples_of(train, classes, normalise)
        self._test: Samples = data.samples_of(test, classes or self._train.classes, normalise)
        if self._train.kind != self._test.kind:
            raise RecordError(f"train is of kind {self._train.kind}, test of kind {self._test.kind}: give both in the same way")
        if self._train.kind != "text" and self._train.names() != self._test.names():
            raise RecordError("train and test have other classes, or columns: say classes= of both, in the same order")
        self._asked = indices_of(asked, self._test)
        self._chosen = choose(model, layers)
        self._initial = {layer: copies(layer) for layer in self._chosen}
        self._optimiser = describe(optimizer, resume)
        if self._optimiser.reason:
            _tell(f"contributions are not defined, only attention: {self._optimiser.reason}")
        if layers is None:
            for name_of, module in model.named_modules():
                if (reason := why_not(module)) is not None:
                    _tell(f"{name_of} is left out: {reason}")
        self._batch_max = 0
        self._scores_before: queries.Scores | None = None
        self._looks = Looks()
        self._layers: list[Recorded] = []
        self._run: RunFile
        self._writer: Writer | None = None
        self._step: Any = None
        self._patched: Any = None
        self._is_ahead = False  # whether the optimizer made a step that is not recorded yet
        self._watch: Watch
        self.current: Recording | None = None
        self.steps_done = self._steps_of_file() if resume else 0

    def _steps_of_file(self) -> int:
        path = self.path + SUFFIX
        file = HistoryFile(path if os.path.exists(path) else self.path, resume=True)
        try:
            return int(file.select("SELECT steps_done FROM run")[0][0])
        finally:
            file.close()

    # The loop.

    def __enter__(self) -> Recorder:
        if not self._resume and self._ranks.is_first:
            with self._looks.measured():
                self._scores_before = queries.scores(self._model, self._test)
        self._watch = Watch(self._model, self._chosen, lambda: self.current is not None,
                            batch_first=self._batch_first)
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
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._optimizer.step is self._patched:
            self._optimizer.step = self._step  # type: ignore
        self._watch.end()
        if self._writer is None:
            return  # nothing was recorded, or another rank writes
        try:
            if kind is None:
                self._finish()
            elif not self._is_ahead:  # or the weights are those of a step that is not in the record
                self._writer.call(lambda: None)
                self._checkpoint()
                if self.steps_done and self._looks.is_short():
                    self._checkpoint(self._look())
        finally:
            self._writer.end(drops=kind is not None and self.steps_done == 0)

    def step(self, samples: Sequence[int] | torch.Tensor | np.ndarray) -> Recording:
        """Records one update: forward, backward and optimizer.step() happen within. samples: the indices in train of
        the batch, in its order; of a text the positions of the tokens that the model reads, (batch, tokens). A step in
        which the optimizer did not step is not recorded."""
        given = torch.as_tensor(samples, dtype=torch.int64)
        indices = given.flatten().cpu().clone()  # they are kept for a while
        if len(indices) == 0 or int(indices.min()) < 0 or int(indices.max()) >= len(self._train):
            raise RecordError(f"samples are indices into train, from 0 to {len(self._train) - 1}: "
                              "keylight.indexed(train) adds them to a data set's items")
        return Recording(self, indices, given.shape)

    def checkpoint(self) -> None:
        """Keeps what was recorded so far: a place to go on from (resume=True), at which the model's and the optimizer's state
        are to be saved."""
        if self._is_ahead:
            raise RecordError("a step is under way that is not recorded yet, so that there is no place to go on from")
        if self._writer is not None:
            self._checkpoint()
            self.wait()

    def wait(self) -> None:
        """Until all steps so far are written."""
        if self._writer is not None:
            self._writer.call(lambda: None)

    # A step.

    def _before_update(self, recording: Recording) -> None:
        step, n = self.steps_done + 1, len(recording.samples)
        if recording.factor is not None:
            raise RecordError("the optimizer stepped twice within one recorded step: record each by itself")
        if not self._watch.order:
            raise RecordError("none of the layers was called: is the loop's model the recorder's?")
        if not self._watch.was_called and any(len(layer.calls) > 1 for layer in self._watch.order):
            raise RecordError(f"step {step}: layers are called several times, and the model itself is not: call it (not its forward, nor "
                              "its parts alone), so that its passes can be told apart")
        if not self._layers:
            self._layers = self._find_layers(n)
            self._compare_ranks()
        self._watch.last = self._layers[-1].layer
        if describe(self._optimizer, True) != self._optimiser and not self._optimiser.reason:
            raise RecordError(f"step {step}: the optimizer's constants (betas, eps, dampening, nesterov) changed: "
                              "only rates, momentum and decay may; OneCycleLR takes cycle_momentum=False")
        for one in self._layers:
            if (reason := one.layer.why_not(n)) is not None:
                raise RecordError(f"step {step}: layer {one.layer.name} cannot be recorded as before: {reason}")
            if one.layer.places(n) > one.places:
                raise RecordError(f"step {step}: layer {one.layer.name} saw {one.layer.places(n)} rows of every sample, more than the "
                                  f"{one.places} of the first step: pad sequences to one length")
            if self.steps_done == 0:
                self._check_order(one.layer, recording)
            if one.has_errors and (self._group_of(one.layer.weights) != one.group or
                                   one.has_bias and not self._follow_one_rule(one.layer)):
                raise RecordError(f"step {step}: the weights and the bias of {one.layer.name} no longer follow one rule "
                                  "(their parameter groups differ in rate or decay): put them into one group, or leave it out")
        is_whole = self.steps_done % self._check_steps == 0
        checked = [one.layer for one in self._layers if one.has_errors]
        recording.factor = find_factor(checked, n, is_whole, step, self._ranks) if not self._optimiser.reason else 1.0
        recording.rules = [rule_of(group) for group in self._optimizer.param_groups]

    def _find_layers(self, n: int) -> list[Recorded]:
        """Those that can be recorded, in the order in which the model calls them; in the first step, of n samples."""
        found = []
        for layer in self._watch.order + [one for one in self._chosen if one not in self._watch.order]:
            if places := layer.places(n):
                found.append(Recorded(layer, False, layer.bias is not None, 0, places, self._initial[layer]))
            else:
                _tell(f"layer {layer.name} is left out: {layer.why_not(n)}")
        if not found:
            raise RecordError("no layer sees as many rows of every sample: nothing can be recorded")
        for one in found:
            self._judge(one, n)
        return found

    def _judge(self, one: Recorded, n: int) -> None:
        """What of a layer has a dual form, seen in the first step, of n samples."""
        layer, group = one.layer, self._group_of(one.layer.weights)
        tied = tied_to_embedding(self._model, layer)
        one.has_errors = layer.is_trained and group is not None and not tied and not self._optimiser.reason
        one.group = group or 0
        if layer.is_trained and not one.has_errors and not self._optimiser.reason:
            _tell(f"contributions through {layer.name} are not defined: " +
                  ("its weights are an embedding's, too" if tied else "the optimizer does not update it"))
        if not one.has_errors or not one.has_bias:
            return
        is_adaptive = self._optimiser.name != "sgd"
        if layer.is_moot or is_adaptive and layer.came_back and is_rounding(layer.errors(n)):
            one.has_bias = False
            if not layer.is_moot:
                _tell(f"contributions through the bias of {layer.name} are not defined, only through its weights: its gradient is "
                      f"nothing but rounding, which {self._optimiser.name} makes as large as any")
        elif not self._follow_one_rule(layer):
            one.has_bias = False
            _tell(f"contributions through the bias of {layer.name} are not defined, only through its weights: it follows another rule")

    def _group_of(self, parameter: torch.Tensor) -> int | None:
        """The number of the parameter group that a parameter follows; None: none."""
        for number, group in enumerate(self._optimizer.param_groups):
            if any(one is parameter for one in group["params"]):
                return number
        return None

    def _follow_one_rule(self, layer: Layer) -> bool:
        """Whether a layer's weights and bias do now."""
        if layer.biases is None:
            return True
        groups = self._optimizer.param_groups
        weights, bias = self._group_of(layer.weights), self._group_of(layer.biases)
        return weights is not None and bias is not None and rule_of(groups[weights]) == rule_of(groups[bias])

    def _compare_ranks(self) -> None:
        """That all ranks record the same."""
        told = self._ranks.shared([(one.layer.name, one.places, one.has_errors, one.has_bias) for one in self._layers])
        if any(one != told[0] for one in told):
            raise RecordError(f"the processes see different layers, or other numbers of places in their first step: {told}")

    def _check_order(self, layer: Layer, recording: Recording) -> None:
        """That samples are the dimension that batch_first says, where what a layer read tells."""
        own = 0 if self._batch_first else 1
        n, shape = len(recording.samples), recording.shape
        if not all(len(call.leading) == 2 for call in layer.calls):
            return
        said, other = (sum(call.leading[d] for call in layer.calls) for d in (own, 1 - own))
        if len(shape) == 2 and layer.n_rows == n:  # a text's
            n = shape[0]
        if said % n and other % n == 0:
            raise RecordError(f"{layer.name} reads sequences whose first dimensions are {layer.calls[0].leading}, of {n} samples: say "
                              f"batch_first={not self._batch_first} if samples are the {'second' if own == 0 else 'first'} one")

    def _loss_of(self, recording: Recording) -> float:
        if recording.loss is not None:
            return float(recording.loss)
        outputs = torch.cat([call.output_rows for call in self._layers[-1].layer.calls])
        labels = torch.from_numpy(self._train.labels[recording.samples.numpy()])
        if outputs.shape[-1] <= int(labels.max()) or len(outputs) != len(labels):
            return 0.0  # no cross-entropy: the loop did not say what it is
        return float(nn.functional.cross_entropy(outputs.detach().float().cpu(), labels))

    def _keep(self, recording: Recording) -> None:
        n = len(recording.samples)
        for one in self._layers:
            if any(call.are_changed for call in one.layer.calls):
                raise RecordError(f"step {self.steps_done + 1}: what {one.layer.name} saw was changed in place before the step ended: change "
                                  "a copy of it (clone()) instead")
        if self.steps_done == 0:
            self._begin(recording)
        if self._run.is_native and not self._reads_pictures(recording.samples):
            raise RecordError(f"step {self.steps_done + 1}: what the model read is not what train has for these samples "
                              "(another order, or augmentation that began later)")
        keys: list[torch.Tensor | None] = []
        errors: list[torch.Tensor | None] = []
        for number, one in enumerate(self._layers):
            is_sample = self._run.is_native and number == 0
            keys.append(None if is_sample else _padded(self._keys(one, recording.samples), one, one.layer.in_features))
            errors.append(_padded(one.layer.kept_errors(n), one, one.layer.out_features) if one.has_errors else None)
        parts = self._ranks.gathered((recording.samples, self._loss_of(recording), keys, errors))
        self.steps_done += 1
        self._is_ahead = False
        if self._writer is None:
            return
        assert recording.factor is not None
        step = _together(parts, self.steps_done, recording.factor, recording.rules, [one.layer.name for one in self._layers])
        self._writer.add(step)
        self._batch_max = max(self._batch_max, len(step.samples))
        if self._evaluation_steps is not None and self.steps_done % self._evaluation_steps == 0:
            self._evaluate()
        if self.steps_done % self._checkpoint_steps == 0:
            self._checkpoint(self._look() if self._looks.is_due() else None, may_wait=True)

    def _keys(self, one: Recorded, samples: torch.Tensor) -> torch.Tensor:
        """What a layer saw of a step's samples, as Layer.inputs has it."""
        inputs, padded = one.layer.inputs(len(samples)), self._train.padded(samples.numpy())
        if padded is None or one.layer.convolution is not None:
            return inputs
        return without_padding(inputs, one.layer.errors(len(samples)) if one.has_errors else None, padded)

    def _reads_pictures(self, samples: torch.Tensor) -> bool:
        """Whether the first layer's inputs are the standardised pictures themselves."""
        inputs = self._layers[0].layer.patterns(len(samples)).float().cpu()
        pictures = self._train.standardised(samples.numpy())
        return (pictures is not None and inputs.shape == pictures.shape and
                bool((inputs - pictures).abs().max() < 1e-3))

    # The file.

    def _activation(self, samples: torch.Tensor) -> str | None:
        """What follows the inner layers, of a model that keylight knows itself, and whose rule it knows; None: it does not."""
        native = perceptron(self._model)
        groups = {one.group if one.has_errors and one.has_bias else None for one in self._layers}
        if native is None or native.layers != [one.layer.modules[0] for one in self._layers] or groups != {0}:
            return None
        if len(self._optimizer.param_groups) != 1 or self._layers[-1].layer.out_features != len(self._train.classes):
            return None
        return native.activation if self._reads_pictures(samples) else None

    def _begin(self, recording: Recording) -> None:
        """What stands before the first step. Of the first one the layers are known."""
        self._run = RunFile(self.name, self._dtype, self._train, self._test, self._optimiser, self._layers,
                            self._activation(recording.samples), self._checkpoint_steps, self._evaluation_steps)
        self._run.check(len(self._optimizer.param_groups))
        last = self._layers[-1]
        if last.places != 1 or not queries.makes_logits(self._model, [last.layer], self._test, self._batch_first):
            raise RecordError(f"layer {last.layer.name}, the last that is recorded, does not make the model's outputs, one for each "
                              f"of the {len(self._train.classes)} classes: record the layer that does (layers=...)")
        if not self._run.is_native:
            queries.rehearse(self._model, [one.layer for one in self._layers], self._test, self._asked, self._batch_first)
        if not self._ranks.is_first:
            return
        self._writer = Writer(self.path, self._dtype)
        writer = self._writer
        writer.call(lambda: self._run.write_start(writer.file, self._scores_before))

    def _checkpoint(self, show: Callable[[HistoryFile], None] | None = None, may_wait: bool = False) -> None:
        assert self._writer is not None
        self._writer.checkpoint(self.steps_done, self._run.parameters(), show, may_wait)

    def _evaluate(self) -> None:
        """A point of the curve."""
        assert self._writer is not None
        with undisturbed(self._model):
            scores = queries.scores(self._model, self._test)
        writer, steps = self._writer, self.steps_done
        writer.write(lambda: self._run.write_scores(writer.file, steps, scores))

    def _look(self) -> Callable[[HistoryFile], None] | None:
        """Asks the model what is shown of the run while it is in training; what is returned writes it."""
        layers = [] if self._run.is_native else [one.layer for one in self._layers]
        look = self._looks.look(self._model, layers, self._test, self._asked, self._batch_first)
        if look is None:
            return None
        steps, batch_max, places = self.steps_done, self._batch_max, [one.places for one in self._layers]

        def write(file: HistoryFile) -> None:
            queries.clear(file)
            for index, found in look.found:
                queries.write(file, self._test, self.name, len(self._train), index, found, places, self._dtype)
            self._run.write_shown(file, steps, batch_max, look.scores)
        return write

    def _finish(self) -> None:
        self._checkpoint()
        assert self._writer is not None
        writer = self._writer
        writer.call(lambda: queries.clear(writer.file))
        scores = (queries.scores(self._model, self._train) if self._train.has_predictions else None,
                  queries.scores(self._model, self._test))
        if not self._run.is_native:
            layers, places = [one.layer for one in self._layers], [one.places for one in self._layers]
            for index, found in queries.all_of(self._model, layers, self._test, self._asked, self._batch_first):
                def write(index: np.ndarray = index, found: list[queries.Query] = found) -> None:
                    queries.write(writer.file, self._test, self.name, len(self._train), index, found, places, self._dtype)
                writer.call(write)
        writer.call(lambda: self._run.write_end(writer.file, self.steps_done, self._batch_max, scores))
        writer.call(writer.publish)

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
        counts = file.select("SELECT train_samples, test_samples, classes FROM dataset")
        if counts != [(len(self._train), len(self._test), len(self._train.classes))]:
            raise RecordError(f"{self.path} was recorded with other data sets")
        self._layers, activation = read_layers(file, self.path, self._chosen, perceptron(self._model))
        self._run = RunFile(self.name, self._dtype, self._train, self._test, self._optimiser, self._layers, activation,
                            self._checkpoint_steps, self._evaluation_steps)
        self.steps_done = self._run.check_is_of(file, self.path)
        (self._writer.first,), = file.select("SELECT coalesce(sum(count), 0) FROM step")
        (self._batch_max,), = file.select("SELECT coalesce(max(count), 0) FROM step")
        keeps = self._optimiser.name != "sgd" or any(group.get("momentum") for group in self._optimizer.param_groups)
        if self.steps_done and keeps and not self._optimizer.state:
            raise RecordError(f"the optimizer has no state: load it as it was after step {self.steps_done}")


def forget_empty(path: str) -> bool:
    """Whether a recording was cut off before its first checkpoint: then nothing of it is left."""
    if not os.path.exists(path + SUFFIX):
        return False
    draft = Draft(path, resume=True)
    try:
        file = HistoryFile(draft.path, resume=True)
        try:
            is_empty = int(file.select("SELECT steps_done FROM run")[0][0]) == 0
        finally:
            file.close()
    except (sqlite3.Error, ValueError, IndexError) as failure:
        raise RecordError(f"{draft.path} cannot be gone on with: {failure}") from failure
    else:
        if is_empty:
            draft.remove()
        return is_empty
    finally:
        draft.end()


def _together(parts: list[tuple], number: int, factor: float, rules: list[Rule], names: list[str]) -> Step:
    """One step of what every rank saw: samples, loss, keys and error signals by layer."""
    samples = joined([part[0] for part in parts])
    keys, errors = ([None if rows[0] is None else Waiting(joined([one.cpu() for one in rows] if len(parts) > 1 else rows))
                     for rows in zip(*(part[kind] for part in parts))] for kind in (2, 3))
    return Step(number, samples, sum(len(part[0]) * part[1] for part in parts) / len(samples), factor, rules, names, keys, errors)


def _tell(what: str) -> None:
    warnings.warn(what, NotRecorded, stacklevel=3)


def _padded(kept: torch.Tensor, one: Recorded, width: int) -> torch.Tensor:
    """All that a layer saw of each sample, or got back, width numbers a place, as one row each: places that a shorter sequence has
    not are 0."""
    rows, missing = kept.flatten(1), one.places * width - kept[0].numel()
    return nn.functional.pad(rows, (0, missing)) if missing > 0 and one.layer.convolution is None else rows
