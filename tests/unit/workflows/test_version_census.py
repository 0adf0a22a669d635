"""Machines of a cluster that have another leansort are refused by name; Ray itself is not needed."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from leansort.core.errors import MachineError
from leansort.workflows.cluster.version_census import refuse_other_versions


def machines(monkeypatch: pytest.MonkeyPatch, answers: dict[str, str | Exception]) -> None:
    """A cluster whose machines give these answers, and one that is no longer alive."""

    def get(answer: str | Exception, timeout: float) -> str:
        if isinstance(answer, Exception):
            raise answer
        return answer

    def remote(function: Callable[..., str]) -> Any:
        assert function is importlib.metadata.version  # of Python's own, which machines without leansort have too
        return SimpleNamespace(
            options=lambda num_cpus, scheduling_strategy: SimpleNamespace(
                remote=lambda name: answers[scheduling_strategy]
            )
        )

    nodes = [{"NodeManagerHostname": f"host-{name}", "NodeID": name, "Alive": True} for name in answers]
    gone = {"NodeManagerHostname": "gone", "NodeID": "gone", "Alive": False}
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(nodes=lambda: [*nodes, gone], remote=remote, get=get))
    strategies = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: node)
    monkeypatch.setitem(sys.modules, "ray.util.scheduling_strategies", strategies)


def test_machines_of_the_same_version_work(monkeypatch: pytest.MonkeyPatch) -> None:
    machines(monkeypatch, {"a": "1.2", "b": "1.2"})
    refuse_other_versions("1.2")


def test_all_that_have_another_version_or_none_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    machines(monkeypatch, {"a": "1.2", "b": "1.1", "c": importlib.metadata.PackageNotFoundError()})
    with pytest.raises(MachineError) as caught:
        refuse_other_versions("1.2")
    first, second = str(caught.value).split("; ")
    assert first == "--ray: worker host-b has leansort 1.1, need 1.2: pip install 'leansort[ray]==1.2'"
    assert second.startswith("worker host-c has no leansort, need 1.2")


def test_a_machine_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    machines(monkeypatch, {"a": TimeoutError("Get timed out")})
    with pytest.raises(MachineError, match=r"worker host-a does not say which leansort it has \(Get timed out\)"):
        refuse_other_versions("1.2")
