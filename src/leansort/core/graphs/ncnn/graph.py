"""Is an NCNN graph one that may be run? One image in, logits out, known layers, and weights of exactly their size.

NCNN reads weights from memory without asking where they end, and computes with whatever shapes come: so every shape and
every byte is accounted for here before it gets to see them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from leansort.core.graphs.faults import UnsoundGraphError, quote
from leansort.core.graphs.limits import NUMBERS, WORK
from leansort.core.graphs.ncnn import param_text
from leansort.core.graphs.ncnn.param_text import Layer
from leansort.core.graphs.ncnn.shape_layers import RULES
from leansort.core.graphs.ncnn.weight_layers import Shape, Weights

OUTPUTS = ("out0", "out1")  # logits; and a distance, where there is one


def check(graph: bytes, weights: bytes, size: int, classes: int) -> int:
    """Refuse a graph that is not one for images of a size and so many classes, or that asks for too much.

    Args:
        graph: `graph.ncnn.param`.
        weights: `graph.ncnn.bin`.
        size: side of the images in pixels.
        classes: how many logits come out.

    Returns:
        Numbers of 32 bits that it holds at once.

    Raises:
        UnsoundGraphError: why it must not be run.
    """
    return measure(param_text.read(graph), weights, size, classes)


def measure(layers: Sequence[Layer], weights: bytes, size: int, classes: int) -> int:
    """Do what `check` does for layers that were read, and note in each how much it computes and where its weights are.

    Raises:
        UnsoundGraphError: as there.
    """
    left = Weights(weights)
    if [layer.kind for layer in layers].count("Input") != 1 or layers[0].makes != ("in0",):
        raise UnsoundGraphError("does not begin with one input called 'in0'")
    shapes: dict[str, Shape] = {}
    live = held = work = 0
    for layer in layers:
        given = [shapes.pop(name) for name in layer.reads]
        made = _made(layer, given, left, size)
        layer.require_known()
        shapes.update(dict.fromkeys(layer.makes, made))
        live += math.prod(made) * len(layer.makes)
        held = max(held, live)
        live -= sum(map(math.prod, given))
        work += _work(layer, given, made)
        for what, count, most in (("numbers held at once", held, NUMBERS), ("multiply-adds", work, WORK)):
            if count > most:
                raise layer.fault(f"needs {count:,} {what}, at most {most:,} are allowed")
    left.require_end()
    _require_ends(shapes, classes)
    return held


def _require_ends(shapes: dict[str, Shape], classes: int) -> None:
    unknown = [name for name in shapes if name not in OUTPUTS]
    if unknown or OUTPUTS[0] not in shapes:
        raise UnsoundGraphError(f"gives {quote(', '.join(shapes))}, need out0, and out1 where there is a distance")
    if shapes[OUTPUTS[0]] != (classes,):
        raise UnsoundGraphError(f"gives {shapes[OUTPUTS[0]]}, its labels are {classes}")
    if shapes.get(OUTPUTS[1], (1,)) != (1,):
        raise UnsoundGraphError(f"gives {shapes[OUTPUTS[1]]} for a distance, need one number")


def _made(layer: Layer, given: Sequence[Shape], weights: Weights, size: int) -> Shape:
    if layer.kind == "Input":
        if given or len(layer.makes) != 1:
            raise layer.fault("reads something")
        return 3, size, size
    if layer.kind not in RULES:
        raise layer.fault("is not among those that a bundle may have")
    least, most, makes, rule = RULES[layer.kind]
    if not least <= len(given) <= most or not (len(layer.makes) == 1 or (makes > 1 and 1 < len(layer.makes) <= makes)):
        raise layer.fault(f"reads {len(given)} values and makes {len(layer.makes)}")
    return rule(layer, given, weights)


def _work(layer: Layer, given: Sequence[Shape], made: Shape) -> int:
    return max(math.prod(made) * layer.products, sum(map(math.prod, given)))
