"""Category maps: which of a data set's categories become which class, and which are dropped by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationError

from leansort.core.errors import UserError, did_you_mean
from leansort.core.labels import LabelSet, normalize_name, require_distinct
from leansort.core.strict_model import StrictModel
from leansort.core.text import yaml_config
from leansort.core.text.packaged_configs import CATEGORY_MAP, find_config
from leansort.data.importing.class_selection import normalize_labels
from leansort.data.importing.items import Items

DROPPED = -1


def _locate(given: Path) -> Path:
    try:
        return find_config(given, CATEGORY_MAP)
    except UserError as error:
        raise ValueError(str(error)) from None


CategoryMapPath = Annotated[Path, AfterValidator(_locate)]  # a setting: a file, or the name of a map of the package


class CategoryMap(StrictModel):
    """A category map file.

    Attributes:
        labels: the classes, in the order of the network's outputs.
        map: for each class the categories that become it.
        drop: categories that are left out, and counted.
        doubled_annotation_ids: COCO annotation ids that a data set is known to use twice for different boxes; both
            boxes are kept. Any other doubled id is an error.
    """

    labels: tuple[str, ...]
    map: dict[str, tuple[str, ...]]
    drop: tuple[str, ...] = ()
    doubled_annotation_ids: tuple[int | str, ...] = ()

    def resolve(self, names: Iterable[str], where: str) -> dict[str, int]:
        """Return the class index of every category of a data set, -1 for a dropped one.

        Args:
            names: the data set's categories.
            where: names the map in the error.

        Raises:
            UserError: a category is neither mapped nor dropped, or the map names one that the data lack.
        """
        index = LabelSet.of(self.labels).index
        chosen = {normalize_name(name): index(label) for label, result in self.map.items() for name in result}
        chosen |= dict.fromkeys(map(normalize_name, self.drop), DROPPED)
        written = list(names)
        known = list(dict.fromkeys(map(normalize_name, written)))
        open_ones = [name for name in known if name not in chosen]
        faults = [f"category {n!r} is neither mapped nor dropped{did_you_mean(n, chosen)}" for n in open_ones]
        strangers = [name for name in chosen if name not in known]
        faults += [f"{name!r} is no category of the data{did_you_mean(name, known)}" for name in strangers]
        if faults:
            raise UserError(f"category map {where}: " + "; ".join(_shortened(faults)))
        return {name: chosen[normalize_name(name)] for name in written}


def load(path: str | Path) -> CategoryMap:
    """Read a category map: a file, or one of the package by its name.

    Raises:
        UserError: unreadable, a category is named twice, or a class is not among `labels`.
    """
    path = find_config(path, CATEGORY_MAP)
    tree = yaml_config.read_yaml(path, "category map", "labels, map, drop")
    try:
        read = CategoryMap.model_validate(tree)
    except ValidationError as error:
        raise UserError(
            f"category map {path}: " + "; ".join(yaml_config.validation_faults(error, CategoryMap))
        ) from None
    labels = LabelSet.of(map(normalize_name, read.labels), f"category map {path}")
    require_distinct(labels.names, f"category map {path}: labels")
    mapped = {labels.index(label, f"category map {path}: map") for label in read.map}
    without = [label for at, label in enumerate(labels.names) if at not in mapped]
    if without:
        raise UserError(f"category map {path}: no category is mapped to {', '.join(without)}")
    places = [*read.map.values(), read.drop]
    times = Counter(name for names in places for name in names)  # of a class two spellings of a name may be listed
    times |= Counter(name for names in places for name in set(map(normalize_name, names)))
    doubled = sorted(name for name, count in times.items() if count > 1)
    if doubled:
        raise UserError(f"category map {path}: named twice: {', '.join(doubled)}; every category has one place")
    return read.model_copy(update={"labels": labels.names})


def apply_category_map(result: Items, path: Path | None) -> Items:
    """Give a source's items the classes of a map; None leaves them as they are.

    Raises:
        UserError: the map does not fit the source's classes, or without one two classes differ in case only.
    """
    result = normalize_labels(result)
    if path is None:
        require_distinct(dict.fromkeys(item.label for item in result.items), "data")
        return result
    category_map = load(path)
    index = category_map.resolve(result.labels.names, str(path))
    kept = [replace(i, label=category_map.labels[index[i.label]]) for i in result.items if index[i.label] != DROPPED]
    dropped = Counter(item.label for item in result.items if index[item.label] == DROPPED)
    notes = {**result.notes, **({"dropped categories": dict(dropped)} if dropped else {})}
    return replace(result, items=kept, labels=LabelSet.of(category_map.labels), notes=notes)


def _shortened(lines: Sequence[str], most: int = 12) -> list[str]:
    return [*lines[:most], *([f"and {len(lines) - most} more"] if len(lines) > most else [])]
