"""What a camera sees, sorted as it passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from leansort.api.verbs import AnyPath, optional, verb

if TYPE_CHECKING:
    from leansort.runtime.sorting.sort_decision import SortDecision
    from leansort.workflows.field.belt_sorting import SortResult


@verb(deadline=(0.05, 1), stall=0, retries=0)
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
    options = SortOptions(str(boxes), deadline, direction, stall, retries, live, mqtt, webhook)
    return sort_source(
        opened,
        str(source),
        options,
        engine=engine,
        annotate=optional(annotate),
        stream=stream,
        on_decision=on_decision,
    )
