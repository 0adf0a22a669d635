"""Folders of COCO files as Roboflow, COCO itself, CVAT and Label Studio lay them out, recognized by their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.folders.archives import require_unpacked
from leansort.core.folders.folder_tree import split_of
from leansort.core.folders.folder_walk import reason
from leansort.data.coco.annotation_files import (
    AnnotationFile,
    Layout,
    Paths,
    list_paths,
    require_once,
    set_image_folders,
)
from leansort.data.importing.safe_paths import printable_name

ROBOFLOW, OWN, CVAT = "Roboflow's COCO export", "COCO's own layout", "CVAT's COCO export"
STUDIO, SINGLE = "Label Studio's COCO export", "a COCO data set"
KNOWN = (
    "train|valid|test/_annotations.coco.json (Roboflow), annotations/instances_*.json (COCO, CVAT), "
    "result.json with images/ (Label Studio), annotations.json"
)
SHOWN, DEEP = 8, 2


def gather_files(
    path: Paths | Mapping[str, Paths], images: Path | Mapping[str, Path] | None
) -> tuple[tuple[AnnotationFile, ...], list[str]]:
    """Every annotation file to read, and a line on each folder that was recognized.

    Args:
        path: files or folders, alone, several, or by split.
        images: folder of all photos, or by split or annotation file; None: where the layout has them, or beside
            each file.

    Raises:
        UserError: a folder is of no known layout, a path is an archive or given twice, or a key stands for nothing.
    """
    layouts = [_layout(item, split) for item, split in list_paths(path)]
    files = set_image_folders([file for layout in layouts for file in layout.files], images)
    require_once(files)
    lines, start = [], 0
    for layout in layouts:
        own = files[start : start + len(layout.files)]
        start += len(own)
        lines += [replace(layout, files=own).line()] if layout.kind else []
    return files, lines


def recognize_layout(folder: Path) -> Layout | None:
    """The layout of a folder; None where it has none that is known.

    Raises:
        UserError: two of its parts mean the same split.
    """
    for look in (_roboflow, _instances, _label_studio, _single):
        layout = look(folder)
        if layout:
            return layout
    return None


def _layout(path: Path, split: str | None) -> Layout:
    """The files of one path; a split that the user gives goes over a layout's own where it has one file."""
    if not path.is_dir():
        require_unpacked(path, "annotations")
        return Layout("", path.parent, (AnnotationFile(path, split, path.parent),))
    layout = recognize_layout(path)
    if layout is None:
        raise _unknown(path)
    if split is None:
        return layout
    own = sorted({file.split for file in layout.files if file.split})
    if own and len(layout.files) > 1:
        raise UserError(
            f"annotations: {path} is given as {split} and has its own splits ({', '.join(own)}); "
            f"give it without {split}="
        )
    return replace(layout, files=tuple(replace(file, split=split) for file in layout.files))


def _roboflow(folder: Path) -> Layout | None:
    name = "_annotations.coco.json"
    inside = [(entry, split_of(entry.name)) for entry in [*_entries(folder), folder] if (entry / name).is_file()]
    parts: list[tuple[Path, str | None]] = [(entry, split) for entry, split in inside if split and entry != folder]
    if not parts and (folder / name).is_file():
        parts = [(folder, None)]
    used = [entry for entry, _ in parts]
    aside = [printable_name((entry / name).relative_to(folder).as_posix()) for entry, _ in inside if entry not in used]
    _require_one_each(folder, [(entry.name, split) for entry, split in parts])
    files = sorted((AnnotationFile(entry / name, split, entry) for entry, split in parts), key=_in_order)
    return Layout(ROBOFLOW, folder, tuple(files), tuple(aside)) if files else None


def _instances(folder: Path) -> Layout | None:
    """`annotations/instances_PART.json`, where PART is a split, a split and a year, or CVAT's name of a subset."""
    listed_files = [entry for entry in _entries(folder / "annotations") if entry.suffix.lower() == ".json"]
    result = {entry.stem.removeprefix("instances_"): entry for entry in listed_files if _of_instances(entry)}
    if not result:
        return None
    splits = {part: split_of(re.sub(r"[-_ ]?\d{2,4}$", "", part)) for part in result}
    _require_one_each(folder, [(result[part].name, split) for part, split in splits.items()])
    places = {part: _photos(folder, part) for part in result}
    files = [AnnotationFile(result[part], splits[part], places[part]) for part in result]
    packed = all(place.is_relative_to(folder / "images") for place in places.values())
    kind = CVAT if packed and not any(re.search(r"\d{4}$", part) for part in result) else OWN
    aside = tuple(printable_name(entry.name) for entry in listed_files if not _of_instances(entry))
    return Layout(kind, folder, tuple(sorted(files, key=_in_order)), aside)


def _of_instances(entry: Path) -> bool:
    return entry.name.startswith("instances_") and entry.is_file()


def _photos(folder: Path, part: str) -> Path:
    """Where the photos of `instances_PART.json` are: a folder of the part's name, else all in `images/`."""
    places = (folder / part, folder / "images" / part)
    return next((place for place in places if place.is_dir()), folder / "images")


def _label_studio(folder: Path) -> Layout | None:
    path, images = folder / "result.json", folder / "images"
    if not (path.is_file() and images.is_dir()):
        return None
    return Layout(STUDIO, folder, (AnnotationFile(path, None, images),))


def _single(folder: Path) -> Layout | None:
    path = folder / "annotations.json"
    return Layout(SINGLE, folder, (AnnotationFile(path, None, folder),)) if path.is_file() else None


def _require_one_each(folder: Path, parts: Sequence[tuple[str, str | None]]) -> None:
    doubled = [split for split, times in Counter(split for _, split in parts if split).items() if times > 1]
    if doubled:
        both = ", ".join(repr(name) for name, split in parts if split == doubled[0])
        raise UserError(f"annotations: {folder} has {both}, which all mean {doubled[0]}; give the files one by one")


def _unknown(folder: Path) -> UserError:
    """What was looked for, and the JSON files that are there."""
    there = sorted(_json_files(folder, DEEP))
    shown = ", ".join(there[:SHOWN]) + (f" and {len(there) - SHOWN} more" if len(there) > SHOWN else "")
    inner = next((entry for entry in _entries(folder) if entry.is_dir() and recognize_layout(entry)), None)
    hint = (
        f"; did you mean {printable_name(str(inner))}?"
        if inner
        else "; give one of them with --images FOLDER" * bool(there)
    )
    return UserError(
        f"annotations: {folder} is no known layout of a COCO data set; looked for {KNOWN}; "
        f"JSON files there: {shown or 'none'}{hint}"
    )


def _json_files(folder: Path, deep: int) -> list[str]:
    result = []
    for entry in _entries(folder):
        if entry.is_dir() and deep:
            result += [f"{printable_name(entry.name)}/{name}" for name in _json_files(entry, deep - 1)]
        elif entry.suffix.lower() == ".json":
            result.append(printable_name(entry.name))
    return result


def _entries(folder: Path) -> list[Path]:
    """What a folder holds, without what is hidden or left by tools; nothing where it is none or may not be read."""
    try:
        return sorted(entry for entry in folder.iterdir() if not reason(entry.name))
    except OSError:
        return []


def _in_order(file: AnnotationFile) -> tuple[int, str]:
    order = ("train", "val", "test", None)
    return order.index(file.split), str(file.path)
