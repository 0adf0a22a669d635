"""Structured pruning: whole channels go, by dependency graph (arXiv:2301.12900), down to a fraction of a cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import nn
from torch.nn import functional

from leansort.arch.trained_model import TrainedModel, normalize
from leansort.compress.compress_config import FinetuneConfig
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome
from leansort.compress.pruning.channel_pruning import count_macs, count_parameters, prune_to_target
from leansort.compress.pruning.importance import Importance
from leansort.core.strict_model import StrictModel
from leansort.data.loading.loader import eval_batches

CROPS = 256  # that Taylor importance looks at


class PruneConfig(StrictModel):
    """Exactly one of `macs`, `parameters` and `latency` says what is to remain.

    Attributes:
        macs: fraction of the multiply-adds.
        parameters: fraction of the weights.
        latency: fraction of the measured latency on the pipeline's engine.
        importance: of a channel: `l1` or `l2` norm, first-order `taylor` (arXiv:1906.10771) on train crops, `bn_scale`
            (arXiv:1708.06519), or `random`.
        scope: whether channels compete within their layer (`local`) or across the network (`global`).
        round_to: channel counts are multiples of this, which engines like.
        largest: most that one layer may lose in one cut.
        iterations: cuts that the way is divided into, equal in proportion.
        finetune_between: training between cuts.
    """

    macs: float | None = Field(default=None, gt=0.0, lt=1.0)
    parameters: float | None = Field(default=None, gt=0.0, lt=1.0)
    latency: float | None = Field(default=None, gt=0.0, lt=1.0)
    importance: Importance = "l2"
    scope: Literal["local", "global"] = "global"
    round_to: int = Field(default=8, ge=1, le=256)
    largest: float = Field(default=0.8, gt=0.0, lt=1.0)
    iterations: int = Field(default=1, ge=1, le=50)
    finetune_between: FinetuneConfig = FinetuneConfig()

    @model_validator(mode="after")
    def _one_target(self) -> PruneConfig:
        if len(self.targets) != 1:
            raise ValueError(f"needs exactly one of macs, parameters and latency, got {len(self.targets)}")
        return self

    @property
    def targets(self) -> dict[str, float]:
        """What is to remain, by kind of cost."""
        kinds = {"macs": self.macs, "parameters": self.parameters, "latency": self.latency}
        return {kind: fraction for kind, fraction in kinds.items() if fraction is not None}


class PrunePass(CompressionPass[PruneConfig, TrainedModel]):
    """Removes channels."""

    Config = PruneConfig
    stage = "model"
    faster = True

    def weaker(self, fraction: float) -> PrunePass:
        """Remove only `fraction` of what was to be removed."""
        ((kind, left),) = self.config.targets.items()
        return self.changed(**{kind: 1 - fraction * (1 - left)})

    def apply(self, model: TrainedModel, context: PassContext) -> PassOutcome:
        """Prune.

        Raises:
            UserError: the network's channels cannot be followed, or it has no batch norms that `bn_scale` could read.
        """
        ((kind, left),) = self.config.targets.items()
        cost, now = _cost(kind, model, context), model
        amounts = []
        for number in range(1, self.config.iterations + 1):
            fraction = left ** (number / self.config.iterations) * cost(model) / cost(now)
            now, amount = prune_to_target(
                now,
                target=cost,
                fraction=min(fraction, 1.0),
                importance=self.config.importance,
                scope=self.config.scope,
                round_to=self.config.round_to,
                largest=self.config.largest,
                gradients=_gradients(model, context),
                seeds=context.seeds.child(f"cut-{number}"),
            )
            amounts.append(amount)
            if self.config.finetune_between.epochs and number < self.config.iterations:
                now = context.finetune(now, self.config.finetune_between, context.folder / f"between-{number}")
        notes: dict[str, Any] = {"kind": kind, "asked": left, "reached": cost(now) / cost(model), "amounts": amounts}
        if now.spec == model.spec:
            return PassOutcome(model, notes, "no channel can go at these settings")
        return PassOutcome(now, notes)


def _cost(kind: str, start: TrainedModel, context: PassContext) -> Callable[[TrainedModel], float]:
    if kind != "latency":
        return {"macs": count_macs, "parameters": count_parameters}[kind]
    reference = context.export(start)

    def relative(model: TrainedModel) -> float:
        if model is start:
            return 1.0
        times = context.time_bundles({"start": reference, "now": context.export(model)})
        return float(np.median(times["now"]) / np.median(times["start"]))

    return relative


def _gradients(model: TrainedModel, context: PassContext) -> Callable[[nn.Module], None]:
    """Leaves the gradients of the loss on a part of the train crops, drawn by the step's seed."""
    order = context.seeds.child("taylor").numpy().permutation(len(context.train.labels))[:CROPS]
    pixels, labels = np.asarray(context.train.pixels)[np.sort(order)], np.asarray(context.train.labels)[np.sort(order)]

    def leave(network: nn.Module) -> None:
        network.zero_grad()
        for start, x_bchw in zip(range(0, len(pixels), 32), eval_batches(pixels, 32), strict=True):
            target = torch.from_numpy(labels[start : start + 32])
            loss = functional.cross_entropy(network(normalize(x_bchw, model.preprocess)), target, reduction="sum")
            loss.backward()  # type: ignore[no-untyped-call]

    return leave
