"""Drift: p-values that are uniform, evidence that nobody wins by chance, alarms, shares, and a log that survives."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.files.bundle_reference import BundleReference
from leansort.core.run_folder import WatchFolder
from leansort.measure.accuracy.reference_fit import fit_reference
from leansort.runtime.drift.conformal_ranks import ConformalRanks
from leansort.runtime.drift.drift_evidence import DriftEvidence, bets_on
from leansort.runtime.drift.drift_journal import DriftJournal
from leansort.runtime.drift.drift_status import DriftSettings
from leansort.runtime.drift.drift_watch import DriftWatch
from leansort.runtime.drift.image_statistics import ImageStatistics, image_statistics, longer_side
from leansort.runtime.drift.prediction_lines import parse_prediction, prediction_record
from leansort.runtime.predictor import Classifier, Prediction, failed_prediction
from tests.support.graphs import LABELS, SIZE, colour_bundle

NAMES = LABELS.names


def drawn(rng: np.random.Generator, *, darker: float = 0.0, first: float = 1 / 3) -> Prediction:
    """A prediction of a belt with heavy tails, ties and one size of photos."""
    label = int(rng.choice(3, p=[first, (1 - first) / 2, (1 - first) / 2]))
    sure = round(0.4 + 0.6 * float(rng.beta(8, 1)), 2)
    p = [(1 - sure) / 2] * 3
    p[label] = sure
    sharpness, warmth, tint = rng.standard_cauchy(3).tolist()
    look = ImageStatistics(120 + 10 * float(rng.standard_normal()) - darker, sharpness, warmth, tint, 512)
    return Prediction(NAMES[label], sure, True, tuple(p), novelty=float(rng.exponential()), known=True, statistics=look)


def reference(rng: np.random.Generator, photos: int = 100) -> BundleReference:
    val = [drawn(rng) for _ in range(photos)]
    fitted = fit_reference(val, [NAMES.index(item.label) for item in val], NAMES)
    assert fitted is not None
    return fitted


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def watched(rng: np.random.Generator) -> Bundle:
    return colour_bundle(reference=reference(rng))


def test_p_values_of_photos_like_val_are_uniform_whatever_their_distribution() -> None:
    """Over many references, each with a few photos: conditionally on one reference they are so on average alone."""
    found = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        known = reference(rng, 20)
        ranks = ConformalRanks(known, seed)
        size = [item.name for item in known.statistics].index("size")
        for _ in range(4):
            item = drawn(rng)
            assert item.statistics is not None
            values = np.array([item.probability, item.novelty, item.statistics.brightness, 0, 0, 0, 512], np.float64)
            p = ranks.rank(values, NAMES.index(item.label))
            found.append([p[0], p[1], p[2], p[size], *p[-3:]])
    for column in np.array(found).T:
        assert kstest(column, "uniform").pvalue > 0.001


def test_counts_of_bins_are_what_the_next_photo_is_ranked_by(rng: np.random.Generator) -> None:
    known = reference(rng, 20)
    ranks = ConformalRanks(known, 0)
    assert ranks.counts_sb.sum(axis=1).tolist() == [21] * 7  # gaps between 20 order statistics
    ranks.rank(np.full(7, np.nan), 1)
    assert ranks.counts_sb.sum() == 7 * 21
    assert ranks.counts_c.sum() == 21
    p = ranks.rank(np.full(7, -1e6), 1)
    assert p[:7].max() <= known.statistics[0].gaps[0] / 21
    assert np.isfinite(p).all()


def test_no_bet_gains_on_uniform_p_values() -> None:
    p = (np.arange(200_000) + 0.5) / 200_000
    means = bets_on(p).mean(axis=0)
    assert means == pytest.approx(np.ones(8), rel=0.06)  # powers gain most at the very end
    assert means.max() < 1 + 1e-6
    assert bets_on(p).min() > 0


def test_all_the_capital_is_put_in_over_time() -> None:
    evidence = DriftEvidence(1)
    assert evidence.evidence_r[0] == 1.0
    for number in range(3000):
        evidence.update(np.array([number * 0.618034 % 1]))  # evenly spread
    assert evidence.evidence_r[0] < 1.2
    for _ in range(60):
        evidence.update(np.array([0.01]))
    assert evidence.evidence_r[0] > 1e6
    assert evidence.since(0) == pytest.approx(3001, abs=3)


def test_photos_like_val_raise_few_alarms_and_darker_ones_raise_red_soon() -> None:
    false, delays, since = 0, [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        watch = DriftWatch(reference(rng), NAMES, DriftSettings(yellow=0.1, seed=seed))
        false += bool([alarm for _ in range(100) for alarm in watch.observe(drawn(rng))])
        for number in range(1, 200):
            raised = watch.observe(drawn(rng, darker=25))
            if any(alarm.level == "red" for alarm in raised):
                delays.append(number)
                assert (raised[0].statistic, raised[0].change) == ("brightness", "lower")
                since.append(raised[0].since)
                break
    assert false <= 5  # of 20 at a rate of a tenth; more than that has a probability of 1 %
    assert len(delays) == 20
    assert max(delays) < 60
    assert np.median(since) == pytest.approx(101, abs=5)


def test_a_class_that_becomes_frequent_is_named_and_its_share_told(rng: np.random.Generator) -> None:
    watch = DriftWatch(reference(rng), NAMES)
    alarms = [alarm for _ in range(400) for alarm in watch.observe(drawn(rng, first=0.8))]
    assert ("classes", "a more frequent") in {(alarm.statistic, alarm.change) for alarm in alarms}
    share = watch.status().shares[0]
    assert share.corrected == pytest.approx(0.8, abs=0.06)
    assert share.margin > 0
    unsure = Prediction("b", 0.5, True, (0.45, 0.5, 0.05))
    assert watch.corrected(unsure).label == "a"
    assert sum(watch.corrected(unsure).probabilities) == pytest.approx(1)


def test_a_watch_goes_on_from_its_state(rng: np.random.Generator) -> None:
    known = reference(rng)
    first, second = DriftWatch(known, NAMES), DriftWatch(known, NAMES)
    stream = [drawn(rng, darker=3) for _ in range(60)]
    for item in stream[:30]:
        first.observe(item)
    first.observe(failed_prediction("is cut short"))
    second.restore(type(first.state()).model_validate_json(first.state().model_dump_json()))
    for item in stream[30:]:
        first.observe(item)
        second.observe(item)
    assert second.state() == first.state()
    assert first.unreadable == 1


@pytest.mark.parametrize(("yellow", "red"), [(0.01, 0.02), (1.0, 0.1), (0.01, 0.0)])
def test_rates_that_make_no_sense_are_refused(yellow: float, red: float) -> None:
    with pytest.raises(UserError, match="need 0 < red <= yellow < 1"):
        DriftSettings(yellow, red)


def test_a_log_is_gone_on_with_after_a_kill_in_mid_line(
    watched: Bundle, rng: np.random.Generator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = [drawn(rng, darker=10) for _ in range(80)]
    with DriftJournal.open(tmp_path / "whole", watched) as whole:
        for item in stream:
            whole.observe("", item)
    killed = DriftJournal.open(tmp_path / "killed", watched)
    for item in stream[:50]:
        killed.observe("", item)
    killed._lock.release()  # and no `close`
    with (tmp_path / "killed" / "photos.jsonl").open("a") as file:
        file.write('{"image": "photo 51", "lab')
    with DriftJournal.open(tmp_path / "killed", watched) as again:
        assert again.resumed == 50
        for item in stream[50:]:
            again.observe("", item)
    assert "its last line was cut short and is taken off" in capsys.readouterr().err
    for name in ("photos", "alarms", "states"):
        lines = [getattr(WatchFolder(tmp_path / of), name).read_text() for of in ("whole", "killed")]
        assert lines[0] == lines[1]
        assert lines[0]
    assert again.watch.state() == whole.watch.state()


def test_a_folder_of_another_watch_or_at_work_is_refused(
    watched: Bundle, rng: np.random.Generator, tmp_path: Path
) -> None:
    with DriftJournal.open(tmp_path / "a", watched), pytest.raises(UserError, match="another process watches into"):
        DriftJournal.open(tmp_path / "a", watched)
    other = colour_bundle(reference=reference(rng))
    with pytest.raises(UserError, match="watches another bundle, or with other settings"):
        DriftJournal.open(tmp_path / "a", other)
    with pytest.raises(UserError, match="watches photos one by one, this is the log x"):
        DriftJournal.open(tmp_path / "a", watched, source="the log x")
    with pytest.raises(UserError, match="holds no reference of val photos"):
        DriftJournal.open(tmp_path / "b", colour_bundle())
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="holds no watch"):
        DriftJournal.open(tmp_path / "c", watched)
    assert [item.name for item in (tmp_path / "c").iterdir()] == ["mine.txt"]


def test_a_classifier_watches_what_it_classifies(watched: Bundle, tmp_path: Path) -> None:
    watched.save(tmp_path / "model.leansort")
    pictures = [np.full((40, 30, 3), level, np.uint8) for level in range(0, 250, 10)]
    with Classifier.load(tmp_path / "model.leansort", watch=tmp_path / "watch") as classifier:
        classifier.predict(pictures[0])
        made = list(classifier.predict_many([*pictures, b"no picture"], threads=2, batch=4))
        assert classifier.journal is not None
        assert classifier.journal.watch.photos == 26
    assert made[3].statistics is not None
    assert made[3].statistics.size == 40
    lines = [json.loads(line) for line in (tmp_path / "watch" / "photos.jsonl").read_text().splitlines()]
    assert [line.get("statistics", {}).get("size") for line in lines] == [40] * 26 + [None]
    assert "error" in lines[-1]


def test_statistics_of_an_image() -> None:
    flat = image_statistics(np.full((20, 20, 3), (90, 60, 30), np.uint8), 640)
    assert (flat.warmth, flat.tint, flat.sharpness, flat.size) == (60.0, 0.0, 0.0, 640)
    assert flat.brightness == pytest.approx(0.299 * 90 + 0.587 * 60 + 0.114 * 30, abs=0.01)
    checks = np.indices((20, 20)).sum(0) % 2 * 200
    assert image_statistics(np.repeat(checks[..., None], 3, 2).astype(np.uint8)).sharpness > 500
    assert longer_side(b"no picture") is None
    assert longer_side(np.zeros((7, 9, 3), np.uint8)) == 9


def test_lines_of_predictions_are_read_back(rng: np.random.Generator) -> None:
    made = drawn(rng)
    rounded = replace(made, novelty=round(made.novelty or 0.0, 6))
    image, read, _ = parse_prediction(json.dumps(prediction_record("x.jpg", made, NAMES)), NAMES, "log")
    assert image == "x.jpg"
    assert read == replace(rounded, probabilities=read.probabilities)
    assert read.probabilities == pytest.approx(made.probabilities)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"image": "x", "lab', "is not JSON"),
        ("[]", "need an object with an image"),
        ('{"image": "x", "label": "z", "probabilities": {}}', "need a label and probabilities of the classes a, b, c"),
        ('{"image": "x", "label": "a", "probability": 2, "probabilities": {"a": 1, "b": 0, "c": 0}}', "need 0 to 1"),
        (
            '{"image": "x", "label": "a", "probability": 1, "probabilities": {"a": 1, "b": 0, "c": 0},"statistics":3}',
            "statistics: need brightness",
        ),
        ('{"image": "x", "image": "y"}', "gives a key twice"),
    ],
)
def test_a_line_that_is_none_is_named(line: str, text: str) -> None:
    with pytest.raises(UserError, match=text):
        parse_prediction(line, NAMES, "log: line 3")


def test_a_bundle_keeps_its_reference_and_those_of_before_keep_their_bytes(watched: Bundle, tmp_path: Path) -> None:
    watched.save(tmp_path / "x.leansort")
    assert bundles.load(tmp_path / "x.leansort").meta.reference == watched.meta.reference
    assert b"reference" not in colour_bundle().to_bytes()
    assert watched.meta.preprocess.size == SIZE


def test_too_few_photos_make_no_reference(rng: np.random.Generator) -> None:
    val = [drawn(rng) for _ in range(9)]
    assert fit_reference([*val, failed_prediction("empty")], [0] * 10, NAMES) is None
    with pytest.raises(UserError, match="9 predictions and 3 labels"):
        fit_reference(val, [0, 1, 2], NAMES)
