"""Claim: the drawn data set cannot be sorted by colour, but by shape and texture it can.

A linear model on colour histograms stays under 0.75 macro-F1; a small convolutional network passes 0.90.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from benchmarks.recorded_runs import processor
from leansort.core.manifest import Manifest
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.data.importing.manifest_builder import build_manifest
from leansort.data.loading.decoded_cache import load_decoded
from leansort.data.sources import sample
from leansort.measure.accuracy.metrics import macro_f1

LINEAR_BELOW, NETWORK_ABOVE = 0.75, 0.90
Floats = npt.NDArray[np.float64]
Split = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def split(manifest: Manifest, name: str, folder: Path) -> Split:
    rows = manifest.split(name)
    pixels = load_decoded(manifest, rows, Preprocess(size=64), folder)
    return np.array(pixels), np.array([row.label for row in rows])


def joint_histogram(picture: npt.NDArray[np.uint8]) -> Floats:
    hist = cv2.calcHist([picture], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3)
    return np.asarray(np.sqrt(hist.ravel() / hist.sum()), np.float64)


def channel_histograms(picture: npt.NDArray[np.uint8]) -> Floats:
    both = np.concatenate([picture, cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)], axis=2)
    counted = [np.bincount(both[..., c].ravel() // 8, minlength=32) for c in range(6)]
    return np.sqrt(np.concatenate(counted) / picture[..., 0].size)


def linear(features: str, train: Split, test: Split) -> float:
    make = {"joint RGB": joint_histogram, "RGB and HSV channels": channel_histograms}[features]
    x, y = np.stack([make(p) for p in train[0]]), train[1]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500, class_weight="balanced"))
    text = model.fit(x, y).predict(np.stack([make(p) for p in test[0]]))
    return macro_f1(test[1], np.asarray(text, np.int64), 6)


def network(train: Split, test: Split, seeds: Seeds, epochs: int = 14) -> float:
    torch.manual_seed(seeds.child("init").value)
    widths = [3, 24, 48, 96, 128, 160]
    blocks = [
        nn.Sequential(nn.Conv2d(a, b, 3, 1 + (i > 0), 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
        for i, (a, b) in enumerate(itertools.pairwise(widths))
    ]
    model = nn.Sequential(*blocks, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(widths[-1], 6))
    x = torch.from_numpy(train[0]).permute(0, 3, 1, 2).contiguous()
    y = torch.from_numpy(train[1])
    steps = epochs * (len(y) // 64)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    order = torch.cat([torch.randperm(len(y)) for _ in range(epochs + 1)])
    for step in range(steps):
        index = order[step * 64 : step * 64 + 64]
        loss = nn.functional.cross_entropy(model(varied(x[index])), y[index], label_smoothing=0.05)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        pixels = torch.from_numpy(test[0]).permute(0, 3, 1, 2).float() / 128 - 1
        text = torch.cat([model.eval()(part).argmax(1) for part in torch.split(pixels, 256)])
    return macro_f1(test[1], text.numpy(), 6)


def varied(batch: torch.Tensor) -> torch.Tensor:
    flips = [axis for axis in (2, 3) if torch.rand(()) < 0.5]
    shift = torch.randint(-5, 6, (2,)).tolist()
    return torch.roll(batch.flip(flips), shift, (2, 3)).float() / 128 - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with atomic_io.scratch() as folder:
        manifest, _ = build_manifest(sample.SampleSource(sample.SampleConfig(path=folder, seed=arguments.seed)).items())
        train, test = (split(manifest, name, folder) for name in ("train", "test"))
    scores = {f"linear, {name}": linear(name, train, test) for name in ("joint RGB", "RGB and HSV channels")}
    scores["small network"] = network(train, test, Seeds(arguments.seed).child("hardness"))
    for name, value in scores.items():
        print(f"{name}: macro-F1 {value:.4f}")
    holds = max(value for name, value in scores.items() if "linear" in name) < LINEAR_BELOW
    holds &= scores["small network"] > NETWORK_ABOVE
    out = Path(__file__).parent / "out" / "sample_hardness.json"
    atomic_io.write_json(
        out, {"scores": scores, "bounds": [LINEAR_BELOW, NETWORK_ABOVE], "holds": bool(holds), "host": processor()}
    )
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
