"""Asks a running server: for notebooks and scripts. What it answers is docs/api.md's.

Of a recorded network only the model itself can say what its layers see: the client runs it, and sends that with its question."""
from __future__ import annotations

import base64
import html
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from . import queries
from .errors import RecordError
from .layers import Layer, linear_layers
from .ranks import inner


NUMBERS_MAX = 180_000  # that fit into a question
IN_LINK_MAX = 12288  # numbers of a picture that make an address which travels well


class ServerError(RecordError):
    """What a server refused, in its own words."""


@dataclass
class Lit:
    """One training sample that is lit: its attention and contribution, summed over its showings. description: its words, where it
    has no picture."""

    name: str
    label: str
    attention: float
    contribution: float | None
    score: float
    path: str | None
    description: str | None
    id: int = field(repr=False)


@dataclass
class Strip:
    """One question's training samples: what it looks at, what argues for an output, what against."""

    title: str
    sentence: str
    lit: list[Lit]


class Answer:
    """What the network says of one sample. Shows itself in a notebook.

    outputs: their names; logits, probabilities: (outputs); initial_guess, correction: (outputs), whose sum is the
    logits, or None in a run without error signals; strips: the first screen's; link: to the page,
    of a tensor that a recorded network read to that of the run."""

    def __init__(self, client: Client, asked: dict[str, Any], answer: dict[str, Any], strips: dict[str, Any]):
        self._client, self._asked = client, asked
        run = client.run
        self.outputs: list[str] = run["outputs"]
        self.logits = np.array(answer["logits"])
        self.probabilities = np.array(answer["probabilities"])
        self.initial_guess = np.array(answer["initial_guess"]) if "initial_guess" in answer else None
        self.correction = np.array(answer["correction"]) if "correction" in answer else None
        self.predicted: str = self.outputs[answer["predicted"]]
        self.strips = [Strip(one["title"], one["sentence"],
                             [client._lit(card, card["attention"]) for card in one["cards"]]) for one in strips["strips"]]
        self.link = client.link(asked.get("sample"), asked.get("pixels"))

    def spotlight(self, rank: str = "abs", layer: int | str | None = None, by: str = "sample", k: int = 20) -> list[Lit]:
        """Who is lit by a rank (docs/api.md) in a layer, by its number from 1 or its name; default: the last."""
        words: dict[str, Any] = {"rank": rank, "by": by, "k": k}
        if by == "pattern" and rank in ("abs", "positive", "negative"):
            words["scan"] = "8-bit"  # the same patterns, and sooner
        if layer is not None:
            words["layer"] = self._client._layer(layer)
        found = self._client._ask("spotlight", {**self._asked, **words})
        return [self._client._lit(one, one["score"]) for one in found["spotlight"]]

    def __repr__(self) -> str:
        sure = 100 * float(self.probabilities.max())
        lines = [f"{self.predicted} with {sure:.1f} %: {self.link}"]
        for strip in self.strips:
            lines.append(f"  {strip.title}: {', '.join(one.name for one in strip.lit[:3])} ..")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{html.escape(self.predicted)}</b> with {100 * float(self.probabilities.max()):.1f} % &middot; "
                 f"<a href='{html.escape(self.link)}' target='_blank'>open in keylight</a></p>"]
        for strip in self.strips:
            parts.append(f"<p style='margin:.8em 0 .3em'><b>{html.escape(strip.title)}</b> {html.escape(strip.sentence)}</p>")
            parts.append("<div style='display:flex;gap:8px;flex-wrap:wrap'>")
            for one in strip.lit:
                number = one.attention if one.contribution is None else one.contribution
                parts.append(f"<figure style='margin:0;text-align:center;font-size:11px'>"
                             f"{self._client._shown(one)}"
                             f"<figcaption>{html.escape(one.label)}<br>{number:+.3g}</figcaption></figure>")
            parts.append("</div>")
        return "".join(parts)


class Client:
    """A running keylight. url: as it printed it; run: a run's name or id (default: the only one); model: of a recorded run the
    network as it was when the training ended, so that tensors can be asked about; batch_first: as the recorder was told."""

    def __init__(self, url: str = "http://127.0.0.1:8420", run: str | None = None, token: str | None = None,
                 model: nn.Module | None = None, batch_first: bool = True):
        self._url, self._token, self._batch_first = url.rstrip("/"), token, batch_first
        self._model = None if model is None else inner(model)
        runs = self._json("runs")["runs"]
        found = [one for one in runs if run is None or run in (one["name"], one["id"], one["file"])]
        if len(found) != 1:
            raise ServerError(f"{self._url} has the runs {', '.join(one['name'] for one in runs)}: name one of them")
        self.run: dict[str, Any] = self._json(f"runs/{found[0]['id']}")

    def ask(self, sample: str | int | np.ndarray | torch.Tensor | Any, label: int | None = None) -> Answer:
        """About a sample: its name (test/fashion-mnist/42), its index in the test split; of a native run a picture's numbers (bytes
        from 0 to 255); of a recorded one what the model reads of one sample, a tensor without the dimension of the batch. label: what
        it should be, an output (default: what the model says), of a tensor."""
        if isinstance(sample, (int, np.integer)):
            sample = f"test/{self.run['datasets'][0]['name']}/{int(sample)}"
        if isinstance(sample, str):
            asked: dict[str, Any] = {"sample": sample}
        elif self.run["recorded"]:
            asked = {"recorded": self._recorded(torch.as_tensor(sample), label)}
        else:
            asked = {"pixels": np.asarray(sample).astype(np.uint8).flatten().tolist()}
        return Answer(self, asked, self._ask("answer", asked), self._ask("strips", asked))

    def _recorded(self, x: torch.Tensor, label: int | None) -> dict[str, Any]:
        """What the model's layers see of one sample, as the body of a question has it."""
        if self._model is None:
            raise ServerError("this network was recorded, so only the model can say what its layers see: Client(.., model=model)")
        if self.run["kind"] == "text":
            raise ServerError("of a text only positions that were recorded can be asked about: keylight.add_queries")
        by_name = {layer.name: layer for layer in linear_layers(self._model)}
        missing = [one["name"] for one in self.run["layers"] if one["name"] not in by_name]
        if missing:
            raise ServerError(f"the model is not the one that was recorded: it has no {missing[0]}")
        layers = [by_name[one["name"]] for one in self.run["layers"]]
        x = x.float() if x.dtype == torch.float64 else x
        n_outputs = len(self.run["outputs"])
        if label is not None and not (isinstance(label, (int, np.integer)) and 0 <= label < n_outputs):
            raise ServerError(f"label is an output, from 0 to {n_outputs - 1}, not {label!r}")
        try:
            return self._body(layers, x, label)
        except RuntimeError as error:
            raise ServerError(f"the model does not read one such sample ({error}): give what it reads without the dimension of the "
                              "batch") from error

    def _body(self, layers: list[Layer], x: torch.Tensor, label: int | None) -> dict[str, Any]:
        assert self._model is not None
        if label is None:
            passage = queries.Passage(self._model, layers[-1:], x[None].to(queries.device_of(self._model)), self._batch_first)
            try:
                label = 0 if passage.logits is None else int(passage.logits[0].argmax())
            finally:
                passage.end()
        padding = self.run.get("other_settings", {}).get("padding")
        padded = x[None] == int(padding) if padding is not None and x.ndim == 1 and not x.is_floating_point() else None
        found = queries.ask(self._model, layers, x[None], torch.tensor([label]), self._batch_first, padded)[0]
        n_numbers = sum(key.numel() for key in found.keys) + sum(one.numel() for all in found.gradients.values() for one in all)
        if n_numbers > NUMBERS_MAX and None not in found.gradients and len(found.gradients) > 2:
            found.gradients = _most_asked(found, label)
            n_numbers = sum(key.numel() for key in found.keys) + sum(one.numel() for all in found.gradients.values() for one in all)
        if n_numbers > NUMBERS_MAX:
            raise ServerError(f"the layers see {n_numbers} numbers of a sample, more than the {NUMBERS_MAX} that a question holds: of the "
                              "test split keylight.add_queries records it")
        return {"logits": _base64(found.logits), "label": label,
                "layers": [{"keys": _base64(key),
                            "gradients": {"loss" if output is None else str(output): _base64(gradients[number])
                                          for output, gradients in found.gradients.items() if number < len(gradients)}}
                           for number, key in enumerate(found.keys)]}

    def link(self, sample: str | None = None, pixels: list[int] | None = None) -> str:
        """The page's address, of a sample, of a picture's bytes, or of the run."""
        page = f"{self._url}/r/{self.run['id']}"
        if pixels is not None and len(pixels) <= IN_LINK_MAX:
            return f"{page}/q/drawing?pixels={base64.urlsafe_b64encode(bytes(pixels)).decode().rstrip('=')}"
        return page + (f"/q/{urllib.parse.quote(sample)}" if sample else "")

    def frame(self, sample: str | None = None, height: int = 800) -> Any:
        """The page itself in a notebook, whose origin the server must have been told: serve --allow-frame."""
        return _Frame(f"<iframe src='{html.escape(self.link(sample))}' width='100%' height='{int(height)}' "
                      "style='border:0'></iframe>")

    def _layer(self, layer: int | str) -> int:
        names = [one["name"] for one in self.run["layers"]]
        if isinstance(layer, str):
            if layer not in names:
                raise ServerError(f"the run has the layers {', '.join(names)}, not {layer}")
            return names.index(layer) + 1
        return layer

    def _ask(self, resource: str, words: dict[str, Any]) -> dict[str, Any]:
        path = f"runs/{self.run['id']}/{resource}"
        if "sample" not in words:
            return self._json(path, words)
        return self._json(f"{path}?{urllib.parse.urlencode(words, safe='/:')}")

    def _lit(self, card: dict[str, Any], score: float) -> Lit:
        sample = card["sample"]
        classes = next(one["classes"] for one in self.run["datasets"] if one["name"] == sample["dataset"])
        return Lit(f"train/{sample['dataset']}/{sample['index']}", str(classes[sample["label"]]), card["attention"],
                   card["contribution"], score, sample.get("path"), sample.get("description"), sample["id"])

    def _json(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return json.loads(self._get(f"api/v1/{path}", body))

    def _shown(self, lit: Lit) -> str:
        """The picture of a sample, or its words, as HTML."""
        if lit.description is not None:
            lines = [line.split("\t", 1) for line in lit.description.split("\n")]
            cells = "".join("<tr>" + "".join(f"<td>{html.escape(part)}</td>" for part in line) + "</tr>" for line in lines)
            return f"<div style='width:160px;max-height:160px;overflow:auto;text-align:left'><table>{cells}</table></div>"
        content = self._get(f"api/v1/runs/{self.run['id']}/images/{lit.id}.png")
        return (f"<img src='data:image/png;base64,{base64.b64encode(content).decode()}' alt='' width='64' "
                "style='image-rendering:pixelated'>")

    def _get(self, path: str, body: dict[str, Any] | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{self._url}/{path}", data, headers), timeout=600) as reply:
                return reply.read()
        except urllib.error.HTTPError as error:
            try:
                detail = json.loads(error.read()).get("detail", str(error))
            except ValueError:
                detail = str(error)
            raise ServerError(detail) from None
        except urllib.error.URLError as error:
            raise ServerError(f"{self._url} does not answer ({error.reason}): start it with 'keylight serve'") from None


def _most_asked(found: queries.Query, label: int) -> dict[int | None, list[torch.Tensor]]:
    """Of the gradients of all outputs those of the predicted one, and the loss of the label, which all together make."""
    weights = found.logits.softmax(0)
    weights[label] -= 1
    loss = [sum((float(weights[output]) * one for output, one in zip(found.gradients, parts)), torch.zeros_like(parts[0]))
            for parts in zip(*found.gradients.values())]
    predicted = int(found.logits.argmax())
    return {predicted: found.gradients[predicted], None: loss}


def _base64(tensor: torch.Tensor) -> str:
    """Numbers as little-endian float32."""
    return base64.b64encode(np.ascontiguousarray(tensor.detach().cpu().float().numpy(), "<f4").tobytes()).decode()


class _Frame:
    def __init__(self, content: str):
        self._content = content

    def _repr_html_(self) -> str:
        return self._content
