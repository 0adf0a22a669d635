"""What a public function takes for a recipe: a name, a path, or a recipe that was loaded before."""

from __future__ import annotations

from pathlib import Path

import pytest

import leansort
from tests.conftest import draw


def test_a_loaded_recipe_is_changed_as_a_named_one_is(tmp_path: Path) -> None:
    draw(tmp_path / "photos" / "train" / "a" / "1.jpg", 0, seed=0)
    overrides, photos = ["train.epochs=3", "seed=5"], tmp_path / "photos"
    named = leansort.load_recipe("trashnet", overrides, data=photos, engine="onnxruntime")
    loaded = leansort.load_recipe("trashnet")
    assert leansort.load_recipe(loaded, overrides, data=photos, engine="onnxruntime") == named
    assert (named.train.epochs, named.seed, named.target.engine) == (3, 5, "onnxruntime")
    assert str(named.data["path"]) == str(photos)


def test_a_fault_in_a_change_names_the_recipe_and_is_one_line() -> None:
    recipe = leansort.load_recipe("sample")
    with pytest.raises(leansort.UserError, match=r"recipe 'sample': .*train\.epoch: ") as caught:
        leansort.load_recipe(recipe, ["train.epoch=3"])
    assert "\n" not in str(caught.value)
    with pytest.raises(leansort.UserError, match="did you mean 'sample'"):
        leansort.load_recipe("sampel")
