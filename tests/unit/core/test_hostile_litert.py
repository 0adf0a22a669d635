"""LiteRT graphs that must not be run: LiteRT believes shapes, follows offsets, and ends the process at some scales."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leansort.core.graphs.faults import UnsoundGraphError
from leansort.core.graphs.litert import flatbuffer, tflite_graph
from leansort.core.graphs.litert.tflite_schema import (
    Buffer,
    CastOptions,
    ConvOptions,
    FullyConnectedOptions,
    Model,
    Quantization,
    ReducerOptions,
    TensorType,
)
from tests.support.litert_graphs import CLASSES, SIZE, sound_model

Change = Callable[[Model], Model]


def refusal(model: Model | bytes, classes: int = CLASSES) -> str:
    data = model if isinstance(model, bytes) else flatbuffer.write(model)
    with pytest.raises(UnsoundGraphError) as caught:
        tflite_graph.check(data, SIZE, classes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def tensors(number: int, **fields: Any) -> Change:
    """Another field of a tensor."""

    def change(model: Model) -> Model:
        (whole,) = model.subgraphs
        made = list(whole.tensors)
        made[number] = replace(made[number], **fields)
        return replace(model, subgraphs=(replace(whole, tensors=tuple(made)),))

    return change


def layers(number: int, **fields: Any) -> Change:
    """Another field of a layer."""

    def change(model: Model) -> Model:
        (whole,) = model.subgraphs
        made = list(whole.operators)
        made[number] = replace(made[number], **fields)
        return replace(model, subgraphs=(replace(whole, operators=tuple(made)),))

    return change


def steps(name: str, scales: tuple[float, ...], axis: int = 0) -> Change:
    """Other scales of a tensor."""
    return tensors(named(MODEL, name), quantization=Quantization(scales, (0,) * len(scales), axis))


def buffer(number: int, data: bytes) -> Change:
    """Other bytes of a constant."""
    return lambda model: replace(model, buffers=(*model.buffers[:number], Buffer(data), *model.buffers[number + 1 :]))


def first_kind(**fields: int) -> Change:
    """Another first kind of layers."""
    return lambda model: replace(model, codes=(replace(model.codes[0], **fields), *model.codes[1:]))


def whole(**fields: Any) -> Change:
    return lambda model: replace(model, subgraphs=(replace(model.subgraphs[0], **fields),))


def named(model: Model, name: str) -> int:
    return [tensor.name for tensor in model.subgraphs[0].tensors].index(name)


def test_a_sound_graph_passes_and_its_memory_is_counted() -> None:
    data = flatbuffer.write(sound_model())
    assert flatbuffer.read(data) == sound_model()
    # the pixels with and without a sign, the convolution behind them
    assert tflite_graph.check(data, SIZE, CLASSES) == 2 * SIZE * SIZE * 3


MODEL = sound_model()
CASES: dict[str, tuple[str, Change]] = {
    "weights shorter than their shape": ("as many bytes", tensors(named(MODEL, "w"), shape=(4, 3, 3, 30))),
    "weights of another type": ("as many bytes", tensors(named(MODEL, "w"), type=TensorType.FLOAT32)),
    "a type that there is not": ("is of type 99", tensors(1, type=99)),
    "no sides": ("shape \\[\\]", tensors(1, shape=())),
    "a side of nothing": ("shape", tensors(1, shape=(1, 0, 8, 3))),
    "a shape that the layer does not make": ("is said to make", tensors(named(MODEL, "conv"), shape=(1, 80, 80, 4))),
    "bytes that there are not": ("no bytes", tensors(named(MODEL, "w"), buffer=99)),
    "a scale of nothing": ("scales or zero points", tensors(1, quantization=Quantization((0.0,), (0,)))),
    "a scale that is none": ("scales or zero points", tensors(1, quantization=Quantization((float("inf"),), (0,)))),
    "a zero point beyond 8 bits": ("scales or zero points", tensors(1, quantization=Quantization((1.0,), (999,)))),
    "scales for other channels": ("scales or zero points", steps("w", (1.0,) * 3)),
    "one scale for all weights": ("not one an output channel", steps("w", (1.0,))),
    "scales along another axis": ("scales or zero points", steps("w", (1.0,) * 4, 3)),
    "no scale where 8 bits are": ("without one scale", tensors(1, quantization=None)),
    "steps too far apart": ("steps of", tensors(named(MODEL, "conv"), quantization=Quantization((1e-12,), (0,)))),
    "a stride of nothing": ("for stride_h, allowed: 1 to", layers(1, options=ConvOptions(1, 2, 0))),
    "a huge dilation": ("no room", layers(1, options=ConvOptions(1, 2, 2, 0, 60, 60))),
    "padding that there is not": ("for padding", layers(1, options=ConvOptions(7, 2, 2))),
    "an activation that there is not": ("for activation", layers(1, options=ConvOptions(1, 2, 2, 5))),
    "options of another kind": ("options of another kind", layers(1, options=FullyConnectedOptions())),
    "no options": ("options of another kind", layers(1, options=None)),
    "a value that nothing makes": ("not made before it", layers(0, inputs=(named(MODEL, "conv"),))),
    "a value that there is not": ("there is not", layers(1, inputs=(77, 2, 3))),
    "a value of a number below nothing": ("there is not", layers(1, inputs=(-1, 2, 3))),
    "a bias that is left out": ("reads 2 values", layers(1, inputs=(1, 2))),
    "a value made twice": ("made already", layers(1, outputs=(1,))),
    "a kind that there is not": ("no kind", layers(1, kind=44)),
    "a cast to whole numbers": ("options of another kind", layers(0, options=CastOptions(3, 2))),
    "axes that there are not": ("has axes", buffer(3, np.array([1, 9], "<i4").tobytes())),
    "a mean that keeps its sides": ("need 2 dimensions|said to make", layers(2, options=ReducerOptions(True))),
    "another version": ("version 3", lambda m: replace(m, version=4)),
    "two graphs": ("not one graph", lambda m: replace(m, subgraphs=m.subgraphs * 2)),
    "bytes for what is computed": ("not one graph", buffer(0, b"x")),
    "a kind that runs other graphs": ("kind of layer 119", first_kind(code=119, short=119)),
    "a version of a kind": ("kind of layer", first_kind(version=9)),
    "no logits": ("gives", whole(outputs=())),
    "pixels for logits": ("gives", whole(outputs=(0,))),
    "two inputs": ("reads", whole(inputs=(0, 0))),
    "an input that there is not": ("there is not", whole(inputs=(400,))),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_graph_is_refused_in_one_line(case: str) -> None:
    expected, change = CASES[case]
    assert re.search(expected, refusal(change(sound_model())))


def test_other_labels_and_other_files_are_refused() -> None:
    data = flatbuffer.write(sound_model())
    assert "has 3 outputs, its labels are 5" in refusal(data, classes=5)
    assert "no graph of LiteRT's" in refusal(b"")
    assert "no graph of LiteRT's" in refusal(data[:4] + b"TFL9" + data[8:])
    assert "not laid out as" in refusal(data + bytes(4))
    assert "damaged" in refusal(data[: len(data) // 2])


def test_tables_that_refer_to_each_other_end() -> None:
    data = bytearray(flatbuffer.write(sound_model()))
    for place in range(8, len(data) - 4, 4):
        for offset in (0, 4, 2**31 - 1, 2**32 - place):
            changed = bytearray(data)
            changed[place : place + 4] = (offset % 2**32).to_bytes(4, "little")
            try:
                tflite_graph.check(bytes(changed), SIZE, CLASSES)
            except UnsoundGraphError:
                continue


def test_whatever_is_changed_is_refused_or_reads_as_it_is_written() -> None:
    drawn, data, refused = random.Random(1), flatbuffer.write(sound_model()), 0
    for _ in range(2000):
        changed = bytearray(data)
        for _ in range(drawn.randint(1, 3)):
            changed[drawn.randrange(len(changed))] = drawn.randrange(256)
        try:
            tflite_graph.check(bytes(changed), SIZE, CLASSES)
            assert flatbuffer.write(flatbuffer.read(bytes(changed))) == changed
        except UnsoundGraphError:
            refused += 1
    assert 1000 < refused < 2000


def test_a_graph_of_too_many_numbers_is_refused() -> None:
    shape = (1, 60000, 60000, 3)
    huge = tensors(0, shape=shape)(tensors(1, shape=shape)(sound_model()))
    with pytest.raises(UnsoundGraphError, match=r"needs [\d,]+ numbers held at once"):
        tflite_graph.check(flatbuffer.write(huge), 60000, CLASSES)
