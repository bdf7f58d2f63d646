"""The processes that train a model together (torch.distributed, DistributedDataParallel): the first of them writes for all."""
from __future__ import annotations

from typing import Any

import torch
from torch import distributed, nn


class Ranks:
    """Those of the default process group; one, if there is none."""

    def __init__(self) -> None:
        self._are_several = distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
        self.count = distributed.get_world_size() if self._are_several else 1
        self.is_first = not self._are_several or distributed.get_rank() == 0

    def summed(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum of all ranks' tensors."""
        if self._are_several:
            tensor = tensor.clone()
            distributed.all_reduce(tensor)
        return tensor

    def shared(self, own: Any) -> list[Any]:
        """What every rank gives, in their order, on all of them."""
        if not self._are_several:
            return [own]
        found: list[Any] = [None] * self.count
        distributed.all_gather_object(found, own)
        return found

    def gathered(self, own: Any) -> list[Any]:
        """What every rank gives, in their order, on the first one; nothing on the others."""
        if not self._are_several:
            return [own]
        found: list[Any] | None = [None] * self.count if self.is_first else None
        distributed.gather_object(own, found)
        return found or []


def inner(model: nn.Module) -> nn.Module:
    """The model itself, of one that a wrapper for several processes holds."""
    return model.module if isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)) else model
