"""The field: drift watched, photos mined, data sets that grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from leansort.api.verbs import AnyPath, several, verb

if TYPE_CHECKING:
    from leansort.runtime.drift.drift_status import DriftAlarm
    from leansort.workflows.data.data_growth import AddResult, DiffResult
    from leansort.workflows.field.drift_watching import WatchResult
    from leansort.workflows.field.photo_mining import MineResult


@verb(yellow=(0, 1), red=(0, 1), window=1)
def watch(
    bundle: AnyPath,
    source: AnyPath,
    *,
    out: AnyPath,
    yellow: float = 0.01,
    red: float = 0.0001,
    window: int = 1000,
    reference: AnyPath | None = None,
    engine: str = "",
    stream: BinaryIO | None = None,
    shuffle: bool = False,
    on_alarm: Callable[[DriftAlarm], None] | None = None,
) -> WatchResult:
    """Watch photos or predictions for drift, without labels.

    A robot that classifies what its camera sees is watched by `Classifier.load(bundle, watch="folder")`.

    >>> import leansort
    >>> result = leansort.watch("runs/first/model.leansort", "runs/first/data/crops/test", out="watch", shuffle=True)
    >>> [item.name for item in result.status.statistics][:3]
    ['confidence', 'novelty', 'brightness']

    Args:
        bundle: path of the bundle, or a name that `leansort.models` lists.
        source: a log as `leansort predict --format json --statistics` writes it, a folder of photos, or `-` for lines
            of such a log, or of paths, that `stream` gives.
        out: folder of the watch; an earlier watch of the same bundle and source is gone on with.
        yellow: largest probability, above 0, that photos like val's ever raise a yellow alarm.
        red: the same for red, at most `yellow`.
        window: latest photos that class shares are estimated on, at least 1.
        reference: photos with labels (manifest, class folders, or CSV) to compare with in place of what the bundle
            holds; needed for bundles from before they held any.
        engine: that classifies photos, as for `predict`.
        stream: what `-` stands for, binary.
        shuffle: take the photos of a folder in random order: is the folder as a whole like val?
        on_alarm: called with each alarm as it is raised.

    Returns:
        Evidence and level of each statistic, corrected class shares, all alarms, and where the page is.

    Raises:
        UserError: there is no such bundle or source, the bundle tells no drift, or the folder is of another watch.
        IntegrityError: the bundle is damaged.
    """
    from leansort.core import bundle as bundles
    from leansort.runtime.drift.drift_status import DriftSettings
    from leansort.runtime.shipped_models import find_bundle
    from leansort.workflows.deploy.reference_photos import add_reference
    from leansort.workflows.field.drift_watching import name_source, watch_source

    settings = DriftSettings(yellow, red, window)
    opened = bundles.load(find_bundle(bundle))
    name_source(str(source))  # before photos are classified for the reference
    if reference is not None:
        opened = add_reference(opened, Path(reference), engine)
    return watch_source(
        opened, str(source), Path(out), settings, engine=engine, stream=stream, shuffle=shuffle, on_alarm=on_alarm
    )


@verb(keep=1, megabytes=0)
def mine(
    bundle: AnyPath,
    folder: AnyPath,
    *,
    out: AnyPath,
    keep: int | None = None,
    megabytes: float | None = None,
    format: str = "csv",
    engine: str = "",
) -> MineResult:
    """Choose the photos of a folder that are most worth a label, and copy them with the bundle's guesses.

    >>> import leansort
    >>> result = leansort.mine("runs/first/model.leansort", "runs/first/data/crops/test", out="mined", keep=3)
    >>> len(result.photos)
    3

    Args:
        bundle: path of the bundle, or a name that `leansort.models` lists.
        folder: folder of photos.
        out: folder to make: `photos`, and beside it the guesses, to be corrected by a person.
        keep: number of photos at most, at least 1; `keep`, `megabytes` or both.
        megabytes: size of all chosen photos at most.
        format: of the guesses: `csv`, which the source `table` and `add_data` read, or `coco`.
        engine: as for `predict`.

    Returns:
        The chosen photos in order, the guesses, and what was left out.

    Raises:
        UserError: no limit is given, there is no such bundle, folder or format, or no photo can be read.
        IntegrityError: the bundle is damaged.
    """
    from leansort.core import bundle as bundles
    from leansort.runtime.shipped_models import find_bundle
    from leansort.workflows.field.photo_mining import mine_photos

    return mine_photos(
        bundles.load(find_bundle(bundle)),
        Path(folder),
        Path(out),
        keep=keep,
        megabytes=megabytes,
        style=format,
        engine=engine,
    )


@verb()
def add_data(manifest: AnyPath, new: AnyPath | Sequence[AnyPath], *, out: AnyPath, split: str = "") -> AddResult:
    """Make a manifest of an old one and newly labelled photos; old crops keep their splits.

    >>> import leansort
    >>> _ = leansort.draw_sample("more", seed=9, train=2, val=1, test=1)
    >>> _ = leansort.import_data("coco", "more/annotations.json", out="more-crops")
    >>> result = leansort.add_data("runs/first", "more-crops", out="grown")
    >>> sum(result.added["train"].values()) > 0
    True

    Args:
        manifest: the old manifest, or its folder.
        new: manifests, class folders, or CSV files with the columns image and label.
        out: folder for the new manifest; no photo is copied.
        split: of all new photos; where empty, what their source says, else train.

    Returns:
        How many were added, by split and class, and what was left out by name.

    Raises:
        UserError: a source cannot be used, has a class that the manifest has not, or nothing is left to add.
    """
    from leansort.workflows.data.data_growth import add_photos

    return add_photos(Path(manifest), several(new), Path(out), split=split)


@verb()
def diff_data(first: AnyPath, second: AnyPath) -> DiffResult:
    """Say what a second manifest has differently from a first one.

    >>> import leansort
    >>> result = leansort.diff_data("runs/first", "runs/first")
    >>> result.added, result.removed
    ((), ())

    Args:
        first: a manifest, or its folder.
        second: another one.

    Returns:
        Crops that were added, removed, relabelled and moved between splits, and classes.

    Raises:
        UserError: one of them cannot be read.
    """
    from leansort.workflows.data.data_growth import diff_manifests

    return diff_manifests(Path(first), Path(second))
