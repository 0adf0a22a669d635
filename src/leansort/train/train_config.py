"""The `train` and `distill` sections of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from leansort.core.strict_model import StrictModel
from leansort.data.loading.class_balance import Balance

NO_TEACHER = "nobody says what the photos show; name distill.teachers or distill.teacher_recipes"


class TrainConfig(StrictModel):
    """How a network is trained.

    Attributes:
        epochs: passes over the training crops.
        batch: batch size, crops per step and process.
        accumulate: number of batches whose gradients are accumulated for one optimizer step.
        optimizer: `adamw`, `sgd` (with Nesterov momentum), or one of timm's as `timm:NAME`.
        momentum: of `sgd`, and of those of timm's optimizers that have momentum.
        lr: peak learning rate.
        weight_decay: of weights of convolutions and linear layers; biases and batch norms have none.
        schedule: `cosine` to zero, `one_cycle` (arXiv:1708.07120), `restarts` (cosines one after another,
            arXiv:1608.03983) or `constant`.
        cycles: number of cosine cycles of `restarts`.
        warmup: epochs of linear warm-up before the schedule, after those of `freeze`; `one_cycle` brings its own.
        head_lr: factor of the classifier's learning rate: a new classifier on pretrained weights has further to go than
            they have.
        layer_decay: factor of the learning rate from each block to the one before it, counted from the classifier, so
            that the first blocks of pretrained weights change least (arXiv:1801.06146); 1 is the same rate for all.
        loss: `cross_entropy`, `focal` (arXiv:1708.02002) or `bce` (binary, class by class, arXiv:2110.00476).
        focal_gamma: focusing parameter; higher values give less weight to crops that are classified with confidence.
        logit_adjustment: factor of the log class frequencies that are added to the logits (arXiv:2007.07314); 1 is the
            value of the paper, 0 turns it off.
        class_weights: weights of the classes in the loss: `none`, `inverse` frequency, `sqrt` (its square root),
            `effective` (class-balanced, arXiv:1901.05555).
        sampler: how crops are drawn: `none` uses every crop once per epoch; `inverse`, `sqrt` and `effective` draw with
            replacement, with these class weights.
        label_smoothing: fraction of the target that is spread over all classes (arXiv:1512.00567).
        ema: decay of the exponential moving average of the weights, which is evaluated and saved; 0 turns it off.
            It is reached gradually: a training of n steps averages its last tenth at most.
        average_from: fraction of the epochs after which the equal mean of the weights after every step takes the place
            of `ema` (stochastic weight averaging, arXiv:1803.05407), with batch-norm statistics recomputed on training
            crops; 1 turns it off.
        clip: maximum gradient norm; 0 turns clipping off.
        enlarge: factor by which cached training crops are larger than the input, for random resized crops.
        grow_from: side of the training crops at the start, as a fraction of the input's; it grows in steps of 32 pixels
            and reaches the full size after three quarters of the epochs (progressive resizing, arXiv:2104.00298).
        patience: epochs without a better val macro-F1 after which training stops; 0 never stops.
        freeze: first epochs in which only the classifier is trained, for networks with pretrained weights
            (arXiv:2202.10054): without warm-up at the peak learning rate, the rest of the network in evaluation mode.
            Warm-up and schedule begin after them.
        freeze_norms: whether batch norms keep the statistics of the pretrained weights; their scale and shift are
            trained.
        tta: whether val is also scored on four flips of every crop (test-time augmentation), reported apart.
        precision: `auto` uses bf16, else fp16, on a GPU; fp32 on a CPU, where bf16 is slower for depthwise networks.
        compile: whether the network is compiled; `auto` times the first steps both ways on a GPU and says which won.
        sync_norms: whether batch norms share their statistics across processes (GPUs only).
        workers: data loader processes; 0 loads in the main process.
        threads: compute threads of PyTorch; 0 uses every core.
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
    head_lr: float = Field(default=1.0, gt=0.0, le=1000.0)
    layer_decay: float = Field(default=1.0, gt=0.0, le=1.0)
    loss: Literal["cross_entropy", "focal", "bce"] = "cross_entropy"
    focal_gamma: float = Field(default=2.0, ge=0.0, le=10.0)
    logit_adjustment: float = Field(default=0.0, ge=0.0, le=4.0)
    class_weights: Balance = "none"
    sampler: Balance = "none"
    label_smoothing: float = Field(default=0.1, ge=0.0, lt=1.0)
    ema: float = Field(default=0.998, ge=0.0, lt=1.0)
    average_from: float = Field(default=1.0, ge=0.0, le=1.0)
    clip: float = Field(default=5.0, ge=0.0)
    enlarge: float = Field(default=1.15, ge=1.0, le=2.0)
    grow_from: float = Field(default=1.0, ge=0.25, le=1.0)
    patience: int = Field(default=0, ge=0, le=10_000)
    freeze: int = Field(default=0, ge=0, le=10_000)
    freeze_norms: bool = False
    tta: bool = False
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    compile: Literal["auto", "on", "off"] = "auto"
    sync_norms: bool = False
    workers: int = Field(default=2, ge=0, le=64)
    threads: int = Field(default=0, ge=0, le=256)

    @model_validator(mode="after")
    def _all_has_effect(self) -> TrainConfig:
        if self.freeze_norms and self.sync_norms:
            raise ValueError("sync_norms has no effect on norms whose statistics are kept: set it or freeze_norms")
        only_head = self.freeze >= self.epochs
        if only_head and (self.layer_decay != 1.0 or self.freeze_norms):
            name = "freeze_norms" if self.freeze_norms else "layer_decay"
            raise ValueError(f"{name} has no effect while freeze, {self.freeze}, covers all {self.epochs} epochs")
        if not only_head and self.average_from * self.epochs + 1e-9 < self.freeze:
            first = f"average_from, {self.average_from:g}, begins in epoch {int(self.average_from * self.epochs) + 1}"
            raise ValueError(f"{first} of {self.epochs}, but freeze keeps the body as it is for {self.freeze}")
        return self


class DistillConfig(StrictModel):
    """The `distill` section of a recipe.

    Attributes:
        teachers: run folders, `.safetensors` models or `.leansort` bundles of the same classes; several are averaged.
            Published networks (`timm:NAME`, `pack:NAME`) know other classes and give hints alone.
        teacher_recipes: names or files of recipes whose networks are trained first, on the same data and splits with
            the same seed, and teach with the others; of each the training alone is done. They lie in `teacher-NAME`
            beside the student.
        teacher_overrides: `key=value` overrides of these recipes, such as `train.epochs=5`.
        weight: fraction of the teachers in the loss; the rest is the loss on the labels.
        temperature: divides the logits of both before they are compared.
        hints: weight of matching the teachers' features (arXiv:1412.6550), the input of their classifiers, through a
            linear layer that is thrown away afterwards; 0 turns it off. Bundles give no features.
        unlabelled: folder of photos without labels, with any folders below it, from which the teachers' outputs are
            learned alone.
        unlabelled_ratio: photos without labels that a batch gets for each labelled crop (mu of arXiv:2001.07685).
        memory_mb: memory for the teachers' outputs, which are kept where `augment.views` lets crops come back; what
            does not fit is computed anew every time, and said.
    """

    teachers: tuple[Path, ...] = ()
    teacher_recipes: tuple[str, ...] = ()
    teacher_overrides: tuple[str, ...] = ()
    weight: float = Field(default=0.7, ge=0.0, le=1.0)
    temperature: float = Field(default=2.0, gt=0.0, le=100.0)
    hints: float = Field(default=0.0, ge=0.0, le=1000.0)
    unlabelled: Path | None = None
    unlabelled_ratio: float = Field(default=1.0, gt=0.0, le=16.0)
    memory_mb: int = Field(default=2048, ge=0, le=1_000_000)

    @model_validator(mode="after")
    def _overrides_have_recipes(self) -> DistillConfig:
        if self.teacher_overrides and not self.teacher_recipes:
            raise ValueError("teacher_overrides has no effect without teacher_recipes")
        return self

    @model_validator(mode="after")
    def _unlabelled_is_taught(self) -> DistillConfig:
        if self.unlabelled is None:
            if "unlabelled_ratio" in self.model_fields_set and self.unlabelled_ratio != 1.0:
                raise ValueError("unlabelled_ratio has no effect without unlabelled")
        elif not (self.teachers or self.teacher_recipes):
            raise ValueError(f"unlabelled: {NO_TEACHER}")
        elif not self.weight and not self.hints:
            raise ValueError("unlabelled has no effect with weight: 0 and hints: 0")
        return self
