from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from leansort.arch import trained_model
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import compute_logits
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.loading.class_balance import Balance, class_weights
from leansort.data.loading.crops import Crops
from leansort.data.loading.loader import EpochSampler, eval_batches
from leansort.measure.accuracy.metrics import per_class
from leansort.train.job import TrainingJob
from leansort.train.loop import train
from leansort.train.train_config import TrainConfig


@pytest.mark.parametrize("kind", get_args(Balance))
def test_weights_have_mean_one_over_the_crops(kind: Balance) -> None:
    counts = [1168, 4826, 1020, 2655, 4879, 0]
    weights = class_weights(counts, kind)
    assert (weights * counts).sum() == pytest.approx(sum(counts))
    assert weights[5] == 0 or kind == "none"
    rare, common = weights[2], weights[4]
    assert rare == common if kind == "none" else rare > common


def test_weights_by_hand() -> None:
    assert class_weights([100, 400], "inverse") == pytest.approx([2.5, 0.625])
    assert class_weights([100, 400], "sqrt") == pytest.approx([5 / 3, 5 / 6])
    effective = class_weights([100, 400], "effective")
    assert effective[0] / effective[1] == pytest.approx((1 - 0.999**400) / (1 - 0.999**100))


def test_a_weighted_sampler_draws_rare_crops_more_often_and_the_same_for_a_seed() -> None:
    labels = np.array([0] * 900 + [1] * 100)
    weights = class_weights([900, 100], "inverse")[labels]
    sampler = EpochSampler(1000, 50, Seeds(1), weights.tolist())
    drawn = [index for batch in sampler for _, index in batch]
    assert len(drawn) == 1000
    assert 0.43 < np.mean(labels[drawn]) < 0.57
    assert drawn == [index for batch in sampler for _, index in batch]
    sampler.epoch = 1
    assert drawn != [index for batch in sampler for _, index in batch]


EPOCHS = 8


def crops(counts: list[int], seed: int) -> Crops:
    """Two classes that differ in brightness and overlap, so that what a crop is called depends on the counts."""
    rng = np.random.default_rng(seed)
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    levels = np.array([100 + 24 * label for label in labels]) + rng.normal(0, 12, len(labels))
    pixels = levels[:, None, None, None] + rng.normal(0, 20, (len(labels), 32, 32, 3))
    return Crops(np.clip(pixels, 0, 255).astype(np.uint8), labels)


def minority_recall(tmp_path: Path, **balance: Any) -> float:
    config = TrainConfig(
        epochs=EPOCHS,
        batch=32,
        lr=4e-3,
        warmup=1,
        workers=0,
        threads=1,
        ema=0.9,
        enlarge=1.0,
        label_smoothing=0.0,
        **balance,
    )
    plain = AugmentConfig(min_scale=1.0, randaugment=0, erase=0.0)
    preprocess, labels = Preprocess(size=32), LabelSet.of(["common", "rare"])
    data, val = crops([300, 60], 0), crops([150, 150], 1)
    spec = ArchSpec(base="mnasnet", classes=2, width=0.25, dropout=0.0)
    job = TrainingJob(spec, preprocess, labels, data, val, config, plain, Seeds(0), {})
    train(job, tmp_path)
    model = trained_model.load(tmp_path).network()
    out = compute_logits(model, preprocess, eval_batches(val.pixels, 64)).argmax(1).numpy()
    rare = next(
        class_name for class_name in per_class(np.asarray(val.labels), out, labels.names) if class_name.name == "rare"
    )
    return float(rare.recall)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> float:
    return minority_recall(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("balance", [{"class_weights": "inverse"}, {"sampler": "inverse"}])
@pytest.mark.slow
def test_balance_raises_the_recall_of_the_minority(tmp_path: Path, plain: float, balance: dict[str, Any]) -> None:
    assert minority_recall(tmp_path, **balance) >= plain + 0.05
