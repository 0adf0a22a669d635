"""Claim: the loader is 10 times as fast as the usual one, and gives augmented crops at 4 times the rate of training.

Reference: a Dataset that opens each picture with Pillow, pads it to a square, resizes it and makes a tensor, in a
DataLoader with the same workers and batch. Ours is timed as training uses it, with and without augmentation; training
is MnasNet's, a whole step on ready batches. All of them in turn, round by round, on drawn photos of 512x384.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from benchmarks.recorded_runs import processor
from leansort.arch.build import build
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import normalize
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.augmentation.batch import Augmentation
from leansort.data.importing.manifest_builder import build_manifest
from leansort.data.loading.decoded_cache import load_decoded
from leansort.data.loading.loader import AugmentedCrops, train_loader
from leansort.data.sources import folder
from leansort.data.synthetic.scene import draw_scene

PHOTOS, SIZE, BATCH, WORKERS, ROUNDS = 1024, 128, 64, 2, 5
ENLARGED = 147  # of training crops, for random resized crops to cut from
OVER_LOADER, OVER_TRAINING = 10.0, 4.0


class Opened(Dataset[tuple[Tensor, int]]):
    """The usual way."""

    def __init__(self, pictures: list[Path]) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.open(self.pictures[index]).convert("RGB")
        side = max(picture.size)
        square = Image.new("RGB", (side, side), (114, 114, 114))
        square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
        small = square.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(small)).permute(2, 0, 1).float().div(255), 0


def draw(root: Path) -> None:
    for number in range(PHOTOS):
        scene, _ = draw_scene(Seeds(0).child(f"loader/{number % 64}").numpy())
        path = root / "train" / "ab"[number % 2] / f"{number}.jpg"
        atomic_io.write_bytes(
            path, cv2.imencode(".jpg", cv2.resize(scene, (512, 384)), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
        )


def rate(batches: Iterable[Any]) -> float:
    """Images a second of a whole pass, the workers' start included in none of them: they persist."""
    started, images = time.perf_counter(), 0
    for x_bchw, _ in batches:
        images += len(x_bchw)
    return images / (time.perf_counter() - started)


def training() -> Callable[[], float]:
    """Training's own step on a batch that is there already."""
    model = build(ArchSpec(classes=6), Seeds(0)).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    x_bchw = torch.randint(0, 256, (BATCH, 3, SIZE, SIZE), dtype=torch.uint8)
    target = torch.randint(0, 6, (BATCH,))

    def step() -> float:
        started = time.perf_counter()
        for _ in range(4):
            loss = cross_entropy(model(normalize(x_bchw, Preprocess(size=SIZE))), target)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return 4 * BATCH / (time.perf_counter() - started)

    return step


def loaders(root: Path) -> dict[str, Callable[[], float]]:
    manifest, _ = build_manifest(folder.FolderSource(folder.FolderConfig(path=root)).items())
    labels = [row.label for row in manifest.rows]
    seeds = Seeds(0)
    made: dict[str, Callable[[], float]] = {}
    for name, side, augment in (
        ("leansort, as cached", SIZE, None),
        ("leansort, augmented", ENLARGED, Augmentation(AugmentConfig(randaugment=2, erase=0.1), SIZE)),
    ):
        pixels = load_decoded(manifest, manifest.rows, Preprocess(size=side), root / "cache")
        ours, _ = train_loader(AugmentedCrops(pixels, labels, augment, seeds), BATCH, WORKERS, seeds)
        made[name] = lambda loader=ours: rate(loader)  # type: ignore[misc]
    opened = Opened([manifest.path(row) for row in manifest.rows])
    usual = DataLoader(opened, BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True)
    made["Pillow, pad, resize, tensor"] = lambda: rate(usual)
    made["training takes"] = training()
    return made


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        draw(Path(name))
        contenders = loaders(Path(name))
        rates: dict[str, list[float]] = {item: [] for item in contenders}
        for number in range(ROUNDS + 1):
            for contender, run in contenders.items():
                measured = run()
                if number:  # the first round starts the workers
                    rates[contender].append(measured)
    for contender, runs in rates.items():
        print(f"{contender}: median {np.median(runs):,.0f} images/s ({min(runs):,.0f} – {max(runs):,.0f})")
    plain, varied, usual, taken = (np.array(runs) for runs in rates.values())
    over_loader, over_training = plain / usual, varied / taken
    print(f"over the usual loader: {np.median(over_loader):.1f} ({over_loader.min():.1f} – {over_loader.max():.1f})")
    print(
        f"augmented, over training: {np.median(over_training):.1f} "
        f"({over_training.min():.1f} – {over_training.max():.1f})"
    )
    holds = bool(np.median(over_loader) >= OVER_LOADER and np.median(over_training) >= OVER_TRAINING)
    print(
        f"{OVER_LOADER:g} times the usual loader and {OVER_TRAINING:g} times training: {'holds' if holds else 'MISSED'}"
    )
    atomic_io.write_json(
        Path(__file__).parent / "out" / "loader.json",
        {
            "median_images_per_s": {item: float(np.median(runs)) for item, runs in rates.items()},
            "over_loader": float(np.median(over_loader)), "over_training": float(np.median(over_training)),
            "workers": WORKERS, "holds": holds, "host": processor(),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
