"""`leansort run RECIPE`: data, train, compress, export, bench, submit, score, report - the main job, end to end."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from leansort.arch.trained_model import TrainedModel
from leansort.core import bundle as bundles
from leansort.core import manifest as manifests
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, UserError
from leansort.core.files import atomic_io, json_documents
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.process.distributed import is_distributed
from leansort.core.text.escaping import printable
from leansort.core.text.name_lists import write_names
from leansort.data.splits import split_for_group
from leansort.measure.accuracy.image_names import image_names
from leansort.recipe.schema import Recipe
from leansort.workflows.compression.compress import compress, read_steps
from leansort.workflows.contest.score import score
from leansort.workflows.data.import_data import import_data, warn
from leansort.workflows.data.resume_check import require_same_import
from leansort.workflows.deploy import bench as benches
from leansort.workflows.deploy.export import export_bundle
from leansort.workflows.deploy.run_report import write_run_report
from leansort.workflows.training.train import exportable, train_model


def run(recipe: Recipe, out: Path, *, resume: bool = False) -> dict[str, Any]:
    """Do the whole job of a recipe.

    Args:
        recipe: the resolved recipe.
        out: the run folder.
        resume: go on with an interrupted run in `out`.

    Returns:
        The headline figures and where the files are.

    Raises:
        UserError: `out` holds another run, or the data cannot be used.
    """
    if is_distributed():
        raise UserError("run: exports, times and scores in one process; start leansort train by torchrun")
    read_steps(recipe)
    if not resume:
        exportable(recipe)
    manifest = _manifest(recipe, out, resume)
    model = train_model(
        recipe, manifest, out / "train", resume=resume and (out / "train" / "last.safetensors").exists()
    )
    bundle_path = out / "model.leansort"
    bundle = _deployed(recipe, model, manifest, out)
    split = "test" if any(row.split == "test" for row in manifest.rows) else "val"
    pictures = [manifest.path(row) for row in manifest.split(split)]
    say("bench: timing the bundle")
    timed = benches.bench([bundle_path], pictures, benches.BenchSettings(**recipe.bench.model_dump()))
    atomic_io.write_json(out / "bench.json", timed.to_json())
    faults = _submit(bundle_path, pictures, out)
    scored = _score(recipe, manifest, split, out) | {"split": split, "faults": faults}
    atomic_io.write_json(out / "score.json", scored)
    page = write_run_report(out)
    part = scored["lists"]["all"]
    return {
        "macro_f1": part["macro_f1"], "macro_f1_classes": part["macro_f1_classes"],
        "accuracy": part["accuracy"], "crops": part["crops"], "split": split,
        "contest": scored["contest"], "parameters": bundle.meta.parameters, "bytes": bundle_path.stat().st_size,
        "latency_ms": {
            measurement.name.rpartition(": ")[2]: measurement.percentiles
            for measurement in timed.measurements
            if measurement.percentiles
        },
        "warning": timed.warning,
        "bundle": str(bundle_path), "submission": str(out / "output.csv"), "report": str(page),
    }  # fmt: skip


def _manifest(recipe: Recipe, out: Path, resume: bool) -> Manifest:
    path = out / "manifest.parquet"
    if resume and path.exists():
        kept = json_documents.read(out / "recipe.json", dict[str, Any], "resume")
        if kept != recipe.to_json():
            raise UserError(f"resume: {out} was started with another recipe; start a new run with --out")
        require_same_import(recipe.data, out)
        manifest = manifests.load(path)
        warn(manifest)
        return manifest
    atomic_io.new_folder(out, "run", reuse=resume)
    atomic_io.write_json(out / "recipe.json", recipe.to_json())
    return import_data(recipe.data, out, seed=recipe.seed)


def _deployed(recipe: Recipe, model: TrainedModel, manifest: Manifest, out: Path) -> Bundle:
    """Write the bundle: what the recipe's passes make of the network, or without any the network itself."""
    if recipe.compress.steps:
        tree = compress(recipe, model, manifest, out / "compress", cache=out / "cache")
        bundle = bundles.load(out / "compress" / "model.leansort")
        bundle.save(out / "model.leansort")
        atomic_io.write_json(out / "calibration.json", tree["calibration"])
        return bundle
    bundle, same, result = export_bundle(
        model, manifest, out / "model.leansort", name=recipe.name, graph_format=recipe.export.format,
        wanted_error=recipe.export.wanted_error,
    )  # fmt: skip
    atomic_io.write_json(out / "parity.json", same.to_json())
    atomic_io.write_json(out / "calibration.json", result.to_json())
    return bundle


def _submit(bundle: Path, pictures: list[Path], out: Path) -> list[str]:
    """Run the submission as the contest does: a process of its own, start-up included in its time."""
    listed, answers = out / "pictures.txt", out / "output.csv"
    answers.unlink(missing_ok=True)  # an earlier one is no answer of this bundle
    write_names(listed, list(map(str, pictures)))
    command = [sys.executable, "-m", "leansort", "submit", str(bundle), "-", "--out", str(answers)]
    with listed.open("rb") as names:
        done = subprocess.run(command, stdin=names, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not answers.exists():  # 1: some pictures could not be read
        raise LeansortError(f"submit: failed with exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    return [line for line in done.stderr.splitlines() if line.startswith("unreadable ")]


def _score(recipe: Recipe, manifest: Manifest, split: str, out: Path) -> dict[str, Any]:
    """Score the submission on all crops and, as the contest does, on a public and a private half apart."""
    halves = Counter[str]()
    lines: dict[str, list[str]] = {"public": [], "private": []}
    rows = manifest.split(split)
    for row, name in zip(rows, image_names([manifest.path(row) for row in rows]), strict=True):
        # Not by the group alone: the splits were dealt by that already.
        half = split_for_group(f"half/{row.group}", recipe.seed, {"public": 0.5, "private": 0.5})
        halves[half] += 1
        lines[half].append(name)
    paths = {half: out / f"{half}.txt" for half in lines if halves[half]}
    for half, path in paths.items():
        write_names(path, lines[half])
    return score(
        out / "output.csv", out / "manifest.parquet", split=split, public=paths.get("public"),
        private=paths.get("private"), base=recipe.contest,
    )  # fmt: skip


def run_summary(result: dict[str, Any]) -> str:
    """The headline figures as lines of text."""
    f1, over, ms = result["macro_f1"], result["macro_f1_classes"], result["latency_ms"]
    contest = next(row for row in result["contest"] if row["edition"] == "time" and row["list"] == "all")
    lines = [
        f"{result['split']} macro-F1     {f1['value']:.4f} {over['over']} (95 % {f1['low']:.4f} – {f1['high']:.4f})",
        *([f"                  {over['note']}"] if over["note"] else []),
        f"decode to label   p50 {ms['decode to label']['p50']:.2f} ms, p99 {ms['decode to label']['p99']:.2f} ms",
        f"model alone       p50 {ms['model alone']['p50']:.2f} ms, p99 {ms['model alone']['p99']:.2f} ms",
        f"bundle            {result['bytes'] / 1e6:.2f} MB, {result['parameters']:,} parameters: "
        + printable(result["bundle"]),
        f"contest score     {contest['score']:.4f} (time edition, {contest['cost']:.2f} s for {result['crops']} crops)",
        f"report            {printable(result['report'])}",
    ]
    return "\n".join([*lines, *([f"warning: {result['warning']}"] if result["warning"] else [])])
