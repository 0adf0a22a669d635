"""Photos without labels in a training: how often each comes, what is learned from it, and that resuming is exact."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from leansort.core.errors import UserError
from leansort.core.seeds import Seeds
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.loading.crops import Crops
from leansort.data.loading.loader import EpochSampler
from leansort.data.loading.unlabelled_order import UnlabelledOrder
from leansort.train.job import TrainingJob
from leansort.train.train_config import DistillConfig
from tests.support.jobs import AS_THEY_ARE, NORMED, PLAIN, crops, job, kept, require_equal, stopped, trained
from tests.unit.train.test_distillation import Greener


def beside(ratio: float, **fields: Any) -> DistillConfig:
    """The settings of a distillation with photos without labels; the loop is handed teachers and photos themselves."""
    return DistillConfig(teachers=(Path("t"),), unlabelled=Path("u"), unlabelled_ratio=ratio, **fields)


def unlabelled_job(count: int = 30, **fields: Any) -> TrainingJob:
    """A training of 60 labelled crops and some without labels."""
    made = job(**fields)
    return replace(made, unlabelled=crops(count, size=made.preprocess.size + 4, seed=3).pixels)


@given(
    count=st.integers(1, 50),
    ratio=st.floats(0.05, 4),
    length=st.integers(4, 60),
    batch=st.integers(2, 16),
    ranks=st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_every_crop_without_a_label_comes_as_often_as_any_other(
    count: int, ratio: float, length: int, batch: int, ranks: int
) -> None:
    order = UnlabelledOrder(count, ratio, length, Seeds(1))
    samplers = [
        EpochSampler(length, batch, Seeds(1), rank=rank, ranks=ranks, unlabelled=order) for rank in range(ranks)
    ]
    came = list[tuple[int, int]]()
    for epoch in range(4):
        parts = [sampler.begin(epoch, 0) for sampler in samplers]
        sizes = [sum(map(len, together)) for together in zip(*parts, strict=True)]
        assert sizes == samplers[0].sizes
        for batch_keys in (keys for part in parts for keys in part):
            indices = [index for _, index in batch_keys]
            labelled = [index for index in indices if index < length]
            assert indices[: len(labelled)] == labelled  # the others come last
            came += [key for key in batch_keys if key[1] >= length]
    assert len(came) == 4 * round(ratio * length)
    assert len(set(came)) == len(came)  # no crop twice in the same way
    times = Counter(index for _, index in came)
    assert max(times.values(), default=0) - min((times[length + at] for at in range(count)), default=0) <= 1
    assert all(length <= index < length + count for index in times)


def test_the_teacher_is_asked_once_for_each_view_of_a_photo_however_many_there_are(tmp_path: Path) -> None:
    teacher = Greener()
    item = unlabelled_job(count=90, epochs=6, augment=AugmentConfig(views=2), distill=beside(0.75))
    trained(item, tmp_path, teachers=[teacher])
    assert len(teacher.shown) == len(set(teacher.shown)) == 2 * (60 + 90)  # six epochs of 45 are three passes of 90


def test_labels_are_not_needed_to_learn_what_the_teacher_knows(tmp_path: Path) -> None:
    teacher = Greener()
    few = job(PLAIN, count=4, lr=0.05, epochs=80, batch=4, augment=AS_THEY_ARE, distill=DistillConfig(weight=1.0))
    many = replace(few, unlabelled=crops(200, size=20, seed=5).pixels)
    many = replace(many, distill=beside(16, weight=1.0))
    judged = Crops(few.val.pixels, teacher.names(np.asarray(few.val.pixels)))
    few, many = replace(few, val=judged), replace(many, val=judged)
    alone = max(record["val_macro_f1"] for record in trained(few, tmp_path / "few", teachers=[teacher])[1])
    helped = max(record["val_macro_f1"] for record in trained(many, tmp_path / "many", teachers=[teacher])[1])
    assert helped > 0.9
    assert helped >= alone


def test_a_photo_without_a_label_weighs_nothing_in_the_loss_on_the_labels(tmp_path: Path) -> None:
    """With no weight on the teacher, and no batch norms, the others change nothing."""
    fields: dict[str, Any] = {"epochs": 2, "augment": AS_THEY_ARE, "label_smoothing": 0.0}
    item = job(PLAIN, distill=DistillConfig(weight=0.0), **fields)
    other = replace(item, unlabelled=crops(60, size=20, seed=3).pixels)
    trained(item, tmp_path / "alone", teachers=[Greener()])
    trained(other, tmp_path / "beside", teachers=[Greener()])
    ours, theirs = kept(tmp_path / "alone")[0], kept(tmp_path / "beside")[0]
    assert max(float((ours[name] - theirs[name]).abs().max()) for name in theirs) < 1e-5


def test_a_batch_counts_the_same_taken_whole_or_in_parts(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"count": 60, "epochs": 2, "augment": AS_THEY_ARE, "rows": PLAIN}
    distill = beside(0.7)
    trained(unlabelled_job(batch=12, distill=distill, **fields), tmp_path / "whole", teachers=[Greener()])
    parts = unlabelled_job(batch=4, accumulate=3, distill=distill, **fields)
    trained(parts, tmp_path / "parts", teachers=[Greener()])
    ours, theirs = kept(tmp_path / "whole"), kept(tmp_path / "parts")
    assert max(float((ours[0][name] - theirs[0][name]).abs().max()) for name in theirs[0]) < 1e-5
    assert ours[1][0]["loss"] == pytest.approx(theirs[1][0]["loss"], rel=1e-5)


@pytest.mark.parametrize("after", [58, 130])
@pytest.mark.parametrize(
    "augment", [AugmentConfig(views=2), AugmentConfig(mixup=0.4, cutmix=1.0), AugmentConfig(randaugment=1)]
)
def test_a_training_with_photos_without_labels_goes_on_as_unbroken(
    tmp_path: Path, after: int, augment: AugmentConfig
) -> None:
    item = unlabelled_job(rows=NORMED, augment=augment, distill=beside(1.5))
    trained(item, tmp_path / "whole", teachers=[Greener()])
    stopped(item, tmp_path / "broken", after % 60 + 1, teachers=[Greener()])
    trained(item, tmp_path / "broken", resume=True, teachers=[Greener()])
    require_equal(tmp_path / "broken", tmp_path / "whole")
    assert not (tmp_path / "broken" / "teacher-outputs").exists()


def test_what_teachers_gave_is_read_again_and_not_asked_again(tmp_path: Path) -> None:
    item = job(epochs=4, augment=AugmentConfig(views=2), distill=DistillConfig(weight=1.0))
    first, second = Greener(), Greener()
    stopped(item, tmp_path, 100, teachers=[first])
    assert list((tmp_path / "teacher-outputs").iterdir())
    trained(item, tmp_path, resume=True, teachers=[second])
    assert len(first.shown) + len(second.shown) == 2 * 60


def test_outputs_that_do_not_fit_are_asked_for_every_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teacher = Greener()
    item = job(epochs=4, augment=AugmentConfig(views=2), distill=DistillConfig(weight=1.0, memory_mb=0))
    trained(item, tmp_path, teachers=[teacher])
    assert len(teacher.shown) == 4 * 60
    assert "the outputs of 0 fit into distill.memory_mb=0" in capsys.readouterr().err
    trained(replace(item, distill=DistillConfig(weight=1.0)), tmp_path / "fits", teachers=[Greener()])
    assert "60 crops in 2 views once each" in capsys.readouterr().err


def test_a_larger_teacher_sees_more_pixels_of_the_same_view(tmp_path: Path) -> None:
    seen: list[Tensor] = []

    class Larger:
        width, size = 0, 20

        def __call__(self, x_bchw: Tensor) -> tuple[Tensor, None]:
            seen.append(x_bchw)
            return torch.zeros(len(x_bchw), 3), None

    item = job(epochs=1, count=16, augment=AS_THEY_ARE, distill=DistillConfig())
    trained(item, tmp_path, teachers=[Larger()])
    shown = {x_chw.permute(1, 2, 0).numpy().tobytes() for x_bchw in seen for x_chw in x_bchw}
    assert shown == {np.asarray(crop).tobytes() for crop in item.train.pixels}  # cached at 20 px, not the student's 16


def test_nobody_speaks_for_the_photos(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"distill\.unlabelled: nobody says what the photos show"):
        trained(unlabelled_job(), tmp_path)
