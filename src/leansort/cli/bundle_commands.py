"""`leansort export|card|bench|predict|submit|score`: from a trained network to a bundle, and what a bundle does.

What these need is imported inside them, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from leansort import api
from leansort.api.verbs import optional
from leansort.cli.completion.offered_names import offer_models
from leansort.cli.options import BundleEngine, Device, Engine, Json, Threads, print_line, print_result
from leansort.core.errors import UserError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (export, card, bench, predict, submit, score):
        app.command()(command)


def export(
    model: Annotated[
        Path,
        typer.Argument(
            help="model.safetensors, its folder, or a bundle or its name, which is converted; for cpp a bundle, its "
            "name or its run; for c a bundle in the litert format."
        ),
    ],
    manifest: Annotated[
        Path | None,
        typer.Option(help="Manifest with the val crops on which network and bundle are compared; not for cpp."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="The bundle to write, model.leansort by default; for cpp and c the folder, leansort-cpp or -micro.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the model, as reports show it.")] = "",
    graph_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="Format of the graph: onnx, openvino, torch, ncnn or litert; or cpp, a folder of C++; or c, an array "
            "of C for microcontrollers.",
        ),
    ] = "onnx",
    target_error: Annotated[
        float | None,
        typer.Option(
            help="Reject uncertain predictions, so that at most this fraction of the accepted ones is wrong.",
            min=0,
            max=1,
        ),
    ] = None,
    unknown: Annotated[
        Path | None,
        typer.Option(help="Folder of photos that show none of the classes: --target-error counts those accepted."),
    ] = None,
    unknown_share: Annotated[
        float | None,
        typer.Option(help="Fraction of unknown things among all; as many as --unknown holds by default.", min=0, max=1),
    ] = None,
    device: Device = "",
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Labelled photos that `watch` compares with: manifest, class folders or CSV; val by default."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Export a trained model to a verified bundle, its confidences calibrated on val; or a bundle to another format.

    \b
    Example: leansort export runs/sample/train --manifest runs/sample --out model.leansort
    Example: leansort export runs/sample/train --manifest runs/sample --format openvino --target-error 0.02
    Example: leansort export model.leansort --manifest runs/sample --format ncnn --out model-ncnn.leansort
    Example: leansort export runs/sample/train --manifest runs/sample --target-error 0.02 --unknown photos/
    Example: leansort export runs/second/train --manifest grown --reference labelled.csv --out model.leansort
    Example: leansort export model.leansort --format cpp --out sorter
    Example: leansort export int8.leansort --manifest runs/sample --format c --out board
    """
    result = api.export(
        model,
        manifest=manifest,
        out=out,
        name=name,
        format=graph_format,
        target_error=target_error,
        unknown=unknown,
        unknown_share=unknown_share,
        device=device,
        reference=reference,
    )
    print_result(result, as_json, result.summary())


def bench(
    bundles: Annotated[
        list[Path],
        typer.Argument(help="Bundles to compare, or names that `leansort models` lists.", autocompletion=offer_models),
    ],
    images: Annotated[Path, typer.Option(help="An image, or a folder of images, to classify.")],
    baseline: Annotated[Path | None, typer.Option(help="Bundle that the others are compared with.")] = None,
    seconds: Annotated[float, typer.Option(help="Minimum seconds for each measurement.", min=0.1)] = 3.0,
    queries: Annotated[int, typer.Option(help="Minimum number of calls for each latency.", min=1)] = 1000,
    threads: Annotated[int | None, typer.Option(help="Compute threads of the engine; 1 by default.", min=1)] = None,
    engine: BundleEngine = "",
    profile: Annotated[bool, typer.Option("--profile", help="Also time every layer.")] = False,
    starts: Annotated[int, typer.Option(help="Number of process starts, for cold start and peak memory.", min=0)] = 5,
    soak: Annotated[
        float, typer.Option(help="Seconds of labelling without a pause, for each bundle: does it throttle?", min=0)
    ] = 0.0,
    limits: Annotated[
        bool, typer.Option("--limits", help="Also tell what share of this machine's limit each stage reaches.")
    ] = False,
    chart: Annotated[Path | None, typer.Option(help="SVG picture of the limits to write.")] = None,
    device: Device = "",
    as_json: Json = False,
) -> None:
    """Time bundles, interleaved: model, decoding, both; images/s on all cores; cold start; memory.

    \b
    Example: leansort bench model.leansort --images runs/sample/crops/test
    Example: leansort bench small.leansort --baseline model.leansort --images photos/ --profile
    Example: leansort bench model.leansort --images photos/ --limits --chart limits.svg
    Example: leansort bench model.leansort --images photos/ --soak 600 --device http://robot:8791
    """
    from leansort.workflows.deploy import bench as benches

    result = api.bench(
        bundles,
        images=images,
        baseline=baseline,
        seconds=seconds,
        queries=queries,
        threads=threads,
        engine=engine,
        profile=profile,
        starts=starts,
        soak=soak,
        limits=limits,
        chart=chart,
        device=device,
    )
    if result.warning:
        print_line(f"warning: {result.warning}", to_error=True)
    print_result(result, as_json, benches.text(result))


def predict(
    bundle: Annotated[
        str,
        typer.Argument(
            metavar="[BUNDLE]",
            help="A .leansort file, or a name that `leansort models` lists; without one, the model of the package.",
            autocompletion=offer_models,
        ),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGES...", help="Images, folders, or - for a list of paths on standard input."),
    ] = None,
    style: Annotated[
        str, typer.Option("--format", help="Output format: text, csv or json (one object per line).")
    ] = "text",
    out: Annotated[Path | None, typer.Option("--out", help="File to write; standard output by default.")] = None,
    threads: Annotated[
        int, typer.Option(help="Threads that decode and run; 0 measures one and all cores and uses the faster.", min=0)
    ] = 0,
    batch: Annotated[int, typer.Option(help="Batch size; 0 measures several and uses the fastest.", min=0)] = 0,
    engine: Engine = "",
    costs: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON with what wrong bins and rejection cost; the cheapest decision is made."),
    ] = None,
    statistics: Annotated[
        bool, typer.Option("--statistics", help="Add brightness, sharpness, colour and size of each image, for watch.")
    ] = False,
    ray: Annotated[
        str,
        typer.Option(
            help="Classify on a Ray cluster: its address, or local[:WORKERS]; --out is a folder, gone on with."
        ),
    ] = "",
) -> None:
    """Classify images. Exit code 1 if any could not be read; the others are still classified.

    With a list on standard input, each image is classified as soon as its path arrives, unless --batch is given.

    \b
    Example: leansort predict photo.jpg
    Example: leansort predict model.leansort photos/ --format csv --out labels.csv --costs costs.yaml
    Example: leansort predict model.leansort s3://bucket/photos --ray local:2 --format csv --out labels
    """
    from leansort.core.locations.read_ahead import AHEAD
    from leansort.workflows.deploy import predict as predictions
    from leansort.workflows.deploy.predict_arguments import STDIN, split_arguments

    path, named = split_arguments([bundle, *(inputs or [])])
    if ray:
        given = {"--threads": threads, "--batch": batch, "--statistics": statistics}
        _predict_with_ray(path, named, optional(out), ray, style, engine, optional(costs), given)
        return
    if STDIN in named and not batch:
        threads, batch = threads or 1, 1
    result = predictions.predict_to(
        path,
        predictions.list_inputs(named, sys.stdin.buffer),
        optional(out),
        style=style,
        threads=threads,
        batch=batch,
        engine=engine,
        costs=costs,
        statistics=statistics,
        ahead=0 if STDIN in named else AHEAD,
    )
    if result.unreadable:
        raise typer.Exit(1)


def _predict_with_ray(
    bundle: Path | None,
    named: list[str],
    out: Path | None,
    address: str,
    style: str,
    engine: str,
    costs: Path | None,
    given: Mapping[str, object],
) -> None:
    from leansort.workflows.cluster.ray_predict import predict_with_ray
    from leansort.workflows.deploy.predict import list_inputs

    if without := [name for name, value in given.items() if value]:
        raise UserError(f"predict --ray: {', '.join(without)} has no effect on a cluster")
    if out is None:
        raise UserError("predict --ray: --out is missing; name a folder for the partitions")
    pictures = list_inputs(named, sys.stdin.buffer)
    result = predict_with_ray(bundle, pictures, out, address, style=style, engine=engine, costs=costs)
    print_line(f"{result.file}: {result.pictures:,} photos, {result.classified:,} classified now, "
               f"{result.already:,} before, {result.unreadable:,} unreadable")  # fmt: skip
    if result.unreadable:
        raise typer.Exit(1)


def submit(
    bundle: Annotated[
        Path, typer.Argument(help="The bundle, or a name that `leansort models` lists.", autocompletion=offer_models)
    ],
    inputs: Annotated[list[str], typer.Argument(help="The test folder, images, or - for a list of paths.")],
    out: Annotated[Path, typer.Option("--out", help="The submission file.")] = Path("output.csv"),
    threads: Threads = 0,
    engine: BundleEngine = "",
    predictions: Annotated[
        Path | None, typer.Option(help="Also write all probabilities to this file, one JSON object per line.")
    ] = None,
) -> None:
    """Write the contest's submission file.

    \b
    Example: leansort submit model.leansort test/NoLabel --out output.csv
    """
    from leansort.core.locations.location import location
    from leansort.runtime.shipped_models import find_bundle
    from leansort.workflows.contest.submit import submit as write
    from leansort.workflows.deploy.known_target import engine_of_recipe
    from leansort.workflows.deploy.predict import list_inputs

    path = find_bundle(bundle)
    engine = engine or engine_of_recipe([path])
    pictures = list(list_inputs(inputs, sys.stdin.buffer))
    out = location(out)
    result = write(path, pictures, out, threads=threads, engine=engine, predictions=optional(predictions))
    for line in result.faults:
        print_line(f"unreadable {line}", to_error=True)
    print_line(f"{out}: {result.pictures} pictures in {result.seconds:.2f} s")
    if result.faults:
        raise typer.Exit(1)


def score(
    answers: Annotated[
        Path, typer.Argument(help="A submission file, or a bundle or model's name, which is run on the images first.")
    ],
    ground_truth: Annotated[Path, typer.Option(help="Manifest, folder of class folders, or CSV image,label.")],
    split: Annotated[str, typer.Option(help="Split of the manifest.")] = "test",
    public: Annotated[Path | None, typer.Option(help="File with the names of the public list, one per line.")] = None,
    private: Annotated[Path | None, typer.Option(help="File with the names of the private list, one per line.")] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Seconds to use in place of the time that the submission states.", min=0)
    ] = None,
    base_f1: Annotated[float, typer.Option(help="Baseline F1 of the time edition.")] = 0.70,
    base_seconds: Annotated[float, typer.Option(help="Baseline time in seconds.")] = 43.16,
    base_macs_f1: Annotated[float, typer.Option(help="Baseline F1 of the MACs edition.")] = 0.8342,
    base_macs: Annotated[int, typer.Option(help="Baseline MACs.")] = 13_863_553,
    engine: BundleEngine = "",
    unknown: Annotated[
        Path | None,
        typer.Option(help="Folder of photos that show none of a bundle's classes: how well are they told?"),
    ] = None,
    costs: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON with what wrong bins and rejection cost: what do a bundle's decisions cost?"),
    ] = None,
    ray: Annotated[
        str, typer.Option(help="Run the bundle on a Ray cluster: its address, or local[:WORKERS]; needs --out.")
    ] = "",
    out: Annotated[Path | None, typer.Option("--out", help="With --ray: folder for partitions, gone on with.")] = None,
    as_json: Json = False,
) -> None:
    """Macro-F1 with its interval, the per-class table, and the contest's scores in both editions.

    \b
    Example: leansort score output.csv --ground-truth runs/sample --public public.txt --private private.txt
    Example: leansort score model.leansort --ground-truth s3://bucket/labelled --ray local:2 --out scored
    Example: leansort score model.leansort --ground-truth runs/sample --unknown photos/ --costs costs.yaml
    """
    from leansort.workflows.contest import score as scores

    scored = api.score(
        answers,
        ground_truth=ground_truth,
        split=split,
        public=public,
        private=private,
        seconds=seconds,
        base_f1=base_f1,
        base_seconds=base_seconds,
        base_macs_f1=base_macs_f1,
        base_macs=base_macs,
        engine=engine,
        unknown=unknown,
        costs=costs,
        ray=ray,
        out=out,
    )
    for line in scored.faults:
        print_line(f"unreadable {line}", to_error=True)
    print_result(scored, as_json, scores.score_table(scored))
    if scored.faults:
        raise typer.Exit(1)


def card(
    run: Annotated[
        Path, typer.Argument(help="Folder of a training or a compression's step, or a bundle within its run's folder.")
    ],
    manifest: Annotated[Path, typer.Option(help="Manifest whose val crops it is scored on.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to make.")],
    name: Annotated[str, typer.Option(help="Name of the model; the folder's by default.")] = "",
    note: Annotated[list[str] | None, typer.Option(help="A paragraph on data, licence or limits; repeatable.")] = None,
    facts: Annotated[
        Path | None,
        typer.Option(help="YAML with data, data_licence, limits and so on; goes before the recipe's card section."),
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="A model of the same recipe with another seed, to tell their spread; repeatable."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Minimum seconds of each latency of a bundle; 3 by default, 0 for none.", min=0)
    ] = None,
    engine: Engine = "",
    as_json: Json = False,
) -> None:
    """Make a trained network or a bundle fit to be passed on: its files, recipe and model card in one folder.

    \b
    Example: leansort card runs/sure/seed-0 --manifest runs/sure --out models/trash --note "Trained on my photos."
    Example: leansort card runs/a/model.leansort --also runs/b/model.leansort --manifest runs/a --out models/trash
    """
    from leansort.core import manifest as manifests
    from leansort.workflows.cards.model_card import CardSettings, write_model_card

    settings = CardSettings(name, note or (), facts, also or (), engine, seconds)
    result = write_model_card(run, manifests.load(manifest), out, settings)
    size = f"{result.parameters:,} parameters, {result.bytes / 1e6:.2f} MB"
    print_result(result, as_json, f"{out}: val macro-F1 {result.macro_f1:.4f}, {size}")
