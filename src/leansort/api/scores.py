"""Answers: written for the contest, scored, and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leansort.api.verbs import AnyPath, optional, several, verb
from leansort.core.errors import UserError
from leansort.core.locations.location import location

if TYPE_CHECKING:
    from leansort.contest.score_result import ScoreResult
    from leansort.measure.comparison.comparison_result import ComparisonResult
    from leansort.measure.comparison.multiple_comparison import MultipleComparisonResult
    from leansort.measure.robustness.stress_result import StressResult
    from leansort.workflows.contest.submit import SubmitResult


@verb(threads=0)
def submit(
    bundle: AnyPath,
    inputs: AnyPath | Sequence[AnyPath],
    *,
    out: AnyPath = "output.csv",
    threads: int = 0,
    engine: str = "",
    predictions: AnyPath | None = None,
) -> SubmitResult:
    """Classify pictures and write the contest's submission file; its times begin with this process.

    >>> import leansort
    >>> result = leansort.submit("runs/first/model.leansort", "runs/first/data/crops/test", out="answers.csv")
    >>> result.faults
    ()

    Args:
        bundle: path of the bundle, or a name that `leansort.models` lists.
        inputs: a picture or a folder of pictures, or several of them.
        out: path of the submission file to write.
        threads: that decode and run; 0 takes every core.
        engine: what runs the graph, as for `predict`; where empty, the target of a recipe beside the bundle goes first.
        predictions: path of a file that also gets all probabilities, one JSON object a line.

    Returns:
        Where the file is, how many pictures it has, and a line for each that could not be read.

    Raises:
        UserError: there is no such bundle, picture or engine, or a picture is named twice.
        IntegrityError: the bundle is damaged.
    """
    from leansort.runtime.shipped_models import find_bundle
    from leansort.workflows.contest.submit import submit as workflow
    from leansort.workflows.deploy.known_target import engine_of_recipe
    from leansort.workflows.deploy.predict import list_inputs

    path = find_bundle(bundle)
    engine = engine or engine_of_recipe([path])
    pictures = list(list_inputs([str(path) for path in several(inputs)]))
    return workflow(
        path,
        pictures,
        location(out),
        threads=threads,
        engine=engine,
        predictions=optional(predictions),
    )


@verb(seconds=0)
def score(
    answers: AnyPath,
    *,
    ground_truth: AnyPath,
    split: str = "test",
    public: AnyPath | None = None,
    private: AnyPath | None = None,
    seconds: float | None = None,
    base_f1: float = 0.70,
    base_seconds: float = 43.16,
    base_macs_f1: float = 0.8342,
    base_macs: int = 13_863_553,
    engine: str = "",
    unknown: AnyPath | None = None,
    costs: AnyPath | None = None,
    ray: str = "",
    out: AnyPath | None = None,
) -> ScoreResult:
    """Score answers: macro-F1 with its interval, the table of classes, and the contest's scores in both editions.

    >>> import leansort
    >>> result = leansort.score("runs/first/model.leansort", ground_truth="runs/first", split="val")
    >>> result.all.macro_f1.low <= result.all.macro_f1.value <= result.all.macro_f1.high
    True

    Args:
        answers: a submission file (JSON), or a bundle or the name of a model, which is run first.
        ground_truth: a manifest, a folder of class folders, or a CSV file `image,label`.
        split: which split of a manifest, or of class folders with splits.
        public: file with the names of the public list, one a line; scored apart.
        private: likewise for the private list.
        seconds: replaces the time that the submission states, at least 0.
        base_f1: baseline of macro-F1 in the contest's time edition.
        base_seconds: baseline of seconds in the time edition.
        base_macs_f1: baseline of macro-F1 in the contest's MACs edition.
        base_macs: baseline of multiply-adds in the MACs edition.
        engine: what runs a bundle, as for `submit`.
        unknown: folder of photos that show none of a bundle's classes: how well is told that they are unknown?
        costs: file with what wrong bins and rejection cost: what do a bundle's decisions cost by it?
        ray: address of a Ray cluster that runs a bundle, or `local`, `local:WORKERS`; empty: this process.
        out: with `ray` the local folder for its partitions, which is gone on with.

    Returns:
        The scores of all pictures and of each list, and notes on labels and pictures that were passed over.

    Raises:
        UserError: pictures have no answer, classes are unknown or differ, nothing in `unknown` is unknown, or the costs
            are not those of the classes.
        IntegrityError: the bundle is damaged.
    """
    from leansort.runtime.shipped_models import find_bundle
    from leansort.workflows.contest import score as workflow
    from leansort.workflows.deploy.known_target import engine_of_recipe

    path = find_bundle(answers)
    engine = engine or engine_of_recipe([path])
    classify = None
    if ray:
        from leansort.workflows.cluster.ray_score import classifier_on_cluster

        if out is None:
            raise UserError("score --ray: --out is missing; name a folder for the partitions")
        classify = classifier_on_cluster(ray, location(out))
    elif out is not None:
        raise UserError("score: --out has an effect with --ray alone")
    base = workflow.baselines(time_f1=base_f1, time_s=base_seconds, macs_f1=base_macs_f1, macs=base_macs)
    lists = {"public": public, "private": private}
    return workflow.score(
        path,
        location(ground_truth),
        split=split,
        seconds=seconds,
        base=base,
        engine=engine,
        unknown=optional(unknown),
        costs=optional(costs),
        classify=classify,
        **{name: location(path) for name, path in lists.items() if path is not None},
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
    threads: int | None = None,
    seconds: float = 3.0,
    queries: int = 1000,
    seed: int = 0,
    page: AnyPath | None = None,
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
        a: a bundle, a run's folder, a model's name, a submission file (JSON), or predictions (CSV with the columns
            image and label).
        b: likewise; it is compared with `a`.
        ground_truth: a manifest, a folder of class folders, or a CSV file `image,label`.
        split: which split of a manifest, or of class folders with splits.
        engine: what runs the graphs, as for `bench`.
        engine_b: what runs `b`, where it is another engine than that of `a`.
        threads: compute threads of the engines, at least 1, which None stands for.
        seconds: least time for each latency; 0 times nothing.
        queries: fewest calls for each latency, at least 1.
        seed: of the bootstrap, at least 0.
        page: where a page is written that shows what changed, with photos; None writes none.

    Returns:
        Both macro-F1 and their difference with intervals, McNemar's exact test, class by class, sizes, latencies that
        were measured in turns, and `verdict`, one sentence.

    Raises:
        UserError: both are the same, have different classes, or have no crop in common.
        IntegrityError: a bundle is damaged.
        EngineError: an engine crashed, hung or failed when it was tried.
    """
    from leansort.runtime.shipped_models import find_bundle
    from leansort.workflows.comparison.answer_files import find_answers
    from leansort.workflows.comparison.compare import compare as workflow
    from leansort.workflows.deploy.known_target import engine_of_recipe

    first, second = find_answers(find_bundle(a), "A"), find_answers(find_bundle(b), "B")
    if not engine and engine_b is None:
        engine = engine_of_recipe([first, second], threads)
    return workflow(
        first,
        second,
        Path(ground_truth),
        split=split,
        engine=engine,
        engine_b=engine_b,
        threads=threads or 1,
        seconds=seconds,
        queries=queries,
        seed=seed,
        page=optional(page),
    )


@verb(threads=1, seconds=0, queries=1, seed=0)
def compare_all(
    classifiers: Sequence[AnyPath],
    ground_truth: AnyPath,
    *,
    split: str = "val",
    engine: str = "",
    threads: int | None = None,
    seconds: float = 3.0,
    queries: int = 1000,
    seed: int = 0,
    page: AnyPath | None = None,
) -> MultipleComparisonResult:
    """Compare several classifiers, or files of answers, with the first of them; all bundles are timed in one run.

    >>> import leansort
    >>> bundles = "runs/first/model.leansort", "runs/second/model.leansort"
    >>> result = leansort.compare_all(bundles, "runs/first", seconds=0)  # times nothing
    >>> [member.name for member in result.members]
    ['A', 'B']
    >>> all(0 <= other.adjusted_p <= 1 for other in result.others)
    True

    Args:
        classifiers: two or more, each a bundle, a run's folder, a model's name, a submission file (JSON), or
            predictions (CSV with the columns image and label). The first is the reference, which is called A.
        ground_truth: a manifest, a folder of class folders, or a CSV file `image,label`.
        split: which split of a manifest, or of class folders with splits.
        engine: what runs the graphs, as for `bench`.
        threads: compute threads of the engines, at least 1, which None stands for.
        seconds: least time for each latency; 0 times nothing.
        queries: fewest calls for each latency, at least 1.
        seed: of the bootstrap, at least 0.
        page: where a page is written, with Pareto plots and the photos that each loses and wins; None writes none.

    Returns:
        Each macro-F1 and its difference to that of A with intervals, McNemar's p-values after Holm's correction, sizes,
        latencies, which are on the Pareto front, and `verdict`, one sentence.

    Raises:
        UserError: fewer than two are given, two are the same, classes differ, or no crop has an answer of all.
        IntegrityError: a bundle is damaged.
        EngineError: an engine crashed, hung or failed when it was tried.
    """
    from leansort.runtime.shipped_models import find_bundle
    from leansort.workflows.comparison.answer_files import find_answers, side_names
    from leansort.workflows.comparison.compare_all import compare_all as workflow
    from leansort.workflows.deploy.known_target import engine_of_recipe

    given = several(classifiers)
    paths = [find_answers(find_bundle(path), side) for path, side in zip(given, side_names(len(given)), strict=True)]
    return workflow(
        paths,
        Path(ground_truth),
        split=split,
        engine=engine or engine_of_recipe(paths, threads),
        threads=threads or 1,
        seconds=seconds,
        queries=queries,
        seed=seed,
        page=optional(page),
    )


@verb(crops=0, side=(32, 1024), seed=0)
def stress(
    bundles: AnyPath | Sequence[AnyPath],
    data: AnyPath,
    *,
    split: str = "val",
    kinds: str | Sequence[str] = "",
    levels: str | Sequence[int] = "1,3,5",
    textures: AnyPath | None = None,
    annotations: AnyPath | Sequence[AnyPath] = (),
    cut_out: str = "auto",
    crops: int = 0,
    side: int = 256,
    seed: int = 0,
    engine: str = "",
    out: AnyPath | None = None,
) -> StressResult:
    """Put bundles through bad light, blur, noise, dirt, wrong boxes and other grounds, level by level.

    >>> import leansort
    >>> result = leansort.stress("runs/first/model.leansort", "runs/first", kinds=["darker", "jpeg"], crops=6)
    >>> [curve.kind for curve in result.bundles[0].kinds]
    ['darker', 'jpeg']

    Args:
        bundles: path of a bundle or name of a model, or two of them, which get the same pixels.
        data: a manifest, a folder of class folders, or a CSV file `image,label`.
        split: which split of a manifest, or of class folders with splits.
        kinds: names of corruptions, a list or with commas between them; all where empty.
        levels: that are measured, 1 to 5, likewise.
        textures: folder of photos of grounds, which objects are put on beside drawn ones.
        annotations: COCO files with polygons, by which objects are cut out of a manifest's crops.
        cut_out: `auto` takes the polygon where there is one, else the colour; or `polygon`, or `colour`.
        crops: the most that are taken, the classes in proportion; 0 for all.
        side: longest side in pixels at which crops are corrupted, 32 to 1024.
        seed: of all randomness.
        engine: what runs the bundles, as for `predict`.
        out: folder that gets `stress.json` and a page with pictures, `stress.html`; None writes nothing.

    Returns:
        For each bundle a severity curve by kind, mean and worst, and which objects could not be cut out.

    Raises:
        UserError: there is no such bundle, kind, level or folder, classes differ, or polygons are missing.
        IntegrityError: a bundle is damaged.
    """
    from leansort.runtime.shipped_models import find_bundle
    from leansort.workflows.deploy.known_target import engine_of_recipe
    from leansort.workflows.robustness.stress import StressSettings, level_list, name_list
    from leansort.workflows.robustness.stress import stress as workflow

    paths = [find_bundle(path) for path in several(bundles)]
    settings = StressSettings(
        split=split,
        kinds=name_list(kinds),
        levels=level_list(levels),
        textures=optional(textures),
        annotations=tuple(several(annotations)),
        cut_out_by=cut_out,
        crops=crops,
        side=side,
        seed=seed,
        engine=engine or engine_of_recipe(paths),
    )
    return workflow(paths, [str(path) for path in several(bundles)], Path(data), optional(out), settings)
