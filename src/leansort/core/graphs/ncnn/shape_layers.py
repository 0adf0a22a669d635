"""What each NCNN layer makes of what it reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from leansort.core.graphs.ncnn import weight_layers
from leansort.core.graphs.ncnn.param_text import Layer
from leansort.core.graphs.ncnn.weight_layers import Shape, Weights, pads_of, sides_of, window_of

Rule = Callable[[Layer, Sequence[Shape], Weights], Shape]
_REDUCTIONS = (0, 3, 4, 5, 8)  # sum, mean, largest, smallest, root of the sum of squares


def _same(layer: Layer, given: Sequence[Shape], _weights: Weights) -> Shape:
    return given[0]


def _with_reals(*numbers: int) -> Rule:
    def rule(layer: Layer, given: Sequence[Shape], _weights: Weights) -> Shape:
        for number in numbers:
            layer.real(number)
        return given[0]

    return rule


def _pooling(layer: Layer, given: Sequence[Shape], _weights: Weights) -> Shape:
    layer.integer(0, most=1)
    if layer.integer(4, 0, most=1):
        if len(given[0]) != 3:
            raise layer.fault(f"reads {given[0]}, need channels, rows and columns")
        return (given[0][0],)
    pads = pads_of(layer, 3, 14, 13, 15)
    if layer.integer(5, 1, most=1) != 1:
        raise layer.fault("rounds its size up, which no bundle may have")
    layer.integer(6, 0, most=1)
    rows, columns = window_of(layer, given[0], sides_of(layer, 1, 11, 0), sides_of(layer, 2, 12), pads)
    return given[0][0], rows, columns


def _reduction(layer: Layer, given: Sequence[Shape], _weights: Weights) -> Shape:
    if layer.integer(0, most=10) not in _REDUCTIONS:
        raise layer.fault("reduces in a way that no bundle may have")
    if layer.integer(5, 0, most=1) != 1:
        raise layer.fault("counts its axes in an old way")
    layer.real(2, 1.0)
    everything, axes, keep = layer.integer(1, 1, most=1), layer.integers(3), layer.integer(4, 0, most=1)
    rank = len(given[0])
    if everything:
        return (1,) * rank if keep else (1,)
    if not axes or not all(-rank <= axis < rank for axis in axes):
        raise layer.fault(f"has axes {axes} of {given[0]}")
    gone = {axis % rank for axis in axes}
    if keep:
        return tuple(1 if at in gone else side for at, side in enumerate(given[0]))
    return tuple(side for at, side in enumerate(given[0]) if at not in gone) or (1,)


def _reshape(layer: Layer, given: Sequence[Shape], _weights: Weights) -> Shape:
    sides = [layer.integer(number, -233, least=-233) for number in (2, 1, 0)]
    made = [side for side in sides if side != -233]
    if not made or sides[len(sides) - len(made) :] != made or made.count(-1) > 1 or min(made) < -1 or 0 in made:
        raise layer.fault(f"makes a shape {made}")
    whole = math.prod(given[0])
    if -1 in made:
        made[made.index(-1)] = max(1, whole // -math.prod(made))
    if math.prod(made) != whole:
        raise layer.fault(f"makes {tuple(made)} of {given[0]}")
    return tuple(made)


def _flatten(_layer: Layer, given: Sequence[Shape], _weights: Weights) -> Shape:
    return (math.prod(given[0]),)


def _expand(layer: Layer, given: Sequence[Shape], _weights: Weights) -> Shape:
    if layer.integers(3) != (0,) or len(given[0]) != 1:
        raise layer.fault(f"puts axes into {given[0]} that no bundle may have")
    return (1, *given[0])


def _concat(layer: Layer, given: Sequence[Shape], _weights: Weights) -> Shape:
    rank = len(given[0])
    axis = layer.integer(0, 0, least=-rank, most=rank - 1) % rank
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in given}
    if len(others) > 1 or any(len(shape) != rank for shape in given):
        raise layer.fault(f"joins {', '.join(map(str, given[:4]))}")
    return (*given[0][:axis], sum(shape[axis] for shape in given), *given[0][axis + 1 :])


def _binary(layer: Layer, given: Sequence[Shape], _weights: Weights) -> Shape:
    layer.integer(0, most=11)
    if layer.integer(1, 0, most=1):
        layer.real(2)
        if len(given) != 1:
            raise layer.fault("reads two values and a number")
        return given[0]
    if len(given) != 2:
        raise layer.fault("reads one value")
    large, small = sorted(given, key=lambda shape: (len(shape), math.prod(shape)), reverse=True)
    if len(small) == 1 < len(large):  # along the channels, as NCNN spreads it
        small = (small[0], *(1,) * (len(large) - 1))
    if len(small) != len(large) or not all(a == b or 1 in (a, b) for a, b in zip(large, small, strict=True)):
        raise layer.fault(f"puts {given[0]} and {given[1]} together")
    return tuple(map(max, large, small))


# By kind: values that it reads, at least and at most, values that it makes, and the rule.
RULES: dict[str, tuple[int, int, int, Rule]] = {
    "Convolution": (1, 1, 1, weight_layers.convolution),
    "ConvolutionDepthWise": (1, 1, 1, weight_layers.convolution),
    "InnerProduct": (1, 1, 1, weight_layers.inner_product),
    "Pooling": (1, 1, 1, _pooling),
    "Reduction": (1, 1, 1, _reduction),
    "Reshape": (1, 1, 1, _reshape),
    "Flatten": (1, 1, 1, _flatten),
    "ExpandDims": (1, 1, 1, _expand),
    "Concat": (2, 64, 1, _concat),
    "BinaryOp": (1, 2, 1, _binary),
    "MemoryData": (0, 0, 1, weight_layers.memory),
    "Split": (1, 1, 64, _same),
    "ReLU": (1, 1, 1, _with_reals(0)),
    "Clip": (1, 1, 1, _with_reals(0, 1)),
    "HardSwish": (1, 1, 1, _with_reals(0, 1)),
    "HardSigmoid": (1, 1, 1, _with_reals(0, 1)),
    "Sigmoid": (1, 1, 1, _same),
    "Erf": (1, 1, 1, _same),
    "Swish": (1, 1, 1, _same),
    "TanH": (1, 1, 1, _same),
    "Mish": (1, 1, 1, _same),
    "GELU": (1, 1, 1, lambda layer, given, _weights: (layer.integer(0, 0, most=1), given[0])[1]),
}
