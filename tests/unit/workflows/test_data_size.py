"""The benchmarks of fine-tuning: subsets of train photos, trainings of both kinds, learning curves side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import data_size, teachers, transfer_curve
from hypothesis import given, settings
from hypothesis import strategies as st

from leansort.arch import trained_model
from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.manifest import Manifest, Row
from leansort.recipe.load import load_recipe
from tests.support.jobs import job, trained


def manifest(sizes: list[int]) -> Manifest:
    rows = [
        Row(f"{label}/{at}", label, "train", f"{label}/{at}", f"{label}-{at}", f"{label}/{at}")
        for label, size in enumerate(sizes)
        for at in range(size)
    ]
    names = [f"val/{label}" for label in range(len(sizes))]
    val = [Row(name, label, "val", name, name, name) for label, name in enumerate(names)]
    return Manifest((*rows, *val), LabelSet.of([f"c{label}" for label in range(len(sizes))]), Path())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=6), st.data())
def test_subsets_are_proportional_nested_and_leave_val_alone(sizes: list[int], data: st.DataObject) -> None:
    whole = manifest(sizes)
    photos = data.draw(st.integers(len(sizes), sum(sizes)))
    part = data_size.subset(whole, photos, seed=3)
    counts = part.counts("train")
    assert sum(counts) == photos
    assert all(1 <= count <= size for count, size in zip(counts, sizes, strict=True))
    assert part.split("val") == whole.split("val")
    if all(photos * size / sum(sizes) >= 1 for size in sizes):
        assert all(abs(count - photos * size / sum(sizes)) <= 1 for count, size in zip(counts, sizes, strict=True))
    assert data_size.subset(whole, photos, seed=3) == part


def test_a_smaller_subset_lies_in_a_larger_one() -> None:
    whole = manifest([40, 20, 10])
    small, large = (data_size.subset(whole, photos, seed=1).split("train") for photos in (10, 40))
    assert set(small) < set(large)
    assert set(small) != set(data_size.subset(whole, 10, seed=2).split("train"))
    with pytest.raises(UserError, match=r"got 2, need 3 .* to 70"):
        data_size.subset(whole, 2, seed=0)


def test_few_photos_get_more_epochs_and_the_same_shape_of_training() -> None:
    recipe = load_recipe("trashnet-transfer", ["train.epochs=10", "train.freeze=1", "train.warmup=1"])
    longer = data_size.lengthen(recipe, 50, steps=200)
    assert (longer.train.epochs, longer.train.freeze, longer.train.warmup) == (100, 10, 10.0)
    assert data_size.lengthen(recipe, 1768, steps=200) == recipe


def test_curves_of_two_runs_are_compared_at_equal_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, epochs in (("long", 3), ("short", 2)):
        trained(job(epochs=epochs), tmp_path / name)
    named = [f"first={tmp_path / 'long'}", str(tmp_path / "short")]
    assert transfer_curve.main([*named, "--out", str(tmp_path / "out")]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["seconds", "first", "short"]
    kept = json.loads((tmp_path / "out" / "transfer_curve.json").read_text())
    assert [len(curve) for curve in kept.values()] == [3, 2]
    assert rows[-1].split()[1] == f"{max(score for _, score in kept['first']):.4f}"
    assert (tmp_path / "out" / "transfer_curve.svg").read_text().count("<polyline") == 2
    assert transfer_curve.main([str(tmp_path / "short"), str(tmp_path / "short")]) == 2
    assert "two runs are called short" in capsys.readouterr().err


def test_a_recipe_without_weights_is_nothing_to_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data_size.main(["--recipe", "sample", "--out", str(tmp_path / "out")]) == 2
    assert "has no arch.pretrained" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_teachers_are_scored_each_and_as_the_mean_that_a_student_learns_from(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(teachers, "OUT", tmp_path / "teachers.json")
    network = tiny_run / "train"
    known = trained_model.load(network).provenance["val_macro_f1"]
    given_twice = [str(network), str(network / "model.safetensors"), "--manifest", str(tiny_run)]
    assert teachers.main([*given_twice, "--target", "0"]) == 0
    assert f"{known:.4f} of 0: holds" in capsys.readouterr().out
    results = json.loads((tmp_path / "teachers.json").read_text())["results"]
    assert [round(item["value"] - known, 9) for item in results.values()][:3] == [0, 0, 0]
    assert list(results.values())[3] == {"value": 0, "low": 0, "high": 0}
    assert teachers.main([str(network), "--manifest", str(tiny_run), "--target", "1.01"]) == 0
    assert "MISSED" in capsys.readouterr().out
    assert teachers.main([str(tmp_path), "--manifest", str(tiny_run)]) == 2
