"""What a compression pass is: one file in `passes/` with `Config`, `STAGE` and `apply`.

A pass of the stage `model` turns a TrainedModel into one, a pass of the stage `graph` a Bundle. It may also have

- `FASTER = True`: it promises speed; where none is measured its result is thrown away and the step says so;
- `weaker(config, fraction)`: its Config at a fraction (0-1) of its strength, so that a step that breaks the budget can
  be tried again weaker;
- `NOTE`: what it does not bring, said in the log;
- `LOST_BY_TRAINING = True`: training behind it would undo it, so none may follow;
- `LAST = True`: no pass may follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ValidationError
from torch import nn

from leansort.arch.trained_model import TrainedModel
from leansort.compress.compress_config import FinetuneConfig, Step
from leansort.core import plugins
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, UserError
from leansort.core.seeds import Seeds
from leansort.core.text import yaml_config
from leansort.data.loading.crops import Crops
from leansort.measure.timing.latency import Seconds

Stage = Literal["model", "graph"]
Artifact = TrainedModel | Bundle
_COMMON = {"pass", *Step.model_fields} - {"name", "settings"}
Prepare = Callable[[nn.Module], nn.Module]


class FinetuneFunction(Protocol):
    """Trains a network on; handed in by the workflow, since training is another part of the house."""

    def __call__(
        self, model: TrainedModel, config: FinetuneConfig, folder: Path, prepare: Prepare | None = None
    ) -> TrainedModel:
        """Train `model` in `folder`, going on with what is there; `prepare` changes the network before training."""
        ...


@dataclass(frozen=True)
class PassContext:
    """What a pass may use.

    Attributes:
        train: crops of the train split at the network's input size, for calibration and gradients.
        val: crops of the val split; what a pass chooses by scores, it chooses here.
        seeds: where the pass's randomness comes from.
        folder: of this step; files written here survive an interruption.
        finetune: trains a network on.
        export: makes the bundle of a trained model.
        time_bundles: interleaved call times by name, one picture a call, on the pipeline's engine.
        time_layers: the same of chains of convolutions or linear layers that read an input of shape (c, h, w).
        say: tells the person watching.
        engine: that judges and times, with its settings; empty: the one that suits the graph.
        threads: of that engine.
        ground: digest of the data and of the training settings that passes use beside their own.
    """

    train: Crops
    val: Crops
    seeds: Seeds
    folder: Path
    finetune: FinetuneFunction
    export: Callable[[TrainedModel], Bundle]
    time_bundles: Callable[[Mapping[str, Bundle]], dict[str, Seconds]]
    time_layers: Callable[[Mapping[str, Sequence[nn.Module]], tuple[int, int, int]], dict[str, Seconds]]
    say: Callable[[str], None]
    engine: str = ""
    threads: int = 1
    ground: str = ""


@dataclass(frozen=True)
class PassOutcome:
    """What a pass made.

    Attributes:
        artifact: the result, of the kind that was given.
        notes: what was done, as plain data, for the log and the report.
        left_alone: why nothing was changed; empty where something was.
    """

    artifact: Artifact
    notes: dict[str, Any] = field(default_factory=dict)
    left_alone: str = ""


@dataclass(frozen=True)
class Pass:
    """A pass with its checked settings.

    Attributes:
        name: of its file.
        module: that file.
        config: its settings.
    """

    name: str
    module: ModuleType
    config: BaseModel

    @property
    def stage(self) -> Stage:
        """What it works on."""
        stage: Stage = self.module.STAGE
        return stage

    @property
    def faster(self) -> bool:
        """Whether it promises speed."""
        return bool(getattr(self.module, "FASTER", False))

    @property
    def lost_by_training(self) -> bool:
        """Whether training behind it undoes it."""
        return bool(getattr(self.module, "LOST_BY_TRAINING", False))

    @property
    def last(self) -> bool:
        """Whether no pass may follow."""
        return bool(getattr(self.module, "LAST", False))

    def trainings(self, step: Step) -> list[FinetuneConfig]:
        """Every training that a step with this pass describes: its own, and those among the pass's settings."""
        described = (step.finetune, self.config, *vars(self.config).values())
        return [item for item in described if isinstance(item, FinetuneConfig)]

    @property
    def note(self) -> str:
        """What it does not bring."""
        return str(getattr(self.module, "NOTE", ""))

    def weaker(self, fraction: float) -> Pass | None:
        """The same at a fraction of its strength; None where it knows only all or nothing."""
        weaken = getattr(self.module, "weaker", None)
        return Pass(self.name, self.module, weaken(self.config, fraction)) if weaken else None

    def apply(self, artifact: Artifact, context: PassContext) -> PassOutcome:
        """Do it.

        Raises:
            LeansortError: it cannot be done to this artifact.
        """
        outcome = self.module.apply(artifact, self.config, context)
        if not isinstance(outcome, PassOutcome) or type(outcome.artifact) is not type(artifact):
            raise LeansortError(
                f"pass {self.name}: apply gave {type(outcome).__name__}, need Outcome of what it was given"
            )
        return outcome


def load(name: str, settings: Mapping[str, Any], where: str = "") -> Pass:
    """Find a pass and check its settings.

    Args:
        name: of a file in `passes/`.
        settings: its own keys.
        where: put before each key in errors.

    Raises:
        UserError: there is no such pass, its file lacks a part, or a setting is wrong; all faults at once.
    """
    module = plugins.load_module("passes", name)
    lacking = [part for part in ("Config", "STAGE", "apply") if not hasattr(module, part)]
    if lacking or module.STAGE not in ("model", "graph"):
        raise UserError(f"pass {name!r}: {lacking[0] if lacking else 'STAGE'} is missing or wrong in {module.__file__}")
    try:
        return Pass(name, module, module.Config(**settings))
    except ValidationError as error:
        raise UserError("; ".join(yaml_config.validation_faults(error, module.Config, where))) from None


def read_step(tree: Mapping[str, Any], where: str) -> tuple[Step, Pass]:
    """Read one step of a recipe.

    Raises:
        UserError: `pass` is missing, there is no such pass, or a setting is wrong.
    """
    if "pass" not in tree:
        raise UserError(f"{where}pass: missing; allowed: {', '.join(plugins.list_plugins('passes'))}")
    common = {key: value for key, value in tree.items() if key in _COMMON}
    own = {key: value for key, value in tree.items() if key not in common}
    try:
        step = Step.model_validate({**common, "settings": own})
    except ValidationError as error:
        raise UserError("; ".join(yaml_config.validation_faults(error, Step, where))) from None
    return step, load(step.name, own, where)
