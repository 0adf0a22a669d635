"""The `train` and `distill` sections of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from leansort.core.strict_model import StrictModel
from leansort.data.loading.class_balance import Balance


class TrainConfig(StrictModel):
    """How a network is trained.

    Attributes:
        epochs: passes over the training crops.
        batch: crops a step and process.
        accumulate: batches whose gradients add up to one step.
        optimizer: `adamw`, `sgd` (with Nesterov momentum), or one of timm's as `timm:NAME`.
        momentum: of `sgd` and of timm's optimizers that have one.
        lr: peak learning rate.
        weight_decay: on weights of convolutions and linear layers; not on biases and batch norms.
        schedule: `cosine` to zero, `one_cycle` (arXiv:1708.07120), `restarts` (cosines one after another,
            arXiv:1608.03983) or `constant`.
        cycles: of `restarts`.
        warmup: epochs of linear warm-up before the schedule; `one_cycle` brings its own.
        loss: `cross_entropy`, `focal` (arXiv:1708.02002) or `bce` (every class by itself, arXiv:2110.00476).
        focal_gamma: how much less the focal loss counts what is right already.
        logit_adjustment: how far rare classes are given a margin for their rarity (arXiv:2007.07314); 1 is the paper's.
        class_weights: how the loss weighs classes: `none`, `inverse` (every class counts the same), `sqrt` (half way),
            `effective` (class-balanced, arXiv:1901.05555).
        sampler: how often crops of a class are drawn: `none` takes every crop once an epoch; the others draw with
            replacement by the same weights.
        label_smoothing: fraction of the target spread over all classes (arXiv:1512.00567).
        ema: decay of the weights' moving average that is evaluated and kept; 0 turns it off.
        clip: largest gradient norm; 0 turns it off.
        enlarge: training crops are cached this much larger than the input, for random resized crops to cut from.
        grow_from: side of the training crops at the start, as a fraction of the input's; it grows in steps of 32 pixels
            and is whole after three quarters of the epochs (progressive resizing, arXiv:2104.00298).
        patience: epochs without a better val macro-F1 after which training stops; 0 never stops.
        freeze: epochs in which the classifier alone is trained, for networks that begin with pretrained weights.
        tta: whether val is also scored on four flips of every crop (test-time augmentation), reported apart.
        precision: `auto` takes what the device does well: bf16 or else fp16 on a GPU, fp32 on a CPU, where bf16 is
            slower for depthwise networks.
        compile: whether the network is compiled; `auto` times the first steps both ways on a GPU and says which won.
        sync_norms: whether batch norms share their statistics across processes (GPUs only).
        workers: processes that augment.
        threads: of the training computation; 0 takes every core.
    """

    epochs: int = Field(default=100, ge=1, le=10_000)
    batch: int = Field(default=64, ge=2, le=4096)
    accumulate: int = Field(default=1, ge=1, le=256)
    optimizer: str = Field(default="adamw", pattern=r"^(adamw|sgd|timm:[a-z0-9_]+)$")
    momentum: float = Field(default=0.9, ge=0.0, lt=1.0)
    lr: float = Field(default=2e-3, gt=0.0, lt=10.0)
    weight_decay: float = Field(default=0.05, ge=0.0, lt=1.0)
    schedule: Literal["cosine", "one_cycle", "restarts", "constant"] = "cosine"
    cycles: int = Field(default=3, ge=1, le=100)
    warmup: float = Field(default=5.0, ge=0.0)
    loss: Literal["cross_entropy", "focal", "bce"] = "cross_entropy"
    focal_gamma: float = Field(default=2.0, ge=0.0, le=10.0)
    logit_adjustment: float = Field(default=0.0, ge=0.0, le=4.0)
    class_weights: Balance = "none"
    sampler: Balance = "none"
    label_smoothing: float = Field(default=0.1, ge=0.0, lt=1.0)
    ema: float = Field(default=0.998, ge=0.0, lt=1.0)
    clip: float = Field(default=5.0, ge=0.0)
    enlarge: float = Field(default=1.15, ge=1.0, le=2.0)
    grow_from: float = Field(default=1.0, ge=0.25, le=1.0)
    patience: int = Field(default=0, ge=0, le=10_000)
    freeze: int = Field(default=0, ge=0, le=10_000)
    tta: bool = False
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    compile: Literal["auto", "on", "off"] = "auto"
    sync_norms: bool = False
    workers: int = Field(default=2, ge=0, le=64)
    threads: int = Field(default=0, ge=0, le=256)


class DistillConfig(StrictModel):
    """The `distill` section of a recipe.

    Attributes:
        teachers: run folders, `.safetensors` models or `.leansort` bundles of the same classes; several are averaged.
            Networks that timm has published (`timm:NAME`) know other classes and give hints alone.
        weight: fraction of the teachers in the loss; the rest is the loss on the labels.
        temperature: divides the logits of both before they are compared.
        hints: weight of matching the teachers' features (arXiv:1412.6550), the input of their classifiers, through a
            linear layer that is thrown away afterwards; 0 turns it off. Bundles give no features.
    """

    teachers: tuple[Path, ...] = ()
    weight: float = Field(default=0.7, ge=0.0, le=1.0)
    temperature: float = Field(default=2.0, gt=0.0, le=100.0)
    hints: float = Field(default=0.0, ge=0.0, le=1000.0)
