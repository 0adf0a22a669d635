"""Run folders, networks, manifests, checkpoints and studies that somebody sends: one clear line, nothing outside."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leansort.arch import trained_model
from leansort.compress.pipeline.accuracy_budget import BudgetVerdict
from leansort.compress.pipeline.step_record import StepRecord
from leansort.contest.formulas import Baselines
from leansort.contest.score_result import ScoreResult
from leansort.core import manifest as manifests
from leansort.core.errors import IntegrityError, LeansortError, UserError
from leansort.core.files import json_documents
from leansort.core.run_folder import RunFolder, StepFolder
from leansort.measure.accuracy.metrics import Interval
from leansort.recipe.load import load_recipe
from leansort.report.model_card_page import facts
from leansort.runtime.predictor import Classifier
from leansort.search import storage as storages
from leansort.search import study_setup
from leansort.search.study import Study
from leansort.train import checkpoint
from leansort.workflows.cards import release_source
from leansort.workflows.deploy import run_report
from leansort.workflows.deploy.evidence.page_sources import PageSources
from leansort.workflows.tuning import best_trial
from tests.support import jobs
from tests.support.mutations import mutated, sample, survived
from tests.support.study_worker import config_of, work

FEW = 60
PLAIN = PageSources(maps=0, photos=0)  # nothing that is drawn of photos: hundreds of pages are written
MANY = pytest.param(10_000, marks=pytest.mark.slow)


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder that a test may change; its pictures are sorted once."""
    kept: list[Any] = []
    sort = Classifier.predict_many

    def once(self: Classifier, *given: Any, **more: Any) -> Iterator[Any]:
        if not kept:
            kept.extend(sort(self, *given, **more))
        return iter(kept)

    monkeypatch.setattr(Classifier, "predict_many", once)
    folder = tmp_path / "run"
    shutil.copytree(tiny_run, folder, ignore=shutil.ignore_patterns("cache", "tensorboard"))
    manifest = manifests.load(tiny_run)
    manifests.Manifest(manifest.rows, manifest.labels, manifest.root, manifest.notes).save(folder / "manifest.parquet")
    return folder


@pytest.mark.parametrize("most", [FEW, MANY])
@pytest.mark.parametrize("name", ["score.json", "bench.json", "calibration.json", "recipe.json"])
def test_report_of_a_changed_file(run: Path, name: str, most: int) -> None:
    path = run / name
    cases = list(mutated(json.loads(path.read_text())))
    taken = 0
    for what, tree in sample(cases, most):
        path.write_text(json.dumps(tree))
        taken += survived(lambda: run_report.write_run_report(run, sources=PLAIN), f"{name}: {what}")
    assert taken < min(most, len(cases))


@pytest.mark.parametrize("most", [FEW, MANY])
def test_report_of_changed_epochs(run: Path, most: int) -> None:
    path = run / "train" / "metrics.jsonl"
    lines = path.read_text().splitlines()
    for what, tree in sample(list(mutated(json.loads(lines[0]))), most):
        path.write_text("\n".join([json.dumps(tree), *lines[1:]]))
        survived(lambda: run_report.write_run_report(run, sources=PLAIN), f"metrics.jsonl: {what}")


@pytest.mark.parametrize("name", ["score.json", "bench.json", "recipe.json", "train/metrics.jsonl", "manifest.parquet"])
def test_folders_pipes_and_links_in_place_of_files(run: Path, name: str, tmp_path: Path) -> None:
    path, outside = run / name, tmp_path / "outside"
    shutil.copy(path, outside)
    made: list[Callable[[], None]] = [path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero")]
    made += [] if name == "manifest.parquet" else [lambda: path.symlink_to(outside)]
    for make in made:
        path.unlink()
        make()
        with pytest.raises(UserError, match=path.name):
            run_report.write_run_report(run, sources=PLAIN)
        path.rmdir() if path.is_dir() else path.unlink()
        shutil.copy(outside, path)
    assert run_report.write_run_report(run, sources=PLAIN).exists()


def test_a_report_is_not_written_through_a_link(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (run / "report.html").unlink()
    (run / "report.html").symlink_to(tmp_path / "mine")
    with pytest.raises(UserError, match="leads out of"):
        run_report.write_run_report(run, sources=PLAIN)
    assert (tmp_path / "mine").read_text() == "mine"


def test_files_that_are_too_large_or_too_deep(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(UserError, match="at most"):
        json_documents.read(path, dict[str, Any], "x")
    for tree, text in (
        ({"a": {"b": "x" * (1 << 21)}}, r"a\.b: a text of 2,097,152 characters"),
        ({"a": [1, {"b": 2**64}]}, r"a\.1\.b: a whole number of more than 64 bits"),
        ({"a": json.loads("[" * 100 + "]" * 100)}, "nested deeper than 60"),
        ({"a": [0] * 3_000_001}, "more than 3,000,000 values"),
    ):
        with pytest.raises(IntegrityError, match=text):
            json_documents.validate(tree, dict[str, Any], "x")


CHANGED_SCORES: dict[str, Callable[[Any], object]] = {
    r"all\.confusion\.0\.1: got -3, input should be greater": lambda part: part["confusion"][0].__setitem__(1, -3),
    "confusion: need 3 rows of 3 counts": lambda part: part["confusion"].pop(),
    r"all\.classes: got \[\], ": lambda part: part["classes"].clear(),
}


@pytest.mark.parametrize("message", CHANGED_SCORES)
def test_counts_that_cannot_be(run: Path, message: str) -> None:
    path = run / "score.json"
    tree = json.loads(path.read_text())
    CHANGED_SCORES[message](tree["lists"]["all"])
    path.write_text(json.dumps(tree))
    with pytest.raises(IntegrityError, match=message):
        RunFolder(run).score.read(ScoreResult, "report")


@pytest.mark.parametrize("most", [FEW, MANY])
def test_report_of_changed_predictions(run: Path, most: int) -> None:
    path = run / "predictions.jsonl"
    lines = path.read_text().splitlines()
    taken = 0
    cases = list(mutated(json.loads(lines[0])))
    for what, tree in sample(cases, most):
        path.write_text("\n".join([json.dumps(tree), *lines[1:]]))
        taken += survived(lambda: run_report.write_run_report(run, sources=PLAIN), f"predictions.jsonl: {what}")
    assert taken < min(most, len(cases))
    path.write_text("\n".join(lines[1:]))
    with pytest.raises(IntegrityError, match=r"predictions\.jsonl: .*: missing"):
        run_report.write_run_report(run, sources=PLAIN)


def test_a_run_without_kept_predictions_is_classified_again(run: Path) -> None:
    before = run_report.write_run_report(run, sources=PLAIN).read_text()
    (run / "predictions.jsonl").unlink()
    assert run_report.write_run_report(run, sources=PLAIN).read_text() == before


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def with_header(path: Path, header: Any, body: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


@pytest.fixture
def network(tiny_run: Path, tmp_path: Path) -> tuple[Path, dict[str, Any], dict[str, Any], bytes]:
    """A file for a network, and the header, what leansort put there, and the weights of a real one."""
    header, body = header_of((tiny_run / "train" / "model.safetensors").read_bytes())
    return tmp_path / "model.safetensors", header, json.loads(header["__metadata__"]["leansort"]), body


@pytest.mark.parametrize("most", [FEW, MANY])
def test_networks_whose_header_was_changed(network: Any, most: int) -> None:
    path, header, meta, body = network
    for what, tree in sample(list(mutated(meta)), most):
        with_header(path, {**header, "__metadata__": {"leansort": json.dumps(tree)}}, body)
        survived(lambda: trained_model.load(path).network(), f"model: {what}")
    few = {name: header[name] for name in list(header)[:5]}
    for what, tree in sample(list(mutated(few)), most):
        if isinstance(tree, dict):
            with_header(path, {**{name: at for name, at in header.items() if name not in few}, **tree}, body)
            survived(lambda: trained_model.load(path).network(), f"model's tensors: {what}")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"classes": 10**9}, "need \\(1000000000,"),
        ({"edits": [{"op": "resize", "layers": {"x": [10**9, 10**9, 1]}}]}, "there is no layer"),
        ({"base": "x", "model": {"rows": [{"block": "conv", "out": 8}] * 20_000}}, "20,000 rows"),
        ({"base": "x", "model": {"rows": [{"block": "conv", "out": 65_536, "repeat": 1000}] * 900}}, "900,000 blocks"),
        ({"base": "../../evil"}, "backbone: got '../../evil'"),
        ({"width": float("nan")}, r"spec\.width: got nan, need a finite number"),
        ({"edits": [{"op": "remove", "layers": ["0"]}]}, "model.safetensors: "),
    ],
)
def test_networks_that_would_take_any_memory(network: Any, spec: dict[str, Any], text: str) -> None:
    path, header, meta, body = network
    changed = {**meta, "spec": {**meta["spec"], **spec}}
    with_header(path, {**header, "__metadata__": {"leansort": json.dumps(changed)}}, body)
    with pytest.raises(IntegrityError, match=text):
        trained_model.load(path)


@pytest.mark.parametrize("most", [FEW, MANY])
def test_a_card_of_a_network_whose_origin_was_changed(run: Path, network: Any, most: int) -> None:
    _, header, meta, body = network
    for what, tree in sample(list(mutated(meta["provenance"])), most):
        changed = json.dumps({**meta, "provenance": tree})
        with_header(run / "train" / "model.safetensors", {**header, "__metadata__": {"leansort": changed}}, body)
        survived(lambda: facts(release_source.source_of_training(run / "train").facts), f"provenance: {what}")


@pytest.mark.parametrize("length", [0, 7, 2**63, 2**64 - 1, 1 << 25])
def test_header_lengths_that_cannot_be(network: Any, length: int) -> None:
    path, _, _, body = network
    path.write_bytes(length.to_bytes(8, "little") + body)
    with pytest.raises(IntegrityError, match=r"model\.safetensors is damaged"):
        trained_model.load(path)


def test_checkpoints_that_were_changed(tmp_path: Path) -> None:
    item = jobs.job()
    jobs.stopped(item, tmp_path, after=100)
    path = tmp_path / "last.safetensors"
    header, body = header_of(path.read_bytes())
    meta = json.loads(header["__metadata__"]["leansort"])
    refused = 0
    for what, tree in sample([case for case in mutated(meta) if isinstance(case[1], dict)], 25):
        tree["identity"] = meta["identity"]  # which anybody can write who has the recipe and the data
        with_header(path, {**header, "__metadata__": {"leansort": json.dumps(tree)}}, body)
        refused += not survived(lambda: jobs.trained(item, tmp_path, resume=True), f"checkpoint: {what}")
    name = next(name for name, at in header.items() if name.startswith("model.") and len(at["shape"]) > 1)
    with_header(path, {**header, name: {**header[name], "shape": [1]}}, body)
    assert not survived(lambda: checkpoint.identity(path), "a shape that does not fit its bytes")
    assert refused > 5


COLUMNS: dict[str, list[Any]] = {
    "image": ["../../etc/passwd", "/etc/passwd", "a/../../b.jpg", "", "x\0y.jpg", "x" * 5000],
    "split": ["", "TRAIN", "other"],
    "label": [-1, 3, 2**31 - 1],
    "box": [[], [1.0], [1.0, 2.0, 3.0, float("nan")], [float("inf")] * 4, [0.0] * 100],
}
NOTES: tuple[tuple[str, Any], ...] = (
    ("root", "/"), ("root", 7), ("root", "x\0y"), ("labels", [1, 2, 3]), ("labels", "abc"), ("labels", ["a", "a", "b"]),
    ("labels", None), ("notes", []), ("labels_digest", 0), ("version", True), ("version", "1"),
)  # fmt: skip


def rewritten(source: Path, path: Path, change: Callable[[list[dict[str, Any]], dict[str, Any]], None]) -> Path:
    table = pq.read_table(source)
    rows, meta = table.to_pylist(), json.loads(table.schema.metadata[b"leansort"])
    change(rows, meta)
    schema = table.schema.with_metadata({b"leansort": json.dumps(meta).encode()})
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    return path


@pytest.mark.parametrize(("column", "value"), [(name, value) for name, several in COLUMNS.items() for value in several])
def test_manifests_with_a_changed_cell(tiny_run: Path, tmp_path: Path, column: str, value: Any) -> None:
    source = tiny_run / "manifest.parquet"
    path = rewritten(source, tmp_path / "m.parquet", lambda rows, _: rows[3].update({column: value}))
    with pytest.raises(IntegrityError, match=str(path)):
        manifests.load(path)


@pytest.mark.parametrize(("name", "value"), NOTES)
def test_manifests_with_changed_notes(tiny_run: Path, tmp_path: Path, name: str, value: Any) -> None:
    source = tiny_run / "manifest.parquet"
    path = rewritten(source, tmp_path / "m.parquet", lambda _, meta: meta.update({name: value}))
    with pytest.raises(LeansortError, match=str(path)):
        manifests.load(path)


@pytest.mark.parametrize("most", [FEW, MANY])
def test_manifests_with_any_notes(tiny_run: Path, tmp_path: Path, most: int) -> None:
    table = pq.read_table(tiny_run / "manifest.parquet")
    path = tmp_path / "m.parquet"
    for what, tree in sample(list(mutated(json.loads(table.schema.metadata[b"leansort"]))), most):
        pq.write_table(table.replace_schema_metadata({b"leansort": json.dumps(tree).encode()}), path)
        survived(lambda: manifests.load(path), f"manifest: {what}")


def test_a_small_manifest_of_many_rows_is_not_unpacked(tiny_run: Path, tmp_path: Path) -> None:
    table = pq.read_table(tiny_run / "manifest.parquet")
    first, path = table.slice(0, 1), tmp_path / "m.parquet"
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        whole = pa.concat_tables([first] * 1000)
        for _ in range(1100):
            writer.write_table(whole.combine_chunks())
    assert path.stat().st_size < 1_100_000 * 8
    with pytest.raises(IntegrityError, match="1,100,000 rows"):
        manifests.load(path)


@pytest.mark.parametrize("most", [FEW, MANY])
def test_a_step_of_a_compression_that_was_changed(tmp_path: Path, most: int) -> None:
    interval = {"value": 0.1, "low": 0.0, "high": 0.2}
    verdict = {"macro_f1": interval, "drop": interval, "classes": {"a": 0.5}, "class_drops": {"a": 0.0},
               "accepted": True, "reason": "kept to"}  # fmt: skip
    tries = [{"fraction": 1.0, "state": "accepted", "reason": "kept to"}]
    step = {"name": "1-prune", "pass": "prune", "state": "accepted", "reason": "kept to", "verdict": verdict,
            "tries": tries, "settings": {}, "notes": {}}  # fmt: skip
    path = tmp_path / "step.json"
    path.write_text(json.dumps(step))
    record = StepFolder(tmp_path).record
    assert record.read(StepRecord, "step").verdict == BudgetVerdict(
        Interval(**interval), Interval(**interval), {"a": 0.5}, {"a": 0.0}, True, "kept to"
    )
    for what, tree in sample(list(mutated(step)), most):
        path.write_text(json.dumps(tree))
        survived(lambda: record.read(StepRecord, "step"), f"step: {what}")


@pytest.fixture
def study(tiny_recipe: Path, tmp_path: Path) -> Path:
    """The folder of a study of six trials."""
    storages.quiet()
    config = config_of("s", trials=6)
    storage = storages.open_storage(str(tmp_path / "study.journal"))
    recipe = load_recipe(tiny_recipe).to_json()
    study_setup.create(storage, config, recipe, ["a", "b"], "data", config.wanted(Baselines()))
    work(storage, "s")
    return tmp_path


def _asked(folder: Path) -> None:
    """What a further worker does first."""
    config = config_of("s", trials=8)
    item = Study(storages.open_storage(str(folder / "study.journal")), config, config.wanted(Baselines()))
    if trial := item.ask():
        item.curves(trial)
        item.give_back(trial, "enough")


@pytest.mark.parametrize("most", [FEW, pytest.param(2500, marks=pytest.mark.slow)])
def test_a_journal_that_was_changed(study: Path, most: int) -> None:
    path = study / "study.journal"
    lines = path.read_text().splitlines()
    cases = [(f"{at}: {what}", (at, tree)) for at, line in enumerate(lines) for what, tree in mutated(json.loads(line))]
    for what, (at, tree) in sample(cases, most):
        for call in (
            lambda: best_trial.write_study_report(best_trial.find_study(study, "", "s")),
            lambda: _asked(study),
        ):
            path.write_text("\n".join([*lines[:at], json.dumps(tree), *lines[at + 1 :]]) + "\n")
            survived(call, f"line {what}")


def test_pipes_and_links_in_a_study(study: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "mine.html"
    other.write_text("mine")
    (study / "tune.html").symlink_to(other)
    with pytest.raises(UserError, match="leads out of"):
        best_trial.write_study_report(best_trial.find_study(study, "", "s"))
    assert other.read_text() == "mine"
    (study / "study.journal").unlink()
    os.mkfifo(study / "study.journal")
    with pytest.raises(UserError, match="no journal"):
        best_trial.find_study(study, "", "s")
