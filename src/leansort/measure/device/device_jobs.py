"""What a device is asked to do and what it answers, as JSON that both sides check."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from leansort.core.files.typed_result import JsonObject, TypedResult
from leansort.core.strict_model import StrictModel

PROTOCOL = 1
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
JobId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
Calls = Annotated[int, Field(ge=1, le=1_000_000)]
MOST_FILES = 1000


class BundleOnDevice(StrictModel):
    """A bundle that was sent.

    Attributes:
        file: SHA-256 of the bundle's file.
        engine: with its settings, as `--engine` takes it; empty: what suits its format.
    """

    file: Sha256
    engine: str = ""


class LatencyJob(StrictModel):
    """Call times of bundles, in turns, one image a call.

    Attributes:
        bundles: by the names that the times get.
        photos: files of encoded photos; where there are some, decode to label is timed, too.
        threads: compute threads of the engine.
        seconds: least time that each call gets.
        least: fewest calls of each.
    """

    KIND: ClassVar[str] = "latency"

    bundles: dict[Name, BundleOnDevice] = Field(min_length=1, max_length=MOST_FILES)
    photos: tuple[Sha256, ...] = Field(default=(), max_length=MOST_FILES)
    threads: int = Field(default=1, ge=1, le=256)
    seconds: Seconds = 1.0
    least: Calls = 100


class LatencyTimes(TypedResult):
    """What a `LatencyJob` gives.

    Attributes:
        model: seconds of each call of the model alone, by name.
        label: seconds from encoded photo to label, by name; empty without photos.
        warning: where other work kept the device busy, else empty.
        host: the device, as `core.provenance.host` names it.
    """

    model: dict[str, tuple[float, ...]]
    label: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    warning: str = ""
    host: JsonObject = Field(default_factory=dict)


class OutputsJob(StrictModel):
    """Logits of a bundle for crops, computed on the device.

    Attributes:
        bundle: what runs.
        crops: file of a NumPy array, uint8 (n, size, size, 3), RGB, without pickled objects.
        threads: compute threads of the engine.
    """

    KIND: ClassVar[str] = "outputs"

    bundle: BundleOnDevice
    crops: Sha256
    threads: int = Field(default=1, ge=1, le=256)


class Outputs(TypedResult):
    """What an `OutputsJob` gives.

    Attributes:
        logits: one row a crop, one number a class.
        host: the device.
    """

    logits: tuple[tuple[float, ...], ...]
    host: JsonObject = Field(default_factory=dict)


class BenchJob(StrictModel):
    """A whole `leansort bench` on the device.

    Attributes:
        bundles: files by the names that the figures get.
        photos: files of encoded photos by their names.
        baseline: name of the bundle that the others are compared with.
        engine: as `--engine` takes it.
        threads: compute threads of the engine.
        seconds: least time for each figure.
        queries: fewest calls for each latency.
        starts: how often a whole program is started.
        profile: also time every layer.
        soak: seconds of a soak of each bundle; 0: none.
        limits: also measure how fast each stage could be at best.
    """

    KIND: ClassVar[str] = "bench"

    bundles: dict[Name, Sha256] = Field(min_length=1, max_length=MOST_FILES)
    photos: dict[Name, Sha256] = Field(min_length=1, max_length=MOST_FILES)
    baseline: str = ""
    engine: str = ""
    threads: int = Field(default=1, ge=1, le=256)
    seconds: Seconds = 3.0
    queries: Calls = 1000
    starts: int = Field(default=5, ge=0, le=1000)
    profile: bool = False
    soak: float = Field(default=0, ge=0, le=24 * 3600)
    limits: bool = False


class DeviceStatus(TypedResult):
    """What an agent says of itself.

    Attributes:
        protocol: of the messages.
        leansort: its version.
        versions: of the libraries that decide results.
        host: the device.
        engines: installed engines by bundle format, the one that suits it first.
        waiting: jobs that wait or run.
        limit_s: seconds that a job may take.
        most_mb: of one file.
    """

    protocol: int
    leansort: str
    versions: dict[str, str]
    host: JsonObject
    engines: dict[str, tuple[str, ...]]
    waiting: int
    limit_s: float
    most_mb: float


class JobState(TypedResult):
    """Where a job stands.

    Attributes:
        state: queued, running, done or failed.
        before: jobs before it, of a queued one.
        result: what a done one gave.
        error: what ended a failed one, in a line.
        exit_code: 2 where the request is at fault, 1 where the device is; 0 unless it failed.
    """

    state: Literal["queued", "running", "done", "failed"]
    before: int = 0
    result: JsonObject = Field(default_factory=dict)
    error: str = ""
    exit_code: int = 0


class JobRequest(StrictModel):
    """A job as it is sent.

    Attributes:
        kind: `latency`, `outputs` or `bench`.
        job: its settings, which the kind's class checks.
    """

    kind: Literal["latency", "outputs", "bench"]
    job: JsonObject
