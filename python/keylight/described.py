"""Samples that words describe where there is no picture: rows of a table, labelled sequences of tokens, or anything else."""
from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np
import torch

from .errors import RecordError
from .labelled import Labelled, whole_numbers

BYTES_MAX = 8192  # of a description, as docs/format.md has it
CUT = "\u2026"  # stands where a description was cut off


class Described(Labelled):
    """descriptions: what keylight shows of each sample, in place of a picture; lines of a name, a tab and a value are shown as a
    table. inputs: what the model reads: a tensor (n, ...), or a data set whose items begin with it."""

    def __init__(self, descriptions: Sequence[str], labels: Any, classes: Sequence[str], inputs: Any,
                 files: Sequence[str] | None = None):
        if isinstance(descriptions, (str, bytes)):
            raise RecordError("descriptions are a list of texts, one for each sample")
        if isinstance(inputs, np.ndarray) or isinstance(inputs, list) and not _are_items(inputs):
            inputs = _as_tensor(inputs)
        if not hasattr(inputs, "__getitem__") or not hasattr(inputs, "__len__"):
            raise RecordError("inputs say what the model reads of each sample: a tensor, or a data set whose items begin with it")
        self.descriptions = [_fitting(str(text)) for text in descriptions]
        self.labels, self.classes, self.files, self.inputs = labels, classes, files, inputs
        self.has_predictions, self.kind = True, "described"
        self._check(len(self.descriptions), "samples")
        if len(inputs) != len(self.descriptions):
            raise RecordError(f"there are {len(self.descriptions)} samples, and what the model reads of {len(inputs)}")

    def write(self, file: Any, name: str, test: Any) -> None:
        """The rows of dataset, class and description."""
        file.insert("dataset", 0, name, "described", 0, 0, 0, len(self.classes), len(self), 0, len(test))
        for label, text in enumerate(self.classes):
            file.insert("class", 0, label, text)
        for sample, text in enumerate(self.descriptions + test.descriptions):
            file.insert("description", sample, text)


class Table(Described):
    """Rows of a table.

    values: (n, columns) what is shown, numbers or texts; labels: (n); columns: their names; classes: a name for every label;
    inputs: what the model reads, where it is not the values themselves as float32."""

    def __init__(self, values: Any, labels: Any, columns: Sequence[str], classes: Sequence[str], inputs: Any = None,
                 files: Sequence[str] | None = None):
        names = [_line(str(name)) for name in columns]
        try:
            rows = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.array(values, object)  # texts beside numbers
        except ValueError as error:
            raise RecordError(f"values are rows of {len(names)} columns each ({error})") from error
        if rows.ndim != 2 or rows.shape[1] != len(names):
            raise RecordError(f"values are rows of {len(names)} columns each, as there are names; these have the shape {rows.shape}")
        self.columns = names
        if inputs is None:
            try:
                inputs = torch.from_numpy(np.ascontiguousarray(rows, np.float32))
            except (TypeError, ValueError) as error:
                raise RecordError(f"the values are no numbers ({error}): say with inputs= what the model reads of each row") from error
        super().__init__(["\n".join(f"{name}\t{_value(value)}" for name, value in zip(names, row)) for row in rows], labels, classes,
                         inputs, files)

    def names(self) -> list[str]:
        return [*self.classes, *self.columns]


class Sequences(Described):
    """Sequences of tokens with one label each.

    tokens: (n, length) or rows of several lengths; labels: (n); classes: a name for every label; vocabulary: the text of each
    token, or decode: makes a text of a row of tokens; padding: the token that fills short rows up, which is not shown, and which
    attention leaves out where it taught nothing; inputs: what the model reads, where it is not the tokens, filled up."""

    def __init__(self, tokens: Any, labels: Any, classes: Sequence[str], vocabulary: Sequence[str] | None = None,
                 decode: Callable[[list[int]], str] | None = None, padding: int | None = None, inputs: Any = None,
                 files: Sequence[str] | None = None):
        if (vocabulary is None) == (decode is None):
            raise RecordError("say what tokens mean: vocabulary, the text of each, or decode, which makes a text of a row")
        if not hasattr(tokens, "__iter__"):
            raise RecordError("tokens are rows, one for each sample")
        rows = [whole_numbers(row, "tokens") for row in tokens]
        if any(row.ndim != 1 for row in rows):
            raise RecordError("tokens are rows of one sequence each, (n, length)")
        length = max((len(row) for row in rows), default=0)
        if padding is None and any(len(row) != length for row in rows):
            raise RecordError("the sequences are of several lengths: say which token fills them up (padding=)")
        filled = np.full((len(rows), length), padding or 0, np.int64)
        for row, to in zip(rows, filled):
            to[:len(row)] = row
        shown = filled if padding is None else filled[filled != padding]
        if vocabulary is not None and not hasattr(vocabulary, "__getitem__") or isinstance(vocabulary, dict):
            raise RecordError("vocabulary is the list of the tokens' texts, in order")
        if vocabulary is not None and shown.size and not 0 <= shown.min() <= shown.max() < len(vocabulary):
            raise RecordError(f"tokens are indices into the vocabulary of {len(vocabulary)}: they are not from {shown.min()} to {shown.max()}")
        self.padding = padding
        self._padded = None if padding is None else torch.from_numpy(filled == padding)
        super().__init__([_text([int(token) for token in row if token != padding], vocabulary, decode) for row in filled], labels,
                         classes, torch.from_numpy(filled) if inputs is None else inputs, files)

    def settings(self) -> dict[str, str]:
        return {} if self.padding is None else {"padding": str(self.padding)}

    def padded(self, index: np.ndarray) -> torch.Tensor | None:
        return None if self._padded is None else self._padded[torch.from_numpy(index)]


def _are_items(inputs: list) -> bool:
    """Whether a list is a data set: of items that begin with what the model reads."""
    return bool(inputs) and isinstance(inputs[0], (tuple, list)) and len(inputs[0]) > 0 and isinstance(inputs[0][0], torch.Tensor)


def _as_tensor(inputs: Any) -> torch.Tensor:
    """Arrays, and lists of numbers or tensors, as a model reads them: numbers of 64 bits as float32."""
    try:
        if isinstance(inputs, list) and inputs and isinstance(inputs[0], torch.Tensor):
            found = torch.stack([one.detach() for one in inputs])
        else:
            found = torch.as_tensor(np.asarray(inputs))
    except (TypeError, ValueError, RuntimeError) as error:
        raise RecordError(f"inputs are numbers that the model reads of each sample ({error})") from error
    return found.float() if found.dtype == torch.float64 else found


def table_of(vectors: torch.Tensor, labels: np.ndarray, classes: Sequence[str], inputs: Any) -> Table:
    """Of a data set whose items are vectors without names: (n, columns) float."""
    return Table(vectors, labels, [f"x{column + 1}" for column in range(vectors.shape[1])], classes, inputs)


def _line(text: str) -> str:
    """A text in one line, without tabs."""
    return " ".join(text.split())


def _value(value: Any) -> str:
    return f"{float(value):.6g}" if isinstance(value, (float, np.floating)) else _line(str(value))


def _text(tokens: list[int], vocabulary: Sequence[str] | None, decode: Callable[[list[int]], str] | None) -> str:
    """Words are parted by spaces; tokens that bring their own, as those of most tokenisers, are not."""
    if decode is not None:
        return str(decode(tokens))
    assert vocabulary is not None
    texts = [str(vocabulary[token]) for token in tokens]
    return ("" if any(" " in text for text in texts) or all(len(text) == 1 for text in texts) else " ").join(texts)


def _fitting(text: str) -> str:
    """A text without what no text has (NUL), cut to what a file holds."""
    text = text.replace("\0", "\ufffd")
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= BYTES_MAX:
        return encoded.decode()
    return encoded[:BYTES_MAX - len(CUT.encode())].decode(errors="ignore") + CUT
