"""`leansort sort`: frames in, one decision an object out, until the source ends or somebody stops it."""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, UserError
from leansort.core.files.typed_result import TypedResult
from leansort.core.process.console import say
from leansort.core.writing.escaping import printable, without_password
from leansort.measure.engine_selection import engine_choice
from leansort.runtime.sorting.belt_sorter import BeltSorter, SorterCounts
from leansort.runtime.sorting.sort_decision import SortDecision
from leansort.runtime.sorting.timed_frames import FrameSource, SourceCounts, TimedFrame
from leansort.workflows.field.decision_delivery import DecisionDelivery
from leansort.workflows.field.sort_sources import SortOptions, box_finder, open_source
from leansort.workflows.field.sort_video import SortVideo

LATEST = 10_000  # decisions that latencies are told of; memory stays the same however long it runs
DEADLINE, DIRECTION = 0.8, "right"


class SortResult(TypedResult):
    """What became of a source.

    Attributes:
        source: as it was named, without a password.
        seconds: that it took.
        frames: number of frames that were looked at.
        dropped: number of frames that were passed over because newer ones had come.
        objects: number of objects that were decided, each once.
        labels: how many of each label; those without one are not among them.
        late: number of objects that were first seen behind the deadline or just before it, and not decided.
        fleeting: number of tracks that were lost before they were seen three times, and once as a whole.
        boxes: number of boxes that were classified.
        spared: number of boxes that were not, because a frame had more than `votes`.
        changes: how often an object's label changed from one frame to the next, before the vote.
        outside: number of boxes that were not within their frame.
        resized: how often the frames changed their size.
        ended: how often a live source ended and was opened again, or given up.
        stalled: the same where it gave no frames.
        failed: the same where it could not be read.
        damaged: number of packets and frames that could not be decoded.
        unreadable: number of photos, lines and boxes that could not be used.
        delivered: number of decisions that a broker or webhook has said it has, of all of them together.
        undelivered: number of decisions that one of them did not get.
        latency_ms: median from the arrival of the frame to the decision, of the latest 10,000; None without any.
        latency_p99_ms: their 99th percentile.
        interrupted: whether somebody stopped it.
        gone: why a live source was given up; empty where it was not.
        video: the annotated video; None where none was asked for, or there was no frame.
        examples: the first faults of each kind.
    """

    source: str
    seconds: float
    frames: int
    dropped: int
    objects: int
    labels: dict[str, int]
    late: int
    fleeting: int
    boxes: int
    spared: int = 0
    changes: int
    outside: int
    resized: int
    ended: int
    stalled: int
    failed: int
    damaged: int
    unreadable: int
    delivered: int
    undelivered: int
    latency_ms: float | None
    latency_p99_ms: float | None
    interrupted: bool
    gone: str
    video: Path | None
    examples: tuple[str, ...]

    def headline(self) -> dict[str, str]:
        """Return how many objects were decided, how they were labelled, and what did not go as it should."""
        counts = {name: f"{getattr(self, name):,}" for name in FAULTS if getattr(self, name)}
        labels = ", ".join(f"{name} {count:,}" for name, count in self.labels.items())
        return {"objects": f"{self.objects:,}", "labels": labels or "none", "frames": f"{self.frames:,}", **counts}


FAULTS = (
    "dropped", "late", "fleeting", "spared", "outside", "resized", "ended", "stalled", "failed", "damaged",
    "unreadable", "undelivered",
)  # fmt: skip


@dataclass
class _Tally:
    """Sums over the decisions; no decision is kept."""

    labels: Counter[str]
    latencies: deque[float]
    objects: int = 0
    changes: int = 0

    def add(self, decision: SortDecision) -> None:
        self.objects += 1
        self.changes += decision.changes
        self.labels.update([decision.label] if decision.label else [])
        self.latencies.append(decision.latency_ms)


def sort_source(
    bundle: Bundle,
    source: str,
    options: SortOptions,
    *,
    engine: str = "",
    annotate: Path | None = None,
    stream: BinaryIO | None = None,
    on_decision: Callable[[SortDecision], None] | None = None,
) -> SortResult:
    """Sort what a source gives until it ends, is given up, or Ctrl-C; objects in sight are decided then, too.

    Args:
        bundle: classifies.
        source: `/dev/videoN`, a URL, a video, a folder of photos, or `-` for `stream`.
        options: how boxes are found, when objects are decided, how patient one is.
        engine: as for `predict`.
        annotate: video to write with boxes, labels and the line; None writes none.
        stream: standard input.
        on_decision: called with each decision as it is made.

    Raises:
        UserError: the source, a file or an address cannot be used, or an option has no effect.
        MissingExtraError: PyAV, OpenCV or paho-mqtt is not installed.
        MachineError: the video cannot be written.
    """
    counts = SourceCounts()
    if annotate is not None and annotate.exists() and Path(source).exists() and annotate.samefile(source):
        raise UserError(f"sort: --annotate: {annotate} is the source itself; name another file")
    frames = open_source(source, options, counts, stream)  # first: a typo is told before a network is loaded
    finder = box_finder(source, options, counts)
    _require_effect(options, whole=finder is None and options.boxes == "frame")
    tally = _Tally(Counter(), deque(maxlen=LATEST))
    begun, interrupted, gone = time.monotonic(), False, ""
    with (
        DecisionDelivery(options.mqtt, options.webhook) as delivery,
        engine_choice.classifier_of(bundle, engine, say=say) as classifier,
        SortVideo(annotate) as video,
    ):
        sorter = BeltSorter(
            classifier,
            finder,
            deadline=DEADLINE if options.deadline is None else options.deadline,
            direction=options.direction or DIRECTION,
            votes=options.votes,
        )
        try:
            for timed in _begun(frames, sorter, options):
                decisions = sorter.take(timed)
                _tell(decisions, tally, delivery, on_decision)
                video.add(timed, sorter, decisions)
        except KeyboardInterrupt:
            interrupted = True
        except LeansortError as error:
            if not counts.frames:
                raise
            gone = str(error)
        _tell(sorter.end(), tally, delivery, on_decision)
    seconds = time.monotonic() - begun
    return _result(source, counts, sorter.counts, tally, delivery, seconds, interrupted, gone, video.path)


def _begun(frames: FrameSource, sorter: BeltSorter, options: SortOptions) -> Iterator[TimedFrame]:
    """The frames; the first one of a list tells whether a detector's boxes come with them."""
    given = iter(frames)
    first = next(given, None)
    if first is None:
        return
    if first.boxes is not None:
        if options.boxes:
            raise UserError(f"sort: --boxes {options.boxes} has no effect: the lines bring boxes of their own")
        sorter.find_by(_of_lines)
    elif not sorter.finds_boxes:
        _require_effect(options, whole=True)
    yield from itertools.chain([first], given)


def _of_lines(timed: TimedFrame) -> Sequence[Sequence[float]]:
    return timed.boxes or ()


def _require_effect(options: SortOptions, *, whole: bool) -> None:
    for name, value in (
        ("--deadline", options.deadline),
        ("--direction", options.direction),
        ("--votes", options.votes),
    ):
        if whole and value not in (None, ""):
            raise UserError(f"sort: {name} {value} has no effect where each frame is an object; name --boxes, too")


def _tell(
    decisions: Sequence[SortDecision],
    tally: _Tally,
    delivery: DecisionDelivery,
    on_decision: Callable[[SortDecision], None] | None,
) -> None:
    for decision in decisions:
        tally.add(decision)
        if on_decision:  # first: it may move something
            on_decision(decision)
        delivery.add(decision)


def _result(
    source: str,
    counts: SourceCounts,
    sorted_: SorterCounts,
    tally: _Tally,
    delivery: DecisionDelivery,
    seconds: float,
    interrupted: bool,
    gone: str,
    video: Path | None,
) -> SortResult:
    latencies = np.array(tally.latencies)
    median, high = np.percentile(latencies, [50, 99]).round(3).tolist() if latencies.size else (None, None)
    return SortResult(
        source=without_password(source),
        seconds=round(seconds, 3),
        frames=counts.frames,
        dropped=counts.dropped,
        objects=tally.objects,
        labels=dict(tally.labels.most_common()),
        late=sorted_.late,
        fleeting=sorted_.fleeting,
        boxes=sorted_.boxes,
        spared=sorted_.spared,
        changes=tally.changes,
        outside=sorted_.outside,
        resized=sorted_.resized,
        ended=counts.ended,
        stalled=counts.stalled,
        failed=counts.failed,
        damaged=counts.damaged,
        unreadable=counts.unreadable,
        delivered=delivery.delivered,
        undelivered=delivery.undelivered,
        latency_ms=median,
        latency_p99_ms=high,
        interrupted=interrupted,
        gone=gone,
        video=video,
        examples=(*counts.examples, *delivery.reports),
    )


def sort_text(result: SortResult) -> str:
    """Return the summary as one line."""
    labels = f" ({', '.join(f'{printable(name)} {count:,}' for name, count in result.labels.items())})"
    parts = [f"{result.objects:,} objects" + labels * bool(result.labels), f"{result.frames:,} frames"]
    parts += [f"{name} {getattr(result, name):,}" for name in FAULTS if getattr(result, name)]
    if result.delivered:
        parts.append(f"delivered {result.delivered:,}")
    if result.latency_ms is not None:
        parts.append(f"decided in {result.latency_ms:.1f} ms, p99 {result.latency_p99_ms:.1f}")
    if result.video:
        parts.append(f"video {printable(str(result.video))}")
    return ("interrupted: " if result.interrupted else "") + ", ".join(parts)
