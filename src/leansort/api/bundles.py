"""Bundles: run, scored, timed and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leansort.api.verbs import AnyPath, verb

if TYPE_CHECKING:
    from leansort.measure.comparison.comparison_result import ComparisonResult
    from leansort.runtime.predictions import Predictions


@verb(threads=0, batch=0)
def predict(
    bundle: AnyPath, inputs: AnyPath | Sequence[AnyPath], *, threads: int = 0, batch: int = 0, engine: str = ""
) -> Predictions:
    """Classify pictures; one that cannot be read has an error, and the others are classified all the same.

    A robot that classifies what its camera sees uses `Classifier`, which is loaded once.

    >>> import leansort
    >>> result = leansort.predict("runs/first/model.leansort", "runs/first/data/crops/test")
    >>> result.predictions[0].label in result.labels
    True
    >>> sum(result.counts.values()) + len(result.unreadable) == len(result.images)
    True

    Args:
        bundle: path of the bundle.
        inputs: a picture or a folder of pictures, or several of them.
        threads: threads that decode and run; 0 tries one and all cores.
        batch: pictures an engine call; 0 tries several and takes the fastest.
        engine: what runs the graph: an engine's name, with settings or not (`openvino:precision=bf16`), or `auto` for
            the fastest; what suits the bundle where empty.

    Returns:
        The predictions with their pictures, in order.

    Raises:
        UserError: there is no such bundle, picture or engine.
        IntegrityError: the bundle is damaged.
        EngineError: the engine crashed, hung or failed when it was tried.
    """
    from leansort.core.process.console import say
    from leansort.measure.engine_selection import engine_choice
    from leansort.runtime.predictions import Predictions
    from leansort.workflows.deploy.predict import list_inputs, predict_images

    pictures = list(list_inputs([str(path) for path in several(inputs)]))
    with engine_choice.load_classifier(Path(bundle), engine, say=say) as classifier:
        results = [item for _, item in predict_images(classifier, pictures, threads=threads, batch=batch)]
        return Predictions(
            images=tuple(map(str, pictures)),
            predictions=tuple(results),
            labels=classifier.bundle.meta.labels,
            bundle=classifier.bundle.digest,
            engine=classifier.engine_name,
        )


@verb(threads=1, seconds=0, queries=1, seed=0)
def compare(
    a: AnyPath,
    b: AnyPath,
    ground_truth: AnyPath,
    *,
    split: str = "val",
    engine: str = "",
    engine_b: str | None = None,
    threads: int = 1,
    seconds: float = 3.0,
    queries: int = 1000,
    seed: int = 0,
) -> ComparisonResult:
    """Compare two bundles, or two files of answers, on the same crops: accuracy, size, latency, and a verdict.

    >>> import leansort
    >>> bundles = "runs/first/model.leansort", "runs/second/model.leansort"
    >>> result = leansort.compare(*bundles, ground_truth="runs/first", seconds=0)  # times nothing
    >>> "crops" in result.verdict
    True
    >>> result.difference.low <= result.difference.value <= result.difference.high
    True
    >>> 0 <= result.counts.p_value <= 1
    True

    Args:
        a: a bundle, a submission file (JSON), or predictions (CSV with the columns image and label).
        b: likewise; it is compared with `a`.
        ground_truth: a manifest, a folder of class folders, or a CSV file `image,label`.
        split: which split of a manifest, or of class folders with splits.
        engine: what runs the graphs, as for `predict`.
        engine_b: what runs `b`, where it is another engine than that of `a`.
        threads: compute threads of the engines, at least 1.
        seconds: least time for each latency; 0 times nothing.
        queries: fewest calls for each latency, at least 1.
        seed: of the bootstrap, at least 0.

    Returns:
        Both macro-F1 and their difference with intervals, McNemar's exact test, class by class, sizes, latencies that
        were measured in turns, and `verdict`, one sentence.

    Raises:
        UserError: both are the same, have different classes, or have no crop in common.
        IntegrityError: a bundle is damaged.
        EngineError: an engine crashed, hung or failed when it was tried.
    """
    from leansort.workflows.comparison.compare import compare as workflow

    return workflow(
        Path(a), Path(b), Path(ground_truth), split=split, engine=engine, engine_b=engine_b, threads=threads,
        seconds=seconds, queries=queries, seed=seed,
    )  # fmt: skip


def several(paths: AnyPath | Sequence[AnyPath]) -> list[Path]:
    """Return one path, or several, as a list of paths."""
    if isinstance(paths, str) or not isinstance(paths, Sequence):
        return [Path(paths)]
    return [Path(path) for path in paths]
