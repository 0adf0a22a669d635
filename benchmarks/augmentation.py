"""Claim: training crops are varied at least 5 times as fast as by torchvision's transforms, on one core.

Reference: torchvision's transforms v2 of the same policy, crop by crop on uint8 tensors, as data sets commonly call
them. Crops of 147 px become 128 px by a random resized crop, flips and RandAugment (2 operators of magnitude 7,
bilinear), or by the crop and flips alone. Both get the same crops in turn, round by round, in one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.recorded_runs import processor
from leansort.arch.workarounds.torchvision_import import import_torchvision
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.data.augmentation.affine import FILL, Pixels
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.augmentation.batch import Augmentation
from leansort.data.synthetic.scene import draw_scene

CROPS, ENLARGED, SIZE, BATCH, ROUNDS = 256, 147, 128, 64, 9
CLAIMED = 5.0
POLICIES = {
    "RandAugment, n 2, magnitude 7": AugmentConfig(randaugment=2),
    "crop and flips": AugmentConfig(),
}
CLAIM = next(iter(POLICIES))


def drawn() -> Pixels:
    scenes = [draw_scene(Seeds(0).child(f"augmentation/{number}").numpy())[0] for number in range(16)]
    return np.stack([cv2.resize(scenes[number % 16], (ENLARGED, ENLARGED)) for number in range(CROPS)])


def torchvision(config: AugmentConfig) -> Callable[[Pixels, int], object]:
    """The usual way; gives the same batches of (b, 3, SIZE, SIZE)."""
    v2 = import_torchvision("torchvision.transforms.v2")
    steps = [
        v2.RandomResizedCrop(SIZE, (config.min_scale, 1.0), (1 / config.ratio, config.ratio), antialias=True),
        v2.RandomHorizontalFlip(config.flip_horizontal),
        v2.RandomVerticalFlip(config.flip_vertical),
    ]
    if config.randaugment:
        bilinear = v2.InterpolationMode.BILINEAR
        steps.append(v2.RandAugment(config.randaugment, config.magnitude, interpolation=bilinear, fill=FILL))
    vary = v2.Compose(steps)
    return lambda crops_bhwc, _: torch.stack(
        [vary(x_chw) for x_chw in torch.from_numpy(crops_bhwc).permute(0, 3, 1, 2).contiguous()]
    )


def ours(config: AugmentConfig) -> Callable[[Pixels, int], object]:
    vary = Augmentation(config, SIZE)
    return lambda crops_bhwc, epoch: vary(crops_bhwc, [(epoch, index) for index in range(len(crops_bhwc))], Seeds(0))


def microseconds(vary: Callable[[Pixels, int], object], crops: Pixels, epoch: int) -> float:
    """Processor time a crop: others on the machine must not count."""
    started = time.process_time()
    for start in range(0, CROPS, BATCH):
        vary(crops[start : start + BATCH], epoch)
    return (time.process_time() - started) / CROPS * 1e6


def compared(config: AugmentConfig, crops: Pixels) -> tuple[list[float], list[float]]:
    mine, usual = ours(config), torchvision(config)
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for vary, runs in zip((mine, usual), taken, strict=True):
            runs.append(microseconds(vary, crops, number))
    return taken[0][1:], taken[1][1:]  # the first round only warms up


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    crops, result = drawn(), {}
    for name, config in POLICIES.items():
        mine, theirs = compared(config, crops)
        ratios = np.array(theirs) / np.array(mine)
        print(f"{name}: median {np.median(mine):.0f} µs a crop ({min(mine):.0f} – {max(mine):.0f}), torchvision "
              f"{np.median(theirs):.0f} ({min(theirs):.0f} – {max(theirs):.0f}): {np.median(ratios):.1f} times "
              f"({ratios.min():.1f} – {ratios.max():.1f})")  # fmt: skip
        result[name] = {"median_us": float(np.median(mine)), "torchvision_us": float(np.median(theirs)),
                       "ratio": float(np.median(ratios)), "ratios": ratios.tolist()}  # fmt: skip
    holds = bool(np.median(result[CLAIM]["ratios"]) >= CLAIMED)
    print(f"{CLAIM} at least {CLAIMED:g} times torchvision: {'holds' if holds else 'MISSED'}")
    atomic_io.write_json(
        Path(__file__).parent / "out" / "augmentation.json", {"policies": result, "holds": holds, "host": processor()}
    )


if __name__ == "__main__":
    main()
