"""A training that begins with a pack, or learns from one, says so; one that cannot is refused and writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from leansort.arch import trained_model
from leansort.core import plugins
from leansort.core.errors import IntegrityError, UserError
from leansort.core.labels import LabelSet
from leansort.recipe.load import load_recipe
from leansort.train.distillation import teachers
from leansort.workflows.training.train import train_once
from tests.support import weight_packs

RECIPE = """\
name: packed
data: {{source: folder, path: {path}}}
preprocess: {{size: 32}}
arch: {{base: small_rows, pretrained: "pack:small"}}
train: {{epochs: 1, batch: 32, workers: 0, threads: 1, warmup: 0}}
"""


@pytest.fixture
def recipe(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    plugins.forget()
    monkeypatch.setenv("LEANSORT_PLUGINS", str(tmp_path / "plugins"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    weight_packs.write_pack(tmp_path / "plugins")
    path = tmp_path / "packed.yaml"
    path.write_text(RECIPE.format(path=folders))
    return path


def test_the_network_keeps_a_record_of_its_pack(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_recipe(recipe)
    assert loaded.preprocess.mean == loaded.preprocess.std == (0.5, 0.5, 0.5)
    train_once(loaded, tmp_path / "run")
    known = trained_model.load(tmp_path / "run" / "train").provenance
    (record,) = known["packs"]
    assert (record["pack"], record["used"], record["licence"]) == ("small", "pretrained", "CC-BY-4.0")
    assert known["begun_with"] == [f"pack:small@{record['sha256'][:16]}", ""]
    told = capsys.readouterr().err
    assert "weights: pack:small: " in told
    assert "warning" not in told


def test_other_statistics_are_obeyed_and_told(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = load_recipe(recipe, ["preprocess.mean=[0.4, 0.4, 0.4]"])
    assert (changed.preprocess.mean, changed.preprocess.std) == ((0.4, 0.4, 0.4), (0.5, 0.5, 0.5))
    train_once(changed, tmp_path / "run")
    assert "warning: pack:small was trained with mean (0.5, 0.5, 0.5)" in capsys.readouterr().err


def test_what_is_wrong_is_told_before_anything_is_written(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "plugins" / "packs" / "small.pth").write_bytes(b"other")
    with pytest.raises(IntegrityError, match="has sha256"):
        train_once(load_recipe(recipe), tmp_path / "run")
    weight_packs.write_pack(tmp_path / "plugins")
    with pytest.raises(UserError, match=r"made for small_rows, not for mnasnet"):
        train_once(load_recipe(recipe, ["arch.base=mnasnet", "arch.width=0.25"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match=r"pack: got 'smal', allowed: .*did you mean 'small'"):
        load_recipe(recipe, ["arch.pretrained=pack:smal"])


def test_a_pack_teaches_features_alone(recipe: Path) -> None:
    labels = LabelSet(("a", "b"))
    with pytest.raises(UserError, match=r"features alone; .*arch.base: small_rows, arch.pretrained: pack:small"):
        teachers.load([Path("pack:small")], labels, hints=False, threads=1)
    (teacher,) = teachers.load([Path("pack:small")], labels, hints=True, threads=1)
    logits, features = teacher(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
    assert logits is None
    assert features is not None
    assert features.shape == (2, 8)
