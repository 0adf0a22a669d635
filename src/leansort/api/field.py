"""The field: a camera's objects sorted, drift watched, photos mined, data sets that grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from leansort.api.verbs import AnyPath, optional, several, verb
from leansort.core.errors import UserError
from leansort.core.locations.location import location

if TYPE_CHECKING:
    from leansort.runtime.drift.drift_status import DriftAlarm
    from leansort.runtime.sorting.sort_decision import SortDecision
    from leansort.workflows.data.data_growth import AddResult, DiffResult
    from leansort.workflows.field.belt_sorting import SortResult
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
    ray: str = "",
    predictions: AnyPath | None = None,
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
        ray: address of a Ray cluster that classifies, or `local`, `local:WORKERS`; empty: this process.
        predictions: with `ray` the local folder for its predictions, which is gone on with; one of `predict --ray` is
            such a folder, too.

    Returns:
        The chosen photos in order, the guesses, and what was left out.

    Raises:
        UserError: no limit is given, there is no such bundle, folder or format, or no photo can be read.
        IntegrityError: the bundle is damaged.
        MachineError: the cluster cannot be reached or fails; what is done is kept.
    """
    from leansort.core import bundle as bundles
    from leansort.runtime.shipped_models import find_bundle
    from leansort.workflows.field.photo_mining import mine_photos

    look = None
    if ray:
        from leansort.workflows.cluster.ray_mine import look_on_cluster

        if predictions is None:
            raise UserError("mine --ray: --predictions is missing; name a folder for them")
        look = look_on_cluster(ray, location(predictions))
    elif predictions is not None:
        raise UserError("mine: --predictions has an effect with --ray alone")
    return mine_photos(
        bundles.load(find_bundle(bundle)),
        Path(folder),
        Path(out),
        keep=keep,
        megabytes=megabytes,
        style=format,
        engine=engine,
        look=look,
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


@verb(deadline=(0.05, 1), stall=0, retries=0, votes=1)
def sort(
    source: AnyPath,
    *,
    bundle: AnyPath | None = None,
    boxes: AnyPath = "",
    deadline: float | None = None,
    direction: str = "",
    stall: float | None = None,
    retries: int | None = None,
    live: bool = False,
    annotate: AnyPath | None = None,
    engine: str = "",
    mqtt: str = "",
    webhook: str = "",
    votes: int | None = None,
    stream: BinaryIO | None = None,
    on_decision: Callable[[SortDecision], None] | None = None,
) -> SortResult:
    """Sort what a source gives: each object is followed, voted on by its frames, and decided once before a line.

    >>> import leansort
    >>> _ = leansort.draw_sample("belt", video=True, frames=40)
    >>> decided = []
    >>> result = leansort.sort(
    ...     "belt/belt.mp4",
    ...     bundle="runs/first/model.leansort",
    ...     boxes="belt/truth.jsonl",
    ...     on_decision=decided.append,
    ... )
    >>> len(decided) == result.objects > 0
    True

    Args:
        source: a camera (`/dev/video0`), a stream's URL, a video, a folder of photos, or `-` for `stream`.
        bundle: path of the bundle, or a name that `leansort.models` lists; None for the model of the package.
        boxes: `belt` for what differs from the background, `frame` for each frame as a whole, or a file of boxes; empty
            for `belt` of videos, and of photos `frame` or the boxes of their lines.
        deadline: where the line is, as a fraction of the frame along the belt, 0.05 to 1; None for 0.8.
        direction: in which the belt moves: `right`, `left`, `down` or `up`; empty for right.
        stall: seconds without a frame after which a camera or stream is opened again, or a folder ends; None for 10.
        retries: attempts without a frame after which a camera or stream is given up; None for 5.
        live: whether a video plays a camera: at its own pace, with frames dropped where sorting is too slow.
        annotate: video to write with boxes, labels and the line.
        engine: as for `predict`.
        mqtt: broker and topic that decisions are sent to, `mqtt://HOST:PORT/TOPIC` or `mqtts://…`; empty for none.
        webhook: address that decisions are posted to as JSON; empty for none.
        votes: boxes of a frame that are classified at most, at least 1, so that a full belt does not take longer than
            there is time: those of objects with the fewest votes, and nearest to the line, first. None for all.
        stream: what `-` stands for, binary.
        on_decision: called with each decision as it is made.

    Returns:
        How many objects were decided, by label, and all that was dropped, late or at fault; no decision is kept.

    Raises:
        UserError: there is no such source, bundle or file, or an option has no effect on it.
        MissingExtraError: a video or camera needs PyAV, or `mqtt` paho-mqtt, which is not installed.
        IntegrityError: the bundle is damaged.
    """
    from leansort.core import bundle as bundles
    from leansort.runtime.shipped_models import find_bundle, open_default
    from leansort.workflows.field.belt_sorting import sort_source
    from leansort.workflows.field.sort_sources import SortOptions

    opened = open_default() if bundle is None else bundles.load(find_bundle(bundle))
    options = SortOptions(str(boxes), deadline, direction, stall, retries, live, mqtt, webhook, votes)
    return sort_source(
        opened,
        str(source),
        options,
        engine=engine,
        annotate=optional(annotate),
        stream=stream,
        on_decision=on_decision,
    )
