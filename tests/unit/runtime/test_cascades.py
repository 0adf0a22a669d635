"""A cascade: which of two graphs answers, and what the bundle of both promises."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError, UserError
from leansort.core.files.bundle_cascade import CASCADE, CASCADE_FILES, CascadeSettings, Decode
from leansort.core.files.bundle_decisions import NoveltyScale
from leansort.core.preprocess import Preprocess
from leansort.runtime import engine as engines
from leansort.runtime.cascades.cascade_bundle import assemble
from leansort.runtime.cascades.cascade_classifier import CascadeClassifier
from leansort.runtime.predictor import Classifier
from tests.conftest import draw
from tests.support.graphs import SIZE, colour_bundle, ending, meta, node

RED, PINK = ([200, 0, 0], [100, 99, 98])  # the small graph is sure of the one and not of the other


def picture(colour: list[int]) -> Any:
    return np.tile(np.array(colour, np.uint8), (48, 48, 1))


def small(**fields: Any) -> Bundle:
    """Logits are the mean colour."""
    return colour_bundle(**fields)


def large(**fields: Any) -> Bundle:
    """Logits are the negated mean colour, so that one sees who answered."""
    graph = ending(node("Neg", "colour", "logits"))
    return Bundle(meta(**fields), {"graph.onnx": graph.SerializeToString()})


def pair(
    threshold: float = 0.9, decode: Decode = "once", first: Bundle | None = None, second: Bundle | None = None
) -> Bundle:
    return assemble(
        first or small(), second or large(), CascadeSettings(threshold=threshold, decode=decode, share=0.5), "pair"
    )


def test_the_small_graph_answers_where_it_is_sure_and_the_large_one_the_rest() -> None:
    with Classifier.of(pair()) as classifier:
        assert isinstance(classifier, CascadeClassifier)
        sure, unsure = classifier.predict(picture(RED)), classifier.predict(picture(PINK))
    assert (sure.label, sure.graph) == ("a", "first")
    assert (unsure.label, unsure.graph) == ("c", "second")


def test_batches_threads_boxes_and_single_images_give_the_same(tmp_path: Path) -> None:
    pair().save(tmp_path / "m.leansort")
    images = [picture(colour) for colour in (RED, PINK, RED, PINK, PINK)]
    with Classifier.load(tmp_path / "m.leansort") as classifier:
        one_by_one = [classifier.predict(image) for image in images]
        assert list(classifier.predict_many(images, batch=3)) == one_by_one
        assert list(classifier.predict_many(images, batch=2, threads=2)) == one_by_one
        mixed = list(classifier.predict_many([images[0], b"no picture", images[1]], batch=3))
    assert [item.graph for item in mixed] == ["first", "", "second"]
    assert mixed[1].error
    assert [item.graph for item in one_by_one] == ["first", "second", "first", "second", "second"]


def test_what_the_small_graph_does_not_know_is_the_large_ones_to_judge() -> None:
    scale = NoveltyScale(method="max_logit", zero=-300.0, span=1.0)  # knows only what is brighter than 299
    with Classifier.of(pair(first=small(novelty=scale))) as classifier:
        assert classifier.predict(picture(RED)).graph == "second"


def test_novelty_is_that_of_who_answered_and_rejects_as_the_large_bundle_does() -> None:
    knows = NoveltyScale(method="max_logit", zero=-250.0, span=100.0)
    rejects = NoveltyScale(method="max_logit", zero=0.0, span=10.0, reject=True)
    cascade = pair(first=small(novelty=knows), second=large(novelty=rejects))
    assert cascade.meta.novelty is not None
    assert (cascade.meta.novelty.method, cascade.meta.novelty.reject) == ("cascade", True)
    with Classifier.of(cascade) as classifier:
        known, unknown = classifier.predict(picture(RED)), classifier.predict(picture(PINK))
    assert (known.graph, known.known, known.accepted) == ("first", True, True)
    assert known.novelty == pytest.approx(0.5, abs=0.01)
    assert (unknown.graph, unknown.known, unknown.accepted) == ("second", False, False)
    assert pair(first=small(novelty=knows)).meta.novelty is None  # only one of both tells it
    with Classifier.of(pair(first=small(novelty=knows))) as classifier:
        assert classifier.predict(picture(RED)).novelty is None


def test_each_graph_has_its_own_temperature_and_the_cascade_its_own_threshold() -> None:
    flat = small(temperature=100.0)
    with Classifier.of(pair(first=flat)) as classifier:
        assert classifier.predict(picture(RED)).graph == "second"  # 0.79 by this temperature, below 0.9
    with Classifier.of(pair(threshold=0.7, first=flat, second=large(reject_below=0.95))) as classifier:
        prediction = classifier.predict(picture(RED))
    assert (prediction.graph, prediction.accepted) == ("first", False)


def test_costs_decide_on_whoever_answered() -> None:
    costs = {"costs": {true: {bin: 1.0 for bin in "abc" if bin != true} for true in "abc"}, "reject": 0.01}
    with Classifier.of(pair(threshold=0.3), costs=costs) as classifier:
        prediction = classifier.predict(picture(PINK))
    assert prediction.graph == "first"
    assert not prediction.accepted
    assert prediction.cost == pytest.approx(0.01)


@pytest.mark.parametrize("decode", ["once", "again"])
def test_graphs_of_two_sizes_see_the_same_photo(decode: Decode, tmp_path: Path) -> None:
    second = colour_bundle()
    wide = Bundle(meta(temperature=50.0), second.files)
    cascade = pair(threshold=0.0, decode=decode, first=wide, second=_larger())
    for number in range(3):
        draw(tmp_path / f"{number}.jpg", number, number)
    photos = sorted(tmp_path.glob("*.jpg"))
    with Classifier.of(cascade) as classifier:
        one = list(classifier.predict_many(photos, batch=2))
    never = replace(cascade, meta=cascade.meta.model_copy(update={"cascade": _never(cascade)}))
    with Classifier.of(never) as classifier:
        other = list(classifier.predict_many(photos, batch=2))
    with Classifier.of(_larger()) as classifier:
        alone = list(classifier.predict_many(photos, batch=2))
    assert [item.graph for item in (*one, *other)] == ["first"] * 3 + ["second"] * 3
    assert [item.probabilities for item in other] == [item.probabilities for item in alone]
    assert np.allclose([p.probabilities for p in one], [p.probabilities for p in other], atol=0.2)


def _larger() -> Bundle:
    side = 2 * SIZE
    graph = ending(node("Identity", "colour", "logits"), given=("image", 2, ["b", side, side, 3]))
    return Bundle(meta(preprocess=Preprocess(size=side), temperature=50.0), {"graph.onnx": graph.SerializeToString()})


def _never(cascade: Bundle) -> CascadeSettings:
    assert cascade.meta.cascade is not None
    return cascade.meta.cascade.model_copy(update={"threshold": 1.0})


def test_as_an_engine_it_gives_logarithms_of_probabilities() -> None:
    loaded = engines.load_engine(pair())
    x_bhwc = np.stack([picture(colour)[:SIZE, :SIZE] for colour in (RED, PINK)])
    with Classifier.of(pair()) as classifier:
        expected = [classifier.predict(image).probabilities for image in x_bhwc]
        assert list(map(str, classifier.classify(x_bhwc))) == list(map(str, map(classifier.predict, x_bhwc)))
    logits, novelty = loaded.run_with_distance(x_bhwc)
    assert novelty is None
    assert logits.dtype == np.float32
    np.testing.assert_allclose(np.exp(logits), expected, atol=1e-6)


def test_the_engine_is_that_of_both_graphs() -> None:
    assert engines.default_engine(pair()) == "onnxruntime"
    assert engines.can_run(pair(), "onnxruntime")
    with pytest.raises(UserError, match="engine ncnn: reads ncnn bundles, this one is onnx"):
        engines.load_engine(pair(), "ncnn")


def test_it_is_read_as_it_was_written_and_its_graphs_with_it(tmp_path: Path) -> None:
    pair().save(tmp_path / "m.leansort")
    read = bundles.load(tmp_path / "m.leansort")
    assert (read, read.format, read.graph_format) == (pair(), CASCADE, "onnx")
    assert [stage.digest for stage in read.stages] == [small().digest, large().digest]
    assert (read.meta.parameters, read.meta.macs) == (2, 3)  # half of the photos need the large graph's 2
    with zipfile.ZipFile(tmp_path / "m.leansort") as archive:
        assert archive.namelist() == ["bundle.json", *CASCADE_FILES[:1], "hashes.json", *CASCADE_FILES[1:]]
    with pytest.raises(UserError, match="pair is a cascade of two graphs"):
        _ = read.graph


def test_any_changed_byte_is_refused_also_within_its_bundles(tmp_path: Path) -> None:
    content = pair().to_bytes()
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(content), 60).tolist():
        changed = bytearray(content)
        changed[at] ^= 1 << int(rng.integers(8))
        (tmp_path / "m").write_bytes(bytes(changed))
        with pytest.raises(IntegrityError):
            bundles.load(tmp_path / "m")


@pytest.mark.parametrize("at", [0, 1])
def test_a_bundle_that_was_changed_before_it_was_put_in_is_refused(at: int, tmp_path: Path) -> None:
    whole = pair()
    inner = bytearray(whole.files[CASCADE_FILES[at]])
    inner[len(inner) // 2] ^= 1
    forged = Bundle(whole.meta, {**whole.files, CASCADE_FILES[at]: bytes(inner)})
    (tmp_path / "m").write_bytes(forged.to_bytes())
    with pytest.raises(IntegrityError, match=f"{CASCADE_FILES[at]} of pair"):
        bundles.load(tmp_path / "m")
    with pytest.raises(IntegrityError, match=f"{CASCADE_FILES[at]} of pair"):
        forged.save(tmp_path / "other")


def test_no_cascade_lies_within_a_cascade(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the first bundle, pair, is a cascade itself"):
        pair(first=pair())
    forged = Bundle(pair().meta, {**pair().files, CASCADE_FILES[0]: pair().to_bytes()})
    (tmp_path / "m").write_bytes(forged.to_bytes())
    with pytest.raises(IntegrityError, match="is a cascade within a cascade"):
        bundles.load(tmp_path / "m")


def test_the_section_and_the_two_graphs_belong_together(tmp_path: Path) -> None:
    for forged in (
        Bundle(small().meta, pair().files),
        Bundle(small().meta.model_copy(update={"cascade": pair().meta.cascade}), small().files),
    ):
        with pytest.raises(IntegrityError, match="two graphs without a cascade section, or that section without"):
            forged.save(tmp_path / "m")


def test_two_that_cannot_take_each_others_place_are_refused(tmp_path: Path) -> None:
    other = small(labels=("a", "b", "d"))
    with pytest.raises(UserError, match="labels are a, b, d, the second's a, b, c"):
        pair(first=other)
    with pytest.raises(UserError, match="formats openvino and onnx, need one format"):
        pair(first=colour_bundle("openvino"))
    with pytest.raises(UserError, match="decode again: has no effect, both graphs take the same 16 px by pad"):
        pair(decode="again")
    with pytest.raises(UserError, match="decode once: the small graph takes 32 px by pad and the large one 16 px"):
        pair(first=_larger(), second=small())
    forged = Bundle(pair().meta, {**pair().files, CASCADE_FILES[0]: other.to_bytes()})
    with pytest.raises(IntegrityError, match="has graphs of different labels"):
        forged.save(tmp_path / "m")


def test_layers_of_both_graphs_are_timed_under_their_names() -> None:
    layers = engines.profile_layers(pair(), np.zeros((1, SIZE, SIZE, 3), np.uint8), runs=1)
    assert {layer.name.partition(":")[0] for layer in layers} == {"first", "second"}
