"""Learning from teachers: what they are asked, what is kept of it, and what the student has learned."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leansort.arch.build import build
from leansort.arch.pretrained import weight_loader
from leansort.arch.timm_models import timm_networks
from leansort.arch.trained_model import TrainedModel, normalize
from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.loading.crops import Crops
from leansort.export.onnx import export_onnx
from leansort.train.distillation import teachers
from leansort.train.distillation.named_views import NamedViews
from leansort.train.distillation.teacher_loss import Distillation, Features, Student, Teacher, resize_crops
from leansort.train.distillation.teacher_outputs import TeacherOutputs
from leansort.train.distillation.teachers import NetworkTeacher
from leansort.train.job import TrainingJob
from leansort.train.train_config import DistillConfig
from tests.support.jobs import AS_THEY_ARE, LABELS, NORMED, PLAIN, job, kept, require_equal, stopped, trained

NOTHING_ELSE = DistillConfig(weight=1.0)


class Greener:
    """A teacher that calls crops by their strongest channel, and remembers every crop that it was shown."""

    width = size = 0

    def __init__(self, order: Sequence[int] = (0, 1, 2)) -> None:
        self.order, self.shown = list(order), list[bytes]()

    def __call__(self, x_bchw: Tensor) -> tuple[Tensor, Tensor | None]:
        assert x_bchw.dtype == torch.uint8
        self.shown += [x_chw.numpy().tobytes() for x_chw in x_bchw]
        return x_bchw.float().mean((2, 3))[:, self.order] / 4, None

    def names(self, pixels: np.ndarray[Any, Any]) -> list[int]:
        logits, _ = self(torch.from_numpy(pixels).permute(0, 3, 1, 2))
        return logits.argmax(1).tolist()


def fixed(logits_bc: Tensor | None, features_bf: Tensor | None = None) -> Any:
    """A teacher of one answer."""

    class Fixed:
        width = size = 0

        def __call__(self, x_bchw: Tensor) -> tuple[Tensor | None, Tensor | None]:
            return None if logits_bc is None else logits_bc[: len(x_bchw)], features_bf

    return Fixed()


def model_of(training_job: TrainingJob, seed: int = 7) -> TrainedModel:
    """A network with a classifier that tells something apart, as a stored model."""
    network = build(training_job.spec, Seeds(seed))
    torch.manual_seed(seed)
    nn.init.normal_(network.state_dict()[list(network.state_dict())[-2]])
    return TrainedModel(training_job.spec, network.state_dict(), training_job.preprocess, training_job.labels)


def teacher_of(training_job: TrainingJob, *, hints: bool = False) -> NetworkTeacher:
    return NetworkTeacher(model_of(training_job).network(), training_job.preprocess, 3, hints=hints)


def told(distillation: Distillation, x_bchw: Tensor, keys: list[tuple[int, ...]] | None) -> Tensor:
    """The probabilities that teachers who know the classes give."""
    soft_bc, _ = distillation.targets(x_bchw, keys)
    assert soft_bc is not None
    return soft_bc


def answer(teacher: Teacher, x_bchw: Tensor) -> Tensor:
    logits_bc, _ = teacher(x_bchw)
    assert logits_bc is not None
    return logits_bc


# ---- what is learned


def test_the_student_takes_the_teachers_word_over_the_labels(tmp_path: Path) -> None:
    teacher = Greener(order=(1, 2, 0))  # calls everything by another name than the labels do
    item = job(PLAIN, lr=0.03, epochs=6, augment=AS_THEY_ARE, distill=NOTHING_ELSE)
    by_teacher = replace(item, val=Crops(item.val.pixels, teacher.names(np.asarray(item.val.pixels))))
    _, records = trained(by_teacher, tmp_path, teachers=[teacher])
    assert records[-1]["val_macro_f1"] > 0.9
    assert records[-1]["loss"] < records[0]["loss"]


def test_without_weight_the_teacher_changes_nothing(tmp_path: Path) -> None:
    item = job(distill=DistillConfig(weight=0.0), epochs=2)
    trained(item, tmp_path / "with", teachers=[Greener()])
    trained(item, tmp_path / "without")
    ours, theirs = kept(tmp_path / "with")[0], kept(tmp_path / "without")[0]
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_loss_is_hintons_and_its_slope_keeps_its_size() -> None:
    torch.manual_seed(0)
    student_bc = torch.randn(5, 3, requires_grad=True)
    teacher_bc = torch.randn(5, 3)
    for temperature in (1.0, 2.0, 50.0):
        distillation = Distillation([fixed(teacher_bc)], DistillConfig(temperature=temperature))
        soft_bc, features = distillation.targets(torch.zeros(5, 3, 4, 4, dtype=torch.uint8), None)
        assert soft_bc is not None
        assert features == []
        assert torch.allclose(soft_bc, (teacher_bc / temperature).softmax(1))
        log_bc = (student_bc / temperature).log_softmax(1)
        by_hand = (soft_bc * (soft_bc.log() - log_bc)).sum(1).mean() * temperature**2
        given = distillation.loss(student_bc, soft_bc)
        assert torch.allclose(given, by_hand, rtol=1e-3)
        (slope_bc,) = torch.autograd.grad(given, student_bc)
        wanted_bc = temperature * ((student_bc / temperature).softmax(1) - soft_bc) / 5
        assert torch.allclose(slope_bc, wanted_bc, atol=1e-5)
        assert float(distillation.loss(teacher_bc, soft_bc)) == pytest.approx(
            0, abs=1e-3
        )  # rounding times temperature squared


def test_two_teachers_are_averaged_by_their_probabilities() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(4, 3), 5 * torch.randn(4, 3)
    distillation = Distillation([fixed(first), fixed(second)], DistillConfig(temperature=3.0))
    x_bchw = torch.zeros(4, 3, 4, 4, dtype=torch.uint8)
    soft_bc = told(distillation, x_bchw, None)
    assert torch.allclose(soft_bc, ((first / 3).softmax(1) + (second / 3).softmax(1)) / 2)
    twice = told(Distillation([fixed(first), fixed(first)], distillation.config), x_bchw, None)
    assert torch.allclose(twice, (first / 3).softmax(1))


# ---- what is asked


@pytest.mark.parametrize("views", [1, 2, 3])
def test_a_teacher_looks_at_each_way_of_varying_a_crop_once(tmp_path: Path, views: int) -> None:
    teacher = Greener()
    item = job(epochs=5, augment=AugmentConfig(views=views), distill=NOTHING_ELSE)
    trained(item, tmp_path, teachers=[teacher])
    assert len(teacher.shown) == views * 60
    assert len(set(teacher.shown)) == views * 60  # and no two are alike


def test_without_views_and_with_mixing_every_crop_is_new(tmp_path: Path) -> None:
    for name, augment in (("none", AugmentConfig()), ("mixed", AugmentConfig(views=2, mixup=0.4))):
        teacher = Greener()
        trained(job(epochs=4, augment=augment, distill=NOTHING_ELSE), tmp_path / name, teachers=[teacher])
        assert len(teacher.shown) == 4 * 60


def test_crops_of_another_size_are_looked_at_again(tmp_path: Path) -> None:
    teacher = Greener()
    item = job(epochs=8, count=16, size=64, grow_from=0.5, augment=AugmentConfig(views=1), distill=NOTHING_ELSE)
    trained(item, tmp_path, teachers=[teacher])
    assert Counter(len(shown) for shown in teacher.shown) == {3 * 32 * 32: 16, 3 * 64 * 64: 16}


def test_a_sampler_that_leaves_crops_out_still_asks_for_the_new_ones_alone(tmp_path: Path) -> None:
    teacher = Greener()
    item = job(epochs=6, augment=AugmentConfig(views=1), distill=NOTHING_ELSE, sampler="inverse")
    trained(item, tmp_path, teachers=[teacher])
    assert len(set(teacher.shown)) <= 60
    again = len(teacher.shown) - len(set(teacher.shown))  # the same crop twice in the batch that it is new in
    assert again < 15


def test_what_is_kept_gives_the_loss_of_asking_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = job(PLAIN, epochs=4, augment=AugmentConfig(views=2), distill=DistillConfig(), lr=0.03)
    cached, asked = Greener(), Greener()
    _, ours = trained(item, tmp_path / "cached", teachers=[cached])
    monkeypatch.setattr(NamedViews, "names", lambda *_: None)
    _, theirs = trained(item, tmp_path / "asked", teachers=[asked])
    assert (len(cached.shown), len(asked.shown)) == (2 * 60, 4 * 60)
    # Probabilities are kept in 16 bits: 3 digits.
    assert [mine["loss"] for mine in ours] == pytest.approx([its["loss"] for its in theirs], rel=2e-3)


def test_what_is_kept_is_told_apart_by_its_name_and_the_same_the_first_time() -> None:
    teacher = Greener()
    distillation = Distillation([teacher], DistillConfig(), TeacherOutputs(crops=7, views=3, limit_mb=1))
    x_bchw = torch.randint(0, 256, (3, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    first = told(distillation, x_bchw, [(8, 0, 5), (8, 0, 6), (8, 1, 5)])
    again = told(distillation, x_bchw.flip(0), [(8, 1, 5), (8, 0, 6), (8, 0, 5)])
    assert torch.equal(again, first.flip(0))
    part = told(distillation, x_bchw[:2], [(8, 0, 6), (16, 0, 5)])  # one known, one new
    assert torch.equal(part[0], first[1])
    assert torch.allclose(part[1], first[1], atol=1e-3)
    assert len(teacher.shown) == 4
    assert torch.allclose(first.sum(1), torch.ones(3), atol=2e-3)


# ---- features


def distance(training_job: TrainingJob, folder: Path, teacher: NetworkTeacher) -> float:
    """How far the features of the student in a checkpoint are from the teacher's, over the training crops."""
    student = Student(build(training_job.spec), [teacher.width], 3)
    tensors = {name.removeprefix("model."): value for name, value in kept(folder)[0].items()}
    student.load_state_dict({name: tensors[name] for name in student.state_dict()})
    x_bchw = resize_crops(
        torch.from_numpy(np.asarray(training_job.train.pixels)).permute(0, 3, 1, 2), training_job.preprocess.size
    )
    _, theirs = teacher(x_bchw)
    assert theirs is not None
    _, far = student.eval()(normalize(x_bchw, training_job.preprocess), [theirs])
    assert far is not None
    return float(far.detach())


def test_hints_bring_the_features_nearer(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"epochs": 8, "augment": AS_THEY_ARE, "distill": DistillConfig(hints=5.0)}
    item, begun = job(lr=0.03, **fields), job(lr=1e-9, **fields)
    teacher = teacher_of(item, hints=True)
    assert teacher.width == 8
    trained(item, tmp_path / "learned", teachers=[teacher])
    trained(begun, tmp_path / "begun", teachers=[teacher])
    assert distance(item, tmp_path / "learned", teacher) < 0.25 * distance(item, tmp_path / "begun", teacher)


def test_what_serves_the_hints_is_thrown_away(tmp_path: Path) -> None:
    item = job(epochs=1, distill=DistillConfig(hints=1.0))
    model, _ = trained(item, tmp_path, teachers=[teacher_of(item, hints=True), Greener(), teacher_of(item, hints=True)])
    assert model.weights.keys() == build(item.spec).state_dict().keys()
    assert model.network()(torch.zeros(2, 3, 16, 16)).shape == (2, 3)
    beside = {name for name in kept(tmp_path)[0] if name.startswith("model.maps")}
    assert beside == {f"model.maps.{at}.{part}" for at in (0, 1) for part in ("weight", "bias")}  # the second has none


def test_features_are_what_enters_the_classifier() -> None:
    network = build(job().spec).eval()
    features = Features(network, 3)
    x_bchw = torch.randn(2, 3, 16, 16)
    out_bc = network(x_bchw)
    head = list(network.children())[-1]
    assert features.taken is not None
    assert features.taken.shape == (2, features.width)
    assert torch.equal(head(features.taken), out_bc)


def test_features_of_a_convolution_as_classifier_are_pooled() -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU(), nn.Conv2d(5, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    features = Features(network, 3)
    network(torch.randn(2, 3, 6, 6))
    assert features.taken is not None
    assert (features.width, features.taken.shape) == (5, (2, 5))
    with pytest.raises(UserError, match=r"distill\.hints: the network has no linear classifier"):
        Features(nn.Sequential(nn.Conv2d(3, 4, 3)), 3)


# ---- exactness


@pytest.mark.parametrize("after", [20, 58, 85])
@pytest.mark.parametrize(
    ("distill", "augment"),
    [
        (DistillConfig(hints=2.0), AugmentConfig()),
        (DistillConfig(weight=0.9, temperature=4.0), AugmentConfig(views=2)),
        (DistillConfig(hints=2.0), AugmentConfig(views=2)),
        (DistillConfig(hints=0.5), AugmentConfig(mixup=0.4)),
    ],
)
def test_a_distillation_goes_on_as_unbroken(
    tmp_path: Path, after: int, distill: DistillConfig, augment: AugmentConfig
) -> None:
    item = job(distill=distill, augment=augment)

    def teachers_anew() -> list[NetworkTeacher]:  # a resumed run has forgotten what they said
        return [teacher_of(item, hints=bool(distill.hints)), teacher_of(item, hints=bool(distill.hints))]

    trained(item, tmp_path / "whole", teachers=teachers_anew())
    stopped(item, tmp_path / "broken", after, teachers=teachers_anew())
    trained(item, tmp_path / "broken", resume=True, teachers=teachers_anew())
    require_equal(tmp_path / "broken", tmp_path / "whole")


def test_a_distillation_repeated_gives_identical_metrics(tmp_path: Path) -> None:
    item = job(distill=DistillConfig(hints=2.0), epochs=2)
    for drawn, name in enumerate(("first", "second")):
        teacher = teacher_of(item, hints=True)
        torch.manual_seed(drawn)  # whatever else the process has drawn
        trained(item, tmp_path / name, teachers=[teacher])
    require_equal(tmp_path / "first", tmp_path / "second")


# ---- teachers from files


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model as a file and as a bundle."""
    folder = tmp_path_factory.mktemp("teachers")
    model = model_of(job(NORMED))
    model.save(folder / "model.safetensors")
    export_onnx(model).save(folder / "model.leansort")
    return folder


def some(size: int, count: int = 5) -> Tensor:
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", [16, 24, 12])
def test_a_bundle_teaches_what_its_network_does(stored: Path, size: int) -> None:
    given = teachers.load([stored, stored / "model.leansort"], LABELS, hints=False, threads=1)
    network_bc, bundle_bc = (answer(teacher, some(size)) for teacher in given)
    assert [(teacher(some(size))[1], teacher.width) for teacher in given] == [(None, 0), (None, 0)]
    assert network_bc.std() > 0.1
    assert torch.allclose(network_bc, bundle_bc, atol=1e-4)


def test_a_network_teacher_sees_crops_at_its_own_size_in_evaluation_mode(stored: Path) -> None:
    (teacher,) = teachers.load([stored], LABELS, hints=True, threads=1)
    assert isinstance(teacher, NetworkTeacher)
    x_bchw = some(32)
    logits_bc, features_bf = teacher(x_bchw)
    small = F.interpolate(x_bchw.float(), (16, 16), mode="bilinear", antialias=True, align_corners=False)
    wanted_bc = model_of(job(NORMED)).network()(normalize(small.round(), Preprocess(size=16)))
    assert logits_bc is not None
    assert torch.allclose(logits_bc, wanted_bc, atol=1e-5)
    assert features_bf is not None
    assert features_bf.shape == (5, 8)
    assert torch.equal(answer(teacher, x_bchw), logits_bc)  # no dropout, no statistics of the batch
    assert not any(parameter.requires_grad for parameter in teacher.network.parameters())


def test_teachers_of_other_classes_are_refused(stored: Path) -> None:
    for names in (["a", "b", "d"], ["b", "a", "c"], ["a", "b"]):
        for name in ("model.safetensors", "model.leansort"):
            with pytest.raises(UserError, match=r"distill\.teachers: .*model\.\w+ knows a, b, c; the data have"):
                teachers.load([stored / name], LabelSet.of(names), hints=False, threads=1)


def test_hints_of_bundles_alone_and_missing_teachers_are_refused(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"distill\.hints: bundles give no features"):
        teachers.load([stored / "model.leansort"], LABELS, hints=True, threads=1)
    both = teachers.load([stored / "model.leansort", stored], LABELS, hints=True, threads=1)
    assert [teacher.width for teacher in both] == [0, 8]
    for name in ("none.safetensors", "none.leansort", "none"):
        with pytest.raises(UserError, match="is not there"):
            teachers.load([tmp_path / name], LABELS, hints=False, threads=1)


def test_a_bundle_and_a_network_teach_together(stored: Path, tmp_path: Path) -> None:
    given = teachers.load([stored / "model.leansort", stored], LABELS, hints=True, threads=1)
    item = job(PLAIN, epochs=2, distill=DistillConfig(hints=1.0))
    model, records = trained(item, tmp_path, teachers=given)
    assert records[1]["loss"] < records[0]["loss"]
    assert model.weights.keys() == build(item.spec).state_dict().keys()


def test_a_published_network_gives_hints_alone(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = timm_networks.build_published("timm:lcnet_050")
    assert (made.classes, made.preprocess.size) == (1000, 224)
    monkeypatch.setattr(weight_loader, "read_weights", lambda source: made.network.state_dict())
    source = Path("timm:lcnet_050")
    with pytest.raises(UserError, match=r"timm:lcnet_050 knows other classes .* gives features alone"):
        teachers.load([source], LABELS, hints=False, threads=1)
    alone, both = ([source], [source, stored])
    for number, paths in enumerate((alone, both)):
        given = teachers.load(paths, LABELS, hints=True, threads=1)
        (logits_bc, features_bf), *_ = (teacher(some(32, 2)) for teacher in given)
        assert logits_bc is None
        assert features_bf is not None
        assert features_bf.shape == (2, 1280)
        item = job(PLAIN, count=16, epochs=1, distill=DistillConfig(hints=1.0))
        _, records = trained(item, tmp_path / str(number), teachers=given)
        assert math.isfinite(records[0]["loss"])


def test_without_a_teacher_that_knows_the_classes_the_labels_count_whole() -> None:
    item = job(PLAIN, count=16, distill=DistillConfig(weight=0.7, hints=1.0))

    def heard(logits_bc: Tensor | None) -> tuple[Tensor | None, list[Tensor]]:
        features = torch.zeros(5, 4)
        return Distillation([fixed(logits_bc, features)], item.distill).targets(some(16), None)

    assert heard(None)[0] is None
    soft_bc, features = heard(torch.zeros(5, 3))
    assert soft_bc is not None
    assert torch.allclose(soft_bc, torch.full((5, 3), 1 / 3))
    assert [f.shape[1] for f in features] == [4]
