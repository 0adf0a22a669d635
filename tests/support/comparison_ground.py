"""Crops whose class is their colour, and bundles that sort them more or less well, for tests of comparisons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from leansort.core.bundle import Bundle
from tests.support.graphs import LABELS, SIZE, bundle_of, colour_bundle, mean_colour, node, onnx_graph

CROPS = 24


def weak_bundle(name: str = "weak", blue: float = 0.6) -> Bundle:
    """Sorts by colour, too, but takes blue for less than there is."""
    graph = onnx_graph(
        [*mean_colour(), node("Mul", "colour factors", "logits")], {"factors": np.array([1, 1, blue], np.float32)}
    )
    return bundle_of(graph, name=name, parameters=3, macs=5)


def comparison_ground(root: Path) -> Path:
    """Write the bundles `good`, `weak` and `fair`, and crops of three classes in folders; treat as read-only."""
    colour_bundle().save(root / "good.leansort")
    weak_bundle().save(root / "weak.leansort")
    weak_bundle("fair", 0.8).save(root / "fair.leansort")
    rng = np.random.default_rng(0)
    for number in range(CROPS):
        kind = number % 3
        pixels = np.full((SIZE, SIZE, 3), 90, np.uint8)
        pixels[..., kind] = rng.integers(110, 250)
        path = root / "crops" / LABELS.names[kind] / f"crop{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return root


def crops(ground: Path) -> dict[str, str]:
    """The class of each crop by its name."""
    return {path.name: path.parent.name for path in sorted((ground / "crops").rglob("*.png"))}


def written(path: Path, labels: dict[str, str]) -> Path:
    """Write answers as a CSV of predictions."""
    path.write_text("image,label\n" + "".join(f"{name},{label}\n" for name, label in labels.items()))
    return path
