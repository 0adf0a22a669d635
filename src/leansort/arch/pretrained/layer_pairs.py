"""Two networks' layers paired, by what they are called or by order and shape.

Layers are paired whole: a batch norm never takes another one's half.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from leansort.arch.pretrained.order_matching import Kind, align_by_order

Shape = tuple[int, ...]
COUNTER = "num_batches_tracked"  # of a batch norm: no weight, and absent from older files


@dataclass(frozen=True)
class Layer:
    """What one module holds.

    Attributes:
        name: of the module.
        parts: shapes, less trailing ones, by the last part of the tensor's name.
    """

    name: str
    parts: dict[str, Shape]

    @property
    def kind(self) -> Kind:
        """What two layers share that can exchange weights."""
        return tuple(sorted(self.parts.items()))

    def differs_in_classes(self, other: Layer) -> bool:
        """Whether two linear layers or 1x1 convolutions are alike but for what they put out."""
        mine, its = self.parts.get("weight", ()), other.parts.get("weight", ())
        return self.parts.keys() == other.parts.keys() and mine[1:] == its[1:] and mine != its and len(mine) == 2

    def tensor(self, part: str) -> str:
        """The full name of one of its tensors."""
        return f"{self.name}.{part}" if self.name else part


Layers = Mapping[str, Layer]


def group_layers(tensors: Mapping[str, Tensor]) -> dict[str, Layer]:
    """A state's layers by name, in its order."""
    layers: dict[str, Layer] = {}
    for name, tensor in tensors.items():
        prefix, _, part = name.rpartition(".")
        if part != COUNTER:
            layers.setdefault(prefix, Layer(prefix, {})).parts[part] = squeeze_shape(tensor)
    return layers


def squeeze_shape(tensor: Tensor) -> Shape:
    """Shape without ones at the end, two axes at least: a 1x1 convolution's is then a linear layer's."""
    shape = tuple(tensor.shape)
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def find_classifier(layers: Layers) -> Layer | None:
    """The last linear layer or 1x1 convolution."""
    return next((layer for layer in reversed(list(layers.values())) if len(layer.parts.get("weight", ())) == 2), None)


def pair_by_name(own: Layers, theirs: Layers) -> list[str]:
    """Names of layers that are alike on both sides; a classifier may differ in its class count."""
    head = find_classifier(own)
    both = [layer for name, layer in own.items() if name in theirs]
    return [
        item.name
        for item in both
        if item.kind == theirs[item.name].kind or (item is head and item.differs_in_classes(theirs[item.name]))
    ]


def pair_by_order(own: Layers, theirs: Layers, fixed: Mapping[str, str], *, ordered: bool) -> dict[str, str]:
    """Pair layers by order and kind.

    Args:
        own: our layers in order.
        theirs: the others.
        fixed: pairs known already, own name to theirs.
        ordered: whether `theirs` are in order too, not by the alphabet.

    Returns:
        Their name by the own one's.

    Raises:
        UserError: several orders fit.
    """
    mine, other = ({name: layer.kind for name, layer in side.items()} for side in (own, theirs))
    for name, partner in fixed.items():
        mine[name] = other[partner] = (("fixed", name),)
    head = find_classifier(own)
    if head is None or mine[head.name] in other.values():
        return _aligned(mine, other, ordered)
    rest = {name: kind for name, kind in mine.items() if name != head.name}
    heads = [name for name, its in theirs.items() if head.differs_in_classes(its) and name not in fixed.values()]
    marked: Kind = (("classifier", ""),)
    tries: Iterable[dict[str, str]] = (
        _aligned(mine | {head.name: marked}, other | {name: marked}, ordered) for name in reversed(heads)
    )
    return max(tries, key=len) if heads else _aligned(rest, other, ordered)


def _aligned(own: Mapping[str, Kind], theirs: Mapping[str, Kind], ordered: bool) -> dict[str, str]:
    names = list(own)
    return {names[at]: partner for at, partner in align_by_order(list(own.values()), theirs, ordered=ordered).items()}
