"""The distance as a second output: what it measures, that the logits stay, and that every engine gives it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from leansort.arch.build import build
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.data.loading.crops import Crops
from leansort.export.distance_graph import SHRINKAGE, add_distance, feature_tensors, fit_classes
from leansort.export.onnx import export_onnx
from leansort.runtime import engine as engines
from leansort.runtime.predictor import Classifier
from leansort.workflows.deploy.bundle_calibration import calibrate_bundle
from tests.support.graphs import colour_bundle, node, onnx_graph, pixels

LABELS = LabelSet.of(["a", "b", "c"])


def stripes(count: int, seed: int) -> Crops:
    """Pictures of 32 pixels, striped as their class is, in any colour."""
    rng = np.random.default_rng(seed)
    labels = [at % 3 for at in range(count)]
    x_bhwc = np.zeros((count, 32, 32, 3), np.uint8)
    for at, label in enumerate(labels):
        wave = (np.arange(32) // (2 + 2 * label) % 2)[:, None, None]
        x_bhwc[at] = np.clip(40 + wave * rng.integers(60, 160, 3) + rng.normal(0, 5, (32, 32, 3)), 0, 255)
    return Crops(x_bhwc, labels)


@pytest.fixture(scope="module")
def exported() -> Bundle:
    """A network with the weights that it is drawn with."""
    torch.manual_seed(0)
    spec = ArchSpec(base="tiny_s", classes=3)
    return export_onnx(TrainedModel(spec, build(spec).state_dict(), Preprocess(size=32), LABELS))


def test_a_whitened_distance_is_that_of_mahalanobis() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    features = rng.normal(0, 1, (300, 5)) @ rng.normal(0, 1, (5, 5)) + labels[:, None] * 4.0
    whitening, means = fit_classes(features, labels)
    deviation = features.std(0)
    x = features / deviation
    within = x - np.stack([x[labels == k].mean(0) for k in range(3)])[labels]
    covariance = (1 - SHRINKAGE) * within.T @ within / 300 + SHRINKAGE * np.eye(5)
    expected = np.sqrt(np.einsum("nf,fg,ng->n", within, np.linalg.inv(covariance), within))
    found = np.linalg.norm(features @ whitening.T - means[labels], axis=1)
    assert found == pytest.approx(expected, rel=1e-3)


def test_logits_stay_every_engine_gives_the_distance_and_noise_is_far(exported: Bundle, tmp_path: Path) -> None:
    bundle = add_distance(exported, stripes(240, 0))
    assert bundle is not None
    bundle.save(tmp_path / "m.leansort")
    opened = bundles.load(tmp_path / "m.leansort")
    known = stripes(30, 1).pixels
    noise = np.random.default_rng(2).integers(0, 256, known.shape).astype(np.uint8)
    given = {}
    for engine in ("onnxruntime", "openvino"):
        loaded = engines.load_engine(opened, engine)
        logits, near = engines.compute_with_distances(loaded, known)
        _, far = engines.compute_with_distances(loaded, noise)
        assert near is not None
        assert far is not None
        assert near.max() < far.min()
        np.testing.assert_array_equal(logits, engines.compute_logits(loaded, known))
        given[engine] = near
    plain = engines.compute_logits(engines.load_engine(exported), known)
    np.testing.assert_allclose(engines.compute_logits(engines.load_engine(opened), known), plain, atol=1e-5)
    np.testing.assert_allclose(given["onnxruntime"], given["openvino"], rtol=1e-3)


def test_calibration_takes_the_distance_and_a_robot_tells_by_it(exported: Bundle) -> None:
    bundle, calibration = calibrate_bundle(exported, stripes(60, 3), train=stripes(240, 0))
    assert bundle.meta.novelty is not None
    assert bundle.meta.novelty.method == "mahalanobis"
    assert calibration.known == pytest.approx(0.95, abs=0.02)
    noise = np.random.default_rng(2).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    with Classifier.of(bundle) as classifier:
        found = list(classifier.predict_many([*stripes(9, 3).pixels, noise], batch=4))
    assert sum(item.known is True for item in found[:9]) >= 7
    assert found[9].known is False
    assert found[9].novelty is not None
    assert found[9].novelty > 1


def test_an_engine_without_the_distance_tells_no_novelty_and_accepts_nothing_that_it_should(exported: Bundle) -> None:
    bundle, _ = calibrate_bundle(exported, stripes(60, 3), train=stripes(240, 0))
    assert bundle.meta.novelty is not None
    strict = bundle.meta.model_copy(update={"novelty": bundle.meta.novelty.model_copy(update={"reject": True})})
    with Classifier.of(Bundle(strict, exported.files)) as classifier:
        prediction = classifier.predict(stripes(1, 3).pixels[0])
    assert (prediction.novelty, prediction.known, prediction.accepted) == (None, None, False)


def test_graphs_without_feature_maps_are_left_as_they_are() -> None:
    plain = colour_bundle()
    crops = Crops(pixels(6), [0, 1, 2] * 2)
    assert add_distance(plain, crops) is None
    bundle, _ = calibrate_bundle(plain, crops, train=crops)
    assert bundle.files == plain.files
    assert bundle.meta.novelty is not None
    assert bundle.meta.novelty.method == "energy"


def test_features_of_quantized_graphs_come_back_from_int8() -> None:
    from leansort.runtime import shipped_models

    bundle = bundles.load(shipped_models.find_bundle("trashnet-compressed"))
    model = onnx.load_from_string(bundle.graph)
    kinds = {node.output[0]: node.op_type for node in model.graph.node}
    names = feature_tensors(model, bundle.meta.preprocess.size)
    assert [kinds[name] for name in names] == ["DequantizeLinear"] * 2


def test_a_quantized_kernel_as_large_as_features_is_none() -> None:
    weights = {
        "kernel": np.ones((4, 3, 5, 5), np.int8),  # 5 x 5, as are the features of 80 pixels at a sixteenth
        "scale": np.float32(0.1),
        "zero": np.int8(0),
    }
    nodes = [
        node("Cast", "image", "pixels", to=1),
        node("Transpose", "pixels", "channels", perm=[0, 3, 1, 2]),
        node("DequantizeLinear", "kernel scale zero", "weight"),
        node("Conv", "channels weight", "convolved", strides=[16, 16], pads=[0, 0, 0, 0]),
        node("QuantizeLinear", "convolved scale zero", "quantized"),
        node("DequantizeLinear", "quantized scale zero", "back"),
        node("ReduceMean", "back axes", "logits", keepdims=0),
    ]
    given = ("image", 2, ["b", 80, 80, 3])
    model = onnx_graph(nodes, {**weights, "axes": np.array([2, 3])}, given=given, out=("logits", 1, ["b", 4]))
    assert feature_tensors(model, 80) == ["back"]


@pytest.mark.parametrize("side", [2, 0])
def test_a_second_output_of_another_shape_is_refused(exported: Bundle, side: int, tmp_path: Path) -> None:
    model = onnx.load_from_string(exported.graph)
    name = model.graph.output[0].name
    if side:  # two numbers an image
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([side], np.int64), "first"))
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0], np.int64), "none"))
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1], np.int64), "axis"))
        model.graph.node.append(onnx.helper.make_node("Slice", [name, "none", "first", "axis"], ["distance"]))
    else:  # the same for every image
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((2, 1), np.float32), "constant"))
        model.graph.node.append(onnx.helper.make_node("Identity", ["constant"], ["distance"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("distance", onnx.TensorProto.FLOAT, ["b", 1]))
    broken = replace(exported, files={"graph.onnx": model.SerializeToString()})
    (tmp_path / "m").write_bytes(broken.to_bytes())
    with pytest.raises(IntegrityError, match="second"):
        bundles.load(tmp_path / "m")
