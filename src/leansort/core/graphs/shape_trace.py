"""What a graph would make of images, told without running it: the shape of every value, and what it costs.

Shapes are whole numbers all through, for a batch is chosen beforehand; small tensors that decide shapes, such as what a
Reshape reads, are computed along the way. So every number that the graph would hold is counted before an engine
sees it. A shape that only running would tell is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from leansort.core.graphs.faults import UnsoundGraphError, quote
from leansort.core.graphs.limits import FOLDED, NUMBERS, RANK, WORK
from leansort.core.graphs.onnx_model import Model, Node, Shape, Tensor

Array = npt.NDArray[Any]
_WIDE = (7, 11, 13)  # types of 64 bits


class TracedValue:
    """A value in the graph.

    Attributes:
        shape: of it.
        type: of its elements, ONNX's number.
        fixed: whether it is made of constants alone.
        elements: how many, those of 64 bits counted twice.
    """

    __slots__ = ("_known", "_tensor", "elements", "fixed", "shape", "type")

    def __init__(
        self, shape: Shape, kind: int, known: Array | None = None, *, fixed: bool = False, tensor: Tensor | None = None
    ) -> None:
        self.shape, self.type, self.fixed = shape, kind, fixed
        self.elements = math.prod(shape) * (2 if kind in _WIDE else 1)
        self._known, self._tensor = known, tensor

    @property
    def known(self) -> Array | None:
        """Its numbers, where it is small and they do not depend on the pixels."""
        if self._known is None and self._tensor is not None:
            self._known, self._tensor = self._tensor.array(), None
        return self._known


@dataclass(slots=True, eq=False, repr=False)
class NodeInputs:
    """A node and what it reads, as rules are given it.

    Attributes:
        node: the operator.
        inputs: what it reads; None for one that is left out.
        work: set by the rule: multiply-adds, where they are more than the numbers read and written.
        scratch: set by the rule: numbers that the engine lays out for itself.
    """

    node: Node
    inputs: Sequence[TracedValue | None]
    work: int = 0
    scratch: int = 0

    def value(self, number: int) -> TracedValue:
        """An input that must be there."""
        result = self.inputs[number] if number < len(self.inputs) else None
        if result is None:
            raise self.fault(f"lacks input {number}")
        return result

    def shape(self, number: int = 0) -> Shape:
        """The shape of an input that must be there."""
        return self.value(number).shape

    def given(self, number: int) -> bool:
        """Whether an input is there."""
        return number < len(self.inputs) and self.inputs[number] is not None

    def known(self, number: int) -> Array:
        """The numbers of an input that decides a shape."""
        result = self.value(number).known
        if result is None:
            raise self.fault("makes a shape that only running it would tell")
        return result

    def integers(self, number: int, attribute: str = "") -> list[int] | None:
        """A list of whole numbers: an input, or in older versions an attribute; None where neither is given."""
        if self.given(number):
            result = self.known(number)
            if result.dtype.kind not in "iu":
                raise self.fault("reads a shape of other than whole numbers")
            return [int(item) for item in result.reshape(-1)]
        return self.node.integers(attribute) if attribute else None

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front."""
        if not -rank <= axis < rank:
            raise self.fault(f"has axis {axis} of {rank}")
        return axis % rank

    def fault(self, why: str) -> UnsoundGraphError:
        """An error that names the node."""
        return UnsoundGraphError(f"has a {self.node} that {why}")


Rule = Callable[[NodeInputs], list[Shape]]
Kind = Callable[[NodeInputs, int], int]  # the type of an output, by its number


@dataclass(slots=True, eq=False, repr=False)
class GraphCost:
    """What a graph takes for the images that it was traced with.

    Attributes:
        numbers: held at once, at most, the weights aside.
        work: multiply-adds; of what has none, numbers read and written.
    """

    numbers: int = 0
    work: int = 0


class Trace:
    """One walk through a graph.

    Args:
        model: what was read.
        rules: by operator, the shapes of its outputs.
        kinds: by operator, the types of its outputs; where none is given, that of its first input.
        small: operators that `compute` knows.
        compute: numbers of the outputs of a small node; None where it cannot tell.
        pictures: how many, for the limits grow with them.
    """

    def __init__(
        self,
        model: Model,
        rules: dict[str, Rule],
        kinds: dict[str, Kind],
        small: Collection[str],
        compute: Callable[[NodeInputs, list[Shape]], list[Array] | None],
        pictures: int,
    ) -> None:
        self.model, self._rules, self._kinds, self._small, self._compute = model, rules, kinds, small, compute
        self._kept = {output.name for output in model.outputs}
        self._most, self._work, self._folded = pictures * NUMBERS, pictures * WORK, 0
        self.values = {
            name: TracedValue(constant.shape, constant.type, fixed=True, tensor=constant)
            for name, constant in model.constants.items()
        }
        self._last = {name: at for at, node in enumerate(model.nodes) for name in node.inputs}

    def run(self, inputs: dict[str, TracedValue]) -> GraphCost:
        """Walk through all nodes.

        Raises:
            UnsoundGraphError: it cannot be run, or asks for too much.
        """
        for name in inputs:
            if name in self.values or not name:
                raise UnsoundGraphError(f"makes the value {quote(name)} twice")
        self.values |= inputs
        needs, live = GraphCost(), sum(item.elements for item in inputs.values())
        for at, node in enumerate(self.model.nodes):
            scratch, made = self._step(node, needs)
            live += made
            needs.numbers = max(needs.numbers, live + scratch)
            if needs.numbers > self._most:
                raise self._too_much(node, "numbers held at once", needs.numbers, self._most)
            live -= self._done(node, at)
        for output in self.model.outputs:
            self._found(output.name, "whoever runs it")
        return needs

    def _step(self, node: Node, needs: GraphCost) -> tuple[int, int]:
        """Trace a node; return the numbers of its scratch, and those that stay until they are read."""
        rule = self._rules.get(node.kind)
        if rule is None:
            raise UnsoundGraphError(f"has a {node}, which is not among the operators that a bundle may have")
        reading = NodeInputs(node, [self._found(name, node) if name else None for name in node.inputs])
        shapes = rule(reading)
        fixed = True
        for value in reading.inputs:
            fixed = fixed and (value is None or value.fixed)
        computed = self._compute(reading, shapes) if node.kind in self._small else None
        kind, made = self._kinds.get(node.kind, first_type), 0
        if len(node.outputs) > len(shapes):
            raise reading.fault(f"has {len(node.outputs)} outputs, it makes {len(shapes)}")
        for number, name in enumerate(node.outputs):
            shape = shapes[number]
            if len(shape) > RANK or min(shape, default=0) < 0:
                raise reading.fault(f"makes the shape {list(shape)[: RANK + 1]}")
            value = TracedValue(shape, kind(reading, number), computed[number] if computed else None, fixed=fixed)
            made += value.elements
            if name in self.values:
                raise UnsoundGraphError(f"makes the value {quote(name)} twice")
            if name:
                self.values[name] = value
        return self._count(reading, made, needs, fixed=fixed)

    def _count(self, reading: NodeInputs, made: int, needs: GraphCost, *, fixed: bool) -> tuple[int, int]:
        moved = made
        for value in reading.inputs:
            moved += value.elements if value is not None else 0
        if made > self._most:
            raise self._too_much(reading.node, "numbers held at once", made, self._most)
        needs.work += max(reading.work, moved)
        if needs.work > self._work:
            raise self._too_much(reading.node, "multiply-adds", needs.work, self._work)
        if not fixed:
            return reading.scratch, made
        self._folded += made  # engines compute these as they load, and may keep them all
        most = NUMBERS + FOLDED * len(reading.node.data)
        if self._folded > most:
            raise self._too_much(reading.node, "numbers made of constants", self._folded, most)
        return reading.scratch + made, 0

    def _done(self, node: Node, at: int) -> int:
        """Numbers that nobody reads after a node."""
        over = 0
        for name in {*node.inputs, *node.outputs}:
            if name and self._last.get(name, -1) <= at and name not in self._kept:
                value = self.values[name]
                over += 0 if value.fixed else value.elements
        return over

    def _found(self, name: str, reader: object) -> TracedValue:
        result = self.values.get(name)
        if result is None:
            raise UnsoundGraphError(f"has nothing that makes {quote(name)}, which {reader} reads")
        return result

    def _too_much(self, node: Node, what: str, needed: int, most: int) -> UnsoundGraphError:
        return UnsoundGraphError(f"needs {needed:,} {what} at its {node}, at most {most:,} are allowed")


def first_type(reading: NodeInputs, number: int) -> int:
    """The type of the first input; that of the second where there is no first one."""
    return next((item.type for item in reading.inputs if item is not None), 0)
