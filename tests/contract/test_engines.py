"""Every engine that is found keeps the promises of `runtime.engine.Engine`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from leansort.arch.archspec import ArchSpec
from leansort.arch.build import build
from leansort.arch.trained import TrainedModel
from leansort.core import plugins
from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError, UserError
from leansort.core.labels import CONTEST, LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.export.onnx import to_bundle
from leansort.runtime import engine as engines

ENGINES = sorted(plugins.found("engines"))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    spec = ArchSpec(classes=6, width=0.25)
    weights = build(spec, Seeds(1)).state_dict()
    name = list(weights)[-2]
    drawn = np.random.default_rng(0).standard_normal(tuple(weights[name].shape)).astype(np.float32)
    weights[name] = weights[name] + 0.1 * torch.from_numpy(drawn)
    return to_bundle(TrainedModel(spec, weights, Preprocess(size=32), LabelSet(CONTEST)))


@pytest.mark.parametrize("name", ENGINES)
def test_engine_contract(name: str, bundle: Bundle) -> None:
    engine = engines.load(bundle, name, threads=1)
    pixels = np.random.default_rng(1).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)
    kept = pixels.copy()
    whole = engine.run(pixels)
    assert whole.shape == (7, 6)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(pixels, kept)
    np.testing.assert_array_equal(engine.run(pixels), whole)
    for i in range(7):
        np.testing.assert_allclose(engine.run(pixels[i : i + 1])[0], whole[i], atol=1e-4)
    with ThreadPoolExecutor(4) as pool:
        for out in pool.map(engine.run, [pixels] * 16):
            np.testing.assert_allclose(out, whole, atol=1e-5)


@pytest.mark.parametrize("name", ENGINES)
def test_rubbish_for_a_graph_is_one_line(name: str, bundle: Bundle) -> None:
    with pytest.raises(IntegrityError, match="cannot be loaded"):
        engines.load(Bundle(bundle.meta, b"not a graph"), name)


def test_unknown_engine_and_setting(bundle: Bundle) -> None:
    with pytest.raises(UserError, match="did you mean 'onnxruntime'"):
        engines.load(bundle, "onnx-runtime")
    with pytest.raises(UserError, match="no setting 'thread'"):
        engines.load(bundle, "onnxruntime", thread=1)
