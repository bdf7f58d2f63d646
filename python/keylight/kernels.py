"""keylight's own kernels (python/kernels/encode.c), which make of rows what is stored at once, where they were built: by make, not by
pip. Without them NumPy does the same, bit for bit, in several passes: file.py."""
from __future__ import annotations

import ctypes
import os
from typing import Any, Sequence

import numpy as np
import torch

NAME = "libencode.so"
BEYOND_BOUNDS, BEYOND_HALF = -1, -2
ALIGNMENT = 16


def _load() -> Any:
    for path in (os.environ.get("KEYLIGHT_ENCODE"), os.path.join(os.path.dirname(os.path.abspath(__file__)), NAME)):
        if not path or not os.path.exists(path):
            continue
        try:
            library = ctypes.CDLL(path)
            library.keylight_encode.restype = ctypes.c_int64
            library.keylight_slack.restype = ctypes.c_size_t
            return library
        except (OSError, AttributeError):  # of another machine
            continue
    return None


_library = _load()


def can_encode(parts: Sequence[torch.Tensor]) -> bool:
    """Whether the kernels are there, and take these rows."""
    return _library is not None and all(part.dtype == torch.float32 for part in parts)


class Memory:
    """What is stored of rows of float16, in memory that is used again."""

    def __init__(self) -> None:
        self._rows, self._packed = np.empty(0, np.uint16), np.empty(0, np.uint8)

    def encode(self, parts: Sequence[torch.Tensor], scaled: bool) -> tuple[int, int, Any]:
        """As Encoder.encode has it. Raises OverflowError."""
        kept = [part.contiguous() for part in parts]
        n, width = sum(len(part) for part in kept), kept[0].shape[1]
        bits, slack = n * ((width + 7) // 8), _library.keylight_slack()
        if len(self._rows) < n * width + slack:
            self._rows = np.empty(n * width + slack, np.uint16)
            self._packed = np.empty(0, np.uint8)
        if len(self._packed) < bits + 2 * n * width + slack + 2 * ALIGNMENT:
            self._packed = np.empty(bits + 2 * n * width + slack + 2 * ALIGNMENT, np.uint8)
        start = -(self._packed.ctypes.data + bits) % ALIGNMENT  # so that numbers are aligned
        exponent = ctypes.c_int32()
        stored = _library.keylight_encode(
            (ctypes.c_void_p * len(kept))(*(part.data_ptr() for part in kept)), (ctypes.c_uint64 * len(kept))(*map(len, kept)),
            ctypes.c_uint64(len(kept)), ctypes.c_uint64(width), ctypes.c_int(scaled), self._rows.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_void_p(self._packed.ctypes.data + start), ctypes.byref(exponent))
        if stored == BEYOND_BOUNDS:
            raise OverflowError("numbers beyond all bounds")
        if stored == BEYOND_HALF:
            raise OverflowError("a key is more than float16 holds: record with dtype='float32'")
        if stored == n * width:
            return exponent.value, stored, memoryview(self._rows[:n * width]).cast("B")
        return exponent.value, stored, memoryview(self._packed[start:start + bits + 2 * stored])
