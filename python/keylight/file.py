"""The history file, format 5, as docs/format.md has it: the only module that knows SQL."""
from __future__ import annotations

import os
import sqlite3
import struct
from pathlib import Path
from importlib import resources
from typing import Any, Iterable, Sequence

import numpy as np
import torch
import xxhash

from . import kernels

APPLICATION_ID = 0x6B6C6974
FORMAT = 5
PAGE_SIZE = 65536
CHUNK_BYTES = 1 << 20  # of numbers, before zeros are left out
ROUNDS_TO_INFINITY = 65520  # as float16
TOP_EXPONENT = 14  # the largest error signal of a chunk lies below 2^15: far from where float16 ends


def row_checksum(table: str, columns: Iterable[Any]) -> int:
    """XXH3-64 over a row's table and values, as a signed integer."""
    digest = xxhash.xxh3_64()
    for value in (table, *columns):
        if value is None:
            digest.update(b"\0")
        elif isinstance(value, int):
            digest.update(struct.pack("<Bq", 1, value))
        elif isinstance(value, float):
            digest.update(struct.pack("<Bd", 2, value))
        elif isinstance(value, str):
            text = value.encode()
            digest.update(struct.pack("<BQ", 3, len(text)) + text)
        else:
            digest.update(struct.pack("<BQ", 4, len(value)))
            digest.update(value)
    return struct.unpack("<q", struct.pack("<Q", digest.intdigest()))[0]


def _largest(numbers: torch.Tensor) -> float:
    if numbers.numel() == 0:
        return 0.0
    low, high = torch.aminmax(numbers)
    return max(-float(low), float(high))


class Encoder:
    """Makes of rows of numbers what is stored. Of one thread; its results are valid until it is used again, as its memory is
    the same each time: new memory would cost more than all it does."""

    PIECE = 1 << 18  # numbers that are scaled at a time: some of a cache

    def __init__(self, dtype: str):
        self._dtype, self._type, self._bits = dtype, *((np.float16, np.uint16) if dtype == "float16" else (np.float32, np.uint32))
        self._rows, self._there, self._out = np.empty(0, self._type), np.empty(0, bool), np.empty(0, np.uint8)
        self._scaled = torch.empty(self.PIECE)
        self._memory = kernels.Memory()

    def encode(self, parts: Sequence[torch.Tensor], scaled: bool) -> tuple[int, int, Any]:
        """Parts (n, width) of rows that follow each other as they are stored: exponent, how many numbers, and these.

        scaled: error signals, which get an exponent that keeps them out of float16's subnormal range. Zeros are left out where
        that is shorter. Raises OverflowError where float16 cannot hold a key, or a number is infinite."""
        parts = [part.cpu() for part in parts]
        if self._dtype == "float16" and kernels.can_encode(parts):
            return self._memory.encode(parts, scaled)
        exponent, rows = self._store(parts, scaled)
        n, width = sum(len(part) for part in parts), parts[0].shape[1]
        if len(self._there) < rows.size:
            self._there = np.empty(rows.size, bool)
        there = np.not_equal(rows.view(self._bits), 0, out=self._there[:rows.size])
        stored = int(np.count_nonzero(there))
        bits = n * ((width + 7) // 8)
        if bits + stored * rows.itemsize >= rows.nbytes:
            return exponent, rows.size, memoryview(rows).cast("B")
        if len(self._out) < bits + stored * rows.itemsize:
            self._out = np.empty(rows.nbytes + 16, np.uint8)
        out = self._out[:bits + stored * rows.itemsize]
        out[:bits] = np.packbits(there.reshape(n, width), axis=1, bitorder="little").ravel()
        out[bits:] = rows.compress(there).view(np.uint8)
        return exponent, stored, memoryview(out)

    def _store(self, parts: list[torch.Tensor], scaled: bool) -> tuple[int, np.ndarray]:
        """All numbers in the type that they are stored in, one after the other, and the exponent of their scale."""
        size, done = sum(part.numel() for part in parts), 0
        if len(self._rows) < size:
            self._rows = np.empty(size, self._type)
        rows, exponent = self._rows[:size], 0
        sizes = [_largest(part) for part in parts]
        largest = max(sizes, default=0.0)
        if not all(size <= (2.0 ** 100 if scaled else np.finfo(np.float32).max) for size in sizes):
            raise OverflowError("numbers beyond all bounds")
        if not scaled and self._dtype == "float16" and largest >= ROUNDS_TO_INFINITY:
            raise OverflowError("a key is more than float16 holds: record with dtype='float32'")
        if scaled and self._dtype == "float16" and largest > 0:
            exponent = min(100, TOP_EXPONENT - int(np.frexp(largest)[1]) + 1)
        for part in parts:
            for piece in part.reshape(-1).split(self.PIECE):
                to = torch.from_numpy(rows[done:done + len(piece)])
                if exponent:
                    piece = torch.mul(piece, 2.0 ** exponent, out=self._scaled[:len(piece)])
                to.copy_(piece)
                done += len(piece)
        return exponent, rows


class HistoryFile:
    """A history file that is being written. Of one thread; what is not committed is gone with it."""

    def __init__(self, path: str, resume: bool = False):
        """Makes path, which must be empty or not exist; or, with resume, opens an unfinished one as of its last checkpoint."""
        self.path = path
        if resume:
            self._db = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
            version, = self._db.execute("PRAGMA user_version").fetchone()
            if version != FORMAT:
                raise ValueError(f"{path} is of format {version}, not {FORMAT}")
        else:
            if os.path.exists(path) and os.path.getsize(path):
                raise FileExistsError(f"{path} exists")
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute(f"PRAGMA page_size = {PAGE_SIZE}")
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = TRUNCATE")
        self._db.execute("BEGIN IMMEDIATE")
        if not resume:
            for statement in resources.files(__package__).joinpath("schema.sql").read_text().split(";\n"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {FORMAT}")
            self.insert("run", 1, 0, 0, None)

    def insert(self, table: str, *columns: Any) -> None:
        """One row, which is signed."""
        places = ", ".join("?" * (len(columns) + 1))
        self._db.execute(f"INSERT INTO {table} VALUES ({places})", (*columns, row_checksum(table, columns)))

    def delete(self, table: str, where: str, values: Sequence[Any] = ()) -> None:
        self._db.execute(f"DELETE FROM {table} WHERE {where}", values)

    def select(self, query: str, values: Sequence[Any] = ()) -> list[tuple]:
        return self._db.execute(query, values).fetchall()

    def checkpoint(self, steps_done: int) -> None:
        """All that was written so far is kept."""
        self.delete("run", "1")
        self.insert("run", 1, steps_done, 0, None)
        self._db.execute("COMMIT")
        self._db.execute("BEGIN IMMEDIATE")

    def finish(self, steps_done: int) -> None:
        """The file is whole. Its journal is gone before it says so, as readers open it alone."""
        self._db.execute("COMMIT")
        self._db.execute("PRAGMA journal_mode = DELETE")
        columns: list[Any] = []
        for table, in self.select("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' "
                                  "AND name <> 'run' ORDER BY name"):
            columns.append(table)
            columns += [row[0] for row in self.select(f"SELECT checksum FROM {table} ORDER BY checksum")]
        fingerprint = f"{row_checksum('', columns) & 0xFFFFFFFFFFFFFFFF:016x}"
        row = (1, steps_done, 1, fingerprint)
        self._db.execute("UPDATE run SET steps_done = ?2, finished = ?3, fingerprint = ?4, checksum = ?5 WHERE id = ?1",
                         (*row, row_checksum("run", row)))
        self._db.close()

    def finish_as(self, fingerprint: str) -> None:
        """The file is whole, and belongs to the run of that fingerprint."""
        self._db.execute("COMMIT")
        self._db.execute("PRAGMA journal_mode = DELETE")
        row = (1, 0, 1, fingerprint)
        self._db.execute("UPDATE run SET steps_done = ?2, finished = ?3, fingerprint = ?4, checksum = ?5 WHERE id = ?1",
                         (*row, row_checksum("run", row)))
        self._db.close()

    def close(self) -> None:
        """What no checkpoint kept is gone."""
        self._db.close()


class Chunks:
    """Rows of one table and layer that wait for being a chunk."""

    def __init__(self, file: HistoryFile, table: str, layer: int, dtype: str, first: int, encoder: Encoder):
        self._file, self._table, self._layer, self._dtype, self._encoder = file, table, layer, dtype, encoder
        self._scaled = table == "error_chunk"
        self._first, self._bytes = first, 0
        self._waiting: list[torch.Tensor] = []

    def add(self, rows: torch.Tensor) -> None:
        """Rows (n, width), which are copied, or written before this returns."""
        n_bytes = rows.numel() * (2 if self._dtype == "float16" else 4)
        self._waiting.append(rows if n_bytes >= CHUNK_BYTES else rows.clone())
        self._bytes += n_bytes
        if self._bytes >= CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        n, width = sum(len(rows) for rows in self._waiting), self._waiting[0].shape[1]
        exponent, stored, data = self._encoder.encode(self._waiting, self._scaled)
        self._file.insert(self._table, self._layer, self._first, n, width, self._dtype, exponent, stored, data)
        self._first += n
        self._waiting, self._bytes = [], 0


def numbers(tensor: torch.Tensor) -> bytes:
    """A tensor as float32, row-major, little-endian."""
    return np.ascontiguousarray(tensor.detach().cpu().float().numpy(), "<f4").tobytes()
