"""The sections of a recipe, each a strict model; `load` reads them from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from leansort.arch.spec.spec import Init, Norm
from leansort.compress.compress_config import CompressConfig
from leansort.contest.formulas import Baselines
from leansort.core.files.bundle_card import CardFacts
from leansort.core.preprocess import Preprocess
from leansort.core.strict_model import StrictModel
from leansort.core.writing import atomic_io
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.recipe.goal import Goal
from leansort.recipe.target import Target
from leansort.train.train_config import DistillConfig, TrainConfig


class ArchConfig(StrictModel):
    """Which network: the fields of an ArchSpec that a recipe sets; the classes come from the data.

    Attributes:
        base: a backbone's name, `timm:NAME`, or the path of a model file (`.yaml`); any name where `model` is given.
        model: a model file's content, written into the recipe itself.
        width: multiplies the channels.
        depth: multiplies the repeats of rows that repeat.
        dropout: in front of the classifier; None keeps the backbone's own.
        drop_path: probability of skipping the last residual block in training; the earlier ones are skipped less.
        norm: momentum and epsilon of every batch norm; None keeps the backbone's own.
        init: `small` draws depthwise kernels small and keeps PyTorch's batch norms, which learns fastest from scratch;
            `paper` does both as the network's authors did.
        options: settings of a backbone in code or of a timm model.
        pretrained: pretrained weights to begin with: a `.safetensors` file, `pack:NAME`, `timm:NAME` or
            `hf:OWNER/NAME`.
        pretrained_key_map: YAML or JSON file that maps the names of pretrained tensors, or their beginnings, to ours.
    """

    base: str = "mnasnet"
    model: dict[str, Any] | None = None
    width: float = Field(default=1.0, gt=0.05, le=4.0)
    depth: float = Field(default=1.0, gt=0.0, le=4.0)
    dropout: float | None = Field(default=None, ge=0.0, lt=1.0)
    drop_path: float = Field(default=0.0, ge=0.0, lt=1.0)
    norm: Norm = Norm()
    init: Init = "small"
    options: dict[str, Any] = Field(default_factory=dict)
    pretrained: str | None = None
    pretrained_key_map: Path | None = None

    @model_validator(mode="after")
    def _map_needs_weights(self) -> ArchConfig:
        if self.pretrained_key_map and not self.pretrained:
            raise ValueError("pretrained_key_map has no effect without pretrained")
        return self

    def spec(self) -> dict[str, Any]:
        """The fields that are the ArchSpec's own."""
        return self.model_dump(exclude={"pretrained", "pretrained_key_map"})


class ExportConfig(StrictModel):
    """What a bundle's graph is written as, and how sure the bundle has to be.

    Attributes:
        format: of the graph: `onnx`, which ONNX Runtime and OpenVINO read, `openvino` or `torch`; of compressed
            networks the passes decide.
        target_error: largest fraction of wrong labels among accepted ones, measured on val; the threshold follows from
            it, and what is less sure is not accepted. None accepts everything.
        unknown: folder of photos that show none of the classes, each of which is an error if it is accepted; changes
            `target_error` alone.
        unknown_share: fraction of unknown photos among all that the robot will see, above 0 and below 1; None: as many
            as `unknown` holds beside the val crops.
    """

    format: Literal["onnx", "openvino", "torch", "ncnn", "litert"] = "onnx"
    target_error: float | None = Field(default=None, ge=0.0, lt=1.0)
    unknown: Path | None = None
    unknown_share: float | None = Field(default=None, gt=0.0, lt=1.0)

    @model_validator(mode="after")
    def _require_effect(self) -> ExportConfig:
        if self.unknown and self.target_error is None:
            raise ValueError("unknown has no effect without target_error, whose threshold it changes")
        if self.unknown_share is not None and self.unknown is None:
            raise ValueError("unknown_share has no effect without unknown, a folder of such photos")
        return self


class BenchConfig(StrictModel):
    """How the bundle is timed.

    Attributes:
        seconds: least time for each figure.
        queries: fewest calls for each latency.
        starts: how often the whole program is started, for its cold start and memory; 0 leaves both out.
    """

    seconds: float = Field(default=3.0, gt=0.0, le=600.0)
    queries: int = Field(default=1000, ge=1, le=1_000_000)
    starts: int = Field(default=5, ge=0, le=100)


class Recipe(StrictModel):
    """A whole job, from data to report.

    Attributes:
        name: names the run folder and the model.
        title: of the report.
        seed: root of all randomness.
        data: `source` names a data source; `split` says how to split; `keep_classes` lists classes that stay although
            no crop shows them, or none in train; `corrections` names a file that corrects labels; the other keys are
            that source's own.
        preprocess: how pictures become the network's input.
        arch: the network.
        augment: how training crops are varied.
        train: how it is trained.
        distill: what it learns from teachers.
        compress: passes that make it smaller and faster, and what they may cost.
        export: what a bundle's graph is written as, and how sure the bundle has to be.
        target: the device that the result is for: engine, threads, precision, limits.
        goal: what `leansort run` has to reach, with this recipe or another one; None: the recipe is run as it is.
        bench: how it is timed.
        contest: baselines of the contest score.
        card: what the model card says of data, licences and limits; changes no result.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str = ""
    seed: int = Field(default=0, ge=0)
    data: dict[str, Any]
    preprocess: Preprocess = Preprocess()
    arch: ArchConfig = ArchConfig()
    augment: AugmentConfig = AugmentConfig()
    train: TrainConfig = TrainConfig()
    distill: DistillConfig = DistillConfig()
    compress: CompressConfig = CompressConfig()
    export: ExportConfig = ExportConfig()
    target: Target = Target()
    goal: Goal | None = None
    bench: BenchConfig = BenchConfig()
    contest: Baselines = Baselines()
    card: CardFacts = CardFacts()

    def to_json(self) -> dict[str, Any]:
        """The resolved recipe as plain data; without `goal` where there is none, as before there were goals."""
        return self.model_dump(mode="json", exclude=None if self.goal else {"goal"})

    @property
    def train_preprocess(self) -> Preprocess:
        """Of the training crops, which are larger than the input for random resized crops to cut from."""
        return self.preprocess.model_copy(update={"size": round(self.preprocess.size * self.train.enlarge)})

    @property
    def digest(self) -> str:
        """Digest of the resolved recipe, without `card` and `goal`, which change no network."""
        return atomic_io.digest(self.model_dump(mode="json", exclude={"card", "goal"}))
