"""Sees what linear layers see: the rows that go into them, and the gradients that come back."""
from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import Callable, Iterable

import torch
from torch import nn

from .errors import RecordError


@dataclass
class Rows:
    """What one call of a layer saw: inputs (n, in_features) and, once backward came by, the gradients of the loss
    w.r.t. its outputs (n, out_features)."""

    inputs: torch.Tensor
    outputs: torch.Tensor | None = None
    errors: torch.Tensor | None = None
    is_rounded: bool = False  # whether it was computed in less than float32


@dataclass
class Layer:
    """One linear layer of a model, by its name there."""

    name: str
    module: nn.Linear
    calls: list[Rows] = field(default_factory=list)

    @property
    def is_trained(self) -> bool:
        return self.module.weight.requires_grad

    @property
    def n_rows(self) -> int:
        return sum(len(call.inputs) for call in self.calls)

    @property
    def came_back(self) -> bool:
        return any(call.errors is not None for call in self.calls)

    @property
    def inputs(self) -> torch.Tensor:
        """Of all calls, in their order: (n, in_features)."""
        return torch.cat([call.inputs for call in self.calls])

    @property
    def errors(self) -> torch.Tensor:
        """Of all calls (n, out_features): 0 where no gradient came back."""
        return torch.cat([torch.zeros(len(call.inputs), self.module.out_features, device=call.inputs.device)
                          if call.errors is None else call.errors for call in self.calls])


def choose(model: nn.Module, names: Iterable[str] | None) -> list[Layer]:
    """The linear layers of a model, or those whose names match one of the patterns ("blocks.*.mlp.*").

    Raises RecordError where a pattern matches none."""
    linear = [Layer(name or "model", module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise RecordError("the model has no nn.Linear: there is nothing to record")
    if names is None:
        return linear
    patterns = [names] if isinstance(names, str) else list(names)
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(layer.name, pattern) for layer in linear):
            raise RecordError(f"no nn.Linear is called '{pattern}': there are {', '.join(one.name for one in linear)}")
    return [layer for layer in linear if any(fnmatch.fnmatchcase(layer.name, pattern) for pattern in patterns)]


class Watch:
    """Hooks on layers, in the order in which the model calls them: rows are kept while is_on says so."""

    def __init__(self, layers: list[Layer], is_on: Callable[[], bool], shields: bool = False):
        """shields: what comes behind a layer gets a copy of its outputs, so that it cannot change those that are kept."""
        self.order: list[Layer] = []
        self._is_on, self._shields = is_on, shields
        self._handles = [layer.module.register_forward_hook(self._hook_of(layer)) for layer in layers]

    def _hook_of(self, layer: Layer) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor | None:
            if not self._is_on():
                return None
            rows = Rows(inputs[0].detach().reshape(-1, module.in_features).clone())
            if layer not in self.order:
                self.order.append(layer)
            layer.calls.append(rows)
            rows.outputs = output if self._shields else output.detach().clone()
            rows.is_rounded = (torch.is_autocast_enabled() or torch.is_autocast_cpu_enabled() or
                               output.dtype != torch.float32)
            if output.requires_grad:
                output.register_hook(lambda gradient: self._came_back(rows, gradient))
            return output.clone() if self._shields else None
        return hook

    @staticmethod
    def _came_back(rows: Rows, gradient: torch.Tensor) -> None:
        own = gradient.detach().reshape(rows.inputs.shape[0], -1)
        rows.errors = own.clone() if rows.errors is None else rows.errors + own  # of a second backward

    def forget(self) -> None:
        for layer in self.order:
            layer.calls.clear()

    def end(self) -> None:
        for handle in self._handles:
            handle.remove()


def logits_and_keys(model: nn.Module, layers: list[Layer], x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """What a model in evaluation says of inputs, without learning: outputs of its last recorded layer, and the keys of
    every layer (n, in_features)."""
    watch = Watch(layers, lambda: True, shields=True)
    was_training = model.training
    try:
        model.eval()
        with torch.no_grad():
            model(x)
        keys = [torch.cat([rows.inputs for rows in layer.calls]).float().cpu() for layer in layers]
        outputs = layers[-1].calls[-1].outputs
        assert outputs is not None
        return outputs.detach().reshape(-1, layers[-1].module.out_features).float().cpu(), keys
    finally:
        model.train(was_training)
        watch.end()
        for layer in layers:
            layer.calls.clear()
