"""Leaving out classes: what the manifest becomes, folders, tables; the scores by nearest neighbours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.manifest import Manifest, Row
from leansort.measure.accuracy.metrics import Interval
from leansort.measure.accuracy.neighbours import mean_standard_score, neighbour_distance
from leansort.recipe.load import load_recipe
from leansort.workflows.leave_out.leave_out import leave_out, run_name, without_class
from leansort.workflows.leave_out.leave_out_result import LeaveOutResult, LeftOutClass, leave_out_table
from leansort.workflows.training.run_group import RunGroup


def manifest(*names: str) -> Manifest:
    rows = [Row(f"{at}.png", at % len(names), "val" if at % 2 else "train", str(at), str(at), "") for at in range(12)]
    return Manifest(tuple(rows), LabelSet(names), Path())


def test_a_manifest_without_a_class_keeps_the_labels_of_the_others() -> None:
    whole = manifest("a", "b", "c")
    part = without_class(whole, 1)
    assert part.labels.names == ("a", "c")
    shown = {row.image: part.labels.names[row.label] for row in part.rows}
    assert shown == {row.image: whole.labels.names[row.label] for row in whole.rows if row.label != 1}


def test_folders_are_named_by_the_class_where_that_is_safe() -> None:
    names = ("glass", "../up", "a/b", "a_b")
    assert [run_name(names, at) for at in range(4)] == [
        "without-glass",
        "without-___up",
        "without-2-a_b",
        "without-3-a_b",
    ]


def test_two_classes_are_too_few(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="need 3 classes or more"):
        leave_out(RunGroup(tmp_path, manifest("a", "b"), tmp_path), load_recipe(Path("sample"), []))


def test_the_table_has_the_best_score_first_and_says_what_is_missing() -> None:
    def left_out(name: str, first: float, second: float) -> LeftOutClass:
        auroc = {"energy": Interval(first, 0.0, 1.0), "mahalanobis half-way": Interval(second, 0.0, 1.0)}
        return LeftOutClass(name=name, recipe="r", data="d", val_macro_f1=0.9, unknown=5, known=7, auroc=auroc)

    rows = (left_out("a", 0.6, 0.8), left_out("b", 0.7, 0.7))
    result = LeaveOutResult(complete=False, classes=rows, deployed="mahalanobis half-way")
    assert result.means == {"mahalanobis half-way": pytest.approx(0.75), "energy": pytest.approx(0.65)}
    text = leave_out_table(result)
    assert text.index("mahalanobis half-way (deployed)") < text.index("energy")
    assert "go on with --resume" in text
    assert LeaveOutResult.from_json(result.to_json(), "kept") == result


def test_distances_to_neighbours_by_hand() -> None:
    train = np.array([[1.0, 0.0], [0.0, 2.0]])
    found = neighbour_distance(train, np.array([[5.0, 0.0], [1.0, 1.0], [-1.0, 0.0]]), 1)
    assert found == pytest.approx([0.0, 1 - 0.5**0.5, 1.0])
    assert neighbour_distance(train, train, 2) == pytest.approx([0.5, 0.5])


def test_standard_scores_weigh_alike_and_are_scaled_on_what_is_known() -> None:
    known = np.array([True, True, False])
    found = mean_standard_score([np.array([0.0, 2.0, 4.0]), np.array([0.0, 2000.0, -1000.0])], known)
    assert found == pytest.approx([-1.0, 1.0, (3.0 - 2.0) / 2])
