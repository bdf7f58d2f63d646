"""Sees what linear layers see: the rows that go into them, and the gradients that come back."""
from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator

import torch
from torch import nn

from . import exposed
from .errors import RecordError
from .layers import Layer, Rows, convolution_of


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """A model in evaluation, and afterwards as it was, module by module."""
    were_training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in were_training:
            module.training = True


def _rows(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(-1, tensor.shape[-1])


class Watch:
    """Hooks on layers, in the order in which the model calls them: rows are kept while is_on says so."""

    def __init__(self, model: nn.Module, layers: list[Layer], is_on: Callable[[], bool], shields: bool = False,
                 batch_first: bool = True):
        """shields: what comes behind a layer gets a copy of its outputs, so that it cannot change those that are kept.
        batch_first: whether samples are the first dimension of what layers read, or the second one."""
        self.order: list[Layer] = []
        self.last: Layer | None = None  # the layer whose outputs are kept; None: every one's
        self._is_on, self._shields, self._batch_first = is_on, shields, batch_first
        self._forward, self._is_back = 0, False  # passes in this step; whether a backward runs
        self._without: set[Layer] = set()  # called without gradients in this step
        self._replaced: list[tuple[nn.Module, Any]] = []  # modules, and what stood in for their forward before
        self._handles = [model.register_forward_pre_hook(self._begin_forward)]
        by_module: dict[nn.Module, list[Layer]] = {}
        for layer in layers:
            for module in layer.modules:
                by_module.setdefault(module, []).append(layer)
        for module, own in by_module.items():
            self._look_at(module, own)

    def _begin_forward(self, module: nn.Module, inputs: tuple) -> None:
        self._forward += 1

    def _end_backward(self) -> None:
        self._is_back = False

    def _look_at(self, module: nn.Module, layers: list[Layer]) -> None:
        if isinstance(module, (nn.MultiheadAttention, nn.LSTM, nn.GRU)):
            named = {layer.name.rsplit(".", 1)[-1]: layer for layer in layers}

            def see(suffix: str, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
                if not self._is_on() or suffix not in named:
                    return output
                return self._keep(named[suffix], x, x.reshape(-1, x.shape[-1]), output, _rows)
            replacement = exposed.attention if isinstance(module, nn.MultiheadAttention) else exposed.recurrent
            self._replaced.append((module, module.__dict__.get("forward")))
            module.forward = replacement(module, see)  # type: ignore
        elif isinstance(module, nn.Linear):
            self._handles.append(module.register_forward_hook(self._linear_hook(layers[0])))
        else:
            self._handles.append(module.register_forward_hook(self._convolution_hook(layers)))

    def _linear_hook(self, layer: Layer) -> Callable:
        def rows_of(tensor: torch.Tensor) -> torch.Tensor:
            return _rows(tensor if self._batch_first or tensor.ndim < 3 else tensor.transpose(0, 1))

        def hook(module: nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor | None:
            if not self._is_on():
                return None
            kept = self._keep(layer, inputs[0], rows_of(inputs[0]), output, rows_of)
            return kept if self._shields else None
        return hook

    def _convolution_hook(self, layers: list[Layer]) -> Callable:
        """Of all groups of a convolution."""
        def hook(module: nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor | None:
            if not self._is_on():
                return None
            flat = isinstance(module, nn.Conv1d)
            maps = inputs[0].reshape(-1, *inputs[0].shape[-(2 if flat else 3):])
            maps = maps[:, :, None] if flat else maps
            kept, samples = output, len(maps)
            for layer in layers:
                own = maps if len(layers) == 1 else maps[:, layer.channels]
                cut = convolution_of(module, *own.shape[1:])
                layer.is_uneven |= layer.convolution not in (None, cut)
                layer.convolution = cut

                def rows_of(tensor: torch.Tensor, part: slice = layer.part) -> torch.Tensor:
                    of_places = tensor.reshape(samples, module.out_channels, -1)[:, part]  # type: ignore
                    return of_places.transpose(1, 2).reshape(-1, of_places.shape[1])
                kept = self._keep(layer, inputs[0], own, kept, rows_of)
            return kept if self._shields else None
        return hook

    def _keep(self, layer: Layer, x: torch.Tensor, inputs: torch.Tensor, output: torch.Tensor,
              rows_of: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """x: what the module was given, inputs: as Rows has it. Returns what is to be gone on with."""
        if layer not in self.order:
            self.order.append(layer)
        if not self._shields and layer.is_trained and not torch.is_grad_enabled():
            self._without.add(layer)  # the first pass of a reentrant checkpoint, whose second one is recorded
            return output
        if self._is_back and layer in self._without and self._forward > 1:
            raise RecordError(f"{layer.name} is checkpointed (use_reentrant=True) in several passes of one step, which cannot be told "
                              "apart: checkpoint with use_reentrant=False")
        if self._is_back and any(call.forward == self._forward for call in layer.calls):
            return output  # the second pass of a checkpoint, whose first one was recorded
        kept = inputs.detach()
        # What backward needs stays as it is until then, and is nobody's afterwards; not so a buffer that batches are copied to.
        if x.grad_fn is None or not layer.is_trained:
            kept = kept.clone()
        rows = Rows(kept, output.numel() // layer.width_of(output), self._forward, rows_of,
                    tuple(x.shape[:-1]) if isinstance(layer.modules[0], nn.Linear) else ())

        def came_back(gradient: torch.Tensor) -> None:
            if not self._is_back:
                self._is_back = True
                torch.autograd.Variable._execution_engine.queue_callback(self._end_backward)
            own = gradient.detach()
            rows.errors = own if rows.errors is None else rows.errors + own  # of a second backward
            rows.versions = (rows.versions[0], rows.errors._version)
        rows.versions = (kept._version, 0)
        layer.calls.append(rows)
        if self._shields:
            rows.outputs = output
        elif self.last is None or self.last is layer:
            rows.outputs = output.detach().clone()
        rows.is_rounded = (torch.is_autocast_enabled() or torch.is_autocast_cpu_enabled() or
                           output.dtype != torch.float32)
        if output.requires_grad:
            output.register_hook(came_back)
        return output.clone() if self._shields else output

    def forget(self) -> None:
        self._forward, self._is_back = 0, False
        self._without.clear()
        for layer in self.order:
            layer.calls.clear()

    @property
    def was_called(self) -> bool:
        """Whether the model itself was, in this step, and not its parts alone."""
        return self._forward > 0

    def end(self) -> None:
        for handle in self._handles:
            handle.remove()
        for module, before in self._replaced:
            del module.forward
            if before is not None:
                module.forward = before  # type: ignore
