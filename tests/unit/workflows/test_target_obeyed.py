"""Where a recipe's target reaches: a search's limits and candidates, and runs that began before there was one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leansort.core.errors import UserError
from leansort.recipe.load import load_recipe
from leansort.search.search_config import SearchConfig
from leansort.workflows.run import run
from leansort.workflows.tuning.study_runner import locate_study, tune, with_target_limits

LIMITS = "target.limits={size_mb: 2, label_p99_ms: 5}"


def search(**more: object) -> SearchConfig:
    space = {"train.lr": {"choice": [0.1, 0.2]}}
    return SearchConfig.model_validate({"name": "x", "recipe": "sample", "space": space, **more})


def test_a_search_takes_the_targets_limits_where_it_has_none() -> None:
    config = with_target_limits(search(constraints={"size_mb": 1.0}), load_recipe("sample", [LIMITS]))
    assert config.constraints == {"size_mb": 1.0, "label_p99_ms": 5.0}
    plain = search(constraints={"size_mb": 1.0})
    assert with_target_limits(plain, load_recipe("sample")) == plain


@pytest.mark.parametrize("space", [{"target.threads": {"choice": [1, 2]}}, {"target": {"threads": {"int": [1, 2]}}}])
def test_a_space_cannot_open_the_target(tmp_path: Path, space: dict[str, object]) -> None:
    where = locate_study(tmp_path / "out", "", "x")
    with pytest.raises(UserError, match="all candidates are for the recipe's target"):
        tune(search(space=space), load_recipe("sample"), where)
    assert not (tmp_path / "out").exists()


def test_a_run_begun_with_old_keys_names_the_new_ones(tmp_path: Path) -> None:
    recipe = load_recipe("sample")
    tree = recipe.to_json()
    tree["arch"]["weights"] = tree["arch"].pop("pretrained")
    (tmp_path / "manifest.parquet").write_bytes(b"")
    (tmp_path / "recipe.json").write_text(json.dumps(tree))
    with pytest.raises(UserError, match=r"arch\.weights: unknown key, it was renamed: write arch\.pretrained"):
        run(recipe, tmp_path, resume=True)
