"""Every type of result: a frozen type that JSON gives back as it was, and that shows itself."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel, JsonValue, ValidationError
from typing_extensions import TypeAliasType

import leansort
from leansort.arch.pretrained.weight_pack import PackFile, find_pack
from leansort.contest.score_bootstrap import Choice
from leansort.contest.score_result import ListScore, ScoreResult
from leansort.core.errors import IntegrityError, MissingExtraError
from leansort.core.files.typed_result import TypedResult
from leansort.core.preprocess import Preprocess
from leansort.measure.accuracy.metrics import ClassScore, DescribedCoverage, Interval
from leansort.search.search_config import SearchConfig
from tests.support.study_worker import config_of


def _subclasses(kind: type[TypedResult]) -> Iterator[type[TypedResult]]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


def _all_results() -> list[type[TypedResult]]:
    """Every result of the package: all of its modules are imported first."""
    for module in pkgutil.walk_packages(leansort.__path__, "leansort."):
        if not module.name.endswith("__main__") and ".cold_start_" not in module.name:
            try:
                importlib.import_module(module.name)
            except (ImportError, MissingExtraError):  # a tracker or an engine whose library is not installed
                continue
    found = {kind for kind in _subclasses(TypedResult) if kind.__module__.startswith("leansort.")}
    return sorted(found, key=lambda kind: kind.__name__)


RESULTS = _all_results()
PERCENTILES = {"p50": 1.0, "p90": 2.0, "p99": 3.0}
SCORED = ListScore(
    2, Interval(0.5, 0.25, 0.75), DescribedCoverage(("a",), (), "over 1 classes"), 0.5, 0.5,
    (ClassScore("a", 0.5, 0.5, 0.5, 2),), ((2,),),
)  # fmt: skip
EXAMPLES: dict[object, object] = {
    str: "a <b>", int: 3, float: 0.25, bool: True, Path: Path("runs/a"), NoneType: None, ListScore: SCORED,
    SearchConfig: config_of("s", trials=3), Preprocess: Preprocess(),
    PackFile: find_pack("pack:efficientnet_lite0").facts,
    Choice: Choice("time", 0, 0.5, 0.25, 1.0),  # of one that there is
    object: "plain", Any: 1.5,
}  # fmt: skip


def example(kind: Any) -> Any:
    """A value of a type: of unions the first part, of containers one item."""
    if kind in EXAMPLES:
        return EXAMPLES[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if isinstance(kind, TypeAliasType) or kind is JsonValue:
        return {"name": ["a", 1, None]}
    if origin is Annotated:
        return example(arguments[0])
    if origin is Literal:
        return arguments[0]
    if origin in (Union, UnionType):
        return example(arguments[0])
    if origin is tuple:
        return (example(arguments[0]),) if arguments[-1] is Ellipsis else tuple(map(example, arguments))
    if origin is list or (isinstance(origin, type) and not issubclass(origin, Mapping | dict)):
        return [example(arguments[0])]
    if origin is not None:
        key = "all" if arguments[1] is ListScore else "name" if arguments[0] is str else example(arguments[0])
        return {key: example(arguments[1])}
    return filled(kind)


def filled(kind: Any) -> Any:
    """An object of a dataclass or model whose fields are all filled in."""
    hints = get_type_hints(kind, include_extras=True)
    if is_dataclass(kind) and isinstance(kind, type):
        return kind(**{field.name: example(hints[field.name]) for field in fields(kind) if field.init})
    assert issubclass(kind, BaseModel), kind
    given = {name: example(hints[name]) for name in kind.model_fields}
    return kind(**{**given, **({"percentiles": PERCENTILES} if "percentiles" in given else {})})


def test_there_are_results_of_every_command() -> None:
    names = {kind.__name__ for kind in RESULTS}
    assert names >= {
        "RunResult", "ScoreResult", "SubmitResult", "BenchResult", "ExportResult", "CardResult", "PredictResult",
        "ComparisonResult", "ImportRecord", "SurveyResult", "SplitResult", "CheckResult", "CacheResult", "SampleResult",
        "DownloadResult", "MultipleComparisonResult", "BackbonesResult", "ArchitectureResult",
    }  # fmt: skip


@pytest.mark.parametrize("kind", RESULTS, ids=lambda kind: kind.__name__)
def test_a_result_comes_back_from_json_as_it_was(kind: type[TypedResult]) -> None:
    result = filled(kind)
    tree = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert tree["version"] == kind.VERSION
    again = kind.from_json(tree, "x")
    assert again.to_json() == tree
    assert type(again) is kind
    with pytest.raises(IntegrityError, match=f"x: version: got '{kind.VERSION + 1}'"):
        kind.from_json({**tree, "version": kind.VERSION + 1}, "x")


@pytest.mark.parametrize("kind", RESULTS, ids=lambda kind: kind.__name__)
def test_a_result_is_frozen_and_shows_itself(kind: type[TypedResult]) -> None:
    result = filled(kind)
    name = next(iter(kind.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(result, name, getattr(result, name))
    shown = result._repr_html_()
    assert shown.startswith("<table")
    assert "<b>" not in shown.replace("<bdi>", "")
    assert kind.__doc__
    assert kind.__doc__ != TypedResult.__doc__


def test_a_score_without_the_list_of_all_is_refused() -> None:
    with pytest.raises(IntegrityError, match="'all' is missing"):
        ScoreResult.from_json({"split": "val", "lists": {}, "contest": [], "faults": []}, "x")
