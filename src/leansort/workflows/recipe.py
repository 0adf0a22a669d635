"""Recipes: strict YAML, `key=value` overrides, every fault at once."""

from __future__ import annotations

import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leansort.core import plugins, store
from leansort.core.errors import LeansortError, UserError, did_you_mean
from leansort.core.preprocess import Preprocess
from leansort.data.augment_config import AugmentConfig
from leansort.measure.contest import Baselines
from leansort.train.config import TrainConfig


class ArchConfig(BaseModel):
    """Which network: the fields of an ArchSpec that a recipe sets; the classes come from the data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str = "mnasnet"
    width: float = Field(default=1.0, gt=0.05, le=4.0)
    dropout: float | None = Field(default=None, ge=0.0, lt=1.0)


class BenchConfig(BaseModel):
    """How long and with how many compute threads the bundle is timed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(default=3.0, gt=0.0, le=600.0)
    threads: int = Field(default=1, ge=1, le=256)


class Recipe(BaseModel):
    """A whole job, from data to report.

    Attributes:
        name: names the run folder and the model.
        title: of the report.
        seed: root of all randomness.
        data: `source` names a data source; the other keys are that source's own.
        preprocess: how pictures become the network's input.
        arch: the network.
        augment: how training crops are varied.
        train: how it is trained.
        bench: how it is timed.
        contest: baselines of the contest score.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str = ""
    seed: int = Field(default=0, ge=0)
    data: dict[str, Any]
    preprocess: Preprocess = Preprocess()
    arch: ArchConfig = ArchConfig()
    augment: AugmentConfig = AugmentConfig()
    train: TrainConfig = TrainConfig()
    bench: BenchConfig = BenchConfig()
    contest: Baselines = Baselines()

    def to_json(self) -> dict[str, Any]:
        """The resolved recipe as plain data."""
        return self.model_dump(mode="json")

    @property
    def digest(self) -> str:
        """Digest of the resolved recipe."""
        return store.digest(self.to_json())


def load(path: Path, overrides: Sequence[str] = (), data: Path | None = None) -> Recipe:
    """Read a recipe and apply `key=value` overrides.

    Args:
        path: the YAML file.
        overrides: such as `train.epochs=3`; values are YAML.
        data: replaces `data.path`.

    Raises:
        UserError: unreadable, or wrong in any place; the message lists every fault.
    """
    tree = _tree(path)
    for text in overrides:
        _override(tree, text)
    if data is not None:
        tree.setdefault("data", {})["path"] = str(data)
    return validated(tree, str(path))


def validated(tree: dict[str, Any], where: str) -> Recipe:
    """Check a recipe's tree.

    Raises:
        UserError: with one line for each fault.
    """
    faults: list[str] = []
    recipe = None
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        faults += _faults(error, Recipe)
    faults += data_faults(tree.get("data"))
    if faults or recipe is None:
        one = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise UserError(f"recipe {where}: {one}: " + "; ".join(faults))
    return recipe


def source_config(data: dict[str, Any], **more: Any) -> tuple[types.ModuleType, Any]:
    """Return the module and the checked Config of a recipe's `data` section; `more` fills what is not set.

    Raises:
        UserError: no such source, or a key is wrong.
    """
    module = plugins.load("sources", str(data["source"]))
    settings = {key: value for key, value in more.items() if key in module.Config.model_fields}
    return module, module.Config(**(settings | {key: value for key, value in data.items() if key != "source"}))


def data_faults(data: Any, out: Path = Path()) -> list[str]:
    """Everything that is wrong with a `data` section, one line each."""
    if not isinstance(data, dict):
        return []  # already said by the recipe's own check
    if "source" not in data:
        return [f"data.source: missing; allowed: {', '.join(plugins.found('sources'))}"]
    try:
        module, _ = source_config(data, path=out, out=out)
    except ValidationError as error:
        module = plugins.load("sources", str(data["source"]))
        return _faults(error, module.Config, "data.")
    except LeansortError as error:
        return [f"data.{error}"]
    return []


def _tree(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"recipe: cannot read {path} ({error.strerror or error})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"recipe: {path} is not YAML ({' '.join(str(error).split())[:140]})") from None
    if not isinstance(tree, dict):
        raise UserError(f"recipe: {path} holds {type(tree).__name__}, need keys such as name, data, train")
    return tree


def _override(tree: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"override: got {text!r}, need key=value, e.g. train.epochs=3")
    *above, last = key.strip().split(".")
    for part in above:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise UserError(f"override: {key!r} goes below {part!r}, which holds a plain value")
    try:
        tree[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise UserError(f"override: the value of {text!r} is not YAML") from None


def _faults(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[str]:
    return [_fault(one, model, prefix) for one in error.errors()]


def _fault(one: Any, model: type[BaseModel], prefix: str) -> str:
    place = prefix + ".".join(str(part) for part in one["loc"])
    if one["type"] == "extra_forbidden":
        allowed = _fields_at(model, one["loc"][:-1])
        return f"{place}: unknown key{did_you_mean(str(one['loc'][-1]), allowed)}; allowed: {', '.join(allowed)}"
    if one["type"] == "missing":
        return f"{place}: missing"
    return f"{place}: got {one['input']!r}, {one['msg'][0].lower()}{one['msg'][1:]}"


def _fields_at(model: type[BaseModel], loc: Sequence[Any]) -> list[str]:
    for part in loc:
        annotation = model.model_fields[str(part)].annotation
        candidates = (annotation, *get_args(annotation))
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return list(model.model_fields)
