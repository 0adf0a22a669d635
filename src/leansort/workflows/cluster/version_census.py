"""Which version of leansort each machine of a cluster has, asked before any of them is given work.

What is sent to be run is a function of Python's own, so that a machine without leansort, or with one that knows
nothing of clusters, can answer too. A machine that joins later is refused by its own worker.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterator

from leansort.core.errors import MachineError, one_line
from leansort.workflows.cluster.ray_worker import refusal

ANSWER_S = 120.0


def refuse_other_versions(need: str) -> None:
    """Ask every machine of the cluster that this process is connected to.

    Args:
        need: version of leansort that all must have.

    Raises:
        MachineError: one has another version or none, told by the machine's name, or does not answer.
    """
    if refused := [reason for host, version in _versions() if (reason := refusal(host, version, need))]:
        raise MachineError(f"--ray: {'; '.join(refused)}")


def _versions() -> Iterator[tuple[str, str]]:
    """Machines with their versions; empty where there is no leansort."""
    ray = importlib.import_module("ray")
    affinity = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    ask = ray.remote(importlib.metadata.version)
    asked = []
    for node in ray.nodes():
        if node["Alive"]:
            there = ask.options(num_cpus=0, scheduling_strategy=affinity(node["NodeID"], soft=False))
            asked.append((str(node["NodeManagerHostname"]), there.remote("leansort")))
    for host, answer in asked:
        try:
            yield host, str(ray.get(answer, timeout=ANSWER_S))
        except importlib.metadata.PackageNotFoundError:
            yield host, ""
        except Exception as error:  # of Ray's own kinds
            reason = one_line(error) or type(error).__name__
            raise MachineError(f"--ray: worker {host} does not say which leansort it has ({reason})") from None
