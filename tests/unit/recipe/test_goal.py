"""Goals: what they ask, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from leansort.core.errors import UserError
from leansort.recipe.goal import Goal
from leansort.recipe.load import load_recipe
from leansort.workflows.solving.solve_settings import read_goal, read_photos


def test_a_goal_is_the_limits_of_a_target() -> None:
    goal = Goal(macro_f1=0.9, p99_ms=2, size_mb=1)
    assert goal.limits == {"macro_f1": 0.9, "label_p99_ms": 2, "size_mb": 1}
    assert goal.address == ""
    assert Goal(size_mb=1, device="http://robot:8791").address == "http://robot:8791"


@pytest.mark.parametrize("given", [{}, {"macro_f1": 1.5}, {"size_mb": 0}, {"p99_ms": -1}, {"size_mb": 1, "hours": 0}])
def test_an_impossible_goal_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Goal.model_validate(given)


def test_a_goal_of_the_command_line_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match=r"solve: --macro-f1: got 1.5, input should be less than or equal to 1"):
        read_goal(macro_f1=1.5)
    with pytest.raises(UserError, match="at least one of macro_f1, p99_ms and size_mb"):
        read_goal()


def test_a_recipe_has_a_goal_that_does_not_change_its_network() -> None:
    plain, wanted = load_recipe("sample"), load_recipe("sample", ["goal.size_mb=1", "goal.device=local"])
    assert wanted.goal == Goal(size_mb=1)
    assert plain.digest == wanted.digest
    assert "goal" not in plain.to_json()
    assert wanted.to_json()["goal"]["size_mb"] == 1


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["goal.size_mb=1", "target.limits={size_mb: 2}"], "target.limits.size_mb says the same"),
        (["goal.size_mb=1", "goal.device=robot"], "goal.device: .*'robot'"),
        (["goal.size_mb=1", "target.device=http://a:1"], "goal.device: got local, target.device is http://a:1"),
        (["goal.size=1"], "goal.size: unknown key"),
    ],
)
def test_a_goal_that_contradicts_its_recipe_is_refused(overrides: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        load_recipe("sample", overrides)


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"solve: .*nowhere is not there; need class folders, COCO files or a manifest"):
        read_photos(tmp_path / "nowhere")
