"""Linear layers of a model: where their weights are, and what they see of each sample.

A layer computes z = W x + b for one or more rows of every sample, its places: one in a network that reads samples
whole, a patch of the picture in a convolution, a token in a transformer, a call where it is called several times."""
from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Iterator, Sequence

import torch
from torch import nn

from .errors import RecordError

GROUPS_OF_CONVOLUTIONS_MAX = 16  # each is a layer of its own


@dataclass
class Rows:
    """What one call of a layer saw: inputs (rows, in_features), of a convolution the maps (samples, channels, height,
    width); and, once backward came by, the gradients of the loss w.r.t. its outputs, shaped as these are. Both are the
    network's own tensors, which nobody changes as long as a step lasts."""

    inputs: torch.Tensor
    n: int  # rows
    forward: int  # in which forward pass of the model, where it has several a step
    rows_of: Callable[[torch.Tensor], torch.Tensor]  # makes rows (n, out_features) of the outputs, or their gradients
    leading: tuple[int, ...] = ()  # what stands before the numbers of a row in what a Linear read, if that is two dimensions or more
    outputs: torch.Tensor | None = None
    errors: torch.Tensor | None = None
    is_rounded: bool = False  # whether it was computed in less than float32
    versions: tuple[int, int] = (0, 0)  # PyTorch's counts of changes in place of inputs and errors, when they were seen

    @property
    def are_changed(self) -> bool:
        """Whether somebody changed what was seen."""
        return (self.inputs._version, 0 if self.errors is None else self.errors._version) != self.versions

    @property
    def output_rows(self) -> torch.Tensor:
        """(rows, out_features)"""
        assert self.outputs is not None
        return self.rows_of(self.outputs)


@dataclass(frozen=True)
class Convolution:
    """How a convolution cuts its patches out of a map (channels, *size); pairs are down, and to the right."""

    channels: int
    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    def patches(self, maps: torch.Tensor) -> torch.Tensor:
        """maps (n, channels, height, width) as (n, places, channels * kernel)."""
        return nn.functional.unfold(maps, self.kernel, self.dilation, self.padding, self.stride).transpose(1, 2)


@dataclass(eq=False)
class Layer:
    """One linear layer: the rows `part` of a parameter (all where it is None), called by what `modules` are, which share
    it if they are several. channels: those of a convolution's maps that it reads. is_moot: its bias changes nothing that
    comes behind, as that of an attention's keys, so that its gradient is rounding."""

    name: str
    modules: list[nn.Module]
    weights: nn.Parameter
    biases: nn.Parameter | None
    part: slice = field(default_factory=lambda: slice(None))
    channels: slice = field(default_factory=lambda: slice(None))
    is_moot: bool = False
    is_uneven: bool = False  # a convolution that read maps of several sizes
    convolution: Convolution | None = None  # once it was called
    calls: list[Rows] = field(default_factory=list)

    @property
    def weight(self) -> torch.Tensor:
        """(out_features, in_features)"""
        return self.weights[self.part].flatten(1)

    @property
    def weight_gradient(self) -> torch.Tensor | None:
        return None if self.weights.grad is None else self.weights.grad[self.part].flatten(1)

    @property
    def bias(self) -> torch.Tensor | None:
        return None if self.biases is None else self.biases[self.part]

    @property
    def bias_gradient(self) -> torch.Tensor | None:
        return None if self.biases is None or self.biases.grad is None else self.biases.grad[self.part]

    @property
    def in_features(self) -> int:
        return self.weight.shape[1]

    @property
    def out_features(self) -> int:
        return self.weight.shape[0]

    def width_of(self, output: torch.Tensor) -> int:
        """How many numbers of its module's output a place has: of a convolution those of all groups."""
        module = self.modules[0]
        return int(module.out_channels) if isinstance(module, (nn.Conv1d, nn.Conv2d)) else output.shape[-1]

    @property
    def is_trained(self) -> bool:
        return self.weights.requires_grad

    @property
    def n_rows(self) -> int:
        return sum(call.n for call in self.calls)

    @property
    def came_back(self) -> bool:
        return any(call.errors is not None for call in self.calls)

    def places(self, n: int) -> int:
        """Rows that each of n samples had; 0: why_not says why they cannot be recorded."""
        return 0 if self.why_not(n) else self.n_rows // n

    def why_not(self, n: int) -> str | None:
        """Why what it saw of n samples cannot be told apart; None: it can."""
        told = f"it saw {self.n_rows} rows for {n} samples, in {len(self.calls)} call{'s' * (len(self.calls) > 1)}"
        if not self.calls:
            return "the model does not call it"
        if self.is_uneven:
            return "its pictures are of several sizes: make them one"
        if self.n_rows % n:
            return told
        passes = self._passes(n)
        if not passes:
            return told
        if self.convolution is not None and any(len(calls) > 1 for calls in passes):
            return "it is a convolution that is called several times in one pass"
        return None

    def is_cut(self, n: int) -> bool:
        """Whether it is a convolution of several places: one that covers all of its map is a linear layer like any other."""
        return self.convolution is not None and self.n_rows > n

    def inputs(self, n: int) -> torch.Tensor:
        """What it saw of n samples: (n, places, in_features), of a convolution the maps (n, channels, height, width)."""
        if self.convolution is not None:
            maps = joined([call.inputs for call in self.calls])
            return maps if self.is_cut(n) else self.convolution.patches(maps)
        return self._gather(n, [call.inputs for call in self.calls])

    def patterns(self, n: int) -> torch.Tensor:
        """Its inputs as rows: (n * places, in_features)"""
        inputs = self.inputs(n)
        if self.convolution is not None and self.is_cut(n):
            inputs = self.convolution.patches(inputs)
        return inputs.reshape(-1, self.in_features)

    def errors(self, n: int) -> torch.Tensor:
        """(n, places, out_features): 0 where no gradient came back."""
        return self._gather(n, [torch.zeros(call.n, self.out_features, device=call.inputs.device) if call.errors is None
                                else call.rows_of(call.errors) for call in self.calls])

    def kept_errors(self, n: int) -> torch.Tensor:
        """The same as they are kept: (n, numbers), of a convolution as PyTorch has them, (outputs, places) of each sample."""
        if self.convolution is None:
            return self.errors(n).flatten(1)
        places, parts = self.n_rows // n, []
        for call in self.calls:
            samples = len(call.inputs)
            parts.append(torch.zeros(samples, self.out_features * places, device=call.inputs.device) if call.errors is None else
                         call.errors.reshape(samples, -1, places)[:, self.part].flatten(1))
        return joined(parts)

    def _passes(self, n: int) -> list[list[int]] | None:
        """The numbers of its calls by forward pass, so that every pass has all places of some samples."""
        places = self.n_rows // n
        passes: dict[int, list[int]] = {}
        for number, call in enumerate(self.calls):
            passes.setdefault(call.forward, []).append(number)
        grouped = list(passes.values())
        if len(grouped) == 1 and any(call.n % n for call in self.calls):
            grouped = [[number] for number in range(len(self.calls))]  # parts of the batch, one after the other
        for numbers in grouped:
            rows = sum(self.calls[number].n for number in numbers)
            if rows % places or any(self.calls[number].n % (rows // places) for number in numbers):
                return None
        return grouped

    def _gather(self, n: int, rows: Sequence[torch.Tensor]) -> torch.Tensor:
        """Rows of all calls (their rows, width) by sample: (n, places, width). Within a pass calls are further places."""
        places = self.n_rows // n
        parts = []
        for numbers in self._passes(n) or []:
            samples = sum(self.calls[number].n for number in numbers) // places
            parts.append(joined([rows[number].reshape(samples, -1, rows[number].shape[-1]) for number in numbers], 1))
        return joined(parts)


def joined(parts: Sequence[torch.Tensor], dimension: int = 0) -> torch.Tensor:
    """torch.cat, which copies a single one, too."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dimension)


def pair(value: Any) -> tuple[int, int]:
    """(down, right) of a number, or of one or two in a tuple."""
    numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,) * 2
    return (int(numbers[0]), int(numbers[-1]))


def convolution_of(module: nn.Module, channels: int, height: int, width: int) -> Convolution:
    """How a Conv1d or Conv2d cuts a map of this size; one of one dimension has height 1."""
    is_flat = isinstance(module, nn.Conv1d)

    def both(value: Any, alone: int) -> tuple[int, int]:
        return (alone, pair(value)[1]) if is_flat else pair(value)
    kernel, dilation = both(module.kernel_size, 1), both(module.dilation, 1)
    padding = module.padding
    if padding == "same":
        padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation))
    elif padding == "valid":
        padding = 0
    return Convolution(channels, (height, width), kernel, both(module.stride, 1), both(padding, 0), dilation)


def why_not(module: nn.Module) -> str | None:
    """Why a module with weights that multiply is none that can be recorded; None: it can, or has none."""
    if isinstance(module, (nn.Conv1d, nn.Conv2d)):
        if module.padding_mode != "zeros":
            return f"it pads by {module.padding_mode}, not by zeros"
        kernel, dilation = pair(module.kernel_size), pair(module.dilation)
        if module.padding == "same" and any(d * (k - 1) % 2 for k, d in zip(kernel, dilation)):
            return "it pads one side more than the other"
        if module.groups > GROUPS_OF_CONVOLUTIONS_MAX:
            return f"it has {module.groups} groups: at most {GROUPS_OF_CONVOLUTIONS_MAX} can be recorded"
        return None
    if isinstance(module, nn.MultiheadAttention):
        return "it has keys and values of its own (bias_k, add_zero_attn)" if module.bias_k is not None or module.add_zero_attn else None
    if isinstance(module, (nn.LSTM, nn.GRU)):
        return "it projects its state (proj_size)" if module.proj_size else None
    if isinstance(module, (nn.RNN, nn.RNNCellBase, nn.Conv3d, nn.Bilinear, nn.modules.conv._ConvTransposeNd)):
        return f"a {type(module).__name__} is none of Linear, Conv1d, Conv2d, MultiheadAttention, LSTM and GRU"
    return None


def _of_attention(name: str, module: nn.MultiheadAttention) -> Iterator[Layer]:
    """The projections of queries, keys, values and outputs."""
    width = module.embed_dim
    for number, (kind, weights) in enumerate((("q", module.q_proj_weight), ("k", module.k_proj_weight), ("v", module.v_proj_weight))):
        part = slice(number * width, (number + 1) * width)
        if module.in_proj_weight is not None:
            yield Layer(f"{name}.{kind}", [module], module.in_proj_weight, module.in_proj_bias, part, is_moot=kind == "k")
        elif module.in_proj_bias is None:
            yield Layer(f"{name}.{kind}", [module], weights, None)
        # With weights apart and one bias, which has no rows of its own in them, none of the three is recorded.
    yield Layer(f"{name}.out_proj", [module], module.out_proj.weight, module.out_proj.bias)


def _of_recurrent(name: str, module: nn.RNNBase) -> Iterator[Layer]:
    """All gates of a layer from what it reads (ih), and from its state (hh)."""
    for layer in range(module.num_layers):
        for end in ("", "_reverse") if module.bidirectional else ("",):
            for kind in ("ih", "hh"):
                suffix = f"{kind}_l{layer}{end}"
                yield Layer(f"{name}.{suffix}", [module], getattr(module, f"weight_{suffix}"),
                            getattr(module, f"bias_{suffix}") if module.bias else None)


def _of_convolution(name: str, module: Any) -> Iterator[Layer]:
    """Every group by itself."""
    inputs, outputs = module.in_channels // module.groups, module.out_channels // module.groups
    for group in range(module.groups):
        yield Layer(f"{name}[{group}]" if module.groups > 1 else name, [module], module.weight, module.bias,
                    slice(group * outputs, (group + 1) * outputs), slice(group * inputs, (group + 1) * inputs))


def _all(model: nn.Module) -> Iterator[Layer]:
    inside = {id(module.out_proj) for module in model.modules() if isinstance(module, nn.MultiheadAttention)}
    for name, module in model.named_modules():
        name = name or "model"
        if why_not(module) or id(module) in inside:
            continue
        if isinstance(module, nn.MultiheadAttention):
            yield from _of_attention(name, module)
        elif isinstance(module, (nn.LSTM, nn.GRU)):
            yield from _of_recurrent(name, module)
        elif isinstance(module, (nn.Conv1d, nn.Conv2d)):
            yield from _of_convolution(name, module)
        elif isinstance(module, nn.Linear):
            yield Layer(name, [module], module.weight, module.bias)


def tied_to_embedding(model: nn.Module, layer: Layer) -> bool:
    """Whether an embedding shares its weights, whose gradient then is not of its rows alone."""
    return any(isinstance(module, nn.Embedding) and module.weight is layer.weights for module in model.modules())


def linear_layers(model: nn.Module) -> list[Layer]:
    """All of a model; those that share weights and biases are one."""
    found: list[Layer] = []
    for layer in _all(model):
        same = [one for one in found if one.weights is layer.weights and one.biases is layer.biases and one.part == layer.part]
        if same:
            same[0].modules += layer.modules
        else:
            found.append(layer)
    return found


def choose(model: nn.Module, names: str | Iterable[str] | None) -> list[Layer]:
    """The layers of a model whose names match one of the patterns ("blocks.*.mlp.*"); of None every nn.Linear, and all others
    that are trained.

    Raises RecordError where a pattern matches none."""
    linear = linear_layers(model)
    if not linear:
        raise RecordError("the model has no linear layer (nn.Linear, Conv1d, Conv2d, MultiheadAttention, LSTM, GRU): there is "
                          "nothing to record")
    if names is None:
        return [layer for layer in linear if layer.is_trained or isinstance(layer.modules[0], nn.Linear)]
    patterns = [names] if isinstance(names, str) else list(names)
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(layer.name, pattern) for layer in linear):
            raise RecordError(f"no linear layer is called '{pattern}': there are {', '.join(one.name for one in linear)}")
    return [layer for layer in linear if any(fnmatch.fnmatchcase(layer.name, pattern) for pattern in patterns)]
