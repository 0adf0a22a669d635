"""How fast each stage from a photo to its label could be on this machine at best, and what share of that it reaches.

A roofline (Williams et al. 2009) for the whole way. Every limit is measured here: entropy decoding, which is the same
at every scale, by decoding at an eighth, where libjpeg does next to nothing else; pixels by a copy of as many bytes as
a decoded photo has; multiply-adds by a large matrix product through the same engine; a program's start by that of a
bare interpreter. A stage at its limit can only become faster by doing less: fewer bytes, pixels or multiply-adds.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leansort.core.errors import UserError
from leansort.core.pixels.jpeg_structure import SOI
from leansort.core.preprocess import BACKEND, Preprocess, decode
from leansort.measure.timing import cold_start, latency

ENTROPY, PIXELS, NETWORK, WHOLE, START = "entropy decoding", "pixels", "network", "whole", "start-up"
PHOTOS, TRIES = 64, 5
COPIES = 200
EIGHTH = 8


@dataclass(frozen=True, slots=True)
class StageLimit:
    """One stage of the way to a label.

    Attributes:
        stage: `entropy decoding`, `pixels` (inverse transform, colours, resize), `network`, `whole` or `start-up`.
        ms: what it takes, the median; of the network and the whole of a cascade the mean, as photos differ there.
        limit_ms: what it would take at the limit; 0 where that is not known.
        reason: what the limit is, in words.
    """

    stage: str
    ms: float
    limit_ms: float
    reason: str

    @property
    def share(self) -> float:
        """How much of its limit the stage reaches; 1 is as fast as it can be, 0 where the limit is not known."""
        return self.limit_ms / self.ms if self.ms else 0.0


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """What this machine does at best, of photos as they were given.

    Attributes:
        entropy_bytes_per_s: bytes of JPEG decoded a second, each photo at its fastest.
        copy_bytes_per_s: bytes read and written a second, in the fastest copy of a decoded photo.
        start_s: seconds until a bare interpreter prints a line, the fastest; 0 where no start was asked for.
    """

    entropy_bytes_per_s: float
    copy_bytes_per_s: float
    start_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StageTimes:
    """What a bundle takes here, in seconds; see `StageLimit.ms`.

    Attributes:
        decode: from the encoded photo to the network's input.
        network: the graph.
        whole: from the encoded photo to the label.
        network_limit: what its multiply-adds take at the engine's peak; 0 where that is not known.
        network_reason: what that limit is, in words.
        start: of a program until its first label; 0 where it was not measured.
    """

    decode: float
    network: float
    whole: float
    network_limit: float
    network_reason: str
    start: float = 0.0


def jpegs(photos: Sequence[bytes]) -> list[bytes]:
    """Those of the photos that are JPEGs, at most `PHOTOS`, evenly taken.

    Raises:
        UserError: there is none.
    """
    found = [photo for photo in photos if photo[:2] == SOI]
    if not found:
        raise UserError(f"bench --limits: none of {len(photos)} photos is a JPEG, whose decoding the limits are about")
    count = min(PHOTOS, len(found))
    return [found[at * len(found) // count] for at in range(count)]


def machine_limits(photos: Sequence[bytes], *, starts: int) -> MachineLimits:
    """Measure the limits that do not depend on a bundle.

    Args:
        photos: JPEGs.
        starts: how often a bare interpreter is started; 0: not at all.
    """
    command = [sys.executable, "-c", "print('here')"]
    start = float(cold_start.time_cold_start(command, times=starts)[0].min()) if starts else 0.0
    size = int(np.median([decode(photo).nbytes for photo in photos]))
    return MachineLimits(sum(map(len, photos)) / sum(map(_entropy_s, photos)), _copy_rate(size), start)


def stage_limits(
    photos: Sequence[bytes], preprocess: Preprocess, times: StageTimes, machine: MachineLimits
) -> tuple[StageLimit, ...]:
    """Hold each stage of a bundle against its limit.

    Args:
        photos: JPEGs, those of `machine`.
        preprocess: of the bundle.
        times: of the bundle.
        machine: by `machine_limits`.
    """
    taken = latency.time_interleaved({ENTROPY: _cycled(photos)}, seconds=0.3, least=len(photos))
    entropy_s = float(np.median(taken[ENTROPY]))
    coded = float(np.mean([len(photo) for photo in photos]))
    made = float(np.mean([_decoded_bytes(photo, preprocess) for photo in photos])) + 3 * preprocess.size**2
    limits = {
        ENTROPY: coded / machine.entropy_bytes_per_s,
        PIXELS: made / machine.copy_bytes_per_s,
        NETWORK: times.network_limit,
    }
    reasons = {
        ENTROPY: f"{coded / 1e3:.1f} kB at {machine.entropy_bytes_per_s / 1e6:.0f} MB/s, the fastest decoding here",
        PIXELS: f"{made / 1e3:.0f} kB of pixels at {machine.copy_bytes_per_s / 1e9:.1f} GB/s, a copy of a photo",
        NETWORK: times.network_reason,
    }
    ms = {ENTROPY: entropy_s, PIXELS: max(0.0, times.decode - entropy_s), NETWORK: times.network}
    rows = [StageLimit(name, 1e3 * ms[name], 1e3 * limits[name], reasons[name]) for name in ms]
    known = all(limits.values())
    whole = 1e3 * sum(limits.values()) if known else 0.0
    rows.append(StageLimit(WHOLE, 1e3 * times.whole, whole, "the three limits together" if known else "not all known"))
    if times.start and machine.start_s:
        rows.append(
            StageLimit(START, 1e3 * times.start, 1e3 * machine.start_s, "a bare interpreter that prints a line")
        )
    return tuple(rows)


def _cycled(photos: Sequence[bytes]) -> Callable[[], object]:
    endless = itertools.cycle(photos)
    return lambda: BACKEND.decode(next(endless), EIGHTH)


def _entropy_s(photo: bytes) -> float:
    return min(_once(lambda: BACKEND.decode(photo, EIGHTH)) for _ in range(TRIES))


def _copy_rate(size: int) -> float:
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    return 2 * size / min(_once(lambda: np.copyto(target, source)) for _ in range(COPIES))


def _decoded_bytes(photo: bytes, preprocess: Preprocess) -> int:
    return decode(photo, preprocess.size, preprocess.fit).nbytes


def _once(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def worst(limits: Mapping[str, Sequence[StageLimit]]) -> dict[str, StageLimit]:
    """By bundle the stage with most time above its limit: where there is most to gain."""
    return {
        name: max((row for row in rows if row.stage not in (WHOLE, START)), key=lambda row: row.ms - row.limit_ms)
        for name, rows in limits.items()
    }
