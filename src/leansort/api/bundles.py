"""Bundles: made, run and timed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from leansort.api.verbs import AnyPath, optional, several, verb
from leansort.core.errors import UserError, not_one_of
from leansort.core.locations.location import location

if TYPE_CHECKING:
    from leansort.runtime.predictions import Predictions
    from leansort.workflows.deploy.bench import BenchResult
    from leansort.workflows.deploy.cpp.export_cpp import CppExportResult
    from leansort.workflows.deploy.export import ExportResult
    from leansort.workflows.deploy.micro.export_micro import MicroExportResult


@overload
def export(
    model: AnyPath,
    *,
    manifest: None = None,
    out: AnyPath | None = None,
    name: str = "",
    format: Literal["cpp"],
    target_error: None = None,
    unknown: None = None,
    unknown_share: None = None,
    device: Literal[""] = "",
    reference: None = None,
) -> CppExportResult: ...
@overload
def export(
    model: AnyPath,
    *,
    manifest: AnyPath,
    out: AnyPath | None = None,
    name: str = "",
    format: Literal["c"],
    target_error: None = None,
    unknown: None = None,
    unknown_share: None = None,
    device: Literal[""] = "",
    reference: None = None,
) -> MicroExportResult: ...
@overload
def export(
    model: AnyPath,
    *,
    manifest: AnyPath,
    out: AnyPath | None = None,
    name: str = "",
    format: Literal["onnx", "openvino", "torch", "ncnn", "litert"] = "onnx",
    target_error: float | None = None,
    unknown: AnyPath | None = None,
    unknown_share: float | None = None,
    device: str = "",
    reference: AnyPath | None = None,
) -> ExportResult: ...
@overload
def export(
    model: AnyPath,
    *,
    manifest: AnyPath | None = None,
    out: AnyPath | None = None,
    name: str = "",
    format: str = "onnx",
    target_error: float | None = None,
    unknown: AnyPath | None = None,
    unknown_share: float | None = None,
    device: str = "",
    reference: AnyPath | None = None,
) -> ExportResult | CppExportResult | MicroExportResult: ...
@verb(target_error=(0, 1), unknown_share=(0, 1))
def export(
    model: AnyPath,
    *,
    manifest: AnyPath | None = None,
    out: AnyPath | None = None,
    name: str = "",
    format: str = "onnx",
    target_error: float | None = None,
    unknown: AnyPath | None = None,
    unknown_share: float | None = None,
    device: str = "",
    reference: AnyPath | None = None,
) -> ExportResult | CppExportResult | MicroExportResult:
    """Export a trained network to a bundle that is proved to say the same, its confidences calibrated on val.

    A bundle in the onnx format is converted to another format, and keeps what it holds beside its graph; with
    the format `cpp` it becomes a folder of C++ that is built without Python. A bundle in the litert format and in int8
    becomes, with the format `c`, an array of C for microcontrollers.

    >>> import leansort
    >>> result = leansort.export("runs/first/train", manifest="runs/first", out="exported.leansort", target_error=0.05)
    >>> result.parity.agreement
    1.0
    >>> leansort.export("exported.leansort", format="cpp", out="sorter").graph_format
    'onnx'

    Args:
        model: path of `model.safetensors`, of the folder that holds it, or of a bundle, or a name that
            `leansort.models` lists. With `cpp` a bundle, such a name, or the folder of a run that holds a bundle.
        manifest: a manifest, or its folder, whose val crops prove that the bundle is right; needed but for `cpp`.
        out: path of the bundle to write, `model.leansort` by default; with `cpp` of the folder, `leansort-cpp` by
            default, and with `c` of the folder, `leansort-micro` by default, which must not hold anything yet.
        name: of the model, for people; a bundle keeps its own.
        format: of the graph: `onnx`, `openvino`, `torch`, `ncnn` or `litert`, `cpp`, or `c`; a bundle is converted to
            `openvino`, `ncnn`, `litert` or `cpp`, and one in the litert format to `c`.
        target_error: accept only predictions so sure that at most this fraction of labels is wrong, 0 to 1; None
            accepts all.
        unknown: folder of photos that show none of the classes: `target_error` counts each that is accepted.
        unknown_share: fraction of unknown things among all that the robot will see, between 0 and 1; None: as many as
            `unknown` holds beside the val crops.
        device: address of `leansort agent` on a device, where the bundle must say the same, too.
        reference: labelled photos that the network was not trained on (manifest, class folders, or CSV); a watch
            compares with them in place of the manifest's val crops.

    Returns:
        Where the bundle is, its size, how close it comes to the network, and its calibration; with `cpp` and
        `c` where the folder is and what it holds.

    Raises:
        UserError: there is no such file or format, the labels of network and manifest differ, what is said of
            unknown photos has no effect, the photos of `reference` cannot be used, or C++ cannot do what the bundle
            asks for; of a bundle, whatever would change more than its format.
        LeansortError: the bundle differs from the network; nothing is written.
    """
    from leansort.core.bundle import FORMATS
    from leansort.export.micro import c_array
    from leansort.workflows.deploy.cpp import export_cpp

    if format not in (allowed := (*FORMATS, export_cpp.CPP, c_array.C)):
        raise not_one_of("format", format, allowed)
    idle = {
        "name": name or None,
        "target error": target_error,
        "unknown": unknown,
        "unknown share": unknown_share,
        "device": device or None,
        "reference": reference,
    }
    if format == export_cpp.CPP:
        _require_none(f"with format {format}, as a bundle stays as it is", manifest=manifest, **idle)
        return export_cpp.export_cpp(Path(model), Path("leansort-cpp" if out is None else out))
    if manifest is None:
        raise UserError(f"export: manifest: needed for format {format}: its val crops prove that the bundle is right")
    from leansort.arch import trained_model
    from leansort.core import manifest as manifests

    if format == c_array.C:
        from leansort.workflows.deploy.micro.export_micro import export_micro

        _require_none(f"with format {format}, as a bundle stays as it is", **idle)
        place = Path("leansort-micro" if out is None else out)
        return export_micro(Path(model), manifests.load(Path(manifest)), place)
    from leansort.workflows.deploy.export import bundle_to_convert, convert_bundle, export_bundle

    place = Path("model.leansort" if out is None else out)
    if (bundle := bundle_to_convert(Path(model))) is not None:
        _require_none("on a bundle, which stays as it is", **idle)
        return convert_bundle(bundle, manifests.load(Path(manifest)), place, format)
    return export_bundle(
        trained_model.load(Path(model)),
        manifests.load(Path(manifest)),
        place,
        name=name,
        graph_format=format,
        target_error=target_error,
        unknown=optional(unknown),
        unknown_share=unknown_share,
        device=device,
        reference=optional(reference),
    )


def _require_none(where: str, **options: object) -> None:
    """Refuse options that have no effect there."""
    for name, value in options.items():
        if value is not None:
            raise UserError(f"export: {name}: has no effect {where}")


@verb(seconds=0.1, queries=1, threads=1, starts=0, soak=0)
def bench(
    bundles: AnyPath | Sequence[AnyPath],
    *,
    images: AnyPath,
    baseline: AnyPath | None = None,
    seconds: float = 3.0,
    queries: int = 1000,
    threads: int | None = None,
    engine: str = "",
    profile: bool = False,
    starts: int = 5,
    soak: float = 0.0,
    limits: bool = False,
    chart: AnyPath | None = None,
    device: str = "",
) -> BenchResult:
    """Time bundles in turns: the network alone, decoding alone, both; images/s on all cores; cold start; memory.

    >>> import leansort
    >>> result = leansort.bench(
    ...     "runs/first/model.leansort", images="runs/first/data/crops/test", seconds=0.1, queries=10, starts=0
    ... )
    >>> [item.unit for item in result.measurements]
    ['ms', 'ms', 'ms', 'images/s']

    Args:
        bundles: path of a bundle, or of several that are compared; or names that `leansort.models` lists.
        images: a picture, or a folder of pictures, to decode.
        baseline: a bundle that the others are compared with, among them or not.
        seconds: least time for each figure, at least 0.1.
        queries: fewest calls for each latency, at least 1; of fewer than a thousand, p99 is little more than the worst.
        threads: compute threads of the engine, at least 1, which None stands for.
        engine: what runs the graphs, as for `predict`; where empty, a target that lies beside them goes first.
        profile: also time every layer.
        starts: how often a whole program is started, for its cold start and memory; 0 leaves both out.
        soak: seconds of labelling without a pause, for each bundle, to see whether the machine throttles; 0: none.
        limits: also tell what share of its limit each stage reaches: entropy decoding, pixels, network, start-up.
        chart: path of an SVG picture of that.
        device: address of `leansort agent` on a device, which does all this there; empty: this machine.

    Returns:
        Every figure with its interval, the machine, and a warning where other work disturbed the measurement.

    Raises:
        UserError: there is no such bundle, engine or baseline, no picture that can be read or, for limits, no JPEG; a
            chart without limits.
        IntegrityError: a bundle is damaged.
        EngineError: an engine crashed, hung or failed when it was tried.
    """
    from leansort.runtime.shipped_models import find_bundle
    from leansort.workflows.deploy import bench as workflow
    from leansort.workflows.deploy.bench_on_device import bench_on_device
    from leansort.workflows.deploy.known_target import engine_of_recipe
    from leansort.workflows.deploy.predict import list_inputs

    paths = [find_bundle(path) for path in several(bundles)]
    engine = engine or engine_of_recipe(paths, threads)
    settings = workflow.BenchSettings(
        seconds=seconds,
        queries=queries,
        threads=threads or 1,
        engine=engine,
        profile=profile,
        starts=starts,
        soak=soak,
        limits=limits,
        baseline=None if baseline is None else find_bundle(baseline),
    )
    photos, picture = list(list_inputs([str(images)])), optional(chart)
    workflow.require_chart(picture, limits=limits)
    result = bench_on_device(device, paths, photos, settings) if device else workflow.bench(paths, photos, settings)
    if picture is not None:
        workflow.write_chart(result, picture)
    return result


@verb(threads=0, batch=0)
def predict(
    bundle: AnyPath | Sequence[AnyPath],
    inputs: AnyPath | Sequence[AnyPath] | None = None,
    *,
    threads: int = 0,
    batch: int = 0,
    engine: str = "",
    costs: AnyPath | None = None,
    statistics: bool = False,
) -> Predictions:
    """Classify pictures; one that cannot be read has an error, and the others are classified all the same.

    Without a bundle the model that the package brings classifies them: `leansort.predict("photo.jpg")`.

    A robot that classifies what its camera sees uses `Classifier`, which is loaded once.

    >>> import leansort
    >>> result = leansort.predict("runs/first/model.leansort", "runs/first/data/crops/test")
    >>> result.predictions[0].label in result.labels
    True
    >>> sum(result.counts.values()) + len(result.unreadable) == len(result.images)
    True

    Args:
        bundle: path of the bundle, or a name that `leansort.models` lists; or the first of the inputs.
        inputs: a picture or a folder of pictures, or several of them.
        threads: threads that decode and run; 0 tries one and all cores.
        batch: batch size of the engine, in images; 0 measures several and uses the fastest.
        engine: what runs the graph: an engine's name, with settings or not (`openvino:precision=bf16`), or `auto` for
            the fastest; what suits the bundle where empty.
        costs: file with what wrong bins and rejection cost; the decision with the least expected cost is made, in place
            of the bundle's reject threshold.
        statistics: whether each prediction tells brightness, sharpness, colour and size of its picture.

    Returns:
        The predictions with their pictures, in order.

    Raises:
        UserError: there is no such bundle, picture or engine, or the costs are not those of the bundle's classes.
        IntegrityError: the bundle is damaged.
        EngineError: the engine crashed, hung or failed when it was tried.
    """
    from leansort.core import bundle as bundle_files
    from leansort.core.locations.read_ahead import read_ahead
    from leansort.core.process.console import say
    from leansort.measure.engine_selection import engine_choice
    from leansort.runtime import shipped_models
    from leansort.runtime.decisions.cost_file import load_costs
    from leansort.runtime.predictions import Predictions
    from leansort.workflows.deploy.predict import list_inputs, predict_images
    from leansort.workflows.deploy.predict_arguments import split_arguments

    path, named = split_arguments([str(item) for item in (*several(bundle), *several(inputs or ()))])
    pictures = list(list_inputs(named))
    opened = shipped_models.open_default() if path is None else bundle_files.load(path)
    decision_costs = None if costs is None else load_costs(location(costs), opened.meta)
    chosen = engine_choice.classifier_of(opened, engine, say=say, costs=decision_costs, statistics=statistics)
    with chosen as classifier:
        results = [item for _, item in predict_images(classifier, read_ahead(pictures), threads=threads, batch=batch)]
        return Predictions(
            images=tuple(map(str, pictures)),
            predictions=tuple(results),
            labels=classifier.bundle.meta.labels,
            bundle=classifier.bundle.digest,
            engine=classifier.engine_name,
        )
