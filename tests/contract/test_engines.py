"""Every engine that is found keeps the promises of `runtime.engine.Engine`, in every format that it reads."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from leansort.arch.build import build
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.contest.classes import CONTEST_CLASSES
from leansort.core import plugins
from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import IntegrityError, MissingExtraError, UserError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.export.formats import export_to_format
from leansort.export.onnx import export_onnx
from leansort.runtime import engine as engines
from leansort.runtime import openvino_graph, openvino_library
from leansort.runtime.engine import Engine
from leansort.runtime.predictor import Classifier

ENGINES = sorted(plugins.list_plugins("engines"))
CASES = [(name, FORMAT) for name in ENGINES for FORMAT in engines.engine_class(name).formats]
every = pytest.mark.parametrize(("name", "graph_format"), CASES)
PIXELS = np.random.default_rng(1).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    spec = ArchSpec(classes=6, width=0.25)
    weights = build(spec, Seeds(1)).state_dict()
    name = list(weights)[-2]
    drawn = np.random.default_rng(0).standard_normal(tuple(weights[name].shape)).astype(np.float32)
    weights[name] = weights[name] + 0.1 * torch.from_numpy(drawn)
    return TrainedModel(spec, weights, Preprocess(size=32), LabelSet(CONTEST_CLASSES))


@pytest.fixture(scope="module")
def bundle(model: TrainedModel) -> Bundle:
    return export_onnx(model)


def needs(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")


@pytest.fixture(scope="module")
def files(model: TrainedModel) -> Callable[[str], Bundle]:
    """The same network in any format; writing one takes seconds, so it is done once."""

    @cache
    def of(graph_format: str) -> Bundle:
        if graph_format == "openvino":
            needs("openvino")
        return export_to_format(model, graph_format)

    return of


@pytest.fixture
def loaded(name: str, graph_format: str, files: Callable[[str], Bundle]) -> Engine:
    needs(engines.engine_class(name).requires)
    return engines.load_engine(files(graph_format), name, threads=1)


@every
def test_any_batch_gives_the_rows_of_the_whole(loaded: Engine, bundle: Bundle) -> None:
    kept, whole = PIXELS.copy(), loaded.run(PIXELS)
    assert whole.shape == (7, 6)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole, engines.load_engine(bundle).run(PIXELS), atol=1e-4)
    for batch in (3, 1, 7, 2, 6, 4, 5):
        np.testing.assert_allclose(loaded.run(PIXELS[:batch]), whole[:batch], atol=1e-4)
        np.testing.assert_array_equal(loaded.run(PIXELS[:batch]), loaded.run(PIXELS[:batch]))
    np.testing.assert_array_equal(PIXELS, kept)


@every
def test_results_belong_to_the_caller_and_inputs_are_not_kept(loaded: Engine) -> None:
    for batch in (1, 7):
        pixels = PIXELS[:batch].copy()
        first = loaded.run(pixels)
        kept = first.copy()
        pixels[:] = 255 - pixels
        other = loaded.run(pixels)
        np.testing.assert_array_equal(first, kept)
        assert not np.array_equal(other, kept)
        first[:] = np.nan
        np.testing.assert_array_equal(loaded.run(PIXELS[:batch]), kept)
        frozen = PIXELS[:batch].copy()
        frozen.flags.writeable = False
        np.testing.assert_array_equal(loaded.run(frozen), kept)


@every
def test_threads_never_see_each_other(loaded: Engine) -> None:
    inputs = [np.roll(PIXELS, shift, axis=2)[: 1 + shift % 3] for shift in range(8)]
    expected = [loaded.run(x) for x in inputs]
    together = threading.Barrier(8)

    def work(index: int) -> list[npt.NDArray[np.float32]]:
        together.wait()
        return [loaded.run(inputs[index]) for _ in range(20)]

    with ThreadPoolExecutor(8) as pool:
        for text, right in zip(pool.map(work, range(8)), expected, strict=True):
            for out in text:
                np.testing.assert_array_equal(out, right)


@every
@pytest.mark.parametrize("batch", [1, 7])
def test_pixels_of_another_size_or_type_are_refused(loaded: Engine, batch: int) -> None:
    right = loaded.run(PIXELS[:batch])
    others: list[Any] = [PIXELS[:, :16], PIXELS[..., :1], PIXELS.astype(np.float32), PIXELS.astype(np.int64), PIXELS[0]]
    for wrong in others:
        with pytest.raises(UserError, match=r"got pixels .* the graph takes uint8 \(b, 32, 32, 3\)"):
            loaded.run(wrong[:batch])
    np.testing.assert_array_equal(loaded.run(PIXELS[:batch]), right)


@every
def test_rubbish_for_a_graph_is_one_line(name: str, graph_format: str, bundle: Bundle) -> None:
    needs(engines.engine_class(name).requires)
    for rubbish in (b"not a graph", b""):
        with pytest.raises(IntegrityError, match="cannot be loaded") as caught:
            engines.load_engine(Bundle(bundle.meta, dict.fromkeys(FORMATS[graph_format], rubbish)), name)
        assert "\n" not in str(caught.value)


@every
def test_more_threads_say_the_same(name: str, graph_format: str, files: Callable[[str], Bundle]) -> None:
    needs(engines.engine_class(name).requires)
    item, two = (engines.load_engine(files(graph_format), name, threads=threads) for threads in (1, 2))
    np.testing.assert_allclose(item.run(PIXELS), two.run(PIXELS), atol=1e-4)


@every
def test_a_profile_tells_every_layer(name: str, graph_format: str, files: Callable[[str], Bundle]) -> None:
    needs(engines.engine_class(name).requires)
    item = files(graph_format)
    result = engines.profile_layers(item, PIXELS[:1], name, runs=3)
    if "profile" not in vars(engines.engine_class(name)):
        assert result == []
        return
    assert len({layer.name for layer in result}) == len(result) > 20
    assert all(layer.ms >= 0 and layer.kind for layer in result)
    assert sum(layer.ms for layer in result) > 0
    macs = sum(layer.macs for layer in result)
    assert macs == 0 or 0.99 < macs / item.meta.macs < 1.5


@pytest.mark.parametrize("graph_format", FORMATS)
def test_every_format_runs_where_no_engine_is_named(
    graph_format: str, files: Callable[[str], Bundle], tmp_path: Path
) -> None:
    item = files(graph_format)
    assert engines.default_engine(item) in engines.engines_reading(graph_format)
    assert engines.default_engine(item) in engines.installed_engines()
    item.save(tmp_path / "m")
    with Classifier.load(tmp_path / "m") as classifier:
        assert classifier.predict(PIXELS[0]).label in CONTEST_CLASSES


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


DROPPED = """
import faulthandler, gc, os, signal, sys, threading
from pathlib import Path
from leansort.core import bundle
from leansort.runtime import engine

faulthandler.enable()  # signal handlers get a stack of their own, as under pytest
signal.signal(signal.SIGUSR1, lambda *given: print("heard", flush=True))
held = [engine.load_engine(bundle.load(Path(sys.argv[1])), sys.argv[2])]
thread = threading.Thread(target=lambda: (held.clear(), gc.collect()))
thread.start()
thread.join()
os.kill(os.getpid(), signal.SIGUSR1)
"""


@every
def test_an_engine_dropped_by_another_thread_leaves_signals_alone(
    name: str, graph_format: str, files: Callable[[str], Bundle], tmp_path: Path
) -> None:
    needs(engines.engine_class(name).requires)
    files(graph_format).save(tmp_path / "m.leansort")
    command = [sys.executable, "-c", DROPPED, str(tmp_path / "m.leansort"), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "heard\n", "")
