"""The examples in the docstrings of the public functions, run as they stand, one folder for all.

That of `run` comes first: what it leaves in `runs/first` is what the others name. `runs/second` is another bundle of
the same network.
"""

from __future__ import annotations

import doctest
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from leansort import api
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle

pytestmark = pytest.mark.xdist_group("examples")  # they rest on one another
LONG = ("compress", "leave_out", "solve", "tune", "tune_best")  # train several networks
RESTS_ON = {"tune_best": ("tune",)}  # a study is there before its best candidate is trained
OTHERS = [name for name in api.__all__ if name != "run"]


@dataclass(frozen=True)
class Outcome:
    """Of a docstring's examples."""

    tried: int
    failures: str


def outcome_of(function: Callable[..., object]) -> Outcome:
    tests = doctest.DocTestFinder(recurse=False).find(function, function.__name__, globs={})
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    report: list[str] = []
    for test in tests:
        runner.run(test, out=report.append)
    return Outcome(runner.tries, "".join(report))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="module")
def whole_run(folder: Path) -> Outcome:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        outcome = outcome_of(api.run)
    if not outcome.failures:
        bundle = bundles.load(folder / "runs" / "first" / "model.leansort")
        second = Bundle(bundle.meta.model_copy(update={"name": "second", "temperature": 2.0}), bundle.files)
        second.save(folder / "runs" / "second" / "model.leansort")
    return outcome


def test_the_example_of_a_whole_run(whole_run: Outcome) -> None:
    assert whole_run.tried > 3
    assert not whole_run.failures, whole_run.failures


@pytest.fixture(scope="module")
def outcomes(whole_run: Outcome, folder: Path) -> Callable[[str], Outcome]:
    """The outcome of a function's examples, behind those that they rest on; each runs once."""
    known: dict[str, Outcome] = {"run": whole_run}

    def outcome(name: str) -> Outcome:
        if name not in known:
            for before in RESTS_ON.get(name, ()):
                outcome(before)
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(folder)
                known[name] = outcome_of(getattr(api, name))
        return known[name]

    return outcome


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in OTHERS])
def test_the_examples_run(name: str, outcomes: Callable[[str], Outcome]) -> None:
    outcome = outcomes(name)
    assert outcome.tried > 1
    assert not outcome.failures, outcome.failures
