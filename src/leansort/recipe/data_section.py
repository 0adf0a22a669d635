"""The `data` section of a recipe: a source, its own settings, and what every source takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from leansort.core import plugins
from leansort.core.errors import LeansortError
from leansort.core.text import yaml_config
from leansort.data.importing.data_source import DataSource
from leansort.data.splits import SplitConfig

COMMON = ("source", "split", "keep_classes", "corrections")  # keys of a `data` section that belong to no source


def data_source(data: dict[str, Any], **more: Any) -> DataSource:
    """Return the source of a recipe's `data` section with its checked settings; `more` fills what is not set.

    Raises:
        UserError: no such source, or a key is wrong.
    """
    kind = plugins.load("sources", str(data["source"]), DataSource)
    settings = {key: value for key, value in more.items() if key in kind.Config.model_fields}
    own = {key: value for key, value in data.items() if key not in COMMON}
    return kind(kind.Config.model_validate(settings | own))


def split_config(data: dict[str, Any]) -> SplitConfig:
    """The checked `split` part of a recipe's `data` section; every source takes it."""
    return SplitConfig.model_validate(data.get("split", {}))


def keep_classes(data: dict[str, Any]) -> tuple[str, ...]:
    """The checked `keep_classes` of a recipe's `data` section: classes that stay although no crop shows them."""
    return TypeAdapter(tuple[str, ...]).validate_python(data.get("keep_classes", ()))


def corrections_file(data: dict[str, Any]) -> Path | None:
    """The checked `corrections` of a recipe's `data` section: a file that corrects labels; None where there is none."""
    return TypeAdapter(Path | None).validate_python(data.get("corrections"))


def data_faults(data: Any, out: Path = Path()) -> list[str]:
    """Everything that is wrong with a `data` section, one line each."""
    if not isinstance(data, dict):
        return []  # already said by the recipe's own check
    if "source" not in data:
        return [f"data.source: missing; allowed: {', '.join(plugins.list_plugins('sources'))}"]
    faults = []
    try:
        data_source(data, path=out, out=out)
    except ValidationError as error:
        kind = plugins.load("sources", str(data["source"]), DataSource)
        faults += yaml_config.validation_faults(error, kind.Config, "data.")
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
    try:
        corrections_file(data)
    except ValidationError:
        faults.append(f"data.corrections: got {data['corrections']!r}, need the path of a corrections file")
    return faults
