"""A recipe that trains its teacher first: what the teacher gets, what is refused early, and that resuming is exact."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leansort.arch import trained_model
from leansort.core.errors import UserError
from leansort.core.run_folder import RunFolder
from leansort.data.loading.loader import AugmentedCrops
from leansort.recipe.load import load_recipe
from leansort.recipe.schema import Recipe
from leansort.train.loop import TrainingInterrupted
from leansort.workflows.training.teacher_recipes import resolve_teachers, teacher_paths
from leansort.workflows.training.train import train_once
from tests.conftest import draw
from tests.support.jobs import job, require_equal
from tests.unit.train.test_distillation import model_of

TEACHER = """\
name: large
data: {source: sample}
preprocess: {size: 48}
arch: {base: tiny_s, width: 0.5}
train: {epochs: 9, batch: 16, warmup: 0, ema: 0.5, lr: 0.005}
"""
STUDENT = """\
name: small
seed: 3
data: {{source: folder, path: {data}}}
preprocess: {{size: 32}}
arch: {{base: tiny_s, width: 0.25}}
augment: {{views: 2}}
train: {{epochs: 3, batch: 16, warmup: 0, ema: 0.5, workers: 0, threads: 1}}
distill:
  teacher_recipes: [{teacher}]
  teacher_overrides: [train.epochs=2]
  hints: 1.0
  unlabelled: {loose}
  unlabelled_ratio: 0.5
"""


@pytest.fixture(scope="module")
def student(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    place = tmp_path_factory.mktemp("taught")
    (place / "large.yaml").write_text(TEACHER)
    for at in range(12):
        draw(place / "loose" / f"{at}.jpg", at % 3, seed=7000 + at)
    text = STUDENT.format(data=folders, teacher=place / "large.yaml", loose=place / "loose")
    (place / "small.yaml").write_text(text)
    return load_recipe(place / "small.yaml")


def changed(recipe: Recipe, **distill: Any) -> Recipe:
    return recipe.model_copy(update={"distill": recipe.distill.model_copy(update=distill)})


def interrupt_after(monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    """Press Ctrl-C while a batch is fetched."""
    left, block = [batches], AugmentedCrops.block

    def counted(self: AugmentedCrops, indices: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return block(self, indices)

    monkeypatch.setattr(AugmentedCrops, "block", counted)


def test_a_teacher_gets_the_students_data_seed_and_machine(student: Recipe) -> None:
    (teacher,) = resolve_teachers(student)
    assert (teacher.name, teacher.seed, teacher.data) == ("large", 3, student.data)
    assert (teacher.train.epochs, teacher.train.threads, teacher.train.workers) == (2, 1, 0)
    assert teacher_paths(student, Path("runs/a")) == [Path("runs/a/teacher-large")]


def test_the_whole_way_goes_on_after_each_interruption_as_unbroken(
    student: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train_once(student, whole)
    assert "12 photos without labels" in capsys.readouterr().err
    known = trained_model.load(whole / "train").provenance
    assert known["unlabelled_photos"] == 12
    assert len(known["teachers"]) == 1
    for batches in (8, 12):  # a teacher's epoch has five batches, and so has a student's
        with monkeypatch.context() as patch:
            interrupt_after(patch, batches)
            with pytest.raises(TrainingInterrupted):
                train_once(student, broken, resume=broken.exists())
    assert (broken / "train" / "unlabelled.json").exists()  # the second time it was the student
    train_once(student, broken, resume=True)
    require_equal(broken / "train", whole / "train")
    require_equal(broken / "teacher-large", whole / "teacher-large")
    assert "looking at photos" not in capsys.readouterr().err.rpartition("large")[2]
    loose = student.distill.unlabelled
    assert loose is not None
    draw(loose / "late.jpg", 0, seed=1)
    with pytest.raises(UserError, match=r"1 photo added .*late\.jpg"):
        train_once(student, broken, resume=True)
    (loose / "late.jpg").unlink()


def test_what_is_wrong_with_teachers_is_said_before_anything_is_trained(student: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for fields, line in (
        ({"teacher_recipes": ("trashnte",)}, r"teacher_recipes: recipe: 'trashnte' .*did you mean 'trashnet'"),
        ({"teacher_overrides": ("train.epoch=1",)}, r"teacher_recipes: recipe .*train\.epoch: "),
        ({"teacher_recipes": student.distill.teacher_recipes * 2}, "two are called 'large'"),
    ):
        with pytest.raises(UserError, match=line):
            train_once(changed(student, **fields), out)
        assert not out.exists()
    own = tmp_path / "own.yaml"
    own.write_text(TEACHER.replace("name: large", "name: own") + "distill: {teacher_recipes: [sample]}\n")
    with pytest.raises(UserError, match="has teacher recipes itself; train it first"):
        resolve_teachers(changed(student, teacher_recipes=(str(own),)))


def test_a_teacher_of_other_classes_is_refused_before_another_is_trained(
    student: Recipe, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model_of(job()).save(tmp_path / "abc.safetensors")
    with pytest.raises(UserError, match=r"abc\.safetensors knows a, b, c; the data have Metal, Paper, Plastic"):
        train_once(changed(student, teachers=(tmp_path / "abc.safetensors",)), tmp_path / "out")
    assert not RunFolder(tmp_path / "out").teacher("large").path.exists()


def test_settings_without_effect_are_refused(tmp_path: Path) -> None:
    for line, words in (
        ("distill.unlabelled=photos", "nobody says what the photos show; name distill.teachers"),
        ("distill={unlabelled: photos, teachers: [a], weight: 0}", "no effect with weight: 0 and hints: 0"),
        ("distill.unlabelled_ratio=2", "unlabelled_ratio has no effect without unlabelled"),
        ("distill.teacher_overrides=[seed=1]", "teacher_overrides has no effect without teacher_recipes"),
    ):
        with pytest.raises(UserError, match=words):
            load_recipe("sample", [line])
    assert np.isclose(load_recipe("sample").distill.unlabelled_ratio, 1.0)
