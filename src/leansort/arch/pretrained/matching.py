"""Which tensor of pretrained weights goes into which of ours: by name, by a map of names, or by order and shape."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor

from leansort.arch.pretrained import key_map, layer_pairs
from leansort.arch.pretrained.layer_pairs import COUNTER, Shape
from leansort.core.errors import UserError
from leansort.core.text.columns import align_columns

LEAST = 0.5  # fraction of the parameters below which a match is more likely chance than design
Chosen = dict[str, tuple[str, str]]  # by own tensor: their tensor, and how it was found


@dataclass(frozen=True)
class TensorPair:
    """Two tensors that belong together.

    Attributes:
        own: name in the network.
        theirs: name in the pretrained weights.
        how: `name`, `map` (a map of names said so) or `order` (order and shape).
        shape: of the own one.
    """

    own: str
    theirs: str
    how: str
    shape: Shape


@dataclass(frozen=True)
class WeightMatch:
    """What of pretrained weights fits a network.

    Attributes:
        pairs: what is taken over.
        replaced: tensors of classifiers with other class counts; the own ones stay as drawn.
        unmatched_own: own tensors that stay as drawn.
        unmatched_theirs: tensors that are not used.
        fraction: of the own values, other than those replaced, that are taken over.
    """

    pairs: tuple[TensorPair, ...]
    replaced: tuple[TensorPair, ...]
    unmatched_own: tuple[str, ...]
    unmatched_theirs: tuple[str, ...]
    fraction: float

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    def with_their_names(self, rename: Callable[[str], str]) -> WeightMatch:
        """The same match of weights that are called otherwise."""
        pairs, replaced = (
            tuple(replace(pair, theirs=rename(pair.theirs)) for pair in listed)
            for listed in (self.pairs, self.replaced)
        )
        unmatched = tuple(map(rename, self.unmatched_theirs))
        return replace(self, pairs=pairs, replaced=replaced, unmatched_theirs=unmatched)


def match(
    own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], names: Mapping[str, str] | None = None
) -> WeightMatch:
    """Match pretrained weights to a network's.

    Args:
        own: the network's state, in its order.
        theirs: the pretrained weights, in order or by the alphabet.
        names: their names or beginnings of names, and what each is called here.

    Raises:
        UserError: less than half fits, batch norms are folded on one side, the weights take other images,
            `names` names what is not there, or several ways fit by order.
    """
    return require_match(compare(own, theirs, names))


def require_match(weight_match: WeightMatch) -> WeightMatch:
    """Return the match.

    Raises:
        UserError: it takes over less than half.
    """
    if weight_match.fraction >= LEAST:
        return weight_match
    sides = ((weight_match.unmatched_own, "here"), (weight_match.unmatched_theirs, "there"))
    first = [f"{', '.join(names[:2])} {where}" for names, where in sides if names]
    raise UserError(
        f"weights: {weight_match.fraction:.1%} of the parameters fit this network, need {LEAST:.0%}; "
        f"without a partner: {'; '.join(first)}"
    )


def compare(
    own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], names: Mapping[str, str] | None = None
) -> WeightMatch:
    """Match as `match` does, however little fits."""
    result = _compared(own, theirs, names)
    _same_inputs(own, theirs, result)
    return result


def _compared(
    own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], names: Mapping[str, str] | None = None
) -> WeightMatch:
    _same_norms(own, theirs)
    renamed = key_map.map_keys(own.keys(), theirs.keys(), key_map.write_out(names or {}, theirs.keys()))
    called = key_map.rename_keys(own.keys(), theirs.keys(), renamed)
    mine = layer_pairs.group_layers(own)
    named = layer_pairs.pair_by_name(mine, layer_pairs.group_layers({new: theirs[old] for new, old in called.items()}))
    result = _match(own, theirs, _as_called(own, named, called, renamed))
    if result.fraction >= LEAST and (not names or result.fraction == 1.0):
        return result
    try:
        return max(result, _ordered(own, theirs, result), key=lambda item: item.fraction)
    except UserError:
        if result.fraction >= LEAST:  # names tell enough; what order cannot tell stays without a partner
            return result
        raise


def _as_called(
    own: Mapping[str, Tensor], named: Collection[str], called: Mapping[str, str], renamed: Mapping[str, str]
) -> Chosen:
    kept = [name for name in own if name in called and _layer(name) in named]
    return {name: (called[name], "map" if name in renamed else "name") for name in kept}


def _ordered(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], named: WeightMatch) -> WeightMatch:
    """Match by order; what a map of names paired stays paired, and where names tell half, they are believed."""
    known = (*named.pairs, *named.replaced)
    sure = {_layer(pair.own) for pair in known if pair.how == "map" or named.fraction >= LEAST}
    chosen: Chosen = {pair.own: (pair.theirs, pair.how) for pair in known if _layer(pair.own) in sure}
    fixed = {_layer(name): _layer(old) for name, (old, _) in chosen.items()}
    mine, other = layer_pairs.group_layers(own), layer_pairs.group_layers(theirs)
    for name, partner in layer_pairs.pair_by_order(mine, other, fixed, ordered=_has_order(theirs)).items():
        if name not in fixed:
            chosen |= {mine[name].tensor(part): (other[partner].tensor(part), "order") for part in mine[name].parts}
    return _match(own, theirs, chosen)


def _has_order(theirs: Mapping[str, Tensor]) -> bool:
    """Files by the alphabet have lost the order; a network's own state is never sorted but by chance."""
    return list(theirs) != sorted(theirs)


def _same_norms(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    mine, other = (sum(name.endswith("running_var") for name in side) for side in (own, theirs))
    if bool(mine) != bool(other):
        who = "the weights have none, this network has" if mine else "this network has none, the weights have"
        raise UserError(f"weights: batch norms: {who} {mine or other}; need both from before folding into convolutions")


def _same_inputs(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], weight_match: WeightMatch) -> None:
    """Refuse weights whose first convolution takes another image, where all the layers behind it may well fit.

    Raises:
        UserError: naming both layers and their counts.
    """
    stem = next((name for name, tensor in own.items() if tensor.ndim == 4), None)
    if stem is None or stem not in weight_match.unmatched_own or weight_match.fraction < LEAST:
        return
    convolutions = [name for name, tensor in theirs.items() if tensor.ndim == 4]
    known = stem in theirs or _has_order(theirs)
    first = stem if stem in theirs else convolutions[0] if convolutions and known else ""
    if first not in weight_match.unmatched_theirs:
        return
    mine, other = own[stem].shape, theirs[first].shape
    if mine[1] != other[1] and (mine[0], mine[2:]) == (other[0], other[2:]):
        raise UserError(
            f"weights: {first} takes {other[1]} input channels, {stem} of this network takes {mine[1]} (RGB); need "
            "weights for images of as many channels"
        )


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _match(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], chosen: Chosen) -> WeightMatch:
    pairs: list[TensorPair] = []
    replaced: list[TensorPair] = []
    for name in (name for name in own if name in chosen):
        old, how = chosen[name]
        fits = layer_pairs.squeeze_shape(theirs[old]) == layer_pairs.squeeze_shape(own[name])
        (pairs if fits else replaced).append(TensorPair(name, old, how, tuple(own[name].shape)))
    kept = {pair.own for pair in replaced}
    unmatched = tuple(name for name in own if name not in chosen and not name.endswith(COUNTER))
    used = {old for old, _ in chosen.values()}
    unused = tuple(name for name in theirs if name not in used and not name.endswith(COUNTER))
    taken, needed = (
        sum(own[name].numel() for name in names if name not in kept and not name.endswith(COUNTER))
        for names in (chosen, own)
    )
    return WeightMatch(tuple(pairs), tuple(replaced), unmatched, unused, taken / max(1, needed))


def match_table(weight_match: WeightMatch) -> str:
    """The match tensor by tensor, as text: how, shape, own name, their name; what is left over below."""
    lines = [(pair.how, pair) for pair in weight_match.pairs] + [("replaced", pair) for pair in weight_match.replaced]
    rows = [(how, "x".join(map(str, pair.shape)) or "1", pair.own, pair.theirs) for how, pair in lines]
    rows += [("unmatched", "", name, "-") for name in weight_match.unmatched_own]
    rows += [("unused", "", "-", name) for name in weight_match.unmatched_theirs]
    head = ("how", "shape", "here", "there")
    return f"{align_columns([head, *rows], left=len(head))}\n{match_summary(weight_match)}"


def match_summary(weight_match: WeightMatch) -> str:
    """The match in one line."""
    ways = [f"{sum(pair.how == how for pair in weight_match.pairs)} by {how}" for how in ("name", "map", "order")]
    counts = ", ".join(way for way in ways if not way.startswith("0 ")) or "none"
    kept = (
        f"; classifier of another class count stays as drawn: {len(weight_match.replaced)}"
        if weight_match.replaced
        else ""
    )
    left = f"; unmatched: {len(weight_match.unmatched_own)} here, {len(weight_match.unmatched_theirs)} there"
    taken = f"{len(weight_match.pairs)} tensors taken over ({counts}), {weight_match.fraction:.1%} of the parameters"
    return f"{taken}{kept}{left}"
