"""Compare what two machines say of the same photos, line by line of `leansort predict --format json`.

    python tools/arm64/compare.py HERE.json THERE.json NAME

Integer kernels round differently on different processors, so probabilities may differ by a little; labels may differ
where the two best are closer than that. Exit code 1 where more differs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

MOST = 0.05  # of a probability, in int8
JsonLine = dict[str, object]


def read(path: Path) -> dict[str, JsonLine]:
    """Predictions by image."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line["image"]: line for line in lines}


def gap(one: JsonLine, other: JsonLine) -> float:
    """Largest difference of any probability."""
    first, second = one["probabilities"], other["probabilities"]
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    return max(abs(float(first[name]) - float(second[name])) for name in first)


def main(here: Path, there: Path, name: str) -> int:
    """Print how far the two agree; return the exit code."""
    one, other = read(here), read(there)
    if not one or set(one) != set(other):
        print(f"{name}: {len(one)} photos here, {len(other)} there: not the same ones")
        return 1
    gaps = {image: gap(one[image], other[image]) for image in one}
    differing = [image for image in one if one[image]["label"] != other[image]["label"]]
    wrong = [image for image in one if gaps[image] > MOST]
    agree = len(one) - len(differing)
    print(f"{name}: labels agree on {agree} of {len(one)} photos, largest probability gap {max(gaps.values()):.4f}")
    for image in wrong:
        print(f"{name}: {image} differs by {gaps[image]:.3f}, at most {MOST} is rounding")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
