"""Networks: trained, once or several times, averaged, and compressed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from leansort.api.jobs import resolve, run_folder
from leansort.api.verbs import AnyPath, optional, verb, with_device
from leansort.core.errors import UserError

if TYPE_CHECKING:
    from leansort.compress.pipeline.compress_result import CompressResult
    from leansort.recipe.schema import Recipe
    from leansort.workflows.averaging.average import AverageResult
    from leansort.workflows.training.quick.probe_result import ProbeResult
    from leansort.workflows.training.training_results import RepeatedResult, SingleTrainingResult


@overload
def train(
    recipe: AnyPath | Recipe,
    overrides: Sequence[str] = ...,
    *,
    data: AnyPath | None = ...,
    manifest: AnyPath | None = ...,
    cache: AnyPath | None = ...,
    out: AnyPath | None = ...,
    resume: bool = ...,
    seeds: None = ...,
    folds: None = ...,
    refit: Literal[False] = ...,
    quick: Literal[False] = ...,
    tracker: str = ...,
) -> SingleTrainingResult: ...


@overload
def train(
    recipe: AnyPath | Recipe,
    overrides: Sequence[str] = ...,
    *,
    data: AnyPath | None = ...,
    manifest: AnyPath | None = ...,
    cache: AnyPath | None = ...,
    out: AnyPath | None = ...,
    resume: bool = ...,
    seeds: int | None = ...,
    folds: int | None = ...,
    refit: bool = ...,
    quick: Literal[False] = ...,
    tracker: str = ...,
) -> SingleTrainingResult | RepeatedResult: ...


@overload
def train(
    recipe: AnyPath | Recipe,
    overrides: Sequence[str] = ...,
    *,
    data: AnyPath | None = ...,
    manifest: AnyPath | None = ...,
    cache: AnyPath | None = ...,
    out: AnyPath | None = ...,
    resume: bool = ...,
    seeds: int | None = ...,
    folds: int | None = ...,
    refit: bool = ...,
    quick: Literal[True],
    tracker: str = ...,
) -> ProbeResult: ...


@verb(seeds=1, folds=2)
def train(
    recipe: AnyPath | Recipe,
    overrides: Sequence[str] = (),
    *,
    data: AnyPath | None = None,
    manifest: AnyPath | None = None,
    cache: AnyPath | None = None,
    out: AnyPath | None = None,
    resume: bool = False,
    seeds: int | None = None,
    folds: int | None = None,
    refit: bool = False,
    quick: bool = False,
    tracker: str = "",
) -> SingleTrainingResult | RepeatedResult | ProbeResult:
    """Train a network and keep its best epoch; or train it several times and say how far to trust the result.

    >>> import leansort
    >>> quick = ["train.epochs=1", "preprocess.size=32", "arch.base=tiny_s"]
    >>> result = leansort.train("sample", quick, manifest="runs/first", out="runs/quick")
    >>> result.epoch, 0 <= result.val_macro_f1 <= 1
    (1, True)

    Args:
        recipe: the name of a recipe in the package, the path of a YAML file, or a recipe.
        overrides: changes such as `train.epochs=3`; values are YAML.
        data: replaces the recipe's `data.path`.
        manifest: train on this manifest, or its folder, in place of importing the recipe's data.
        cache: folder of decoded crops; `cache` in `out` by default.
        out: folder for the results; `runs/NAME` by default, with the recipe's name.
        resume: go on with an interrupted training in `out`.
        seeds: train with so many seeds, from the recipe's on, at least 1.
        folds: cross-validate on so many folds of train and val, at least 2.
        refit: then train on train and val together, all epochs.
        quick: train no network, and fit a linear classifier on features of the recipe's pretrained one instead, which
            says in a minute what the data can give; alone.
        tracker: also send each epoch to a tracker: `wandb`, `mlflow`, or one of a plugin.

    Returns:
        The best epoch and its val macro-F1; with `seeds`, `folds` or `refit` each training's, with mean and interval;
        with `quick` the probe's val macro-F1 with its interval, by class too.

    Raises:
        UserError: the recipe is wrong, the data cannot be used, the network cannot be exported, `out` holds another
            run, or `quick` is given with what has no effect on it.
    """
    if quick:
        _refuse_with_quick(resume=resume, seeds=bool(seeds), folds=bool(folds), refit=refit, tracker=bool(tracker))
    resolved = resolve(recipe, overrides, data)
    folder = run_folder(resolved, out)
    if quick:
        from leansort.workflows.training.quick.quick_probe import probe

        return probe(resolved, folder, manifest=optional(manifest), cache=optional(cache))
    if tracker:
        from leansort.train import trackers

        trackers.tracker_class(tracker)  # an unknown one is refused before data are read
    if seeds or folds or refit:
        from leansort.workflows.training import cross_validation, run_group

        group = run_group.open_run_group(
            resolved, folder, manifest=optional(manifest), cache=optional(cache), resume=resume, tracker=tracker
        )
        return cross_validation.train_repeatedly(group, resolved, seeds=seeds, folds=folds, with_refit=refit)
    from leansort.workflows.training.train import train_once

    return train_once(
        resolved, folder, manifest=optional(manifest), cache=optional(cache), resume=resume, tracker=tracker
    )


def _refuse_with_quick(**given: bool) -> None:
    for option in (name for name, is_given in given.items() if is_given):
        raise UserError(
            f"train: --quick and --{option} exclude each other: --quick trains no network, it fits one classifier on "
            "features, and begins anew each time with the features that it kept"
        )


@verb()
def average(
    networks: Sequence[AnyPath], manifest: AnyPath, *, out: AnyPath, cache: AnyPath | None = None
) -> AverageResult:
    """Average the weights of trainings that began with the same pretrained weights (model soup, arXiv:2203.05482).

    The best network by val comes first; each of the others is taken in where val macro-F1 does not fall with it.

    >>> import leansort
    >>> result = leansort.average(["runs/first/train"] * 2, "runs/first", out="runs/mean")
    >>> [network.taken for network in result.networks]
    [True, True]

    Args:
        networks: run folders or `model.safetensors` files of one architecture, two or more.
        manifest: the manifest, or its folder.
        out: folder for the averaged network.
        cache: folder of decoded crops; `cache` in `out` by default.

    Returns:
        Each network's val macro-F1, whether it is in the mean, and the mean's.

    Raises:
        UserError: the networks are of several architectures or of other classes than the manifest, or `out` holds
            something.
    """
    from leansort.core import manifest as manifests
    from leansort.workflows.averaging.average import average as workflow  # these load PyTorch

    return workflow([Path(item) for item in networks], manifests.load(Path(manifest)), Path(out), optional(cache))


@verb()
def compress(
    recipe: AnyPath | Recipe,
    model: AnyPath,
    overrides: Sequence[str] = (),
    *,
    data: AnyPath | None = None,
    manifest: AnyPath | None = None,
    cache: AnyPath | None = None,
    out: AnyPath | None = None,
    engine: str = "",
    device: str = "",
    resume: bool = False,
    explain: bool = False,
) -> CompressResult:
    """Compress a trained network by a recipe's passes, each measured and kept within the macro-F1 budget.

    >>> import leansort
    >>> steps = ["compress.steps=[{pass: fuse}]", "arch.base=tiny_s", "preprocess.size=32"]
    >>> result = leansort.compress("sample", "runs/first/train", steps, manifest="runs/first", out="runs/small")
    >>> [step.name for step in result.steps]
    ['start', '1-fuse']

    Args:
        recipe: as for `train`; the names of compression recipes go first.
        model: the network to compress: path of `model.safetensors`, or of a run folder.
        overrides: changes such as `compress.max_drop=0.01`; values are YAML.
        data: replaces the recipe's `data.path`.
        manifest: use this manifest, or its folder, in place of importing the recipe's data.
        cache: folder of decoded crops; `cache` in `out` by default.
        out: folder for the results; `runs/NAME-compress` by default, with the recipe's name.
        engine: replaces the recipe's `target.engine` and its settings, such as `openvino:precision=bf16`.
        device: address of `leansort agent` on the device, where latencies are measured; replaces `target.device`.
        resume: go on with an interrupted compression in `out`.
        explain: also report what each layer costs and how sensitive it is.

    Returns:
        Every step with its macro-F1, size and latency; the bundle is `model.leansort` in `out`.

    Raises:
        UserError: the recipe is wrong or of another network, or `out` holds something else.
        EngineError: the target's engine crashed, hung or failed when it was tried.
        LeansortError: a pass failed; earlier steps are kept, and `resume=True` goes on from them.
    """
    resolved = resolve(recipe, with_device(overrides, device), data, engine, compression=True)
    from leansort.core.run_folder import CompressionFolder
    from leansort.workflows.compression import compress as workflow  # after the check: this one loads PyTorch

    start = workflow.network_to_compress(resolved, Path(model), explain=explain)
    folder = CompressionFolder(run_folder(resolved, out, "-compress"))
    rows = workflow.open_data(resolved, folder.path, optional(manifest), resume=resume)
    folder.recipe.write(resolved.to_json())
    return workflow.compress(resolved, start, rows, folder.path, cache=optional(cache), explain=explain)
