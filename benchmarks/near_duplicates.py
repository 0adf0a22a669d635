"""Claim: near-duplicates among 100,000 hashes are found in under 60 s, the time growing no worse than n^1.5.

Reference: comparing all pairs with numpy, block by block, which finds the same pairs; interleaved. Hashes are drawn at
random, 2 % of them with 6 bits of the one before turned.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.recorded_runs import processor
from leansort.core.writing import atomic_io
from leansort.data.quality.near_duplicates import Hashes, near_pairs

SIZES = (25_000, 50_000, 100_000, 200_000)
REFERENCE = 25_000  # all pairs of more take too long to repeat
CLAIMED, LIMIT_S, LIMIT_POWER = 100_000, 60.0, 1.5
RADIUS, ROUNDS = 10, 5


def drawn(count: int) -> Hashes:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
    for index in range(1, count, 50):
        for bit in rng.choice(64, 6, replace=False):
            hashes[index] = hashes[index - 1] ^ (np.uint64(1) << np.uint64(bit))
    return hashes


def all_pairs(hashes: Hashes, radius: int) -> npt.NDArray[np.int64]:
    result = []
    for start in range(0, len(hashes), 256):
        block = hashes[start : start + 256]
        i, j = np.nonzero(np.bitwise_count(block[:, None] ^ hashes[None, :]) <= radius)
        keep = i + start < j
        result.append(np.stack([i[keep] + start, j[keep]], axis=1))
    return np.concatenate(result)


def timed(find: Callable[[Hashes, int], npt.NDArray[np.int64]], hashes: Hashes) -> tuple[float, int]:
    started = time.perf_counter()
    pairs = find(hashes, RADIUS)
    return time.perf_counter() - started, len(pairs)


def main() -> None:
    near_pairs(drawn(2_000), RADIUS)
    ours: dict[int, list[float]] = {size: [] for size in SIZES}
    theirs: list[float] = []
    for _ in range(ROUNDS):
        for size in SIZES:
            seconds, count = timed(near_pairs, drawn(size))
            ours[size].append(seconds)
            if size == REFERENCE:
                seconds, expected = timed(all_pairs, drawn(size))
                theirs.append(seconds)
                assert count == expected
    medians = {size: float(np.median(runs)) for size, runs in ours.items()}
    power = float(np.polyfit(np.log(SIZES), np.log([medians[size] for size in SIZES]), 1)[0])
    for size, runs in ours.items():
        print(f"{size:>7,} hashes: median {medians[size]:.3f} s ({min(runs):.3f} – {max(runs):.3f})")
    ratios = np.array(theirs) / np.array(ours[REFERENCE])
    print(f"all pairs of {REFERENCE:,}: median {np.median(theirs):.2f} s, {np.median(ratios):.0f} times as long "
          f"({ratios.min():.0f} – {ratios.max():.0f}), the same pairs")  # fmt: skip
    holds = medians[CLAIMED] < LIMIT_S and power <= LIMIT_POWER
    print(f"growth n^{power:.2f}; {CLAIMED:,} under {LIMIT_S:g} s and no worse than n^{LIMIT_POWER:g}: "
          f"{'holds' if holds else 'MISSED'}")  # fmt: skip
    atomic_io.write_json(
        Path(__file__).parent / "out" / "near_duplicates.json",
        {"median_s": medians, "power": power, "ratio": float(np.median(ratios)), "holds": holds, "host": processor()},
    )


if __name__ == "__main__":
    main()
