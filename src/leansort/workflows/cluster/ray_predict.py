"""`leansort predict --ray`: photos classified by the processes of a Ray cluster, each of which has the bundle once.

Ray Data hands batches to workers as they ask for them and holds back while results wait. This process alone writes:
partitions into a folder, so that a run that ends half-way is gone on with, and at the end all lines, sorted by path.
"""

from __future__ import annotations

import importlib
import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, MachineError, UserError, not_one_of
from leansort.core.files.typed_result import TypedResult
from leansort.core.locations import addresses, remote_store
from leansort.core.locations.location import is_remote
from leansort.core.process.console import say
from leansort.core.provenance import versions
from leansort.core.writing import atomic_io
from leansort.core.writing.file_lock import take_lock
from leansort.measure.engine_selection import engine_choice
from leansort.runtime import engine as engines
from leansort.runtime import shipped_models
from leansort.runtime.decisions.cost_file import load_costs
from leansort.workflows.cluster.partitions import ClusterRow, PartitionFolder, PartitionManifest, row_of
from leansort.workflows.cluster.ray_connection import check_address, connect_to_cluster
from leansort.workflows.cluster.ray_worker import COLUMNS, RayWorker, WorkerTask, stamp_of
from leansort.workflows.cluster.version_census import refuse_other_versions
from leansort.workflows.deploy.predict import FORMATS, format_predictions

BATCH = 32  # photos that a worker is given at once, and that are lost with it
PART = 1024  # photos of a partition
EVERY_S = 10.0
BASE_BYTES = 400 << 20  # of a worker with nothing loaded
FILES = {"text": "predictions.txt", "csv": "predictions.csv", "json": "predictions.jsonl"}


class RayPredictResult(TypedResult):
    """What a run on a cluster came to.

    Attributes:
        file: all lines, sorted by path.
        pictures: number of photos that were named.
        classified: number of them that workers classified now.
        already: number of them that were done before.
        unreadable: number of them without a prediction.
    """

    file: Path
    pictures: int
    classified: int
    already: int
    unreadable: int


@dataclass(frozen=True)
class ClusterRun:
    """Photos that were classified.

    Attributes:
        rows: one for each photo, sorted by path.
        classified: how many of them workers were given now.
    """

    rows: list[ClusterRow]
    classified: int


def predict_with_ray(
    bundle: Path | None,
    pictures: Iterable[Path],
    out: Path,
    address: str,
    *,
    style: str = "text",
    engine: str = "",
    costs: Path | None = None,
) -> RayPredictResult:
    """Classify photos on a cluster; run again, it goes on with what is not done, has failed or has changed.

    Args:
        bundle: the bundle file; None takes the model that the package brings.
        pictures: their paths, which every worker must reach.
        out: local folder for partitions, manifest and lines.
        address: of a Ray cluster; `local` starts one here, `local:N` one with N workers.
        style: one of `predict.FORMATS`.
        engine: which engine; the one that suits the bundle where empty.
        costs: file with what decisions cost; None leaves the bundle's reject threshold.

    Raises:
        UserError: another run works into the folder, it holds another bundle's predictions, or a worker has another
            version of leansort.
        MachineError: the cluster cannot be reached or fails; what is done is kept.
    """
    if style not in FORMATS:
        raise not_one_of("--format", style, FORMATS)
    opened = shipped_models.open_default() if bundle is None else bundles.load(bundle)
    listed = list(pictures)
    done = classify_on_cluster(opened, listed, out, address, engine=engine, costs=costs)
    by_name = {str(path): path for path in listed}
    shown = ((by_name[row.image], row.prediction) for row in done.rows)
    lines = format_predictions(
        shown, opened.meta.labels, style, with_costs=costs is not None, with_graph=bool(opened.stages)
    )
    atomic_io.write_text(out / FILES[style], "".join(f"{line}\n" for line in lines))
    return RayPredictResult(
        file=out / FILES[style],
        pictures=len(done.rows),
        classified=done.classified,
        already=len(done.rows) - done.classified,
        unreadable=sum(bool(row.error) for row in done.rows),
    )


def classify_on_cluster(
    opened: Bundle, pictures: Sequence[Path], out: Path, address: str, *, engine: str = "", costs: Path | None = None
) -> ClusterRun:
    """Classify photos, those that are not done, have failed or have changed; see `predict_with_ray`.

    Returns:
        A row for each photo, sorted by path; a photo that is named twice has one.
    """
    check_address(address)
    if is_remote(out):
        raise UserError(f"--ray: {out} must be a local folder")
    decided = None if costs is None else load_costs(costs, opened.meta)
    chosen = engine_choice.choose_engine(opened, engine, say=say) or engines.default_engine(opened)
    begun = PartitionManifest(
        bundle=opened.digest,
        leansort=versions()["leansort"],
        engine=chosen,
        settings="" if costs is None else atomic_io.sha256(atomic_io.read_file(costs))[:16],
        labels=tuple(opened.meta.labels),
    )
    paths = {str(path): path for path in pictures}
    if len(paths) < len(pictures):
        say(f"{len(pictures) - len(paths):,} photos are named twice, and classified once")
    task = WorkerTask(opened.to_bytes(), opened.digest, begun.leansort, chosen, decided)
    lock = take_lock(out / ".lock", f"--ray: another run works into {out}; wait for it, or name another folder")
    try:
        kept = PartitionFolder(out, begun)
        open_ones = _open_items(paths, kept)
        say(f"{len(paths):,} photos, {len(paths) - len(open_ones):,} of them done already; workers: {address}")
        if open_ones:
            with connect_to_cluster(address) as workers:
                refuse_other_versions(begun.leansort)
                _collect(_classified(open_ones, task, opened, workers), kept, len(open_ones))
        return ClusterRun([kept.rows[image] for image in sorted(paths)], len(open_ones))
    finally:
        lock.release()


def _open_items(paths: Mapping[str, Path], kept: PartitionFolder) -> list[dict[str, str]]:
    """What workers are given: photos that are new, have failed, or look different from before."""
    items = []
    for image in sorted(paths):
        stamp = _remote_stamp(paths[image]) if is_remote(paths[image]) else stamp_of(paths[image])
        before = kept.rows.get(image)
        if _is_open(before, stamp):
            items.append(_item(paths[image], image, stamp, before))
    return items


def _remote_stamp(path: Path) -> str:
    try:
        return remote_store.stamp_of(str(path))
    except FileNotFoundError:
        return ""


def _is_open(row: ClusterRow | None, stamp: str) -> bool:
    return row is None or bool(row.error) or not stamp or row.stamp != stamp


def _item(path: Path, image: str, stamp: str, before: ClusterRow | None) -> dict[str, str]:
    source = addresses.revealed(image) if is_remote(path) else str(path.absolute())
    known = before.digest if before is not None and not before.error else ""
    return dict(zip(COLUMNS, (source, image, stamp, known), strict=True))


def _collect(results: Iterable[str], kept: PartitionFolder, total: int) -> None:
    """Write what workers give as partitions; whatever ends the run, what came before is written."""
    waiting: list[ClusterRow] = []
    started = last = time.monotonic()
    seen: set[str] = set()
    try:
        for text in results:
            tree: dict[str, object] = json.loads(text)
            if "fatal" in tree:
                raise MachineError(f"--ray: {tree['fatal']}; what is done is kept in {kept.folder}")
            row = _row(tree, kept)
            if row.image in seen:  # a batch that was done again after its worker was lost
                continue
            seen.add(row.image)
            waiting.append(row)
            if len(waiting) >= PART:
                kept.add(waiting)
                waiting = []
            if time.monotonic() - last >= EVERY_S:
                last = time.monotonic()
                say(_progress(len(seen), total, last - started))
    finally:
        if waiting:
            kept.add(waiting)
    say(_progress(len(seen), total, time.monotonic() - started))
    if len(seen) < total:
        raise MachineError(f"--ray: the cluster gave {len(seen):,} of {total:,} photos; run it again to go on")


def _row(tree: Mapping[str, object], kept: PartitionFolder) -> ClusterRow:
    if "same" in tree:
        return replace(kept.rows[str(tree["same"])], stamp=str(tree["stamp"]))
    return row_of(tree)


def _progress(done: int, total: int, seconds: float) -> str:
    rate = done / seconds if seconds else 0.0
    left = f", {(total - done) / rate:,.0f} s left" if rate and done < total else ""
    return f"classified {done:,} of {total:,} photos, {rate:,.1f} a second{left}"


def _classified(items: Sequence[dict[str, str]], task: WorkerTask, opened: Bundle, workers: int) -> Iterator[str]:
    """Rows as JSON, in whatever order workers give them."""
    data = importlib.import_module("ray.data")
    for name in ("ray", "ray.data"):  # they are set up anew when ray.data is imported
        logging.getLogger(name).setLevel(logging.ERROR)
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    blocks = min(len(items), max(2 * workers, len(items) // BATCH))
    batches = data.from_items(list(items), override_num_blocks=blocks).map_batches(
        RayWorker,
        fn_constructor_args=(task,),
        batch_size=BATCH,
        batch_format="numpy",
        compute=data.ActorPoolStrategy(size=min(workers, blocks)),
        num_cpus=1,
        memory=BASE_BYTES + 4 * len(task.bundle) + 8 * opened.numbers,
    )
    try:
        for batch in batches.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=1):
            yield from batch["row"].tolist()
    except LeansortError:
        raise
    except Exception as error:  # Ray raises errors of its own kinds and those of its workers
        text = str(error).strip().splitlines()
        raise MachineError(f"--ray: the cluster failed ({text[-1] if text else type(error).__name__})") from error
