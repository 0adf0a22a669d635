"""`run` of a recipe with a goal is a solve that tries the recipe first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import leansort
from leansort.workflows.solving import solve as solving
from leansort.workflows.solving.candidate_recipes import CandidateRecipe, with_limits
from leansort.workflows.solving.solve_settings import RECIPES, SolveSettings


def test_a_recipe_with_a_goal_is_tried_first(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[tuple[SolveSettings, Path, Sequence[CandidateRecipe]]] = []
    monkeypatch.setattr(solving, "solve", lambda *given: called.append(given))
    leansort.run(tiny_recipe, ["goal={macro_f1: 0.5, size_mb: 2, hours: 1}"], out=tmp_path / "out")
    [(settings, out, [first])] = called
    assert out == tmp_path / "out"
    assert (settings.goal.macro_f1, settings.goal.hours, settings.recipes) == (0.5, 1.0, RECIPES)
    assert (first.name, first.recipe.goal, first.hindrance) == ("tiny", None, "")
    assert first.recipe.target.limits == {}  # so that another goal trains nothing anew
    assert with_limits(first.recipe, settings.goal).target.limits == {"macro_f1": 0.5, "size_mb": 2.0}
