"""Whether the gradients of a step are what its record makes of them, and by what they were scaled or clipped."""
from __future__ import annotations

import math

import torch

from .errors import RecordError
from .layers import Layer
from .ranks import Ranks

WHOLE, ROUNDED = 1e-3, 3e-2  # how far a gradient may be from D^T X: in float32; under autocast
CANCELLED, SOME = 1e-5, 0.1  # what is left of a sum of numbers of both signs, and the share of outputs where it is
TURN = 4
ROWS_CHECKED = 4  # outputs of a layer whose gradients are looked at in every step


def _made_and_found(layer: Layer, n: int, is_whole: bool, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """D^T X of n samples, biases as the last column, and the gradient; of some outputs only, unless is_whole."""
    gradient, bias = layer.weight_gradient, layer.bias_gradient
    if gradient is None or layer.bias is not None and bias is None:
        raise RecordError(f"step {step}: {layer.name} has error signals, but its weights or bias no gradient: "
                          "what is frozen, or set to None, in some steps cannot be recorded. Leave the layer out (layers=...)")
    errors, inputs = layer.errors(n).float().flatten(0, 1), layer.patterns(n).float()
    if not is_whole and errors.shape[1] > ROWS_CHECKED:
        first = step * ROWS_CHECKED % (errors.shape[1] - ROWS_CHECKED + 1)  # others in every step
        outputs = slice(first, first + ROWS_CHECKED)
        errors, gradient = errors[:, outputs], gradient[outputs]
        bias = None if bias is None else bias[outputs]
    made, found = errors.T @ inputs, gradient.float()
    if bias is not None:
        made = torch.cat([made, errors.sum(0)[:, None]], 1)
        found = torch.cat([found, bias.float()[:, None]], 1)
    return made, found


def is_rounding(errors: torch.Tensor) -> bool:
    """Whether the gradients of biases, sums of error signals (n, places, outputs), are what rounding leaves of sums that cancel:
    of some outputs at least, as where one layer makes an attention's queries, keys and values."""
    rows = errors.double().flatten(0, 1)
    sizes = rows.abs().sum(0)
    cancelled = (rows.sum(0).abs() < CANCELLED * sizes) & (sizes > 0)
    return len(rows) > 1 and int(cancelled.sum()) > SOME * int((sizes > 0).sum())


def find_factor(layers: list[Layer], n: int, is_whole: bool, step: int, ranks: Ranks) -> float:
    """By what the gradients of a step's n samples were scaled or clipped: grad = factor D^T X, the same for all layers.

    is_whole: all of every layer is compared; otherwise some outputs of the last one, and in every TURN-th step of another, in turns,
    of those that see samples whole, which are what costs little. ranks: those whose gradients are added up. Raises RecordError where they
    differ."""
    able = [layer for layer in layers if layer.came_back and layer.is_trained and (is_whole or layer.places(n) == 1)]
    if not is_whole and len(able) > 1:
        turn = step // TURN % (len(able) - 1)
        able = [able[turn], able[-1]] if step % TURN == 0 else able[-1:]
    seen = []
    for layer in able:
        made, found = _made_and_found(layer, n, is_whole, step)
        seen.append((layer, ranks.summed(made), found))
    square = sum(float((made * made).sum()) for _, made, _ in seen)
    factor = sum(float((made * found).sum()) for _, made, found in seen) / square if square > 0 else 1.0
    bound = ROUNDED if any(rows.is_rounded for layer in layers for rows in layer.calls) else WHOLE
    for layer, made, found in seen:
        off, size = float((found - factor * made).norm()), float(found.norm())
        if not math.isfinite(off + size):
            raise RecordError(f"step {step}: the training diverged: the gradient of {layer.name} is no number")
        if not off <= bound * size + 1e-30:
            raise RecordError(
                f"step {step}: the gradient of {layer.name} is not what its inputs and error signals "
                f"make of it, it is off by {100 * off / size if size else 100:.3g} %. Something else acts on its "
                "weights: a gradient that was not zeroed, a functional use of them, a penalty in the loss, a hook, "
                "or clipping by value, which has no dual form. Leave the layer out (layers=...), or that")
    return factor
