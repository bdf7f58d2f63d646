"""A reader of run files in another language, from docs/format.md alone: sqlite3, NumPy and XXH3."""
import sqlite3
import struct

import numpy as np
import xxhash


def row_checksum(table, columns):
    """The checksum of a row: XXH3-64 over the table's name and its columns, as a signed integer."""
    out = xxhash.xxh3_64()

    def add(value):
        if value is None:
            out.update(b"\0")
        elif isinstance(value, int):
            out.update(b"\1" + struct.pack("<q", value))
        elif isinstance(value, float):
            out.update(b"\2" + struct.pack("<d", value))
        elif isinstance(value, str):
            out.update(b"\3" + struct.pack("<Q", len(value.encode())) + value.encode())
        else:
            out.update(b"\4" + struct.pack("<Q", len(value)) + value)

    add(table)
    for column in columns:
        add(column)
    return struct.unpack("<q", struct.pack("<Q", out.intdigest()))[0]


def tables(db):
    return [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND "
                                         "name NOT LIKE 'sqlite%' ORDER BY name")]


def wrong_rows(db):
    """Rows whose checksum is another: (table, rowid)."""
    return [(table, row[0]) for table in tables(db)
            for row in db.execute(f"SELECT rowid, * FROM {table}")
            if row_checksum(table, row[1:-1]) != row[-1]]


def fingerprint(db):
    """A checksum over those of all rows of all tables but run, sorted, table by table."""
    columns = []
    for table in tables(db):
        if table != "run":
            columns.append(table)
            columns += [row[0] for row in db.execute(f"SELECT checksum FROM {table} ORDER BY checksum")]
    return f"{row_checksum('', columns) & 0xFFFFFFFFFFFFFFFF:016x}"


def sign(path):
    """Makes all checksums and the fingerprint of a changed file right again."""
    with sqlite3.connect(path) as db:
        for table, rowid in wrong_rows(db):
            row = db.execute(f"SELECT * FROM {table} WHERE rowid = ?", (rowid,)).fetchone()
            db.execute(f"UPDATE {table} SET checksum = ? WHERE rowid = ?", (row_checksum(table, row[:-1]), rowid))
        if db.execute("SELECT finished FROM run").fetchone()[0]:
            db.execute("UPDATE run SET fingerprint = ?", (fingerprint(db),))
            row = db.execute("SELECT * FROM run").fetchone()
            db.execute("UPDATE run SET checksum = ?", (row_checksum("run", row[:-1]),))
    db.close()


class Reader:
    """A reader in another language, from docs/format.md alone."""

    def __init__(self, path):
        self.path = path
        self.db = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        self.db.row_factory = sqlite3.Row
        self.run = self.db.execute("SELECT * FROM run").fetchone()
        self.settings = dict(self.db.execute("SELECT key, value FROM setting"))
        self.layers = self.db.execute("SELECT * FROM layer ORDER BY layer").fetchall()
        self.samples = np.concatenate([np.frombuffer(row["data"], "<u4") for row in self.db.execute(
            "SELECT data FROM showing_chunk ORDER BY first")])
        self.steps = self.db.execute("SELECT * FROM step JOIN rule USING (step) ORDER BY step").fetchall()
        self.step_of = np.concatenate([np.full(s["count"], i) for i, s in enumerate(self.steps)])

    def tensor(self, state, name, role, step=0):
        row = self.db.execute("SELECT shape, dtype, data FROM tensor WHERE state = ? AND name = ? AND "
                              "role = ? AND step = ?", (state, name, role, step)).fetchone()
        dtype = {"float16": "<f2", "float32": "<f4"}[row["dtype"]]
        shape = [int(n) for n in row["shape"].split(",")]
        return np.frombuffer(row["data"], dtype).reshape(shape).astype(np.float64)

    def parameters(self, state, layer, step=0):
        name = self.layers[layer - 1]["name"]
        return self.tensor(state, name, "weights", step), self.tensor(state, name, "bias", step)

    def images(self):
        """All samples, standardised, by id."""
        rows = self.db.execute("SELECT * FROM image_chunk ORDER BY first").fetchall()
        pixels = np.concatenate([np.frombuffer(r["data"], np.uint8).reshape(r["count"], r["width"])
                                 for r in rows]).astype(np.float64)
        datasets = [r[0] for r in self.db.execute("SELECT dataset FROM sample ORDER BY sample")]
        for row in self.db.execute("SELECT * FROM channel"):
            mine = np.array(datasets) == row["dataset"]
            plane = pixels.shape[1] // self.db.execute("SELECT channels FROM dataset WHERE dataset = ?",
                                                       (row["dataset"],)).fetchone()[0]
            where = slice(row["channel"] * plane, (row["channel"] + 1) * plane)
            pixels[mine, where] = (pixels[mine, where] - row["mean"]) / row["deviation"]
        return pixels

    def chunks(self, table, layer):
        out = []
        for row in self.db.execute(f"SELECT * FROM {table} WHERE layer = ? ORDER BY first", (layer,)):
            dtype = {"float16": "<f2", "float32": "<f4"}[row["dtype"]]
            assert row["first"] == sum(len(part) for part in out)
            out.append(self.rows(row, dtype).astype(np.float64) * 2.0 ** -row["exponent"])
        return np.concatenate(out)

    @staticmethod
    def rows(row, dtype):
        """The numbers of a chunk, with the zeros that it leaves out."""
        count, width, data = row["count"], row["width"], row["data"]
        if row["stored"] == count * width:
            return np.frombuffer(data, dtype).reshape(count, width)
        n_bytes = count * ((width + 7) // 8)
        bits = np.unpackbits(np.frombuffer(data, np.uint8, n_bytes).reshape(count, -1), axis=1,
                             bitorder="little")
        assert not bits[:, width:].any()
        numbers = np.zeros((count, width), dtype)
        numbers[bits[:, :width] == 1] = np.frombuffer(data, dtype, offset=n_bytes)
        return numbers

    def keys(self, layer):
        if self.layers[layer - 1]["keys"] == "samples":
            return self.images()[self.samples]
        return self.chunks("key_chunk", layer)

    def errors(self, layer):
        return self.chunks("error_chunk", layer)

    def coefficients(self):
        """The backward recurrence; one coefficient per pattern, and alpha."""
        p, q, c = 1.0, 0.0, np.zeros(len(self.steps))
        for i in reversed(range(len(self.steps))):
            step = self.steps[i]
            q -= step["learning_rate"] * p
            c[i] = step["clip_factor"] * q
            p += step["weight_decay"] * q
            q *= step["momentum"]
        return c[self.step_of], p

    def adam(self, layer):
        """After Adam and AdamW: C, (steps, outputs, inputs + 1), and P, (outputs, inputs + 1), of a layer."""
        b1, b2, epsilon = (float(self.settings.get(name, of)) for name, of in
                           (("beta_1", 0.9), ("beta_2", 0.999), ("epsilon", 1e-8)))
        decoupled = self.settings["optimiser"] == "adamw"
        keys, errors = self.with_bias(self.keys(layer)), self.errors(layer)
        w = np.column_stack(self.parameters("initial", layer))
        v, m, denominators = np.zeros_like(w), np.zeros_like(w), []
        for i, step in enumerate(self.steps):
            mine = self.step_of == i
            g = step["clip_factor"] * errors[mine].T @ keys[mine]
            if not decoupled:
                g = g + step["weight_decay"] * w
            v = b2 * v + (1 - b2) * g * g
            m = b1 * m + (1 - b1) * g
            d = step["learning_rate"] / ((1 - b1 ** (i + 1)) * (np.sqrt(v / (1 - b2 ** (i + 1))) + epsilon))
            denominators.append(np.where(v > 0, d, 0))
            w = w - denominators[-1] * m
        p, q, c = np.ones_like(w), np.zeros_like(w), np.zeros((len(self.steps), *w.shape))
        for i in reversed(range(len(self.steps))):
            step = self.steps[i]
            q = q - denominators[i] * p
            c[i] = step["clip_factor"] * (1 - b1) * q
            p = p * (1 - step["learning_rate"] * step["weight_decay"]) if decoupled else p + step["weight_decay"] * (1 - b1) * q
            q = b1 * q
        return c, p

    @staticmethod
    def with_bias(x):
        """One input more, which is 1."""
        return np.concatenate([x, np.ones((*x.shape[:-1], 1))], -1)

    def given(self, layer, x):
        """What every pattern gives every output of a layer for an input: (patterns, outputs); and the initial guess. Of any optimiser."""
        w0 = np.column_stack(self.parameters("initial", layer))
        x = self.with_bias(x)
        if self.settings["optimiser"] == "sgd":
            c, alpha = self.coefficients()
            return (c * (self.with_bias(self.keys(layer)) @ x))[:, None] * self.errors(layer), alpha * w0 @ x
        c, p = self.adam(layer)
        weighed = c * x
        keys, errors = self.with_bias(self.keys(layer)), self.errors(layer)
        return np.array([errors[t] * (weighed[self.step_of[t]] @ keys[t]) for t in range(len(keys))]), (p * w0) @ x

    def column(self, name):
        """A column of all samples, by id."""
        return np.array([row[0] for row in
                         self.db.execute(f"SELECT {name} FROM sample ORDER BY sample")])

    def classes(self):
        """The class number, over all data sets, of every sample; and (data set, label) of each."""
        rows = [tuple(row) for row in
                self.db.execute("SELECT dataset, label FROM class ORDER BY dataset, label")]
        numbers = {row: number for number, row in enumerate(rows)}
        pairs = zip(self.column("dataset").tolist(), self.column("label").tolist())
        return np.array([numbers[pair] for pair in pairs]), rows

    def snapshot(self, step, layer):
        return self.parameters("snapshot", layer, step)

    def forward(self, sample, parameters=None):
        """Keys of all layers for a sample (or its pixels as inputs), and its logits."""
        x, keys = self.images()[sample], []
        for layer in self.layers:
            number = layer["layer"]
            weights, biases = (parameters or (lambda n: self.parameters("current", n)))(number)
            keys.append(x)
            x = weights @ x + biases
            if layer["activation"] == "relu":
                x = np.maximum(x, 0)
        return keys, x

    def gradients(self, keys, at_logits):
        """Gradients w.r.t. every layer's output, from that w.r.t. the logits."""
        out, gradient = [None] * len(self.layers), np.array(at_logits, float)
        for i in reversed(range(len(self.layers))):
            out[i] = gradient
            gradient = (self.parameters("current", i + 1)[0].T @ gradient) * (keys[i] > 0)
        return out
