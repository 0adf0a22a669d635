"""`leansort watch`: predictions or photos in, alarms out; one bad line or photo never stops the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from leansort.core.bundle import Bundle
from leansort.core.errors import MissingExtraError, UserError, did_you_mean
from leansort.core.files.bundle_reference import STATISTICS
from leansort.core.files.typed_result import TypedResult
from leansort.core.process.console import say
from leansort.core.run_folder import WatchFolder
from leansort.core.seeds import Seeds
from leansort.core.text.columns import align_columns
from leansort.core.text.name_lists import names_of
from leansort.core.writing.escaping import printable
from leansort.measure.engine_selection import engine_choice
from leansort.report.field.drift_page import draw_page
from leansort.runtime.drift.drift_journal import DriftJournal, lines_of
from leansort.runtime.drift.drift_status import DriftAlarm, DriftSettings, DriftStatus
from leansort.runtime.drift.drift_values import values_of
from leansort.runtime.predictor import Prediction
from leansort.workflows.deploy.predict import list_inputs, predict_images
from leansort.workflows.field.watched_source import (
    STDIN,
    LineFaults,
    is_log,
    name_log,
    read_lines,
    read_log,
    split_stream,
)

WHAT = "watch"


class WatchResult(TypedResult):
    """Where a watch stands when its source has ended.

    Attributes:
        folder: that holds its logs.
        page: the page; None where none could be made.
        status: evidence, levels and class shares.
        alarms: all that were raised so far, in earlier calls too.
        resumed: number of photos that an earlier call had watched.
        passed_over: number of lines of a log that could not be used.
        examples: the first of these lines, and why.
        missing: statistics that the reference has and no photo of this call.
    """

    folder: Path
    page: Path | None
    status: DriftStatus
    alarms: tuple[DriftAlarm, ...]
    resumed: int
    passed_over: int = 0
    examples: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def headline(self) -> dict[str, str]:
        """Return the level, what changed, and where the page is."""
        return {**self.status.headline(), "alarms": f"{len(self.alarms)}", "page": str(self.page or "none")}


def watch_source(
    bundle: Bundle,
    source: str,
    out: Path,
    settings: DriftSettings,
    *,
    engine: str = "",
    stream: BinaryIO | None = None,
    shuffle: bool = False,
    on_alarm: Callable[[DriftAlarm], None] | None = None,
) -> WatchResult:
    """Watch all that a source gives, and go on where an earlier call has stopped.

    Args:
        bundle: with a reference.
        source: a log of predictions, a folder of photos, or `-` for lines of either on standard input.
        out: folder of the watch.
        settings: of the alarms.
        engine: that classifies photos, as for `predict`.
        stream: standard input.
        shuffle: whether photos of a folder are taken in random order, which asks whether the folder as a whole is like
            val, and not when it changed.
        on_alarm: called with each new alarm.

    Raises:
        UserError: the source cannot be used, or the folder is of another watch.
    """
    if shuffle and not Path(source).is_dir():
        raise UserError(f"{WHAT}: --shuffle goes with a folder of photos, got {source}")
    faults, seen = LineFaults(), set[str]()
    with DriftJournal.open(out, bundle, settings, source=name_source(source)) as journal:
        if on_alarm:
            journal.on_alarm(on_alarm)
        _take_all(journal, bundle, source, engine, stream, faults, seen, shuffle=shuffle)
    status = journal.watch.status()
    reference = journal.watch.reference
    missing = [item.name for item in reference.statistics if item.name not in seen] if seen else []
    if missing:
        say(f"{WHAT}: no photo tells its {', '.join(missing)}; leansort predict --format json --statistics writes them")
    if faults.count > len(faults.examples):
        say(f"{WHAT}: {faults.count:,} lines were passed over in all")
    folder = WatchFolder(out)
    alarms = tuple(DriftAlarm(**item) for item in lines_of(folder.alarms))  # type: ignore[arg-type]
    return WatchResult(
        folder=out,
        page=_write_page(folder, bundle, status, alarms, settings),
        status=status,
        alarms=alarms,
        resumed=journal.resumed,
        passed_over=faults.count,
        examples=tuple(faults.examples),
        missing=tuple(missing),
    )


def name_source(source: str) -> str:
    """Return what a watch calls its source, by which it knows it again.

    Raises:
        UserError: it is not there, or nothing that can be watched.
    """
    path = Path(source)
    if source == STDIN:
        return "standard input"
    if path.is_dir():
        return f"the folder {path.resolve()}"
    if not path.is_file():
        near = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UserError(f"{WHAT}: {path} is not there{did_you_mean(path.name, near)}")
    if not is_log(path):
        raise UserError(
            f"{WHAT}: {path} is no log of predictions; need lines as leansort predict --format json writes them, a "
            "folder of photos, or - for standard input"
        )
    return name_log(path)


def _take_all(
    journal: DriftJournal,
    bundle: Bundle,
    source: str,
    engine: str,
    stream: BinaryIO | None,
    faults: LineFaults,
    seen: set[str],
    *,
    shuffle: bool,
) -> None:
    """Observe what a source gives; `seen` gets the statistics that photos have."""
    labels, path = bundle.meta.labels, Path(source)
    if source == STDIN and stream is not None:
        lines, is_json = split_stream(stream)
        if not is_json:
            _classify(journal, bundle, _paths(lines), engine, seen)
            return
        items = read_log(lines, labels, "standard input", faults)
    elif path.is_dir():
        done = {str(item.get("image")) for item in lines_of(journal.folder.photos)}
        files = [file for file in list_inputs([source]) if str(file) not in done]
        if shuffle:
            files = [files[at] for at in Seeds(0).child("watch/shuffle").numpy().permutation(len(files)).tolist()]
        _classify(journal, bundle, iter(files), engine, seen)
        return
    else:
        with path.open("rb") as file:
            behind = _last_line(journal)
            for number, image, prediction in read_log(read_lines(file), labels, str(path), faults, behind=behind):
                _note(seen, prediction)
                journal.observe(image, prediction, {"line": number})
        return
    for _, image, prediction in items:
        _note(seen, prediction)
        journal.observe(image, prediction)


def _last_line(journal: DriftJournal) -> int:
    """Number of the last line of a log that was taken in before."""
    record = journal.last
    if record is None:  # nothing lies behind the checkpoint
        for item in lines_of(journal.folder.photos):
            record = item
    line = (record or {}).get("line", 0)
    return line if isinstance(line, int) else 0


def _paths(lines: Iterator[bytes]) -> Iterator[Path]:
    class _Lines:
        """The lines as a stream that `names_of` reads."""

        def readline(self) -> bytes:
            return next(lines, b"")

    yield from map(Path, names_of(_Lines(), "standard input"))  # type: ignore[arg-type]


def _classify(journal: DriftJournal, bundle: Bundle, files: Iterator[Path], engine: str, seen: set[str]) -> None:
    with engine_choice.classifier_of(bundle, engine, say=say, statistics=True) as classifier:
        for path, prediction in predict_images(classifier, files, batch=1, threads=1):
            _note(seen, prediction)
            journal.observe(str(path), prediction)


def _note(seen: set[str], prediction: Prediction) -> None:
    if len(seen) < len(STATISTICS) and not prediction.error:
        seen |= {name for name, value in values_of(prediction).items() if value is not None}


def _write_page(
    folder: WatchFolder, bundle: Bundle, status: DriftStatus, alarms: Sequence[DriftAlarm], settings: DriftSettings
) -> Path | None:
    try:
        page = draw_page(bundle.meta.name, status, alarms, lines_of(folder.states), settings)
    except MissingExtraError as error:
        # Not the extra: a robot needs this library alone for the page, and no PyTorch.
        say(f"{WHAT}: no page is written: {error.module!r} is not installed; run: pip install {error.module}")
        return None
    folder.page.write(page)
    return folder.page.path


def watch_text(result: WatchResult) -> str:
    """Return where a watch stands as lines of text."""
    status = result.status
    rows = [["", "level", "evidence", "recent", "95 % of val"]]
    for item in status.statistics:
        bounds = "" if item.low is None or item.high is None else f"{item.low:.4g} to {item.high:.4g}"
        recent = "" if item.recent is None else f"{item.recent:.4g}"
        rows.append([item.name, item.level, f"{item.evidence:.3g}", recent, bounds])
    shares = [["class", "val", "labels given", "corrected", "by confusion", "±"]]
    for share in status.shares:
        columns = (share.val, share.counted, share.corrected, share.by_confusion, share.margin)
        shares.append([printable(share.name), *(f"{value:.1%}" for value in columns)])
    lines = [f"{status.level}: {status.photos:,} photos watched, {status.unreadable:,} unreadable"]
    if result.resumed:
        lines[0] += f", {result.resumed:,} of them before"
    lines += [align_columns(rows, left=2)]
    if status.shares:
        lines += [f"class shares over the latest {status.window:,} photos", align_columns(shares, left=1)]
    return "\n".join([*lines, f"page: {result.page}"] if result.page else lines)
