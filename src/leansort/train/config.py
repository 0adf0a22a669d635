"""The `train` section of a recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from leansort.data.balance import Balance


class TrainConfig(BaseModel):
    """How a network is trained.

    Attributes:
        epochs: passes over the training crops.
        batch: crops a step.
        lr: peak learning rate of AdamW.
        weight_decay: on weights of convolutions and linear layers; not on biases and batch norms.
        warmup: epochs of linear warm-up before the cosine.
        class_weights: how the loss weighs classes: `none`, `inverse` (every class counts the same), `sqrt` (half way),
            `effective` (class-balanced, arXiv:1901.05555).
        sampler: how often crops of a class are drawn: `none` takes every crop once an epoch; the others draw with
            replacement by the same weights.
        label_smoothing: share of the target spread over all classes (arXiv:1512.00567).
        ema: decay of the weights' moving average that is evaluated and kept; 0 turns it off.
        clip: largest gradient norm; 0 turns it off.
        enlarge: training crops are cached this much larger than the input, for random resized crops to cut from.
        precision: `auto` takes bf16 on a GPU and fp32 on a CPU, where bf16 is slower for depthwise networks.
        workers: processes that augment.
        threads: of the training computation; 0 takes every core.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=100, ge=1, le=10_000)
    batch: int = Field(default=64, ge=2, le=4096)
    lr: float = Field(default=2e-3, gt=0.0, lt=1.0)
    weight_decay: float = Field(default=0.05, ge=0.0, lt=1.0)
    warmup: float = Field(default=5.0, ge=0.0)
    class_weights: Balance = "none"
    sampler: Balance = "none"
    label_smoothing: float = Field(default=0.1, ge=0.0, lt=1.0)
    ema: float = Field(default=0.998, ge=0.0, lt=1.0)
    clip: float = Field(default=5.0, ge=0.0)
    enlarge: float = Field(default=1.15, ge=1.0, le=2.0)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    workers: int = Field(default=2, ge=0, le=64)
    threads: int = Field(default=0, ge=0, le=256)
