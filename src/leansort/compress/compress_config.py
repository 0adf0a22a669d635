"""The `compress` section of a recipe."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from leansort.core.strict_model import StrictModel
from leansort.measure.robustness.stress_setting import StressSetting

START = "start"
RECIPE = "recipe"
Timed = Literal["model", "label"]


class FinetuneConfig(StrictModel):
    """How a network is trained on after a cut; what is not named here is as in the recipe's `train` section.

    Attributes:
        epochs: passes over the training crops; 0 trains nothing.
        lr: peak learning rate; None takes a quarter of the recipe's.
        warmup: epochs of linear warm-up.
        teachers: to learn from: `start` is the network the pipeline began with, `recipe` stands for all teachers of the
            recipe's `distill` section; others are run folders, models or bundles. What `distill.unlabelled` holds is
            learned from, too.
        weight: fraction of the teachers in the loss.
        temperature: divides the logits of both before they are compared.
        hints: weight of matching the teachers' features, as in the recipe's `distill` section; 0 turns it off.
        train: further keys of the recipe's `train` section. Of the recipe's own `freeze`, `freeze_norms`, `layer_decay`
            and `head_lr` do not count here: a cut network is trained on as a whole.
        augment: keys of its `augment` section.
    """

    epochs: int = Field(default=0, ge=0, le=10_000)
    lr: float | None = Field(default=None, gt=0.0, lt=10.0)
    warmup: float = Field(default=1.0, ge=0.0)
    teachers: tuple[str, ...] = (START,)
    weight: float = Field(default=0.7, ge=0.0, le=1.0)
    temperature: float = Field(default=2.0, gt=0.0, le=100.0)
    hints: float = Field(default=0.0, ge=0.0, le=1000.0)
    train: dict[str, Any] = Field(default_factory=dict)
    augment: dict[str, Any] = Field(default_factory=dict)


class Step(StrictModel):
    """What every step of a pipeline has, whatever its pass; the pass adds keys of its own.

    Attributes:
        name: of the pass (`pass` in a recipe).
        settings: the pass's own keys.
        finetune: training after the cut, before the step is judged.
        max_f1_drop: replaces the pipeline's.
        max_class_drop: replaces the pipeline's.
        max_stress_drop: replaces the `max_drop` of the pipeline's `stress`.
        retries: replaces the pipeline's.
        faster: whether a step that gains no speed is left alone; None asks the pass.
    """

    name: str = Field(alias="pass")
    settings: dict[str, Any] = Field(default_factory=dict)
    finetune: FinetuneConfig = FinetuneConfig()
    max_f1_drop: float | None = Field(default=None, ge=0.0, le=1.0)
    max_class_drop: float | None = Field(default=None, ge=0.0, le=1.0)
    max_stress_drop: float | None = Field(default=None, ge=0.0, le=1.0)
    retries: int | None = Field(default=None, ge=0, le=10)
    faster: bool | None = None


class StressLimit(StressSetting):
    """The stress that steps are measured under, and what they may lose there.

    Attributes:
        max_drop: how much the mean macro-F1 under stress may fall below that of the network the pipeline began with;
            None measures and tells it, and refuses nothing.
    """

    max_drop: float | None = Field(default=None, ge=0.0, le=1.0)


class CompressConfig(StrictModel):
    """The `compress` section of a recipe: a pipeline of passes and what they may cost.

    Attributes:
        steps: mappings with `pass`, the pass's own settings, and what every step may have: `finetune`, `max_f1_drop`,
            `max_class_drop`, `max_stress_drop`, `retries`, `faster`.
        max_f1_drop: how much val macro-F1 may fall below that of the network the pipeline began with.
        max_class_drop: how much any one class's F1 may fall below it.
        stress: measures the start and every try of a step under stress, too; None does not.
        sure: whether the whole 95 % interval of a drop has to stay within the budget, not the drop alone.
        retries: how often a step that breaks the budget is tried again weaker.
        timed: what latencies are of: `model`, the network alone, or `label`, the whole way from an encoded val photo to
            its label, of which decoding is a part.
        seconds: least time of each latency.
    """

    steps: tuple[dict[str, Any], ...] = ()
    max_f1_drop: float = Field(default=0.01, ge=0.0, le=1.0)
    max_class_drop: float = Field(default=1.0, ge=0.0, le=1.0)
    stress: StressLimit | None = None
    sure: bool = False
    retries: int = Field(default=3, ge=0, le=10)
    timed: Timed = "model"
    seconds: float = Field(default=1.0, gt=0.0, le=600.0)

    @model_validator(mode="after")
    def _stress_of_steps(self) -> CompressConfig:
        if self.stress and not self.steps:
            raise ValueError("stress has no effect without steps, which it measures")
        return self
