"""Models that keylight knows itself: a perceptron of Linear and ReLU over the pictures' numbers."""
from __future__ import annotations

from torch import nn


def _parts(module: nn.Module) -> list[nn.Module] | None:
    """The modules of nested Sequentials, in order; None: something else calls them."""
    if type(module) is not nn.Sequential:
        return [module]
    parts: list[nn.Module] = []
    for child in module:
        own = _parts(child)
        if own is None:
            return None
        parts += own
    return parts


def perceptron(model: nn.Module) -> list[nn.Linear] | None:
    """The layers of a multilayer perceptron: Linear, ReLU, Linear, .., Linear in Sequentials, with Flatten, Identity
    and, behind the first layer, Dropout anywhere. None: the model is none."""
    parts = _parts(model)
    layers: list[nn.Linear] = []
    is_linear = False
    for part in parts or []:
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
