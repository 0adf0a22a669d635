"""Repeated runs: intervals, folds, the final fit, ablations, trackers."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch

from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel, save_tensors
from leansort.core.errors import IntegrityError, UserError
from leansort.core.labels import LabelSet
from leansort.core.manifest import Manifest, Row
from leansort.core.preprocess import Preprocess
from leansort.core.run_folder import GroupFolder, TrainingFolder
from leansort.core.text.packaged_configs import FOLDER as CONFIGS
from leansort.core.writing import atomic_io
from leansort.measure.accuracy.metrics import Interval
from leansort.measure.confidence import MeanInterval, mean_interval, t95
from leansort.measure.robustness.stress_result import NotCutOut
from leansort.measure.robustness.stressed_crops import StressFacts
from leansort.measure.robustness.stressed_score import StressedScore
from leansort.recipe.load import validate_recipe
from leansort.recipe.schema import Recipe
from leansort.train.loop import TrainingInterrupted
from leansort.workflows.training import cross_validation, refit, run_group
from leansort.workflows.training.ablations import ablation, ablation_variants
from leansort.workflows.training.run_group import RunGroup
from leansort.workflows.training.training_results import (
    AblationResult,
    RepeatedResult,
    TrainingResult,
)

ROWS = tuple(
    Row(f"{split}{group}_{crop}.jpg", (group + crop) % 3, split, f"{split}{group}", "h", "")
    for split, groups in (("train", 12), ("val", 5), ("test", 4))
    for group in range(groups)
    for crop in range(3)
)
DATA = Manifest(ROWS, LabelSet(("a", "b", "c")), Path())


def recipe(**train: Any) -> Recipe:
    return validate_recipe({"name": "tiny", "data": {"source": "folder", "path": "x"}, "train": train}, "test")


def result(f1: float | None, seed: int = 0, name: str = "run", epoch: int = 4) -> TrainingResult:
    return TrainingResult(
        name=name, seed=seed, recipe="r", data="d", val_macro_f1=f1, epoch=epoch, epochs=5, seconds=10.0
    )


@pytest.mark.parametrize(  # tables of Student's t, 97.5 %
    ("degrees", "point"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (30, 2.0423), (100, 1.984)]
)
def test_t_is_that_of_the_tables(degrees: int, point: float) -> None:
    assert t95(degrees) == pytest.approx(point, abs=1e-4)


def test_t_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    for degrees in range(1, 120):
        assert t95(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-9)


def test_an_interval_worked_out_by_hand() -> None:
    results = mean_interval([0.80, 0.82, 0.84])  # std 0.02; 4.30265 * 0.02 / sqrt(3) = 0.049683
    assert results.n == 3
    assert results.mean == pytest.approx(0.82)
    assert results.std == pytest.approx(0.02)
    assert results.low == pytest.approx(0.770317, abs=1e-6)
    assert results.high == pytest.approx(0.869683, abs=1e-6)
    assert mean_interval([0.7]) == MeanInterval(1, 0.7, None, None, None)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [([0.01, 0.02, 0.015], "helps"), ([-0.01, -0.02, -0.015], "hurts"), ([0.01, -0.02], "not told apart"),
     ([0.5], "not told apart"), ([0.0, 0.0], "not told apart")],
)  # fmt: skip
def test_a_verdict_needs_an_interval_without_zero(values: list[float], verdict: str) -> None:
    assert mean_interval(values).verdict == verdict


def test_runs_wanted_and_their_order() -> None:
    assert [run.name for run in cross_validation.plan_runs(7, 2, None)] == ["seed-7", "seed-8"]
    assert [run.name for run in cross_validation.plan_runs(7, None, 3)] == ["fold-0", "fold-1", "fold-2"]
    both = cross_validation.plan_runs(0, 2, 2)
    assert [run.name for run in both] == ["seed-0/fold-0", "seed-0/fold-1", "seed-1/fold-0", "seed-1/fold-1"]
    assert [(run.seed, run.fold) for run in both] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert cross_validation.plan_runs(0, None, None) == []


@pytest.mark.parametrize("count", [2, 3, 5, 17])
def test_every_train_and_val_crop_is_val_once_and_groups_stay_whole(count: int) -> None:
    made = [cross_validation.with_fold(DATA, count, fold, seed=3) for fold in range(count)]
    val = [row.image for manifest in made for row in manifest.split("val")]
    assert sorted(val) == sorted(row.image for row in ROWS if row.split != "test")
    for manifest in made:
        assert [row.image for row in manifest.rows] == [row.image for row in ROWS]
        assert {row.image for row in manifest.split("test")} == {row.image for row in DATA.split("test")}
        assert not {row.group for row in manifest.split("train")} & {row.group for row in manifest.split("val")}
    assert cross_validation.with_fold(DATA, None, None, 3) is DATA


def test_the_final_fit_sees_train_and_val_and_not_test() -> None:
    joined = refit.with_val(DATA)
    assert {row.image for row in joined.split("train")} == {row.image for row in ROWS if row.split != "test"}
    assert len(joined.split("train")) == 12 * 3 + 5 * 3
    assert joined.split("val") == DATA.split("val")
    assert joined.split("test") == DATA.split("test")
    own = refit.without_early_stopping(recipe(epochs=9, patience=3, tta=True))
    assert (own.train.epochs, own.train.patience, own.train.tta) == (9, 0, False)


def test_the_final_model_is_the_last_average_without_a_score(tmp_path: Path) -> None:
    known = {"epoch": 2, "val_macro_f1": 0.99, "seed": 0}
    best = TrainedModel(ArchSpec(classes=3), {"w": torch.zeros(2)}, Preprocess(), DATA.labels, known)
    tensors = {"model.w": torch.ones(2), "ema.w": torch.full((2,), 0.5), "optimizer.0.m": torch.ones(2)}
    save_tensors(tmp_path / "last.safetensors", tensors, {"epoch": 6})
    last = refit.last_average(best, tmp_path)
    assert last.weights["w"].tolist() == [0.5, 0.5]
    assert last.provenance == {"epoch": 6, "seed": 0, "trained_on": "train, val"}


def test_folds_are_averaged_over_seeds_before_the_interval() -> None:
    wanted = cross_validation.plan_runs(0, 2, 2)
    done = [result(f1) for f1 in (0.5, 0.7, 0.6, 0.9)]  # fold 0: 0.5, 0.6; fold 1: 0.7, 0.9
    assert cross_validation.summarize_runs(wanted, done) == mean_interval([fmean([0.5, 0.6]), fmean([0.7, 0.9])])
    assert cross_validation.summarize_runs(wanted, done[:3]) == mean_interval([fmean([0.5, 0.6]), 0.7])


class Scripted(RunGroup):
    """Trains nothing: a run's score is looked up, and stops where there is none."""

    def trained(self, recipe: Recipe, name: str, manifest: Manifest | None = None) -> TrainingResult:
        if name not in SCORES:
            raise TrainingInterrupted("stopped")
        return result(SCORES[name], recipe.seed, name)


SCORES = {
    "seed-0": 0.80, "seed-1": 0.82, "seed-2": 0.84,
    "seed-0/base": 0.80, "seed-0/better": 0.83, "seed-0/noise": 0.78,
    "seed-1/base": 0.82, "seed-1/better": 0.86, "seed-1/noise": 0.83,
}  # fmt: skip


def test_a_repeated_run_leaves_one_table(tmp_path: Path) -> None:
    results = cross_validation.train_repeatedly(Scripted(tmp_path, DATA, tmp_path), recipe(), seeds=3)
    assert GroupFolder(tmp_path).repeats.read(RepeatedResult, "test") == results
    assert results.complete
    text = cross_validation.runs_table(results, tmp_path).splitlines()
    assert text[1].split() == ["seed-0", "0.8000", "4", "10.0"]
    assert [line.split()[-1] for line in text[4:6]] == ["4.0", "0.0200"]
    assert "0.7703 to 0.8697 (t, 3 seeds)" in text[6]


def run_ablation(folder: Path, seeds: int) -> AblationResult:
    recipes = {name: recipe() for name in ("base", "better", "noise")}
    overrides = {"base": [], "better": ["a=1"], "noise": ["b=2", "c=3"]}
    return ablation.ablate(Scripted(folder, DATA, folder), recipes, overrides, seeds)


def test_an_ablation_compares_seed_by_seed(tmp_path: Path) -> None:
    results = {variant.name: variant for variant in run_ablation(tmp_path, 2).variants}
    assert results["base"].difference is None
    better = results["better"].difference  # differences 0.03 and 0.04; 12.7062 * 0.00707107 / sqrt(2) = 0.063531
    assert better is not None
    assert better.mean == pytest.approx(0.035)
    assert better.low == pytest.approx(-0.028531, abs=1e-6)
    assert better.high == pytest.approx(0.098531, abs=1e-6)
    assert results["better"].verdict == results["noise"].verdict == "not told apart"
    noise = results["noise"].difference
    assert noise is not None
    assert noise.mean == pytest.approx(-0.005)
    lines = (tmp_path / "ablation.md").read_text().splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert "+0.0350 (-0.0285 to +0.0985)" in lines[3]


def test_an_ablation_under_stress_is_compared_seed_by_seed_too() -> None:
    def run(seed: int, f1: float) -> TrainingResult:
        return TrainingResult(
            name=f"seed-{seed}", seed=seed, recipe="r", data="d", val_macro_f1=f1, epoch=1, epochs=1, seconds=1.0
        )

    def score(darker: float, noise: float) -> StressedScore:
        return StressedScore(Interval((darker + noise) / 2, 0.0, 1.0), {"darker": darker, "noise": noise})

    facts = StressFacts(("darker", "noise"), 3, 40, 0, "digest", (NotCutOut("7.png", "uneven"),))
    done = {"base": {0: run(0, 0.9), 1: run(1, 0.9)}, "robust": {0: run(0, 0.8), 1: run(1, 0.8)}}
    stressed = {"base": {0: score(0.5, 0.3), 1: score(0.5, 0.5)}, "robust": {0: score(0.7, 0.7), 1: score(0.8, 0.8)}}
    result = ablation.compare_variants(done, {"base": [], "robust": ["x=1"]}, 2, stressed, facts)
    base, robust = (variant.stress for variant in result.variants)
    assert base is not None
    assert robust is not None
    assert base.difference is None
    assert base.macro_f1.mean == pytest.approx(0.45)
    assert robust.difference is not None
    assert robust.difference.mean == pytest.approx(0.3)  # 0.3 and 0.3, so surely
    assert robust.verdict == "helps"
    assert result.variants[1].verdict == "hurts"
    text = ablation.ablation_table(result)
    assert "+0.3000 (+0.3000 to +0.3000)" in text
    assert [line.split() for line in text.splitlines() if line.startswith("| noise")] == [
        ["|", "noise", "|", "0.400", "|", "0.750", "|"]
    ]
    assert "without 1 crop, whose object could not be cut out, first 7.png" in text
    assert AblationResult.from_json(result.to_json(), "kept") == result
    assert result.headline()["robust"] == "0.8000 hurts, under stress 0.7500 helps"


def test_a_stopped_ablation_has_all_variants_of_the_first_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TrainingInterrupted):
        run_ablation(tmp_path, 3)
    kept = GroupFolder(tmp_path).ablation.read(AblationResult, "test")
    assert not kept.complete
    assert [len(variant.runs) for variant in kept.variants] == [2, 2, 2]
    assert "| better" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((CONFIGS / "ablations").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_variant_in_the_tree_changes_its_base(path: Path) -> None:
    results, overrides = ablation_variants.resolve_variants(path.stem, path.stem)
    assert len(results) >= 3
    assert results.keys() == overrides.keys()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("x: [train.lr=-1]\ny: [train.emma=0]\n", "2 faults: x: .*got -1.*; y: .*did you mean 'ema'"),
        ("x: train.ema=0\n", "x: got 'train.ema=0', need a list of overrides"),
        ("x: [train.ema]\n", "need key=value"),
        ("x: [1]\n", r"x: got \[1\], need a list"),
        ("no: [train.ema=0]\n", "False is no name"),
        ("a/b: [train.ema=0]\n", "'a/b' is no name"),
        ("x: [seed=3]\ny: [data.path=z]\n", "x: changes data or seed.*; y: changes data or seed"),
        ("x: [train.ema=0.998]\n", "x: is the same as base"),
        ("x: [train.ema=0]\ny: [train.ema=0.0]\n", "y: is the same as x"),
        ("{}", "no variant"),
    ],
)
def test_variants_that_cannot_be_compared(content: str, part: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("name: tiny\ndata: {source: folder, path: x}\n")
    (tmp_path / "v.yaml").write_text(content)
    with pytest.raises(UserError, match=part):
        ablation_variants.resolve_variants(tmp_path / "r.yaml", tmp_path / "v.yaml")


def test_a_folder_is_gone_on_with_only_on_request_and_by_the_same_recipe(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    DATA.save(tmp_path / "manifest.parquet")
    with pytest.raises(UserError, match="is not empty; go on with --resume"):
        run_group.open_run_group(recipe(), tmp_path)
    assert len(run_group.open_run_group(recipe(), tmp_path, resume=True).manifest.rows) == len(ROWS)
    with pytest.raises(UserError, match="another recipe"):
        run_group.open_run_group(recipe(lr=0.1), tmp_path, resume=True)


def test_a_finished_run_is_told_by_its_result(tmp_path: Path) -> None:
    assert run_group.read_result(tmp_path, recipe(), DATA) is None
    whole = result(0.5).model_copy(update={"recipe": recipe().digest, "data": DATA.digest})
    TrainingFolder(tmp_path).result.write(whole)
    assert run_group.read_result(tmp_path, recipe(), DATA) == whole
    with pytest.raises(UserError, match="another recipe or other data"):
        run_group.read_result(tmp_path, recipe(lr=0.1), DATA)
    with pytest.raises(UserError, match="another recipe or other data"):
        run_group.read_result(tmp_path, recipe(), refit.with_val(DATA))
    atomic_io.write_json(tmp_path / "result.json", {**whole.to_json(), "version": 9})
    with pytest.raises(IntegrityError, match="version: got '9', this leansort reads 1"):
        run_group.read_result(tmp_path, recipe(), DATA)
