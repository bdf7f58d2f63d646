"""What an optimiser's step was, as the dual form needs it: the rules of docs/format.md."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Rule:
    """Of one group of parameters in one step, without its clip factor."""

    learning_rate: float
    momentum: float
    weight_decay: float


@dataclass(frozen=True)
class Optimiser:
    """What keylight calls an optimiser, and its constants; or why its steps have no dual form here."""

    name: str
    settings: dict[str, str]
    reason: str | None = None


def _only(groups: list[dict], key: str) -> Any:
    values = {group[key] if not isinstance(group[key], list) else tuple(group[key]) for group in groups}
    return values.pop() if len(values) == 1 else None


def describe(optimizer: torch.optim.Optimizer, goes_on: bool = False) -> Optimiser:
    """An optimiser that keylight knows; otherwise with a reason, and attention alone is recorded. goes_on: the steps that
    it has made are in the record."""
    kind, groups = type(optimizer), optimizer.param_groups
    if any(group.get("maximize") for group in groups):
        return Optimiser("sgd", {}, "maximize is set")
    if len(optimizer.state) > 0 and not goes_on:
        return Optimiser("sgd", {}, "the optimizer has made steps before, which were not recorded")
    if kind is torch.optim.SGD:
        dampening, nesterov = _only(groups, "dampening"), _only(groups, "nesterov")
        if dampening is None or nesterov is None:
            return Optimiser("sgd", {}, "its groups differ in dampening or nesterov")
        has_momentum = any(group["momentum"] for group in groups)
        if dampening >= 1 or dampening and not all(group["momentum"] for group in groups):
            return Optimiser("sgd", {}, "dampening is 1, or of groups of which some have no momentum")
        return Optimiser("sgd", {"dampening": repr(float(dampening if has_momentum else 0)),
                                 "nesterov": str(int(nesterov))})
    if kind in (torch.optim.Adam, torch.optim.AdamW):
        betas, epsilon = _only(groups, "betas"), _only(groups, "eps")
        name = "adam" if kind is torch.optim.Adam else "adamw"
        if any(group.get("amsgrad") for group in groups):
            return Optimiser(name, {}, "amsgrad has no dual form")
        if betas is not None and not (betas[0] ** 2 < betas[1] <= 0.99999 and betas[0] <= 0.99999):
            return Optimiser(name, {}, f"betas {betas} are beyond what is recorded: beta2 above beta1 squared, at most .99999")
        if epsilon is not None and not 1e-30 <= epsilon <= 1:
            return Optimiser(name, {}, f"eps {epsilon} is not between 1e-30 and 1")
        if betas is None or epsilon is None:
            return Optimiser(name, {}, "its groups differ in betas or eps")
        return Optimiser(name, {"beta_1": repr(float(betas[0])), "beta_2": repr(float(betas[1])),
                                "epsilon": repr(float(epsilon))})
    return Optimiser("sgd", {}, f"{kind.__module__}.{kind.__name__} is neither SGD, Adam nor AdamW")


def rule_of(group: dict) -> Rule:
    """The rule of a group as it is now."""
    return Rule(float(group["lr"]), float(group.get("momentum", 0.0)), float(group.get("weight_decay", 0.0)))
