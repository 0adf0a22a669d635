"""Recipes: strict YAML, `key=value` overrides, every fault at once."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from leansort.arch.spec.spec import Init, Norm
from leansort.arch.timm_models import networks
from leansort.compress.compress_config import CompressConfig
from leansort.contest.formulas import Baselines
from leansort.core import packaged_configs, plugins
from leansort.core.errors import LeansortError, UserError
from leansort.core.files import atomic_io
from leansort.core.preprocess import Preprocess
from leansort.core.text import yaml_config
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.splits import SplitConfig
from leansort.recipe.data_override import with_path
from leansort.train.train_config import DistillConfig, TrainConfig

COMMON = ("source", "split", "keep_classes")  # keys of a `data` section that belong to no source


class ArchConfig(BaseModel):
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
        weights: outside weights to begin with: a `.safetensors` file, `timm:NAME` or `hf:OWNER/NAME`.
        weight_names: YAML or JSON file that maps the weights' names, or beginnings of names, to ours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    base: str = "mnasnet"
    model: dict[str, Any] | None = None
    width: float = Field(default=1.0, gt=0.05, le=4.0)
    depth: float = Field(default=1.0, gt=0.0, le=4.0)
    dropout: float | None = Field(default=None, ge=0.0, lt=1.0)
    drop_path: float = Field(default=0.0, ge=0.0, lt=1.0)
    norm: Norm = Norm()
    init: Init = "small"
    options: dict[str, Any] = Field(default_factory=dict)
    weights: str | None = None
    weight_names: Path | None = None

    def spec(self) -> dict[str, Any]:
        """The fields that are the ArchSpec's own."""
        return self.model_dump(exclude={"weights", "weight_names"})


class ExportConfig(BaseModel):
    """What a bundle's graph is written as, and how sure the bundle has to be.

    Attributes:
        format: of the graph: `onnx`, which ONNX Runtime and OpenVINO read, `openvino` or `torch`; of compressed
            networks the passes decide.
        wanted_error: largest share of wrong labels among accepted ones, measured on val; the threshold follows from it,
            and what is less sure is not accepted. None accepts everything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal["onnx", "openvino", "torch"] = "onnx"
    wanted_error: float | None = Field(default=None, ge=0.0, lt=1.0)


class BenchConfig(BaseModel):
    """How the bundle is timed.

    Attributes:
        seconds: least time for each figure.
        queries: fewest calls for each latency.
        threads: compute threads of the engine.
        starts: how often the whole program is started, for its cold start and memory; 0 leaves both out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seconds: float = Field(default=3.0, gt=0.0, le=600.0)
    queries: int = Field(default=1000, ge=1, le=1_000_000)
    threads: int = Field(default=1, ge=1, le=256)
    starts: int = Field(default=5, ge=0, le=100)


class Recipe(BaseModel):
    """A whole job, from data to report.

    Attributes:
        name: names the run folder and the model.
        title: of the report.
        seed: root of all randomness.
        data: `source` names a data source; `split` says how to split; `keep_classes` lists classes that stay although
            no crop shows them, or none in train; the other keys are that source's own.
        preprocess: how pictures become the network's input.
        arch: the network.
        augment: how training crops are varied.
        train: how it is trained.
        distill: what it learns from teachers.
        compress: passes that make it smaller and faster, and what they may cost.
        export: what a bundle's graph is written as, and how sure the bundle has to be.
        bench: how it is timed.
        contest: baselines of the contest score.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

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
    bench: BenchConfig = BenchConfig()
    contest: Baselines = Baselines()

    def to_json(self) -> dict[str, Any]:
        """The resolved recipe as plain data."""
        return self.model_dump(mode="json")

    @property
    def train_preprocess(self) -> Preprocess:
        """Of the training crops, which are larger than the input for random resized crops to cut from."""
        return self.preprocess.model_copy(update={"size": round(self.preprocess.size * self.train.enlarge)})

    @property
    def digest(self) -> str:
        """Digest of the resolved recipe."""
        return atomic_io.digest(self.to_json())


def load(path: str | Path, overrides: Sequence[str] = (), data: Path | None = None) -> Recipe:
    """Read a recipe and apply `key=value` overrides.

    Args:
        path: the YAML file, or the name of a recipe of the package.
        overrides: such as `train.epochs=3`; values are YAML.
        data: replaces `data.path`, and a source that reads other folders where this is one of COCO files.

    Raises:
        UserError: unreadable, or wrong in any place; the message lists every fault.
    """
    path = packaged_configs.find_config(path, packaged_configs.RECIPE)
    tree = yaml_config.read_yaml(path, "recipe", "name, data, train")
    for text in overrides:
        _override(tree, text)
    if data is not None:
        section = tree.setdefault("data", {})
        if isinstance(section, dict):  # else it is named among the faults
            tree["data"] = with_path(section, data, COMMON)
    return validate_recipe(_with_statistics(tree), str(path))


def override_recipe(recipe: Mapping[str, Any], overrides: Sequence[str], where: str) -> Recipe:
    """A recipe's tree with `key=value` overrides.

    Raises:
        UserError: wrong in any place.
    """
    tree = deepcopy(dict(recipe))
    for text in overrides:
        _override(tree, text)
    return validate_recipe(tree, where)


def _with_statistics(tree: dict[str, Any]) -> dict[str, Any]:
    """Fill in the mean and deviation that a timm backbone's weights were made with, where the recipe sets none."""
    arch, preprocess = tree.get("arch"), tree.setdefault("preprocess", {})
    base = arch.get("base") if isinstance(arch, dict) else None
    if isinstance(base, str) and networks.is_timm(base) and isinstance(preprocess, dict):
        mean, std = networks.normalization_statistics(base)
        preprocess.setdefault("mean", list(mean))
        preprocess.setdefault("std", list(std))
    return tree


def validate_recipe(tree: Any, where: str) -> Recipe:
    """Check a recipe's tree.

    Raises:
        UserError: with one line for each fault, or no mapping.
    """
    if not isinstance(tree, dict):
        raise UserError(f"recipe {where}: got {type(tree).__name__}, need keys such as name, data, train")
    faults: list[str] = []
    recipe = None
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        faults += yaml_config.validation_faults(error, Recipe)
    faults += data_faults(tree.get("data"))
    if faults or recipe is None:
        text = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise UserError(f"recipe {where}: {text}: " + "; ".join(faults))
    return recipe


def source_config(data: dict[str, Any], **more: Any) -> tuple[types.ModuleType, Any]:
    """Return the module and the checked Config of a recipe's `data` section; `more` fills what is not set.

    Raises:
        UserError: no such source, or a key is wrong.
    """
    module = plugins.load_module("sources", str(data["source"]))
    settings = {key: value for key, value in more.items() if key in module.Config.model_fields}
    own = {key: value for key, value in data.items() if key not in COMMON}
    return module, module.Config.model_validate(settings | own)


def split_config(data: dict[str, Any]) -> SplitConfig:
    """The checked `split` part of a recipe's `data` section; every source takes it."""
    return SplitConfig.model_validate(data.get("split", {}))


def keep_classes(data: dict[str, Any]) -> tuple[str, ...]:
    """The checked `keep_classes` of a recipe's `data` section: classes that stay although no crop shows them."""
    return TypeAdapter(tuple[str, ...]).validate_python(data.get("keep_classes", ()))


def data_faults(data: Any, out: Path = Path()) -> list[str]:
    """Everything that is wrong with a `data` section, one line each."""
    if not isinstance(data, dict):
        return []  # already said by the recipe's own check
    if "source" not in data:
        return [f"data.source: missing; allowed: {', '.join(plugins.list_plugins('sources'))}"]
    faults = []
    try:
        source_config(data, path=out, out=out)
    except ValidationError as error:
        faults += yaml_config.validation_faults(
            error, plugins.load_module("sources", str(data["source"])).Config, "data."
        )
    except LeansortError as error:
        faults.append(f"data.{error}")
    try:
        split_config(data)
    except ValidationError as error:
        faults += yaml_config.validation_faults(error, SplitConfig, "data.split.")
    try:
        keep_classes(data)
    except ValidationError:
        faults.append(f"data.keep_classes: got {data['keep_classes']!r}, need a list of class names")
    return faults


def _override(tree: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"override: got {text!r}, need key=value, e.g. train.epochs=3")
    *above, last = key.strip().split(".")
    for part in above:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise UserError(f"override: {key!r} goes below {part!r}, which holds a plain value")
    tree[last] = yaml_config.parse_yaml(value, f"override: the value of {text!r}")
