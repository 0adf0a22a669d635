"""A cascade as the last step of a compression: fitted within what is left of the budget, of calibrated graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leansort.arch.trained_model import TrainedModel
from leansort.compress.pipeline.compress_result import CompressResult
from leansort.core import bundle as bundles
from leansort.core.errors import UserError
from leansort.recipe.load import validate_recipe
from leansort.recipe.schema import Recipe
from leansort.workflows.compression import compress as compressing
from tests.support import jobs


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of tinted photos, a network that learned them, and a small one of another architecture."""
    root = tmp_path_factory.mktemp("cascade-step")
    for split, count, seed in (("train", 24, 0), ("val", 60, 1)):
        crops = jobs.crops(count, size=16, seed=seed)
        for number, (pixels, label) in enumerate(zip(crops.pixels, crops.labels, strict=True)):
            folder = root / "photos" / split / jobs.LABELS.names[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(pixels)).save(folder / f"{number:02d}.png")
    for name, rows in (("large", jobs.NORMED), ("small", jobs.PLAIN)):
        trained(root, name, rows).save(root / f"{name}.safetensors")
    return root


def trained(root: Path, name: str, rows: Any) -> TrainedModel:
    return jobs.trained(jobs.job(rows, epochs=8), root / name)[0]


def recipe_of(ground: Path, *steps: dict[str, Any], **compress: Any) -> Recipe:
    settings = {"timed": "label", "seconds": 0.02, "max_f1_drop": 0.05, **compress}
    tree = {
        "name": "pair",
        "data": {"source": "folder", "path": str(ground / "photos")},
        "train": {"workers": 0, "threads": 1},
        "compress": {**settings, "steps": list(steps)},
    }
    return validate_recipe(tree, "the test")


def compressed(recipe: Recipe, ground: Path, out: Path, *, resume: bool = False) -> CompressResult:
    model = compressing.network_to_compress(recipe, ground / "large.safetensors", explain=False)
    manifest = compressing.open_data(recipe, out, None, resume=resume)
    return compressing.compress(recipe, model, manifest, out)


def cascade(ground: Path, **more: Any) -> dict[str, Any]:
    return {"pass": "cascade", "small": str(ground / "small.safetensors"), "faster": False, **more}


def test_the_small_network_answers_within_the_budget(ground: Path, tmp_path: Path) -> None:
    result = compressed(recipe_of(ground, cascade(ground)), ground, tmp_path / "out")
    step = result.steps[1]
    assert step.state == "accepted"
    assert step.verdict is not None
    assert step.verdict.drop.value <= 0.05
    assert step.notes["allowed_drop"] == 0.05
    assert 0 < float(str(step.notes["share"])) <= 1
    bundle = bundles.load(tmp_path / "out" / "model.leansort")
    assert [stage.meta.labels for stage in bundle.stages] == [jobs.LABELS.names] * 2
    assert all(stage.meta.temperature != 1.0 for stage in bundle.stages)  # both were calibrated
    assert bundle.meta.provenance["compressed"]
    assert bundle.meta.provenance.items() >= bundle.stages[1].meta.provenance.items()  # where it comes from is known
    timed = [item for item in result.latency if item.step == "1-cascade"]
    assert timed
    assert all(item.mean and {"p50", "p99"} <= set(item.percentiles) for item in timed)
    assert ", mean " in (tmp_path / "out" / "compress.md").read_text()


def test_a_changed_small_network_begins_the_step_anew(ground: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.safetensors"
    small.write_bytes((ground / "small.safetensors").read_bytes())
    recipe = recipe_of(ground, {"pass": "cascade", "small": str(small), "faster": False})
    record = tmp_path / "out" / "steps" / "1-cascade" / "step.json"
    compressed(recipe, ground, tmp_path / "out")
    first = record.stat().st_mtime_ns
    compressed(recipe, ground, tmp_path / "out", resume=True)
    assert record.stat().st_mtime_ns == first
    small.write_bytes((ground / "large.safetensors").read_bytes())
    compressed(recipe, ground, tmp_path / "out", resume=True)
    assert record.stat().st_mtime_ns != first


def test_too_few_photos_leave_the_network_alone(ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leansort.measure.accuracy.cascade_fit.LEAST_PHOTOS", 1000)
    result = compressed(recipe_of(ground, cascade(ground)), ground, tmp_path / "out")
    assert result.steps[1].state == "left alone"
    assert result.steps[1].reason == (
        "left alone: got 60 photos that both graphs can read, a threshold needs 1000"
    )  # fmt: skip
    assert not bundles.load(tmp_path / "out" / "model.leansort").stages


@pytest.mark.parametrize(
    ("steps", "compress", "message"),
    [
        ([{}], {"timed": "model"}, r"compress\.timed: got model, but step 1 \(cascade\) is timed on photos"),
        ([{"small": "lost.leansort"}], {}, r"compress\.steps\.1\.small: .*lost\.leansort"),
        (
            [{"pass": "quantize", "engine": "openvino"}, {}],
            {},
            r"step 2 \(cascade\).*small: its graph is in the onnx format, the quantized one in openvino",
        ),
        ([{"decode": "twice"}], {}, r"compress\.steps\.1\.decode: got 'twice'"),
        ([{}, {"pass": "half"}], {}, r"step 2 \(half\) follows step 1 \(cascade\), which has to be the last"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_done(
    ground: Path, tmp_path: Path, steps: list[dict[str, Any]], compress: dict[str, Any], message: str
) -> None:
    read = [item if "pass" in item else cascade(ground, **item) for item in steps]
    with pytest.raises(UserError, match=message):
        compressed(recipe_of(ground, *read, **compress), ground, tmp_path / "out")
    assert not (tmp_path / "out").exists()
