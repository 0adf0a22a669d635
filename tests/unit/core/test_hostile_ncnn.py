"""NCNN graphs that must not be run: NCNN itself would read past the ends of its weights, or of its memory."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import numpy as np
import pytest

from leansort.core.graphs.faults import UnsoundGraphError
from leansort.core.graphs.ncnn import graph

SIZE, CLASSES = 8, 3
LINES = [
    "Input in0 0 1 in0",
    "MemoryData mean 0 1 m 0=1 1=1 2=3",
    "BinaryOp less 2 1 in0 m a 0=1",
    "Convolution conv 1 1 a b 0=4 1=3 2=1 3=2 4=1 5=1 6=108 9=3 -23310=2,0.0,6.0",
    "Split two 1 2 b c d",
    "ConvolutionDepthWise each 1 1 c e 0=4 1=3 4=1 5=0 6=36 7=4",
    "BinaryOp add 2 1 e d f 0=0",
    "Reduction mean2 1 1 f g 0=3 1=0 -23303=2,1,2 4=0 5=1",
    "InnerProduct last 1 1 g out0 0=3 1=1 2=12",
]
PARTS = [np.ones(3), [0.0], np.ones(108), np.ones(4), [0.0], np.ones(36), [0.0], np.ones(12), np.ones(3)]
WEIGHTS = np.concatenate([np.asarray(part, np.float32) for part in PARTS]).tobytes()
Change = Callable[[list[str]], list[str]]


def text(lines: list[str]) -> bytes:
    made = sum(int(line.split()[3]) for line in lines)
    return "\n".join(["7767517", f"{len(lines)} {made}", *lines, ""]).encode()


def swapped(old: str, new: str) -> Change:
    def change(lines: list[str]) -> list[str]:
        assert any(old in line for line in lines)
        return [line.replace(old, new) for line in lines]

    return change


def refusal(param: bytes, weights: bytes = WEIGHTS, classes: int = CLASSES) -> str:
    with pytest.raises(UnsoundGraphError) as caught:
        graph.check(param, weights, SIZE, classes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_sound_graph_passes_and_its_memory_is_counted() -> None:
    # behind the convolution's Split: what it read, (4, 4, 4), and two of what comes out
    assert graph.check(text(LINES), WEIGHTS, SIZE, CLASSES) == 3 * SIZE * SIZE * 2 + 3


CASES: dict[str, tuple[str, Change]] = {
    "more weights than there are": ("does not fit", swapped("6=108", "6=10800")),
    "more outputs than there are weights for": ("does not fit", swapped("0=4 1=3 2=1", "0=400 1=3 2=1")),
    "another kernel": ("does not fit", swapped("1=3 2=1", "1=5 2=1")),
    "no room for the window": ("no room", swapped("1=3 2=1", "1=3 2=60")),
    "a huge stride": ("allowed: 1 to", swapped("2=1 3=2", "2=1 3=900000000")),
    "padding that NCNN works out": ("allowed: 0 to", swapped("4=1 5=1", "4=-233 5=1")),
    "weights from another layer": ("a parameter 19", swapped("9=3 -", "9=3 19=1 -")),
    "a limit without a point": ("need 2 numbers with a point", swapped("=2,0.0,6.0", "=2,0,6")),
    "an array that says another length": ("is damaged", swapped("=2,0.0,6.0", "=90,0.0,6.0")),
    "groups that do not divide": ("does not fit", swapped("7=4", "7=3")),
    "int8 without int8 weights": ("weights that are not int8", swapped("6=36 7=4", "6=36 7=4 8=1")),
    "an unknown layer": ("not among those that a bundle may have", swapped("Reduction mean2", "Loop mean2")),
    "a value read twice": ("was read already", swapped("1 c e", "1 d e")),
    "a value that nothing makes": ("not made before it", swapped("2 1 e d f", "2 1 e z f")),
    "a value made twice": ("two of its values", swapped("1 2 b c d", "1 2 b c c")),
    "a parameter twice": ("twice", swapped("7=4", "7=4 7=4")),
    "a huge constant": ("has fewer weights|holds", swapped("0=1 1=1 2=3", "0=999999999 1=999999999 2=9")),
    "shapes that do not go together": ("puts", swapped("0=1 1=1 2=3", "0=1 1=3 2=1")),
    "two inputs": ("one input", lambda lines: ["Input in1 0 1 in1", *lines]),
    "no logits": ("need out0", swapped("out0", "logits")),
    "something else beside the logits": ("need out0", lambda lines: [*lines, "MemoryData k 0 1 k 0=1"]),
    "a name with a blank line in it": ("is damaged", swapped("Split two", "Split two\n")),
    "a number too long for NCNN": ("is damaged", swapped("0.0,6.0", "0.0,6.0000000000000000001")),
    "axes that there are not": ("has axes", swapped("=2,1,2", "=2,1,7")),
}


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_graph_is_refused_in_one_line(case: str) -> None:
    said, change = CASES[case]
    weights = WEIGHTS + np.zeros(1, np.float32).tobytes() if "beside" in case else WEIGHTS
    assert re.search(said, refusal(text(change(list(LINES))), weights))


def test_other_labels_cut_weights_and_bytes_left_over_are_refused() -> None:
    assert "its labels are 5" in refusal(text(LINES), classes=5)
    assert "fewer weights" in refusal(text(LINES), WEIGHTS[:-4])
    assert "belong to no layer" in refusal(text(LINES), WEIGHTS + b"\0\0\0\0")
    assert "no graph of NCNN's" in refusal(b"7767518\n1 1\n")
    assert "says otherwise" in refusal(text(LINES).replace(b"\n9 ", b"\n900 "))
    assert "not plain" in refusal(text(LINES) + b"\xff")


def test_whatever_is_changed_is_refused_or_has_its_weights_and_shapes_right() -> None:
    drawn, param, refused = random.Random(1), text(LINES), 0
    for _ in range(2000):
        changed = bytearray(param)
        for _ in range(drawn.randint(1, 3)):
            changed[drawn.randrange(len(changed))] = drawn.choice(b"0123456789=,.-\n abcCIm")
        try:
            assert graph.check(bytes(changed), WEIGHTS, SIZE, CLASSES) > 0
        except UnsoundGraphError:
            refused += 1
    assert 1000 < refused < 2000
