"""What a compression pass is: a class derived from `CompressionPass`, found by the name of its file or entry point."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol, Self

from pydantic import BaseModel, ValidationError
from torch import nn
from typing_extensions import TypeVar

from leansort.arch.trained_model import TrainedModel
from leansort.compress.compress_config import FinetuneConfig, Step
from leansort.core import plugins
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, UserError
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.core.text import yaml_config
from leansort.data.loading.crops import Crops
from leansort.measure.timing.latency import Seconds

Stage = Literal["model", "graph"]
Artifact = TrainedModel | Bundle
ConfigT = TypeVar("ConfigT", bound=BaseModel, default=Any)
ArtifactT = TypeVar("ArtifactT", bound=Artifact, default=Any)
_COMMON = {"pass", *Step.model_fields} - {"name", "settings"}
Prepare = Callable[[nn.Module], nn.Module]


class FinetuneFunction(Protocol):
    """Trains a network on; handed in by the workflow, since training is another part of the house."""

    def __call__(
        self, model: TrainedModel, config: FinetuneConfig, folder: Path, prepare: Prepare | None = None
    ) -> TrainedModel:
        """Train `model` in `folder`, going on with what is there; `prepare` changes the network before training."""
        ...


class CascadeFunction(Protocol):
    """Makes a cascade of a small network or bundle and a large bundle; handed in by the workflow."""

    def __call__(self, small: Artifact, large: Bundle, max_f1_drop: float, decode: str) -> Bundle:
        """Fit a threshold on val photos that loses at most `max_f1_drop` of the large bundle's macro-F1.

        Raises:
            NoThresholdError: there is none.
        """
        ...


@dataclass(frozen=True)
class PassContext:
    """What a pass may use.

    Attributes:
        crops: gives the crops of a split, `train` or `val`, as a preprocessing makes them.
        preprocess: of what the pass is given; an earlier pass may have changed that of the start.
        seeds: where the pass's randomness comes from.
        folder: of this step; files written here survive an interruption.
        finetune: trains a network on.
        export: makes the bundle of a trained model.
        make_cascade: makes one bundle of two.
        time_bundles: interleaved call times by name, one picture a call, on the pipeline's engine; of the network
            alone, or from encoded photo to label, as the recipe says.
        time_layers: the same of chains of convolutions or linear layers that read an input of shape (c, h, w).
        say: tells the person watching.
        engine: that judges and times, with its settings; empty: the one that suits the graph.
        threads: of that engine.
        ground: digest of the data and of the training settings that passes use beside their own.
        allowed_drop: how much val macro-F1 may fall below that of what the pass is given, by the step's budget, 0 to 1.
    """

    crops: Callable[[str, Preprocess], Crops]
    preprocess: Preprocess
    seeds: Seeds
    folder: Path
    finetune: FinetuneFunction
    export: Callable[[TrainedModel], Bundle]
    make_cascade: CascadeFunction
    time_bundles: Callable[[Mapping[str, Bundle]], dict[str, Seconds]]
    time_layers: Callable[[Mapping[str, Sequence[nn.Module]], tuple[int, int, int]], dict[str, Seconds]]
    say: Callable[[str], None]
    engine: str = ""
    threads: int = 1
    ground: str = ""
    allowed_drop: float = 0.0

    @property
    def train(self) -> Crops:
        """Crops of the train split as the network takes them, for calibration and gradients."""
        return self.crops("train", self.preprocess)

    @property
    def val(self) -> Crops:
        """Crops of the val split as the network takes them; what a pass chooses by scores, it chooses here."""
        return self.crops("val", self.preprocess)

    def of(self, artifact: Artifact) -> PassContext:
        """The same for a network or bundle, whose input may be another: crops follow it."""
        return replace(self, preprocess=artifact.preprocess)


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
class CompressionPass(ABC, Generic[ConfigT, ArtifactT]):
    """One kind of compression with its checked settings.

    A pass keeps the type: of the stage `model` it turns a TrainedModel into one, of the stage `graph` a Bundle. What it
    is given it leaves as it is. Its randomness comes from the context's seeds, so that the same step gives the same.

    Attributes:
        Config: the settings, a pydantic model.
        stage: what it works on.
        faster: whether it promises speed; where none is measured its result is thrown away and the step says so.
        note: what it does not bring, said in the log.
        lost_by_training: whether training behind it would undo it, so that none may follow.
        last: whether no pass may follow.
        timed_on_photos: whether its gain shows on photos alone, so that the recipe has to time the way to the label.
        config: a `Config`.
        name: by which it was found.
    """

    Config: ClassVar[type[BaseModel]]
    stage: ClassVar[Stage]
    faster: ClassVar[bool] = False
    note: ClassVar[str] = ""
    lost_by_training: ClassVar[bool] = False
    last: ClassVar[bool] = False
    timed_on_photos: ClassVar[bool] = False

    config: ConfigT
    name: str = ""

    @abstractmethod
    def apply(self, artifact: ArtifactT, context: PassContext) -> PassOutcome:
        """Compress.

        Args:
            artifact: a TrainedModel or a Bundle, as `stage` says.
            context: data, tools and seeds.

        Raises:
            LeansortError: it cannot be done to this artifact.
        """

    def weaker(self, fraction: float) -> Self | None:
        """Return the same pass at a fraction (0 to 1) of its strength; None where it knows only all or nothing.

        A step that breaks the budget is tried again weaker.
        """
        return None

    def obstacle(self, earlier: CompressionPass) -> str:
        """Return why this pass, with its settings, cannot follow another one; empty where it can."""
        return ""

    def unfit(self, model: TrainedModel) -> str:
        """Return why this pass, with its settings, cannot be done to the network that a pipeline begins with.

        It is asked before the first step, so that no hours are spent on what is refused later.

        Returns:
            The reason, with the key that is wrong in front; empty where it can, or where that is known only later.
        """
        return ""

    def files(self) -> list[Path]:
        """Return the files that it reads beside the data: a step is done again where their content has changed."""
        return []

    def changed(self, **settings: Any) -> Self:
        """Return the same pass with some settings changed; they are not checked again."""
        return type(self)(self.config.model_copy(update=settings), self.name)

    def run(self, artifact: ArtifactT, context: PassContext) -> PassOutcome:
        """Apply the pass and hold what it gives to its type.

        Raises:
            LeansortError: it cannot be done to this artifact, or gave something else.
        """
        outcome = self.apply(artifact, context)
        if not isinstance(outcome, PassOutcome) or type(outcome.artifact) is not type(artifact):
            got = type(getattr(outcome, "artifact", outcome)).__name__
            raise LeansortError(f"pass {self.name}: apply gave {got}, need a PassOutcome of {type(artifact).__name__}")
        return outcome

    def trainings(self, step: Step) -> list[FinetuneConfig]:
        """Every training that a step with this pass describes: its own, and those among the pass's settings."""
        described = (step.finetune, self.config, *vars(self.config).values())
        return [item for item in described if isinstance(item, FinetuneConfig)]


def load(name: str, settings: Mapping[str, Any], where: str = "") -> CompressionPass:
    """Find a pass and check its settings.

    Args:
        name: of a file in `passes/`, or of an entry point.
        settings: its own keys.
        where: put before each key in errors.

    Raises:
        UserError: there is no such pass, its file lacks a part, or a setting is wrong; all faults at once.
    """
    kind = plugins.load("passes", name, CompressionPass)
    try:
        return kind(kind.Config(**settings), name)
    except ValidationError as error:
        raise UserError("; ".join(yaml_config.validation_faults(error, kind.Config, where))) from None


def read_step(tree: Mapping[str, Any], where: str) -> tuple[Step, CompressionPass]:
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
