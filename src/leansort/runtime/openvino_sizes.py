"""What an OpenVINO graph would make of images: asked of OpenVINO itself once it has read one, before it compiles it.

OpenVINO tells the shape of every value. Here they are held to the limits of `core.graphs.limits`, as the shapes of
ONNX graphs are when a bundle is opened, and the layers to those that a bundle may have, whatever file they came from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from leansort.core.errors import IntegrityError
from leansort.core.graphs.limits import FOLDED, NODES, NUMBERS, WORK
from leansort.core.graphs.openvino_ir import LAYERS

_CALLED = {"Constant", "Relu", "Softmax", "SoftMax", "Ceil"}  # by the library; files call these layers otherwise
_WINDOWED = {"Convolution": 1, "GroupConvolution": 2}  # where one output channel's weights begin in their shape
_TURNED = {"ConvolutionBackpropData": 1, "GroupConvolutionBackpropData": 2}  # likewise one input channel's
_DIVIDED = {"Divide", "Mod", "FloorMod"}


def require(model: Any, classes: int, weights: int) -> int:
    """Refuse a graph that asks for too much, or does not give so many logits.

    Args:
        model: an `openvino.Model` for a fixed number of images.
        classes: number of labels.
        weights: bytes of the bundle's files.

    Returns:
        Numbers of 32 bits that it holds at once for one image.

    Raises:
        IntegrityError: why it must not be compiled.
    """
    operators = model.get_ordered_ops()
    if len(operators) > NODES:
        raise _refused(f"has {len(operators)} nodes, at most {NODES} are read")
    unknown = next((node for node in operators if _kind(node) not in LAYERS | _CALLED), None)
    if unknown is not None:
        raise _refused(f"has a {_kind(unknown)} layer, which is not among those that a bundle may have")
    dynamic = next(filter(_open, operators), None) if model.is_dynamic() else None
    if dynamic is not None:
        raise _refused(f"has a {_kind(dynamic)} layer that makes a shape that only running it would tell")
    pictures = _sides(model.inputs[0].get_node())[0]
    held = _Sizes(operators, pictures, weights).require_few()
    _require_logits(model, pictures, classes)
    return -(-held // pictures)


class _Sizes:
    """What is counted in one walk: numbers held at once, multiply-adds, and numbers made of constants alone.

    Args:
        operators: in an order of computation.
        pictures: how many the shapes are for.
        weights: bytes of the bundle's files.
    """

    def __init__(self, operators: Sequence[Any], pictures: int, weights: int) -> None:
        self._operators = operators
        self._most = {
            "numbers held at once": pictures * NUMBERS,
            "multiply-adds": pictures * WORK,
            "numbers made of constants": NUMBERS + FOLDED * weights,
        }
        self._reads = [[value.get_node().get_friendly_name() for value in node.input_values()] for node in operators]
        self._last = {name: at for at, names in enumerate(self._reads) for name in names}
        self._made: dict[str, int] = {}  # numbers that each node makes; 0 of what is made of constants
        self._fixed: set[str] = set()

    def require_few(self) -> int:
        """Walk; return the numbers held at once, at most.

        Raises:
            IntegrityError: it is too much.
        """
        live = work = folded = held = 0
        for at, node in enumerate(self._operators):
            kind, name = _kind(node), node.get_friendly_name()
            if kind == "Constant":
                self._fixed.add(name)
                continue
            made = sum(_numbers(node, number) for number in range(node.get_output_size()))
            work += max(made, _work(node, kind, made))
            if self._reads[at] and self._fixed.issuperset(self._reads[at]):
                self._fixed.add(name)
                folded += made
            else:
                self._made[name] = made
                live += made
            held = max(held, live + _scratch(node, kind))
            for (what, most), count in zip(self._most.items(), (held, work, folded), strict=True):
                if count > most:
                    raise _refused(f"needs {count:,} {what} at its {kind} layer, at most {most:,} are allowed")
            _require_divisor(node, kind)
            for item in {*self._reads[at], name}:
                if self._last.get(item, at) <= at:
                    live -= self._made.get(item, 0)
        return held


def _open(node: Any) -> bool:
    """Whether a shape of its is not known."""
    return any(node.get_output_partial_shape(number).is_dynamic for number in range(node.get_output_size()))


def _kind(node: Any) -> str:
    return str(node.get_type_name())


def _sides(node: Any, number: int = 0) -> list[int]:
    shape = node.get_output_shape(number)
    return [shape[at] for at in range(len(shape))]  # a list of it takes fifteen times as long


def _numbers(node: Any, number: int) -> int:
    """How many an output has, those of 64 bits counted twice."""
    return math.prod(_sides(node, number)) * (2 if node.get_output_element_type(number).bitwidth == 64 else 1)


def _read(node: Any, number: int) -> list[int]:
    shape = node.get_input_shape(number)
    return [shape[at] for at in range(len(shape))]


def _work(node: Any, kind: str, made: int) -> int:
    if kind in _WINDOWED:
        return made * math.prod(_read(node, 1)[_WINDOWED[kind] :])
    if kind in _TURNED:
        return math.prod(_read(node, 0)) * math.prod(_read(node, 1)[_TURNED[kind] :])
    if kind == "MatMul":
        sides = _read(node, 0)
        across = len(sides) > 1 and bool(node.get_attributes()["transpose_a"])
        return made * (sides[-2] if across else sides[-1] if sides else 1)
    if kind in ("MaxPool", "AvgPool"):
        return made * math.prod(int(side) for side in node.get_attributes()["kernel"])
    return 16 * made if kind in ("Interpolate", "GridSample") else 0


def _scratch(node: Any, kind: str) -> int:
    """Numbers that are laid out under the windows of a convolution."""
    if kind not in _WINDOWED:
        return 0
    window = _read(node, 1)[_WINDOWED[kind] :]
    return math.prod(window) * math.prod(_sides(node)[2:]) if math.prod(window[1:]) > 1 else 0


def _require_divisor(node: Any, kind: str) -> None:
    """Whole numbers are divided by known ones only: by zero, the processor ends the program."""
    if kind not in _DIVIDED or node.get_output_element_type(0).is_real():
        return
    divisor = node.input_value(1).get_node()
    if divisor.get_type_name() != "Constant" or not (divisor.get_data() > 0).all():
        raise _refused(f"has a {kind} layer that divides whole numbers by what is not above zero")


def _require_logits(model: Any, pictures: int, classes: int) -> None:
    out = [
        (output.get_element_type().get_type_name(), _sides(output.get_node(), output.get_index()))
        for output in model.outputs
    ]
    if out != [("f32", [pictures, classes])]:
        text = "; ".join(f"{kind} {sides}" for kind, sides in out[:3]) or "nothing"
        raise _refused(f"gives {text} for {pictures} pictures, its labels are {classes}")


def _refused(why: str) -> IntegrityError:
    return IntegrityError(f"bundle: its graph {why}")
