"""The examples in the docstrings of the public functions, run as they stand in a folder that has what they name."""

from __future__ import annotations

import doctest
from collections.abc import Callable

import pytest

from leansort import api
from tests.support.tiny_project import TinyProject, make_tiny_project

FUNCTIONS = [getattr(api, name) for name in api.__all__]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    return make_tiny_project(tmp_path_factory.mktemp("examples"))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_the_examples_run(
    function: Callable[..., object], project: TinyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    tests = doctest.DocTestFinder(recurse=False).find(function, function.__name__, globs={})
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report: list[str] = []
    for test in tests:
        runner.run(test, out=report.append)
    assert runner.tries > 1
    assert not runner.failures, "".join(report)
