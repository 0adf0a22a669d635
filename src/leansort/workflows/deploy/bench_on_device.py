"""`leansort bench --device`: the whole bench, done by an agent on the device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leansort.core import bundle as bundles
from leansort.core.errors import UserError
from leansort.core.writing import atomic_io
from leansort.measure.device.device_client import DeviceClient
from leansort.measure.device.device_jobs import BenchJob
from leansort.workflows.deploy.bench import MOST_PICTURES, BenchResult, BenchSettings, name_bundles


def bench_on_device(device: str, paths: Sequence[Path], photos: Sequence[Path], config: BenchSettings) -> BenchResult:
    """Have a device time bundles.

    Args:
        device: address of its agent.
        paths: the bundle files, the baseline among them or not.
        photos: to decode; at most `bench.MOST_PICTURES` of them are sent, taken evenly.
        config: how.

    Raises:
        UserError: there is no bundle or photo, or the device refuses the job.
        LeansortError: the job failed there.
        MachineError: the device does not answer.
    """
    named = name_bundles(paths, config.baseline)
    if not named or not photos:
        raise UserError("bench: needs at least one bundle and one picture")
    files = {name: bundles.load(path).to_bytes() for name, path in named.items()}
    sent = _photos(photos)
    job = BenchJob(
        bundles={name: atomic_io.sha256(data) for name, data in files.items()},
        photos={name: atomic_io.sha256(data) for name, data in sent.items()},
        baseline=next((name for name, path in named.items() if path == config.baseline), ""),
        engine=config.engine, threads=config.threads, seconds=config.seconds, queries=config.queries,
        starts=config.starts, profile=config.profile, soak=config.soak, limits=config.limits,
    )  # fmt: skip
    with DeviceClient(device) as client:
        client.status()
        return client.run(job, BenchResult, [*files.values(), *sent.values()])


def _photos(photos: Sequence[Path]) -> dict[str, bytes]:
    """Contents of some photos by their numbers; equal ones once."""
    count = min(MOST_PICTURES, len(photos))
    chosen = [photos[at * len(photos) // count] for at in range(count)]
    try:
        return {str(at): atomic_io.read_file(path) for at, path in enumerate(chosen)}
    except OSError as error:
        raise UserError(f"bench: cannot read {error.filename} ({error.strerror or error})") from None
