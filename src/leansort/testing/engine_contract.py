"""What an engine has to keep: the guarantees of `LoadedGraph`, in every format that it reads."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from leansort.core import bundle as bundles
from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import IntegrityError, UserError
from leansort.runtime import engine as engines
from leansort.runtime.engine import Engine, LoadedGraph
from leansort.testing.contract import PluginContract

SAMPLES = "LEANSORT_SAMPLE_BUNDLES"  # where there is no torch to make them with
PIXELS = np.random.default_rng(1).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)
CONVERTERS = {  # libraries that a format is made and run by
    "openvino": ("openvino",),
    "ncnn": ("pnnx", "ncnn"),
    "litert": ("ai_edge_litert",),
}
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


@cache
def sample_bundle(graph_format: str = "onnx") -> Bundle:
    """A small network in a format: from the folder that `LEANSORT_SAMPLE_BUNDLES` names, else exported here."""
    if folder := os.environ.get(SAMPLES, ""):
        path = Path(folder) / f"{graph_format}.leansort"
        return bundles.load(path) if path.exists() else pytest.skip(f"{path} is not here")
    for library in CONVERTERS.get(graph_format, ()):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    from leansort.arch.spec.spec import ArchSpec
    from leansort.testing.sample_networks import bundle_of, untrained_model_of

    return bundle_of(untrained_model_of(ArchSpec(classes=6, width=0.25), 32), graph_format)


class EngineContract(PluginContract):
    """Runs on every format that an engine reads."""

    group = "engines"
    base = Engine

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test that takes `graph_format` on every engine and format, the others on every engine."""
        if "graph_format" not in metafunc.fixturenames:
            super().pytest_generate_tests(metafunc)
            return
        pairs = [(name, given) for name in self.names for given in engines.engine_class(name).formats]
        metafunc.parametrize(("name", "graph_format"), pairs)

    @pytest.fixture(autouse=True)
    def library_is_installed(self, name: str) -> None:
        """Skip the tests of an engine whose library is not installed."""
        if importlib.util.find_spec(engines.engine_class(name).requires) is None:
            pytest.skip(f"{engines.engine_class(name).requires} is not installed")

    @pytest.fixture
    def loaded(self, name: str, graph_format: str) -> LoadedGraph:
        """The engine with a small network."""
        return engines.load_engine(sample_bundle(graph_format), name, threads=1)

    def test_its_library_is_not_loaded_before_a_graph(self, name: str) -> None:
        """Engines are listed, and others used, without it."""
        code = "import sys; from leansort.runtime.engine import engine_class; kind = engine_class(sys.argv[1]);"
        command = [sys.executable, "-c", code + "sys.exit(kind.requires in sys.modules)", name]
        assert subprocess.run(command, check=False).returncode == 0

    def test_any_batch_gives_the_rows_of_the_whole(self, loaded: LoadedGraph) -> None:
        """Any batch gives the rows of the whole."""
        kept, whole = PIXELS.copy(), loaded.run(PIXELS)
        assert whole.shape == (7, 6)
        assert whole.dtype == np.float32
        np.testing.assert_allclose(whole, engines.load_engine(sample_bundle()).run(PIXELS), atol=1e-4)
        for batch in (3, 1, 7, 2, 6, 4, 5):
            np.testing.assert_allclose(loaded.run(PIXELS[:batch]), whole[:batch], atol=1e-4)
            np.testing.assert_array_equal(loaded.run(PIXELS[:batch]), loaded.run(PIXELS[:batch]))
        np.testing.assert_array_equal(PIXELS, kept)

    def test_results_belong_to_the_caller_and_inputs_are_not_kept(self, loaded: LoadedGraph) -> None:
        """Results belong to the caller and inputs are not kept."""
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

    def test_threads_never_see_each_other(self, loaded: LoadedGraph) -> None:
        """Threads never see each other."""
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

    @pytest.mark.parametrize("batch", [1, 7])
    def test_pixels_of_another_size_or_type_are_refused(self, loaded: LoadedGraph, batch: int) -> None:
        """Pixels of another size or type are refused."""
        right = loaded.run(PIXELS[:batch])
        others: list[Any] = [
            PIXELS[:, :16],
            PIXELS[..., :1],
            PIXELS.astype(np.float32),
            PIXELS.astype(np.int64),
            PIXELS[0],
        ]
        for wrong in others:
            with pytest.raises(UserError, match=r"got pixels .* the graph takes uint8 \(b, 32, 32, 3\)"):
                loaded.run(wrong[:batch])
        np.testing.assert_array_equal(loaded.run(PIXELS[:batch]), right)

    def test_rubbish_for_a_graph_is_one_line(self, name: str, graph_format: str) -> None:
        """Rubbish for a graph is one line."""
        for rubbish in (b"not a graph", b""):
            with pytest.raises(IntegrityError, match="cannot be loaded") as caught:
                engines.load_engine(Bundle(sample_bundle().meta, dict.fromkeys(FORMATS[graph_format], rubbish)), name)
            assert "\n" not in str(caught.value)

    def test_more_threads_say_the_same(self, name: str, graph_format: str) -> None:
        """More threads say the same."""
        item, two = (engines.load_engine(sample_bundle(graph_format), name, threads=threads) for threads in (1, 2))
        np.testing.assert_allclose(item.run(PIXELS), two.run(PIXELS), atol=1e-4)

    def test_a_profile_tells_every_layer(self, name: str, graph_format: str) -> None:
        """A profile tells every layer."""
        item = sample_bundle(graph_format)
        result = engines.profile_layers(item, PIXELS[:1], name, runs=3)
        if "profile" not in vars(engines.engine_class(name)):
            assert result == []
            return
        assert len({layer.name for layer in result}) == len(result) > 20
        assert all(layer.ms >= 0 and layer.kind for layer in result)
        assert sum(layer.ms for layer in result) > 0
        macs = sum(layer.macs for layer in result)
        assert macs == 0 or 0.99 < macs / item.meta.macs < 1.5

    def test_an_engine_dropped_by_another_thread_leaves_signals_alone(
        self, name: str, graph_format: str, tmp_path: Path
    ) -> None:
        """An engine dropped by another thread leaves signals alone."""
        sample_bundle(graph_format).save(tmp_path / "m.leansort")
        command = [sys.executable, "-c", DROPPED, str(tmp_path / "m.leansort"), name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr
        assert "Fatal" not in done.stderr
