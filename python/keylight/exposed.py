"""Modules of PyTorch that hide their linear layers, run so that these can be seen: the same numbers, by the same weights.

Each takes the place of a module's forward. see(suffix, inputs, outputs) is told of every linear map, batch first, and
returns the outputs to go on with."""
from __future__ import annotations

import math
from typing import Any, Callable

import torch
from torch import nn
from torch.nn import functional

from .errors import RecordError

See = Callable[[str, torch.Tensor, torch.Tensor], torch.Tensor]


def _linear(see: See, name: str, x: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return see(name, x, functional.linear(x, weights, bias))


def _mask(mask: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor | None:
    """What is added to scores: a mask of truth values is minus infinity where it is true."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, -math.inf)


def attention(module: nn.MultiheadAttention, see: See) -> Callable:
    """nn.MultiheadAttention's forward."""
    width, heads = module.embed_dim, module.num_heads

    def project(x: torch.Tensor, number: int) -> torch.Tensor:
        kind = "qkv"[number]
        bias = None if module.in_proj_bias is None else module.in_proj_bias[number * width:(number + 1) * width]
        if module.in_proj_weight is not None:
            return _linear(see, kind, x, module.in_proj_weight[number * width:(number + 1) * width], bias)
        weights = getattr(module, f"{kind}_proj_weight")
        return functional.linear(x, weights, bias) if bias is not None else _linear(see, kind, x, weights, None)

    def forward(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, key_padding_mask: torch.Tensor | None = None,
                need_weights: bool = True, attn_mask: torch.Tensor | None = None, average_attn_weights: bool = True,
                is_causal: bool = False) -> tuple[torch.Tensor, torch.Tensor | None]:
        alone = query.ndim == 2
        inputs = [x[None] if alone else x if module.batch_first else x.transpose(0, 1) for x in (query, key, value)]
        n = inputs[0].shape[0]
        q, k, v = (project(x, number).reshape(n, -1, heads, width // heads).transpose(1, 2) for number, x in enumerate(inputs))
        scores = q @ k.transpose(2, 3) / math.sqrt(width // heads)
        added = _mask(attn_mask, scores)
        if added is not None:
            scores = scores + (added if added.ndim == 2 else added.reshape(n, heads, *added.shape[1:]))
        padding = _mask(key_padding_mask, scores)
        if padding is not None:
            scores = scores + (padding[None] if alone and padding.ndim == 1 else padding)[:, None, None]
        weights = functional.dropout(scores.softmax(-1), module.dropout, module.training)
        mixed = weights @ v
        out = _linear(see, "out_proj", mixed.transpose(1, 2).reshape(n, -1, width), module.out_proj.weight, module.out_proj.bias)
        out = out[0] if alone else out if module.batch_first else out.transpose(0, 1)
        if not need_weights:
            return out, None
        told = weights.mean(1) if average_attn_weights else weights
        return out, told[0] if alone else told
    return forward


def _lstm_step(gates: torch.Tensor, from_state: torch.Tensor, state: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    i, f, g, o = (gates + from_state).chunk(4, -1)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _gru_step(gates: torch.Tensor, from_state: torch.Tensor, state: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    (r, z, n), (from_r, from_z, from_n) = gates.chunk(3, -1), from_state.chunk(3, -1)
    z = (z + from_z).sigmoid()
    return ((1 - z) * (n + (r + from_r).sigmoid() * from_n).tanh() + z * state[0],)


def recurrent(module: nn.RNNBase, see: See) -> Callable:
    """nn.LSTM's or nn.GRU's forward, step by step."""
    is_lstm = isinstance(module, nn.LSTM)
    step = _lstm_step if is_lstm else _gru_step

    def run(x: torch.Tensor, suffix: str, state: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        bias = (lambda kind: getattr(module, f"bias_{kind}_{suffix}")) if module.bias else (lambda kind: None)
        places = range(x.shape[1] - 1, -1, -1) if suffix.endswith("reverse") else range(x.shape[1])
        gates = _linear(see, f"ih_{suffix}", x, getattr(module, f"weight_ih_{suffix}"), bias("ih"))
        outputs: list[Any] = [None] * x.shape[1]
        for place in places:
            own = _linear(see, f"hh_{suffix}", state[0], getattr(module, f"weight_hh_{suffix}"), bias("hh"))
            state = step(gates[:, place], own, state)
            outputs[place] = state[0]
        return torch.stack(outputs, 1), state

    def forward(x: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]:
        if not isinstance(x, torch.Tensor):
            raise RecordError("packed sequences cannot be recorded: pad them, and mask what pads")
        alone = x.ndim == 2
        x = x[None] if alone else x if module.batch_first else x.transpose(0, 1)
        ends = ("", "_reverse") if module.bidirectional else ("",)
        given = None if state is None else (state if is_lstm else (state,))
        n_states = 2 if is_lstm else 1
        last: list[list[torch.Tensor]] = [[] for _ in range(n_states)]
        for layer in range(module.num_layers):
            outputs = []
            for direction, end in enumerate(ends):
                number = layer * len(ends) + direction
                begin = tuple(x.new_zeros(x.shape[0], module.hidden_size) if given is None else
                              (one[:, None] if alone else one)[number] for one in (given or (None,) * n_states))
                out, after = run(x, f"l{layer}{end}", begin)
                outputs.append(out)
                for one, all_of in zip(after, last):
                    all_of.append(one)
            x = torch.cat(outputs, -1)
            if layer + 1 < module.num_layers:
                # Drawn as PyTorch draws it: steps first.
                x = functional.dropout(x.transpose(0, 1).contiguous(), module.dropout, module.training).transpose(0, 1)
        ended = tuple(torch.stack(one)[:, 0] if alone else torch.stack(one) for one in last)
        x = x[0] if alone else x if module.batch_first else x.transpose(0, 1)
        return x, ended if is_lstm else ended[0]
    return forward
