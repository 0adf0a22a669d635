"""The file that tells what decisions cost: YAML, or JSON, which is read without PyYAML.

costs:                       # true class -> bin -> cost; what is not named costs 1, and the right bin 0
  glass: {paper: 10, cardboard: 10}
reject: 0.3                  # or a cost for every true class
unknown: {share: 0.1, taken_for_known: 0.4, cost: 5}
accept_from: {trash: 0.9}    # least probability with which a bin is accepted, whatever the costs say
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
from pydantic import Field, ValidationError

from leansort.core.bundle import BundleMeta
from leansort.core.errors import UserError
from leansort.core.labels import LabelSet, normalize_name
from leansort.core.locations.location import location
from leansort.core.strict_model import StrictModel
from leansort.core.text.text_files import read_json
from leansort.core.text.yaml_config import read_yaml, validation_faults
from leansort.runtime.decisions.costs import DecisionCosts, Floats, UnknownThings

MOST = 1e9
WRONG = 1.0  # what a wrong bin costs that is not named
Cost = Annotated[float, Field(ge=0.0, le=MOST, strict=True)]
Probability = Annotated[float, Field(ge=0.0, le=1.0, strict=True)]
ByClass = dict[str, Cost]
_EXAMPLE = "costs, reject, unknown"
_NUMBER, _MAPPING = ".constrained-float", ".dict[str,constrained-float]"  # how pydantic names the kinds of a cost
T = TypeVar("T")
CostTree = Mapping[str, object]


class UnknownCosts(StrictModel):
    """What unknown things cost, and how many there are.

    Attributes:
        share: fraction of unknown things among all that the robot sees.
        taken_for_known: fraction of unknown things that the bundle takes for known, as `score --unknown` tells it.
        cost: of putting one into a bin: a number, or one for every bin.
        reject: of rejecting one.
    """

    share: float = Field(gt=0.0, lt=1.0)
    taken_for_known: float = Field(gt=0.0, le=1.0)
    cost: Cost | ByClass = WRONG
    reject: Cost = 0.0


class CostSettings(StrictModel):
    """The content of a file of costs.

    Attributes:
        costs: by true class and bin; a bin that is not named costs 1, and the right one 0.
        reject: of rejecting: a number, or one for every true class.
        unknown: things of none of the classes; None where the costs tell nothing of them.
        accept_from: by bin, the least probability with which it is accepted.
    """

    costs: dict[str, ByClass] = Field(default_factory=dict)
    reject: Cost | ByClass
    unknown: UnknownCosts | None = None
    accept_from: dict[str, Probability] = Field(default_factory=dict)


def load_costs(source: str | Path | CostTree, meta: BundleMeta) -> DecisionCosts:
    """Read what decisions cost.

    Args:
        source: a YAML or JSON file, or its content.
        meta: of the bundle that decides.

    Raises:
        UserError: the file cannot be read, a class is unknown or missing, or a cost is negative or not finite.
        MissingExtraError: it is YAML and PyYAML is not installed.
    """
    if isinstance(source, Mapping):
        return decision_costs(source, meta, "costs")
    path = location(source)
    if path.suffix.lower() != ".json":
        return decision_costs(read_yaml(path, "costs", _EXAMPLE), meta, f"costs: {path}")
    tree = read_json(path, "costs")
    if not isinstance(tree, dict):
        raise UserError(f"costs: {path} holds {type(tree).__name__}, need keys such as {_EXAMPLE}")
    return decision_costs(tree, meta, f"costs: {path}")


def decision_costs(tree: CostTree, meta: BundleMeta, where: str) -> DecisionCosts:
    """Check the content of a file of costs against a bundle; see `load_costs`. `where` names it in errors."""
    labels = LabelSet(meta.labels)
    given = _settings(tree, labels, where)
    table_cd = np.full((len(labels), len(labels) + 1), WRONG)
    np.fill_diagonal(table_cd, 0.0)
    for name, row in _by_index(given.costs, labels, f"{where}: costs").items():
        for column, cost in _by_index(row, labels, f"{where}: costs of {labels.names[name]}").items():
            table_cd[name, column] = cost
    table_cd[:, -1] = _each(given.reject, labels, f"{where}: reject")
    accept_c = np.zeros(len(labels))
    for column, least in _by_index(given.accept_from, labels, f"{where}: accept_from").items():
        accept_c[column] = least
    rejects = bool(meta.novelty and meta.novelty.reject)
    return DecisionCosts(labels.names, table_cd, accept_c, _unknown(given.unknown, labels, meta, where), rejects)


def _settings(tree: CostTree, labels: LabelSet, where: str) -> CostSettings:
    try:
        return CostSettings.model_validate(tree)
    except ValidationError as error:
        faults = _readable(validation_faults(error, CostSettings, kind="costs"))
        stray = [str(key) for key in tree if normalize_name(str(key)) in labels.names]
        hint = f"; classes ({', '.join(stray)}) belong under costs" if stray else ""
        raise UserError(f"{where}: {'; '.join(faults)}{hint}") from None


def _readable(faults: Iterable[str]) -> Iterator[str]:
    """Faults without the two kinds that a cost may have, and without those of the kind that was not meant."""
    for fault in faults:
        place, _, rest = fault.partition(": ")
        if (place.endswith(_NUMBER) and rest.startswith("got {")) or place.endswith(_MAPPING):
            continue
        yield f"{place.replace(_NUMBER, '').replace(_MAPPING, '')}: {rest}"


def _unknown(given: UnknownCosts | None, labels: LabelSet, meta: BundleMeta, where: str) -> UnknownThings | None:
    if given is None:
        return None
    if meta.novelty is None:
        raise UserError(f"{where}: unknown: the bundle does not tell what is unknown; export it anew")
    costs_d = np.append(_each(given.cost, labels, f"{where}: unknown.cost"), given.reject)
    return UnknownThings(costs_d, given.share, given.taken_for_known, meta.novelty.recall)


def _each(given: float | Mapping[str, float], labels: LabelSet, where: str) -> Floats:
    """A cost for every class."""
    if not isinstance(given, Mapping):
        return np.full(len(labels), float(given))
    found = _by_index(given, labels, where)
    missing = [name for at, name in enumerate(labels.names) if at not in found]
    if missing:
        raise UserError(
            f"{where}: {', '.join(missing)} missing; give a number, or one for each of {len(labels)} classes"
        )
    return np.array([found[at] for at in range(len(labels))], np.float64)


def _by_index(given: Mapping[str, T], labels: LabelSet, where: str) -> dict[int, T]:
    found: dict[int, T] = {}
    for name, value in given.items():
        at = labels.index(name, where)
        if at in found:
            raise UserError(f"{where}: {labels.names[at]!r} is given twice")
        found[at] = value
    return found
