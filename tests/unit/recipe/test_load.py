"""Recipes as they are read: keys that had another name once are refused, and the new one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from leansort.arch.build import build
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.compress.passes_api import read_step
from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.text.renamed_keys import RENAMED
from leansort.recipe.load import change_recipe, load_recipe, override_recipe

BASE = "name: x\ndata: {source: sample}\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(BASE)
    return path


@pytest.mark.parametrize("old", sorted(key for key in RENAMED if "*" not in key and not key.startswith("search.")))
def test_an_old_key_is_refused_and_the_new_one_is_taken(recipe: Path, old: str) -> None:
    with pytest.raises(UserError) as fault:
        load_recipe(recipe, [f"{old}=1"])
    assert str(fault.value) == (f"recipe {recipe}: 1 fault: {old}: unknown key, it was renamed: write {RENAMED[old]}")
    section, _, key = old.partition(".")
    recipe.write_text(f"{BASE}{section}: {{{key}: 1}}\n")
    with pytest.raises(UserError, match=f"renamed: write {RENAMED[old]}$"):
        load_recipe(recipe)


def test_the_new_keys_are_taken(recipe: Path) -> None:
    resolved = load_recipe(recipe, ["arch.pretrained=w.safetensors", "export.target_error=0.1"])
    assert (resolved.arch.pretrained, resolved.export.target_error) == ("w.safetensors", 0.1)
    assert override_recipe(resolved.to_json(), ["export.target_error=0.2"], "x").export.target_error == 0.2


@pytest.mark.parametrize(
    ("step", "new"),
    [
        ({"pass": "prune", "macs": 0.5, "heal": {"epochs": 1}}, "compress.steps.2.finetune"),
        ({"pass": "prune", "macs": 0.5, "between": {"epochs": 1}}, "compress.steps.2.finetune_between"),
        ({"pass": "quantize", "share": 0.5}, "compress.steps.2.fraction"),
        ({"pass": "quantize", "keep_float": ["x"]}, "compress.steps.2.ignored_layers"),
    ],
)
def test_an_old_setting_of_a_pass_is_refused(step: dict[str, object], new: str) -> None:
    with pytest.raises(UserError, match=f"unknown key, it was renamed: write {new}$"):
        read_step(step, "compress.steps.2.")
    (_, value) = list(step.items())[-1]
    renamed = {**dict(list(step.items())[:-1]), new.rpartition(".")[2]: value}
    assert read_step(renamed, "compress.steps.2.")[0].name == step["pass"]


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (
            {"pass": "quantize", "engine": "openvino", "method": "entropy"},
            "compress.steps.2: method has no effect with engine openvino; leave it out",
        ),
        (
            {"pass": "quantize", "preset": "mixed"},
            "compress.steps.2: preset has no effect with engine onnxruntime; leave it out",
        ),
    ],
)
def test_a_setting_of_the_other_engine_is_refused(step: dict[str, object], fault: str) -> None:
    with pytest.raises(UserError) as refused:
        read_step(step, "compress.steps.2.")
    assert str(refused.value) == fault
    read_step({**step, "engine": "onnxruntime" if "method" in step else "openvino"}, "compress.steps.2.")


def test_a_key_map_without_pretrained_weights_is_refused(recipe: Path) -> None:
    with pytest.raises(UserError, match=r"1 fault: arch: pretrained_key_map has no effect without pretrained$"):
        load_recipe(recipe, ["arch.pretrained_key_map=map.yaml"])


def test_stress_is_switched_on_from_a_recipe_where_it_is_off() -> None:
    base = load_recipe("sample", ["compress.steps=[{pass: fuse}]"])
    assert base.compress.stress is None
    asked = change_recipe(base, ["compress.stress.level=2", "compress.stress.max_drop=0.1"])
    assert asked.compress.stress is not None
    assert (asked.compress.stress.level, asked.compress.stress.max_drop) == (2, 0.1)
    assert change_recipe(asked, ["compress.stress=null"]) == base


def test_stress_without_steps_to_measure_is_refused() -> None:
    with pytest.raises(UserError, match="compress: stress has no effect without steps"):
        load_recipe("sample", ["compress.stress={level: 2}"])


def test_a_network_that_is_trained_on_keeps_its_own_normalization(recipe: Path, tmp_path: Path) -> None:
    network = build(ArchSpec(base="tiny_s", classes=2))
    own = Preprocess(size=32, mean=(0.5, 0.4, 0.3), std=(0.5, 0.5, 0.6))
    labels = LabelSet.of(["a", "b"], "here")
    TrainedModel(ArchSpec(base="tiny_s", classes=2), network.state_dict(), own, labels, {}).save(
        tmp_path / "m.safetensors"
    )
    resolved = load_recipe(recipe, [f"arch.pretrained={tmp_path / 'm.safetensors'}"]).preprocess
    assert (resolved.mean, resolved.std) == (own.mean, own.std)
    assert resolved.size == Preprocess().size  # which is the recipe's to say
    said = load_recipe(recipe, [f"arch.pretrained={tmp_path / 'm.safetensors'}", "preprocess.mean=[0.1, 0.1, 0.1]"])
    assert said.preprocess.mean == (0.1, 0.1, 0.1)


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\x02\0\0\0\0\0\0\0{}", b"\x02\0\0\0\0\0\0\0[]"])
def test_weights_of_others_change_no_normalization(recipe: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "theirs.safetensors").write_bytes(content)
    resolved = load_recipe(recipe, [f"arch.pretrained={tmp_path / 'theirs.safetensors'}"])
    assert resolved.preprocess == load_recipe(recipe).preprocess
