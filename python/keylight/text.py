"""A text that a language model is trained on: what keylight shows as documents, and what the model reads of it."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator, Sequence

import numpy as np
import torch

from .errors import RecordError
from .samples import evenly

TOKENS_MAX, TYPES_MAX = 1 << 31, 1 << 20
CHUNK_TOKENS = 1 << 18
BATCH = 32  # windows that a model reads at a time
ASKED, QUERIES = 32, 8  # positions that are recorded if nobody says which, and how many at a time


@dataclass
class Text:
    """Documents one after the other. A sample is a position: its token is read, the one after it is to be said, so that n
    tokens make n - 1 samples.

    tokens: (n) indices into vocabulary, whose texts, one after the other, are what is shown; context: tokens that the model
    reads at most; documents: (name, tokens) of each, in order, or None for one."""

    tokens: np.ndarray
    vocabulary: Sequence[str]
    context: int
    documents: Sequence[tuple[str, int]] | None = None
    labels: np.ndarray = field(init=False)
    classes: list[str] = field(init=False)
    has_predictions: bool = field(default=False, init=False)
    kind: str = field(default="text", init=False)

    def __post_init__(self) -> None:
        self.tokens = np.ascontiguousarray(self.tokens, np.int64)
        self.classes = [str(text) for text in self.vocabulary]
        if self.tokens.ndim != 1 or not 2 <= len(self.tokens) < TOKENS_MAX:
            raise RecordError(f"tokens are a row of at least 2, not {self.tokens.shape}")
        if not 1 <= len(self.classes) <= TYPES_MAX or len(set(self.classes)) != len(self.classes) or "" in self.classes:
            raise RecordError("every token of the vocabulary has a text of its own, which is not empty")
        if not 0 <= self.tokens.min() <= self.tokens.max() < len(self.classes):
            raise RecordError(f"tokens are indices into the vocabulary of {len(self.classes)}, not up to {self.tokens.max()}")
        if self.context < 1:
            raise RecordError("context is how many tokens the model reads, at least 1")
        self.documents = [(str(name), int(count)) for name, count in self.documents or [("text", len(self.tokens))]]
        if any(count < 1 for _, count in self.documents) or sum(count for _, count in self.documents) != len(self.tokens):
            raise RecordError(f"the documents have {sum(count for _, count in self.documents)} tokens, the text has {len(self.tokens)}")
        self.labels = self.tokens[1:]

    def __len__(self) -> int:
        return len(self.tokens) - 1

    def settings(self) -> dict[str, str]:
        return {}

    def names(self) -> list[str]:
        return self.classes

    def padded(self, index: np.ndarray) -> torch.Tensor | None:
        return None

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """In windows that do not overlap, each read from its beginning."""
        n = len(self) // self.context * self.context
        windows = torch.from_numpy(self.tokens[:n].reshape(-1, self.context))
        labels = torch.from_numpy(self.labels[:n].reshape(-1, self.context))
        for first in range(0, len(windows), BATCH):
            yield labels[first:first + BATCH].flatten(), windows[first:first + BATCH]
        if n < len(self):
            yield torch.from_numpy(self.labels[n:]), torch.from_numpy(self.tokens[n:-1])[None]

    def queries(self, wanted: np.ndarray) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor]]:
        """Each with as much of what stands before it as the model reads."""
        before: dict[int, list[int]] = {}
        for position in wanted:
            before.setdefault(min(int(position) + 1, self.context), []).append(int(position))
        for length, positions in before.items():
            for first in range(0, len(positions), QUERIES):
                index = np.array(positions[first:first + QUERIES])
                windows = np.stack([self.tokens[position + 1 - length:position + 1] for position in index])
                yield index, torch.from_numpy(self.labels[index]), torch.from_numpy(windows)

    def standardised(self, index: np.ndarray) -> None:
        return None

    def asked_by_default(self) -> np.ndarray:
        return evenly(min(ASKED, len(self)), len(self))

    def write(self, file: Any, name: str, test: Text) -> None:
        """The rows of dataset, corpus, vocabulary, document and token_chunk."""
        if test.classes != self.classes:
            raise RecordError("test has another vocabulary than train")
        file.insert("dataset", 0, name, "text", 0, 0, 0, len(self.classes), len(self), 0, len(test))
        file.insert("corpus", 0, "characters", 0)
        counts = np.bincount(self.tokens, minlength=len(self.classes))
        for token, text in enumerate(self.classes):
            file.insert("vocabulary", token, text, int(counts[token]))
        number = 0
        for split, one in (("train", self), ("test", test)):
            first = 0
            for document, count in one.documents or []:
                file.insert("document", number, split, document, first, count)
                number, first = number + 1, first + count
            for first in range(0, len(one.tokens), CHUNK_TOKENS):
                tokens = one.tokens[first:first + CHUNK_TOKENS]
                file.insert("token_chunk", split, first, len(tokens), tokens.astype("<u4").tobytes())

    def write_samples(self, file: Any, test: Text, predicted: np.ndarray, probability: np.ndarray) -> None:
        """Positions have no rows."""
