"""`--data`: a recipe's `data` section with another path, read by the source that suits what lies there."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from leansort.core import plugins
from leansort.core.files.typed_result import JsonObject
from leansort.core.process.console import say
from leansort.data.coco import layouts
from leansort.data.importing.data_source import DataSource

# A source of COCO's layouts stands in for these two alone: any other one may know better what its folder is.
STAND_IN, FOR = "coco", ("folder", "sample")


def with_path(section: JsonObject, path: Path, common: Collection[str]) -> JsonObject:
    """Replace the path; where the folder is a known layout of COCO files, the source too, which is said.

    Args:
        section: the recipe's `data` section.
        path: file or folder that the user gives in its place.
        common: keys that belong to no source.

    Returns:
        The new section; keys that the source of COCO files does not have are left out, and named.

    Raises:
        UserError: the folder has a known layout, two parts of which mean the same split.
    """
    made = {**section, "path": str(path)}
    source = section.get("source")
    layout = layouts.recognize_layout(path) if source in FOR and path.is_dir() else None
    if layout is None or (source == "folder" and layout.kind == layouts.SINGLE):
        return made
    known = {*plugins.load("sources", STAND_IN, DataSource).Config.model_fields, *common}
    left = [key for key in section if key not in known]
    note = f"; left out, as they are of {source} alone: {', '.join(left)}" if left else ""
    say(f"data: {path} is {layout.kind}, read by the source {STAND_IN} in place of the recipe's {source}{note}")
    return {key: value for key, value in made.items() if key in known} | {"source": STAND_IN}
