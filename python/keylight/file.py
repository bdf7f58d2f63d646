"""The history file, format 5, as docs/format.md has it: the only module that knows SQL."""
from __future__ import annotations

import os
import sqlite3
import struct
from importlib import resources
from typing import Any, Iterable, Sequence

import numpy as np
import torch
import xxhash

APPLICATION_ID = 0x6B6C6974
FORMAT = 5
PAGE_SIZE = 65536
CHUNK_BYTES = 1 << 20  # of numbers, before zeros are left out
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


def encode(numbers: torch.Tensor, dtype: str, scaled: bool) -> tuple[int, int, bytes]:
    """Rows of numbers (n, width), float32, as they are stored: exponent, how many numbers, and these.

    scaled: error signals, which get an exponent that keeps them out of float16's subnormal range. Zeros are left
    out where that is shorter. Raises OverflowError where float16 cannot hold a key, or a number is infinite."""
    exponent = 0
    largest = float(numbers.abs().max()) if numbers.numel() else 0.0
    if largest == float("inf") or scaled and largest > 2.0 ** 100:
        raise OverflowError("numbers beyond all bounds")
    if dtype == "float16":
        if scaled and largest > 0:
            exponent = min(100, TOP_EXPONENT - int(np.frexp(largest)[1]) + 1)
        elif largest > 65504:
            raise OverflowError(f"a key of {largest:g}, more than float16 holds: record with dtype='float32'")
        numbers = (numbers * 2.0 ** exponent).half()
    rows = numbers.numpy()
    there = rows.view(np.uint16 if dtype == "float16" else np.uint32) != 0
    stored = int(np.count_nonzero(there))
    bits = rows.shape[0] * ((rows.shape[1] + 7) // 8)
    if bits + stored * rows.itemsize < rows.nbytes:
        return exponent, stored, np.packbits(there, axis=1, bitorder="little").tobytes() + rows[there].tobytes()
    return exponent, rows.size, rows.tobytes()


class HistoryFile:
    """A history file that is being written. Of one thread; what is not committed is gone with it."""

    def __init__(self, path: str, resume: bool = False):
        """Creates path, which must not exist; or, with resume, opens an unfinished one as of its last checkpoint."""
        self.path = path
        if resume:
            self._db = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None)
            version, = self._db.execute("PRAGMA user_version").fetchone()
            if version != FORMAT:
                raise ValueError(f"{path} is of format {version}, not {FORMAT}")
        else:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
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

    def close(self) -> None:
        """What no checkpoint kept is gone."""
        self._db.close()


class Chunks:
    """Rows of one table and layer that wait for being a chunk."""

    def __init__(self, file: HistoryFile, table: str, layer: int, dtype: str, first: int):
        self._file, self._table, self._layer, self._dtype = file, table, layer, dtype
        self._scaled = table == "error_chunk"
        self._first, self._bytes = first, 0
        self._waiting: list[torch.Tensor] = []

    def add(self, rows: torch.Tensor) -> None:
        """Rows (n, width), on the CPU, which nobody changes any more."""
        self._waiting.append(rows)
        self._bytes += rows.numel() * (2 if self._dtype == "float16" else 4)
        if self._bytes >= CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        rows = torch.cat(self._waiting).float()
        exponent, stored, data = encode(rows, self._dtype, self._scaled)
        self._file.insert(self._table, self._layer, self._first, rows.shape[0], rows.shape[1], self._dtype, exponent,
                          stored, data)
        self._first += rows.shape[0]
        self._waiting, self._bytes = [], 0


def numbers(tensor: torch.Tensor) -> bytes:
    """A tensor as float32, row-major, little-endian."""
    return np.ascontiguousarray(tensor.detach().cpu().float().numpy(), "<f4").tobytes()
