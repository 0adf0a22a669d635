"""Every engine that is found keeps the promises of `runtime.engine.Engine`, in every format that it reads."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leansort.core import plugins
from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import MissingExtraError, UserError
from leansort.runtime import engine as engines
from leansort.runtime import openvino_graph, openvino_library
from leansort.runtime.predictor import Classifier
from leansort.testing import EngineContract
from leansort.testing.engine_contract import sample_bundle

PIXELS = np.random.default_rng(1).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)


class TestEngines(EngineContract):
    """Every engine that is found."""

    names = sorted(plugins.list_plugins("engines"))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return sample_bundle("onnx")


def needs(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")


@pytest.mark.parametrize("graph_format", FORMATS)
def test_every_format_runs_where_no_engine_is_named(graph_format: str, tmp_path: Path) -> None:
    item = sample_bundle(graph_format)
    assert engines.default_engine(item) in engines.engines_reading(graph_format)
    assert engines.default_engine(item) in engines.installed_engines()
    item.save(tmp_path / "m")
    with Classifier.load(tmp_path / "m") as classifier:
        assert classifier.predict(PIXELS[0]).label in item.labels.names


def test_a_format_that_an_engine_does_not_read_names_the_one_that_does(bundle: Bundle) -> None:
    other = Bundle(bundle.meta, {"graph.xml": b"", "graph.bin": b""})
    with pytest.raises(UserError, match="onnxruntime: reads onnx bundles, this one is openvino; engines for it: openv"):
        engines.load_engine(other, "onnxruntime")


def test_a_missing_library_is_one_line(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert "openvino" not in engines.installed_engines()
    assert "onnxruntime" in engines.installed_engines()
    with pytest.raises(MissingExtraError, match=r"pip install 'leansort\[openvino\]'"):
        engines.load_engine(bundle, "openvino")


def test_openvino_computes_in_single_precision_unless_told(bundle: Bundle) -> None:
    needs("openvino")
    reference = engines.load_engine(bundle).run(PIXELS)
    np.testing.assert_allclose(engines.load_engine(bundle, "openvino").run(PIXELS), reference, atol=1e-4)
    for precision in ("bf16", "auto"):
        out = engines.load_engine(bundle, f"openvino:precision={precision},threads=2").run(PIXELS)
        np.testing.assert_allclose(out, reference, atol=0.05 * float(np.abs(reference).max()))


def test_openvino_never_runs_a_graph_of_any_batch(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """In int8 such a graph crashes in OpenVINO's own code on processors with AMX."""
    needs("openvino")
    from leansort.runtime.engines import openvino as adapter

    core, shapes = adapter.shared_core(openvino_library.import_openvino()), list[list[int]]()

    class Watched:
        def read_model(self, *given: Any) -> Any:
            return core.read_model(*given)

        def compile_model(self, model: Any, *given: Any) -> Any:
            shapes.extend(list(item.partial_shape.to_shape()) for item in model.inputs if item.partial_shape.is_static)
            assert all(output.partial_shape.is_static for output in model.get_ordered_ops()[0].outputs())
            return core.compile_model(model, *given)

    monkeypatch.setattr(adapter, "shared_core", lambda library: Watched())
    monkeypatch.setattr(openvino_graph, "shared_core", lambda library: Watched())
    loaded = engines.load_engine(bundle, "openvino")
    many = np.concatenate([PIXELS] * 10)
    whole = np.concatenate([loaded.run(many[at : at + 1]) for at in range(len(many))])
    for batch in (*range(20), 64, 70):
        np.testing.assert_allclose(loaded.run(many[:batch]), whole[:batch], atol=1e-5)
    assert sorted(shape[0] for shape in shapes) == [0, 1, 8, 64]
    _, outputs = openvino_graph.layer_outputs(bundle)
    for batch in (3, 7):
        assert {len(output) for output in outputs(PIXELS[:batch])} == {batch}
    assert [shape[0] for shape in shapes[4:]] == [3, 7]


def test_a_batch_goes_in_powers_of_eight() -> None:
    from leansort.runtime.engines.openvino import parts

    assert [parts(count) for count in (0, 1, 7, 8, 18, 64, 600)] == [
        [0], [1], [1] * 7, [8], [8, 8, 1, 1], [64], [512, 64, 8, 8, 8],
    ]  # fmt: skip
    assert all(sum(parts(count)) == count for count in range(1, 2000))


def test_unknown_engine_and_setting(bundle: Bundle) -> None:
    with pytest.raises(UserError, match="did you mean 'onnxruntime'"):
        engines.load_engine(bundle, "onnx-runtime")
    with pytest.raises(UserError, match="no setting 'thread'"):
        engines.load_engine(bundle, "onnxruntime", thread=1)
    with pytest.raises(UserError, match="no setting 'precision'"):
        engines.load_engine(bundle, "onnxruntime:precision=bf16")
    for wrong in ("threads", "threads=", "=2", "threads=2,"):
        with pytest.raises(UserError, match=f"got '{wrong}', need settings such as"):
            engines.load_engine(bundle, f"onnxruntime:{wrong}")
    with pytest.raises(UserError, match="engine onnxruntime: threads: got 'two'"):
        engines.load_engine(bundle, "onnxruntime:threads=two")
