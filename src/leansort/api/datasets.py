"""Data sets: drawn, imported, checked and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leansort.api.jobs import resolve, run_folder
from leansort.api.verbs import AnyPath, optional, several, verb
from leansort.core.errors import UserError
from leansort.core.locations.location import location

if TYPE_CHECKING:
    from leansort.recipe.schema import Recipe
    from leansort.workflows.data.data_results import CheckResult, ImportResult, SampleResult, SplitResult
    from leansort.workflows.training.doubt.doubt_result import DoubtResult

RATIOS = "0.7,0.15,0.15"


@verb(seed=0, train=1, val=1, test=1, frames=1, blur=0, glare=(0, 1), density=0.1, crossing=0.1)
def draw_sample(
    out: AnyPath,
    *,
    seed: int = 0,
    train: int | None = None,
    val: int | None = None,
    test: int | None = None,
    video: bool = False,
    frames: int | None = None,
    size: str = "",
    blur: int | None = None,
    glare: float | None = None,
    density: float | None = None,
    crossing: float | None = None,
) -> SampleResult:
    """Draw a COCO data set of trash scenes, or a video of trash on a belt; the same seed draws the same.

    >>> import leansort
    >>> result = leansort.draw_sample("scenes", seed=7, train=3, val=1, test=1)
    >>> result.scenes
    {'train': 3, 'val': 1, 'test': 1}

    Args:
        out: folder to draw into; must be new or empty.
        seed: at least 0.
        train: scenes to train on, at least 1; None for 900.
        val: scenes to choose on, at least 1; None for 150.
        test: scenes to score on, at least 1; None for 250.
        video: whether to draw a belt as `belt.mp4`, with 30 frames a second, and `truth.jsonl`: a line for each object
            in each frame, with `frame`, `object`, `label`, `box` and `visible`. Needs the extra `video`.
        frames: of the video, at least 1; None for 300.
        size: of the video in pixels, such as `1280x720`; empty for `640x360`.
        blur: length of the motion blur in pixels, 0 or more; None for none.
        glare: how white the reflection of a lamp is that objects pass through, 0 to 1; None for none.
        density: objects a second that pass in the video, at least 0.1: the more, the smaller they are, in as many lanes
            as it takes; none covers another one. None for two lanes of large objects, about two a second.
        crossing: seconds that an object takes through the picture, at least 0.1; None for 2.

    Returns:
        Where the annotation file is, and how many objects it has.

    Raises:
        UserError: the folder is not empty, or an option is of scenes and a video is asked for, or the other way round.
        MissingExtraError: a video needs PyAV, which is not installed.
    """
    from leansort.workflows.data.sampling.sample_drawing import SampleOptions, draw

    scenes = {"train": train, "val": val, "test": test}
    return draw(Path(out), SampleOptions(seed, scenes, video, frames, size, blur, glare, density, crossing))


@verb(seed=0)
def import_data(
    source: str,
    paths: AnyPath | Sequence[AnyPath] | Mapping[str, AnyPath],
    *,
    out: AnyPath,
    images: AnyPath | Mapping[str, AnyPath] | None = None,
    map: AnyPath | None = None,
    margin: float | None = None,
    min_size: int | None = None,
    polygons: bool = False,
    crowds: bool = False,
    bare_names: bool = False,
    tolerate: float | None = None,
    keep_classes: Sequence[str] | None = None,
    corrections: AnyPath | None = None,
    split: str = "hash",
    ratios: str = RATIOS,
    seed: int = 0,
) -> ImportResult:
    """Turn a data set into a manifest: one row a crop, with label, split and hash.

    >>> import leansort
    >>> result = leansort.import_data("coco", "runs/first/data/annotations.json", out="crops")
    >>> sorted(result.splits)
    ['test', 'train', 'val']

    Args:
        source: kind of data set: `coco`, `folder`, `table`, `cifar`, `sample`, or one of a plugin.
        paths: its folder or file; for COCO also several, or the path by split.
        out: folder for the manifest, and for the crops that are cut.
        images: folder of the photos, or the folder by split; the annotations' by default.
        map: category map of a COCO source: the name of one in the package, or the path of a YAML file.
        margin: of a COCO source: context on every side, as a fraction of the box's longer side.
        min_size: of a COCO source: least side of a box in pixels.
        polygons: of a COCO source: bounds of polygons in place of `bbox`.
        crowds: of a COCO source: take crowds as single objects.
        bare_names: of a COCO source: of a photo's name take the last part only.
        tolerate: fraction of pictures that may be missing or unreadable.
        keep_classes: classes that stay although no crop shows them, or none in train.
        corrections: CSV with the columns `file` and `label` that corrects labels, as `doubt_labels` writes one.
        split: `hash`, by name alone, or `class`, where every class gets its fraction.
        ratios: fractions of train, val and test, where the data set gives no splits.
        seed: of the splits, at least 0.

    Returns:
        Crops by split and class, and what else was counted; `manifest.parquet` is in `out`.

    Raises:
        UserError: the data set cannot be used, or too many of its pictures cannot be read.
    """
    from leansort.core.writing.file_lock import stage_folder
    from leansort.workflows.data import import_data as workflow
    from leansort.workflows.data.split import parse_fractions

    given = {"images": images, "map": map, "margin": margin, "min_size": min_size, "tolerate": tolerate}
    flags = {"polygons": polygons, "crowds": crowds, "bare_names": bare_names}
    settings: dict[str, object] = {"source": source, "path": _paths(source, paths)}
    settings |= {name: value for name, value in given.items() if value is not None}
    settings |= {name: True for name, on in flags.items() if on}
    settings |= {} if keep_classes is None else {"keep_classes": list(keep_classes)}
    settings |= {} if corrections is None else {"corrections": Path(corrections)}
    settings["split"] = parse_fractions(ratios, split).model_dump()
    checked = workflow.check_source(settings, Path(out))
    with stage_folder(Path(out), "import_data") as folder:
        return workflow.counts(workflow.import_data(checked, folder, seed=seed))


def _paths(source: str, paths: AnyPath | Sequence[AnyPath] | Mapping[str, AnyPath]) -> object:
    if isinstance(paths, Mapping):
        return {split: Path(path) for split, path in paths.items()}
    listed = several(paths)
    if source != "coco" and len(listed) > 1:
        raise UserError(f"import_data: {source} takes one path, got {len(listed)}; only coco takes several")
    return listed[0] if len(listed) == 1 else tuple(listed)


@verb(radius=(0, 20))
def check_data(path: AnyPath, *, radius: int | None = None) -> CheckResult:
    """Find unreadable and unusual pictures, duplicates within and across splits, and doubtful labels.

    >>> import leansort
    >>> result = leansort.check_data("runs/first")
    >>> result.unusable
    0

    Args:
        path: a manifest, its folder, or a folder of class folders.
        radius: bits in which hashes of near pairs may differ, 0 to 20.

    Returns:
        Counts, what is wrong by kind, and pairs of pictures that show the same.

    Raises:
        UserError: there is neither a manifest nor class folders.
    """
    from leansort.workflows.data.check import check_data as workflow
    from leansort.workflows.data.check import summarize_check

    return summarize_check(workflow(location(path), radius)[0])


@verb(folds=2, top=1)
def doubt_labels(
    recipe: AnyPath | Recipe,
    overrides: Sequence[str] = (),
    *,
    data: AnyPath | None = None,
    manifest: AnyPath | None = None,
    cache: AnyPath | None = None,
    out: AnyPath | None = None,
    folds: int = 5,
    top: int = 100,
) -> DoubtResult:
    """Rank labels that are probably wrong, by predictions of classifiers that have not seen them.

    >>> import leansort
    >>> result = leansort.doubt_labels("sample", ["preprocess.size=32"], manifest="runs/first", out="doubt", top=3)
    >>> [item.rank for item in result.top]
    [1, 2, 3]

    Args:
        recipe: as for `load_recipe`; the features of its pretrained network judge.
        overrides: changes such as `preprocess.size=160`; values are YAML.
        data: replaces the recipe's `data.path`.
        manifest: judge this manifest, or its folder, in place of importing the recipe's data.
        cache: folder of the features; `cache` in `out` by default.
        out: folder for table, page and corrections file; `runs/NAME` by default, with the recipe's name.
        folds: of the cross-validation, at least 2; photos of one group are in one fold.
        top: number of photos on the page and in the corrections file, at least 1.

    Returns:
        The most doubtful labels, how many are flagged, and where table, page and corrections file are.

    Raises:
        UserError: the data cannot be used, the network or its weights cannot be had, or both `data` and `manifest` are
            given.
    """
    if data is not None and manifest is not None:
        raise UserError("doubt_labels: data and manifest each say what is judged; give one of them")
    resolved = resolve(recipe, overrides, data)
    from leansort.workflows.training.doubt.label_doubt import doubt  # after the check: this one loads PyTorch

    return doubt(
        resolved,
        run_folder(resolved, out),
        manifest=optional(manifest),
        cache=optional(cache),
        folds=folds,
        top=top,
    )


@verb(folds=2, fold=0, seed=0)
def split_data(
    manifest: AnyPath,
    *,
    out: AnyPath,
    by: str = "class",
    ratios: str | None = None,
    near_duplicates: bool = False,
    folds: int | None = None,
    fold: int | None = None,
    train_list: AnyPath | None = None,
    val_list: AnyPath | None = None,
    test_list: AnyPath | None = None,
    keep: AnyPath | None = None,
    seed: int = 0,
) -> SplitResult:
    """Split the crops of a manifest anew: crops of one photo always stay together.

    >>> import leansort
    >>> result = leansort.split_data("runs/first", out="split", ratios="0.5,0.25,0.25")
    >>> result.groups > 0
    True

    Args:
        manifest: a manifest, or its folder.
        out: folder for the new manifest.
        by: `class`, where every class gets its fraction, or `hash`, by name alone.
        ratios: fractions of train, val and test; 0.7,0.15,0.15 by default.
        near_duplicates: keep pictures that show the same on one side.
        folds: number of folds, at least 2; with `fold`.
        fold: the fold that becomes val, from 0.
        train_list: file with names for train, one a line.
        val_list: likewise for val.
        test_list: likewise for test.
        keep: older manifest whose groups stay where they are there.
        seed: at least 0; the same seed splits the same way.

    Returns:
        Crops by split and class, and how many changed sides.

    Raises:
        UserError: two ways to split at once, or a list or manifest that cannot be used.
    """
    from leansort.workflows.data.split import parse_fractions, split_manifest

    lists = {"train": train_list, "val": val_list, "test": test_list}
    given = {name: Path(path) for name, path in lists.items() if path is not None}
    if (folds is not None) + bool(given) + (keep is not None) > 1:
        raise UserError("split_data: folds, lists and keep each decide alone; give one of them")
    if (folds is None) != (fold is None):
        raise UserError("split_data: folds and fold go together, e.g. folds=5, fold=0")
    if ratios is not None and (folds is not None or given):
        raise UserError("split_data: ratios means nothing with folds or lists, which decide the fractions")
    return split_manifest(
        Path(manifest),
        Path(out),
        config=parse_fractions(ratios or RATIOS, by),
        seed=seed,
        by_duplicates=near_duplicates,
        fold=None if folds is None or fold is None else (fold, folds),
        lists=given or None,
        keep=optional(keep),
    )
