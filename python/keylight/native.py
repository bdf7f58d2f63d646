"""Models that keylight knows itself: a perceptron of Linear and ReLU over the pictures' numbers."""
from __future__ import annotations

from torch import nn


def _parts(module: nn.Module) -> list[nn.Module]:
    """The modules of nested Sequentials, in order."""
    if type(module) is not nn.Sequential:
        return [module]
    return [part for child in module for part in _parts(child)]


def perceptron(model: nn.Module) -> list[nn.Linear] | None:
    """The layers of a multilayer perceptron: Linear, ReLU, Linear, .., Linear in Sequentials, with Flatten, Identity
    and, behind the first layer, Dropout anywhere. None: the model is none."""
    layers: list[nn.Linear] = []
    is_linear = False
    for part in _parts(model):
        if isinstance(part, nn.Linear) and not is_linear and part.bias is not None:
            layers.append(part)
            is_linear = True
        elif isinstance(part, nn.ReLU) and is_linear:
            is_linear = False
        elif isinstance(part, nn.Dropout) and layers and not is_linear or isinstance(part, (nn.Flatten, nn.Identity)):
            pass
        else:
            return None
    return layers if layers and is_linear else None
