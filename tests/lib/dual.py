"""The dual form of recorded layers in NumPy, from docs/format.md: what keylight says is compared with it."""
import numpy as np
import torch
from torch.nn.functional import unfold


def rows_of(reader, layer, table):
    """(showings, places, width) of a layer's keys or error signals."""
    row = reader.layers[layer - 1]
    kept = reader.chunks(table, layer)
    cut = reader.db.execute("SELECT * FROM convolution WHERE layer = ?", (layer,)).fetchone()
    if table == "key_chunk" and cut is not None:
        maps = torch.from_numpy(kept.reshape(-1, cut["channels"], cut["height"], cut["width"]))
        kept = unfold(maps, (cut["kernel_height"], cut["kernel_width"]), (cut["dilation_down"], cut["dilation_right"]),
                      (cut["padding_height"], cut["padding_width"]), (cut["stride_down"], cut["stride_right"])).transpose(1, 2).numpy()
    if table == "error_chunk" and cut is not None:
        return kept.reshape(len(kept), -1, row["places"]).transpose(0, 2, 1)
    return kept.reshape(len(kept), row["places"], -1)


def coefficients(reader, layer, gradients, initial):
    """C_s of a layer's weights and bias, (outputs, inputs + 1), by docs/format.md."""
    rules = reader.db.execute("SELECT * FROM rule WHERE parameter_group = ? ORDER BY step",
                              (reader.layers[layer - 1]["parameter_group"],)).fetchall()
    settings, n = reader.settings, len(rules)
    found = [None] * n
    if settings["optimiser"] == "sgd":
        p, q = 1.0, 0.0
        for s in range(n - 1, -1, -1):
            q -= rules[s]["learning_rate"] * p
            found[s] = np.full_like(initial, rules[s]["clip_factor"] * q)
            p += rules[s]["weight_decay"] * q
            q *= rules[s]["momentum"]
        return found
    b1, b2, eps = (float(settings[key]) for key in ("beta_1", "beta_2", "epsilon"))
    v, steps = np.zeros_like(initial), []
    for s, rule in enumerate(rules, 1):
        g = rule["clip_factor"] * gradients[s - 1]
        v = b2 * v + (1 - b2) * g * g
        with np.errstate(divide="ignore", invalid="ignore"):
            steps.append(np.where(v > 0, rule["learning_rate"] / ((1 - b1 ** s) * (np.sqrt(v / (1 - b2 ** s)) + eps)), 0))
    p, q = np.ones_like(initial), np.zeros_like(initial)
    for s in range(n - 1, -1, -1):
        q = q - steps[s] * p
        found[s] = rules[s]["clip_factor"] * (1 - b1) * q
        p = (1 - rules[s]["learning_rate"] * rules[s]["weight_decay"]) * p
        q = b1 * q
    return found


def contributions(reader, layer, weights, bias=None):
    """What every showing adds through a layer to something whose gradients w.r.t. the layer's parameters these are, (outputs, inputs)
    and (outputs), to first order: per-sample gradients times coefficients."""
    x, d = rows_of(reader, layer, "key_chunk"), rows_of(reader, layer, "error_chunk")
    has_bias = bool(reader.layers[layer - 1]["bias"])
    x = np.concatenate([x, np.full((*x.shape[:2], 1), float(has_bias))], 2)
    asked = np.concatenate([np.asarray(weights, np.float64), np.zeros((len(weights), 1)) if bias is None else
                            np.asarray(bias, np.float64)[:, None]], 1)
    steps = [np.flatnonzero(reader.step_of == step) for step in range(len(reader.db.execute("SELECT step FROM step").fetchall()))]
    made = coefficients(reader, layer, [np.einsum("tpo,tpi->oi", d[own], x[own]) for own in steps], np.zeros_like(asked))
    return np.concatenate([np.einsum("tpo,oi,tpi->t", d[own], factor * asked, x[own], optimize=True) for own, factor in zip(steps, made)])
