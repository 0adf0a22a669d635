"""`leansort data import`: turn a data set into a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from leansort.cli.options import Json, print_result
from leansort.core.errors import UserError
from leansort.core.locations.location import is_remote, location
from leansort.core.writing.escaping import printable

Seed = Annotated[int, typer.Option(help="Seed of the splits, where the data set gives none.", min=0)]
Method = Annotated[
    str, typer.Option(help="hash: by name alone, so that added data moves no other photo; class: stratified by class.")
]
Ratios = Annotated[str, typer.Option(help="Fractions of train, val and test.")]
RATIOS = "0.7,0.15,0.15"


def data_import(
    source: Annotated[str, typer.Argument(help="Kind of data set: coco, folder, table, cifar or sample.")],
    paths: Annotated[
        list[Path], typer.Argument(help="Its folder or file; for COCO also several, each may be SPLIT=PATH.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the manifest, and for the crops that are cut.")
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of the photos; the annotations' by default. COCO also takes SPLIT=FOLDER, repeatable.",
        ),
    ] = None,
    map: Annotated[Path | None, typer.Option(help="Category map (file or name) from categories to classes.")] = None,
    margin: Annotated[
        float | None, typer.Option(help="COCO: context margin on every side, as a fraction of the box's longer side.")
    ] = None,
    min_size: Annotated[int | None, typer.Option(help="COCO: minimum side of a box in pixels; 8 by default.")] = None,
    polygons: Annotated[
        bool, typer.Option("--polygons", help="COCO: use the bounds of polygons in place of bbox.")
    ] = False,
    crowds: Annotated[
        bool, typer.Option("--crowds", help="COCO: import crowds as single objects, as CVAT's brush writes them.")
    ] = False,
    bare_names: Annotated[
        bool, typer.Option("--bare-names", help="COCO: use only the last part of a photo's path.")
    ] = False,
    tolerate: Annotated[
        float | None, typer.Option(help="Fraction of images that may be missing or unreadable; 0.01 by default.")
    ] = None,
    keep_classes: Annotated[
        str | None, typer.Option(help="Classes to keep although they have no crop, or none in train: NAME,NAME.")
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(help="CSV with the columns file and label that corrects labels, as data doubt writes one."),
    ] = None,
    split: Method = "hash",
    ratios: Ratios = RATIOS,
    seed: Seed = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; reads no photos and writes nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Turn a data set into a manifest: one row a crop, with label, split and hash.

    \b
    Example: leansort data import coco sample/annotations.json --out sample-crops
    """
    from leansort.core.run_folder import DataFolder
    from leansort.core.writing.file_lock import stage_folder
    from leansort.workflows.data import import_data
    from leansort.workflows.data.split import parse_fractions as fractions

    given = {"images": _images(images or []), "map": map, "margin": margin, "min_size": min_size, "tolerate": tolerate}
    if source != "coco" and len(paths) > 1:
        raise UserError(f"data import: {source} takes one path, got {len(paths)}; only coco takes several")
    settings: dict[str, Any] = {"source": source, "path": _paths(paths)}
    settings |= {name: value for name, value in given.items() if value is not None}
    flags = {"polygons": polygons, "crowds": crowds, "bare_names": bare_names}
    settings |= {name: True for name, on in flags.items() if on}
    settings |= {} if keep_classes is None else {"keep_classes": keep_classes.split(",")}
    settings |= {} if corrections is None else {"corrections": corrections}
    settings["split"] = fractions(ratios, split).model_dump()
    checked = import_data.check_source(settings, out or Path())
    if dry_run:
        surveyed = import_data.survey(checked)
        print_result(surveyed, as_json, import_data.survey_table(surveyed))
        return
    if out is None:
        raise UserError("data import: --out is missing; name a folder, or count only with --dry-run")
    with stage_folder(out, "data import") as folder:
        counted = import_data.counts(import_data.import_data(checked, folder, seed=seed))
    lines = [f"{name}: {sum(by.values())} crops  {by}" for name, by in counted.splits.items()]
    notes = [printable(f"{name}: {value}") for name, value in counted.notes.items()]
    print_result(counted, as_json, "\n".join([*lines, *notes, f"manifest: {DataFolder(out).manifest}"]))


def _paths(paths: list[Path]) -> Any:
    """One path, several, or a mapping of split to path."""
    from leansort.core.folders.folder_tree import split_of
    from leansort.core.manifest import SPLITS

    named = [("", "", "") if is_remote(location(path)) else str(path).partition("=") for path in paths]
    keyed = [bool(equals) and split_of(split) is not None for split, equals, _ in named]
    for path, (_, equals, _), known in zip(paths, named, keyed, strict=True):
        if equals and not path.exists() and (not known or not all(mark for _, mark, _ in named)):
            raise UserError(
                f"data import: got {str(path)!r}; SPLIT=FILE is for all files or none, SPLIT one of {SPLITS}"
            )
    if not all(keyed):
        return paths[0] if len(paths) == 1 else tuple(paths)
    given: dict[str, tuple[Path, ...]] = {}
    for split, _, rest in named:
        key = str(split_of(split))
        given[key] = (*given.get(key, ()), location(rest))
    return {split: files[0] if len(files) == 1 else files for split, files in given.items()}


def _images(folders: list[str]) -> Any:
    """One folder of photos for all, a mapping of split or file to folder, or None."""
    keyed = [folder.partition("=") for folder in folders]
    if len(folders) == 1 and (not keyed[0][1] or Path(folders[0]).exists()):
        return Path(folders[0])
    if not all(key and equals and folder for key, equals, folder in keyed):
        raise UserError(f"--images: got {', '.join(folders)}; give one folder for all, or SPLIT=FOLDER for each")
    if len({key for key, _, _ in keyed}) < len(keyed):
        raise UserError(f"--images: got {', '.join(folders)}; a split or file is there twice")
    return {key: Path(folder) for key, _, folder in keyed} or None
