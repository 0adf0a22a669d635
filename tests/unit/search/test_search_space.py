"""Search spaces: what is open, its names, and what is refused."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leansort.core.errors import UserError
from leansort.core.seeds import Seeds
from leansort.search.spaces import samplers
from leansort.search.spaces.space import (
    Choice,
    Numbers,
    covers,
    draw_candidate,
    merge_parameters,
    parameters,
    require_known,
)
from leansort.search.spaces.space_parser import parse_space

SPACE: dict[str, Any] = {
    "train.lr": {"float": ["1e-4", 1.0e-2], "log": True},
    "train.batch": {"choice": [16, 32]},
    "arch": {
        "choice": {
            "zoo": {"base": {"choice": ["mnasnet", "tiny_s"]}},
            "rows": {
                "model": {"backbone": [[{"int": [1, 3]}, "Conv", [{"int": [16, 64], "step": 16}, 3]], [1, "Pass", []]]}
            },
        }
    },
}


def random_ask(rng: random.Random) -> Any:
    def ask(name: str, domain: Numbers | Choice) -> Any:
        if isinstance(domain, Choice):
            return rng.choice(list(domain.options))
        if domain.step:
            return domain.low + domain.step * rng.randrange(round((domain.high - domain.low) / domain.step) + 1)
        return rng.uniform(domain.low, domain.high)

    return ask


def test_names_are_places_and_only_what_was_taken_is_asked_for() -> None:
    node = parse_space(SPACE)
    assert list(parameters(node)) == [
        "train.lr", "train.batch", "arch", "arch=zoo.base", "arch=rows.model.backbone[0][0]",
        "arch=rows.model.backbone[0][2][0]",
    ]  # fmt: skip
    asked: list[str] = []

    def ask(name: str, domain: Numbers | Choice) -> Any:
        asked.append(name)
        return {"arch": "rows", "train.batch": 32}.get(name, getattr(domain, "low", None))

    candidate: dict[str, Any] = draw_candidate(node, ask)
    assert "arch=zoo.base" not in asked
    assert candidate["arch"] == {"model": {"backbone": [[1, "Conv", [16, 3]], [1, "Pass", []]]}}
    recipe: dict[str, Any] = merge_parameters({"train": {"lr": 1.0, "epochs": 3}, "arch": {"dropout": 0.1}}, candidate)
    assert recipe["train"] == {"lr": 1.0e-4, "epochs": 3, "batch": 32}
    assert recipe["arch"]["dropout"] == 0.1


@given(st.integers(0, 10**6))
def test_every_draw_is_of_known_parameters(seed: int) -> None:
    node, rng, taken = parse_space(SPACE), random.Random(seed), dict[str, Any]()
    ask = random_ask(rng)

    def noting(name: str, domain: Numbers | Choice) -> Any:
        taken[name] = ask(name, domain)
        return taken[name]

    draw_candidate(node, noting)
    assert set(taken) <= set(parameters(node))
    require_known(taken, parameters(node), "drawn")  # raises where a value is none of its parameter's


# Any tree of YAML is a space, or is refused in one line.
LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text(max_size=3)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["int", "float", "choice", "step", "log", "a", "b"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(TREES)
def test_any_tree_is_a_space_or_refused(tree: Any) -> None:
    try:
        node = parse_space({"key": tree})
    except UserError:
        return
    taken: dict[str, Any] = {}
    ask = random_ask(random.Random(0))
    draw_candidate(node, lambda name, domain: taken.setdefault(name, ask(name, domain)))
    assert set(taken) <= set(parameters(node))
    require_known(taken, parameters(node), "drawn")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"float": [1, 0]}, "need low < high"),
        ({"float": [0, 1], "log": True}, "low over 0 where log is true"),
        ({"int": [1, 2.5]}, "int: got"),
        ({"int": [1]}, "int: got"),
        ({"float": [0, float("inf")]}, "float: got"),
        ({"choice": []}, "a list of different plain values"),
        ({"choice": [1, 1]}, "a list of different plain values"),
        ({"choice": [1, True]}, "a list of different plain values"),
        ({"choice": {True: 1, "b": 2}}, "label True is no text; write it in quotes"),
        ({"int": [1, 10**400]}, "int: got"),
        ({"float": [0, 1], "step": 1e-320}, "more than 1,000,000,000 steps"),
        ({"choice": [{"a": 1}]}, "a mapping from labels"),
        ({"choice": [1, 2], "step": 1}, "step does not go with choice"),
        ({"float": [1, 2], "step": 0.5, "log": True}, "step does not go with log"),
        ({"int": "12"}, "int: got '12'"),
        (3, "nothing is open"),
    ],
)
def test_a_mistake_is_named(value: Any, text: str) -> None:
    with pytest.raises(UserError, match=text.replace("(", r"\(")):
        parse_space({"train.lr": value})


@pytest.mark.parametrize("tree", [{"int": [1, 3]}, {"choice": [1, 2]}, {"choice": {"a": {"train.lr": 1.0}, "b": 3}}])
def test_a_space_without_recipe_keys_is_refused(tree: Any) -> None:
    with pytest.raises(UserError, match=r"space: need recipe keys with open values, e\.g\. train\.lr"):
        parse_space(tree)
    assert parse_space({"choice": {"a": {"train.lr": 1.0}, "b": {"train.lr": 2.0}}})


def test_unknown_start_points_are_named() -> None:
    known = parameters(parse_space(SPACE))
    with pytest.raises(UserError) as raised:
        require_known({"train.bach": 16, "train.batch": 24}, known, "start.1")
    assert "'train.bach' is no parameter of the space; did you mean 'train.batch'?" in str(raised.value)
    assert "train.batch: got 24, allowed: 16, 32" in str(raised.value)


def test_a_grid_is_every_combination_once() -> None:
    space: dict[str, Any] = {
        "a": {"choice": {"x": {"b": {"int": [1, 3]}}, "y": 1}},
        "c": {"float": [0, 1], "step": 0.5},
    }
    result = samplers.grid(parse_space(space), Seeds(1))
    assert len(result) == len({tuple(sorted(map(str, point.items()))) for point in result}) == (3 + 1) * 3
    assert all(("a=x.b" in point) == (point["a"] == "x") for point in result)
    with pytest.raises(UserError, match="a is open without steps"):
        samplers.grid(parse_space({"a": {"float": [0, 1]}}), Seeds(1))
    with pytest.raises(UserError, match="more than 10,000"):
        samplers.grid(parse_space({"a": {"int": [1, 200]}, "b": {"int": [1, 200]}}), Seeds(1))


def test_steps_are_counted_in_decimals() -> None:
    """In binary fractions two tenths from 0.7 end a hair below 0.9."""
    (domain,) = parameters(parse_space({"x": {"float": [0.7, 0.9], "step": 0.1}})).values()
    assert isinstance(domain, Numbers)
    assert domain.high == 0.9
    assert domain.holds(0.9)
    points = samplers.grid(parse_space({"x": {"float": [0.7, 0.9], "step": 0.1}}), Seeds(0))
    assert sorted(point["x"] for point in points) == [0.7, 0.8, 0.9]  # type: ignore[type-var]


def test_every_label_occurs_in_what_covers_a_space() -> None:
    tree: dict[str, Any] = {
        "a": {"choice": {"x": {"deep": {"choice": [1, 2, 3]}}, "y": {"deep": {"choice": [4, 5, 6, 7]}}}},
        "b": {"choice": ["p", "q"]}, "n": {"int": [2, 5]},
    }  # fmt: skip
    trees: list[dict[str, Any]] = list(covers(parse_space(tree)))
    assert {item["a"]["deep"] for item in trees} == {1, 2, 3, 4, 5, 6, 7}
    assert {item["b"] for item in trees} == {"p", "q"}
    assert {item["n"] for item in trees} == {2}
    assert list(covers(parse_space({"n": {"float": [0.5, 1.0]}}))) == [{"n": 0.5}]
