"""The field: drift watched, photos mined, data sets that grow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from leansort.api.verbs import AnyPath, verb

if TYPE_CHECKING:
    from leansort.runtime.drift.drift_watch import DriftAlarm
    from leansort.workflows.field.drift_watching import WatchResult


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
    from leansort.runtime.drift.drift_watch import DriftSettings
    from leansort.runtime.shipped_models import find_bundle
    from leansort.workflows.field.drift_watching import add_reference, name_source, watch_source

    settings = DriftSettings(yellow, red, window)
    opened = bundles.load(find_bundle(bundle))
    name_source(str(source))  # before photos are classified for the reference
    if reference is not None:
        opened = add_reference(opened, Path(reference), engine)
    return watch_source(
        opened, str(source), Path(out), settings, engine=engine, stream=stream, shuffle=shuffle, on_alarm=on_alarm
    )
