"""The text of an NCNN graph, read as strictly as it is written: NCNN's own reader asks for less, and then overruns.

A first line with the format's number, a second with the layers and values that follow, then a layer a line: kind, name,
how many values it reads and makes, their names, and its parameters, `number=value`, arrays as `-23300-number=length,…`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from leansort.core.graphs.faults import UnsoundGraphError, quote
from leansort.core.graphs.limits import NODES, XML_ELEMENTS

MAGIC = "7767517"
LINE_BYTES = 4096
NAME = re.compile(r"[A-Za-z0-9_.:/+-]{1,200}")
_ARRAY = -23300  # numbers of arrays go down from here
_MOST = 32  # parameters of a layer
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{0,12})?(e[+-]?[0-9]{1,2})?")
_VALUE = 15  # characters of a value; NCNN cuts longer ones off
Number = int | float


@dataclass
class Layer:
    """A line.

    Attributes:
        kind: NCNN's word for what it computes.
        name: of the layer.
        reads: names of the values that go in.
        makes: names of those that come out.
        parameters: by number; what was asked for is taken out, so that the rest is what nobody knows.
        products: multiply-adds for each number that comes out.
        weights: how many it has, once they were counted.
        weights_at: where their tag is in the bytes behind the graph; -1 where there are none.
    """

    kind: str
    name: str
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    parameters: dict[int, Number | tuple[Number, ...]] = field(default_factory=dict)
    products: int = 1
    weights: int = 0
    weights_at: int = -1

    def fault(self, text: str) -> UnsoundGraphError:
        """Build the error that names this layer."""
        return UnsoundGraphError(f"has a layer {quote(self.name)} ({self.kind}) that {text}")

    def integer(self, number: int, otherwise: int = 0, *, least: int = 0, most: int = 1 << 30) -> int:
        """Take a whole number out.

        Raises:
            UnsoundGraphError: it is another one than allowed, or none.
        """
        value = self.parameters.pop(number, otherwise)
        if not isinstance(value, int) or not least <= value <= most:
            raise self.fault(f"has {value!r} for parameter {number}, allowed: {least} to {most}")
        return value

    def real(self, number: int, otherwise: float = 0.0) -> float:
        """Take a number out that is written with a point.

        Raises:
            UnsoundGraphError: it is a whole number, whose bits NCNN would take for those of a fraction, or an array.
        """
        value = self.parameters.pop(number, otherwise)
        if not isinstance(value, float):
            raise self.fault(f"has {value!r} for parameter {number}, need a number with a point")
        return value

    def integers(self, number: int) -> tuple[int, ...]:
        """Take an array of whole numbers out; empty where there is none.

        Raises:
            UnsoundGraphError: it is something else.
        """
        values = self.parameters.pop(number, ())
        if not isinstance(values, tuple) or not all(isinstance(value, int) for value in values):
            raise self.fault(f"has {values!r} for parameter {number}, need whole numbers")
        return tuple(int(value) for value in values)

    def reals(self, number: int, length: int) -> None:
        """Take an array of numbers with points out.

        Raises:
            UnsoundGraphError: it is something else, or of another length.
        """
        values = self.parameters.pop(number, ())
        if not isinstance(values, tuple) or len(values) != length or not all(type(value) is float for value in values):
            raise self.fault(f"has {values!r} for parameter {number}, need {length} numbers with a point")

    def require_known(self) -> None:
        """Refuse parameters that were not asked for.

        Raises:
            UnsoundGraphError: naming the first.
        """
        if self.parameters:
            raise self.fault(f"has a parameter {min(self.parameters)}, which no bundle may have")


def read(text: bytes) -> list[Layer]:
    """Read a graph; every value is made once, before it is read, and read once at most.

    Raises:
        UnsoundGraphError: it is damaged.
    """
    if not text.startswith(MAGIC.encode() + b"\n"):
        raise UnsoundGraphError("is no graph of NCNN's")
    if not text.isascii() or b"\0" in text or len(text) > XML_ELEMENTS * 16:
        raise UnsoundGraphError("is damaged (its text is not plain, or too long)")
    counts, *lines = text.decode().removesuffix("\n").split("\n")[1:]
    layers = [_layer(line) for line in lines[: NODES + 1]]
    if len(lines) > NODES:
        raise UnsoundGraphError(f"has {len(lines)} layers, at most {NODES} are read")
    made = [name for layer in layers for name in layer.makes]
    if counts.split() != [str(len(layers)), str(len(made))]:
        raise UnsoundGraphError(f"is damaged (it has {len(layers)} layers and {len(made)} values, and says otherwise)")
    if len(set(made)) < len(made):
        raise UnsoundGraphError("is damaged (two of its values have the same name)")
    _require_order(layers)
    return layers


def _require_order(layers: list[Layer]) -> None:
    waiting: set[str] = set()
    for layer in layers:
        for name in layer.reads:
            if name not in waiting:
                raise layer.fault(f"reads {quote(name)}, which is not made before it, or was read already")
            waiting.remove(name)
        waiting.update(layer.makes)


def _layer(line: str) -> Layer:
    words = [word for word in line.split(" ") if word]
    if len(line) > LINE_BYTES or len(words) < 4 or not all(word.isdecimal() and len(word) < 4 for word in words[2:4]):
        raise UnsoundGraphError(f"is damaged (its line {quote(line)})")
    reads, makes = int(words[2]), int(words[3])
    names, rest = words[4 : 4 + reads + makes], words[4 + reads + makes :]
    if len(names) < reads + makes or not all(NAME.fullmatch(name) for name in (*words[:2], *names)):
        raise UnsoundGraphError(f"is damaged (its line {quote(line)})")
    layer = Layer(words[0], words[1], tuple(names[:reads]), tuple(names[reads:]))
    for word in rest:
        number, value = _parameter(word)
        if not 0 <= number < _MOST or number in layer.parameters:
            raise layer.fault(f"has parameter {number} twice, or one that there is not")
        layer.parameters[number] = value
    return layer


def _parameter(word: str) -> tuple[int, Number | tuple[Number, ...]]:
    number, sign, value = word.partition("=")
    if not sign or not _INTEGER.fullmatch(number):
        raise UnsoundGraphError(f"is damaged (its parameter {quote(word)})")
    if int(number) > _ARRAY:
        return int(number), _number(value)
    length, *values = value.split(",")
    if not length.isdecimal() or length != str(len(values)):
        raise UnsoundGraphError(f"is damaged (its parameter {quote(word)})")
    return _ARRAY - int(number), tuple(_number(item) for item in values)


def _number(text: str) -> Number:
    if len(text) > _VALUE or not _NUMBER.fullmatch(text):
        raise UnsoundGraphError(f"is damaged (its number {quote(text)})")
    return int(text) if _INTEGER.fullmatch(text) else float(text)
