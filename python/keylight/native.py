"""Models that keylight knows itself: a perceptron of Linear layers and one activation over the pictures' numbers."""
from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass
class Perceptron:
    """Its linear layers, and what keylight calls the activation behind all but the last."""

    layers: list[nn.Linear]
    activation: str


def _parts(module: nn.Module) -> list[nn.Module]:
    """The modules of nested Sequentials, in order."""
    if type(module) is not nn.Sequential:
        return [module]
    return [part for child in module for part in _parts(child)]


def _activation_of(part: nn.Module) -> str | None:
    """What keylight calls an activation that it has; None: it has none such."""
    if isinstance(part, nn.GELU):
        return "gelu" if part.approximate == "none" else None
    return "relu" if isinstance(part, nn.ReLU) else "silu" if isinstance(part, nn.SiLU) else None


def perceptron(model: nn.Module) -> Perceptron | None:
    """A multilayer perceptron: Linear, ReLU, Linear, .., Linear in Sequentials (or SiLU, or GELU, one of them throughout), with
    Flatten, Identity and, behind the first layer, Dropout anywhere. None: the model is none."""
    layers: list[nn.Linear] = []
    activations: set[str] = set()
    is_linear = False
    for part in _parts(model):
        if isinstance(part, nn.Linear) and not is_linear and part.bias is not None:
            layers.append(part)
            is_linear = True
        elif (name := _activation_of(part)) is not None and is_linear:
            activations.add(name)
            is_linear = False
        elif isinstance(part, nn.Dropout) and layers and not is_linear or isinstance(part, (nn.Flatten, nn.Identity)):
            pass
        else:
            return None
    if not layers or not is_linear or len(activations) > 1:
        return None
    return Perceptron(layers, activations.pop() if activations else "relu")
