"""Latencies and logits of bundles on a device: what compression, search and export ask of it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np

from leansort.core.bundle import Bundle
from leansort.core.process.console import say
from leansort.core.writing import atomic_io
from leansort.measure.device.device_client import DeviceClient
from leansort.measure.device.device_jobs import (
    BundleOnDevice,
    DeviceStatus,
    LatencyJob,
    LatencyTimes,
    Outputs,
    OutputsJob,
)
from leansort.runtime.engine import Logits, Pixels, parse_engine

Pair = tuple[Bundle, str]


def device_status(device: str) -> DeviceStatus:
    """Ask an agent what it is; see `DeviceClient.status`."""
    with DeviceClient(device) as client:
        return client.status()


def engine_on_device(bundle: Bundle, wanted: str, status: DeviceStatus) -> str:
    """The wanted engine, with its settings, where the device has it for the bundle's format, else what suits it there.

    That another one is taken than the wanted is said.

    Returns:
        The engine; empty where the device has none for this format, so that the device says so in its own words.
    """
    there = status.engines.get(bundle.graph_format, ())
    if parse_engine(wanted)[0] in there:
        return wanted
    taken = there[0] if there else ""
    if wanted:
        say(f"device: it has no {wanted} for format {bundle.graph_format}; timed by {taken or 'nothing that it has'}")
    return taken


def time_on_device(
    device: str,
    bundles: Mapping[str, Pair],
    *,
    threads: int,
    seconds: float,
    least: int,
    photos: Sequence[bytes] = (),
) -> LatencyTimes:
    """Time bundles on a device in turns, one image a call.

    Args:
        device: address of its agent.
        bundles: bundles with their engines, by name.
        threads: compute threads.
        seconds: least time of each.
        least: fewest calls of each.
        photos: encoded ones, for decode to label; none times the model alone.

    Raises:
        LeansortError: as `DeviceClient.run`.
    """
    files = {name: bundle.to_bytes() for name, (bundle, _) in bundles.items()}
    job = LatencyJob(
        bundles={
            name: BundleOnDevice(file=atomic_io.sha256(files[name]), engine=engine)
            for name, (_, engine) in bundles.items()
        },
        photos=tuple(atomic_io.sha256(photo) for photo in photos),
        threads=threads, seconds=seconds, least=least,
    )  # fmt: skip
    with DeviceClient(device) as client:
        client.status()
        times = client.run(job, LatencyTimes, [*files.values(), *photos])
    if times.warning:
        say(f"device {device}: {times.warning}")
    return times


def logits_on_device(device: str, bundle: Bundle, engine: str, pixels: Pixels, threads: int = 1) -> Logits:
    """Run a bundle on crops, on a device.

    Args:
        device: address of its agent.
        bundle: what runs.
        engine: that runs it there; empty: what suits its format.
        pixels: uint8 (n, size, size, 3).
        threads: compute threads.

    Returns:
        float32 (n, classes).

    Raises:
        LeansortError: as `DeviceClient.run`.
    """
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(pixels), allow_pickle=False)
    files = [bundle.to_bytes(), buffer.getvalue()]
    job = OutputsJob(
        bundle=BundleOnDevice(file=atomic_io.sha256(files[0]), engine=engine),
        crops=atomic_io.sha256(files[1]), threads=threads,
    )  # fmt: skip
    with DeviceClient(device) as client:
        client.status()
        return np.asarray(client.run(job, Outputs, files).logits, np.float32)
