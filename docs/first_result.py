"""Draw what a run's bundle says of test crops, as the picture of the README.

    leansort run sample --out first
    python -m docs.first_result first

The first crops of each class by name are shown, right or wrong, with the score over all test crops below them.
"""

from __future__ import annotations

import argparse
import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image

import leansort
from leansort.core import manifest as manifests
from leansort.runtime.predictor import Prediction

PICTURE = Path(__file__).parent / "first-result.svg"
EACH = 2  # crops of each class
SIDE, GAP, TEXT = 104, 16, 40  # px: of a crop, between two, and for the lines below one
RIGHT, WRONG, INK, PAPER = "#00796b", "#c62828", "#263238", "#ffffff"


@dataclass(frozen=True)
class ShownCrop:
    """A crop, its class, and what the bundle says of it."""

    path: Path
    truth: str
    prediction: Prediction


def choose_crops(run: Path) -> list[list[ShownCrop]]:
    """Return the first test crops of each class by name, one list a class."""
    manifest = manifests.load(run)
    rows = sorted(manifest.split("test"), key=lambda row: row.image)
    names = manifest.labels.names
    chosen = [[manifest.root / row.image for row in rows if row.label == index][:EACH] for index in range(len(names))]
    predicted = leansort.predict(run / "model.leansort", [path for paths in chosen for path in paths]).by_image()
    return [
        [ShownCrop(path, name, predicted[str(path)]) for path in paths]
        for name, paths in zip(names, chosen, strict=True)
    ]


def draw(columns: Sequence[Sequence[ShownCrop]], caption: str) -> str:
    """Return the crops as an SVG, a column a class, with a line below."""
    width, height = GAP + len(columns) * (SIDE + GAP), GAP + 24 + EACH * (SIDE + TEXT) + 32
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{INK}" role="img">',
        f"<title>{escape(caption)}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>',
    ]
    for column, crops in enumerate(columns):
        x = GAP + column * (SIDE + GAP)
        parts.append(f'<text x="{x}" y="{GAP + 12}" font-weight="600">{escape(crops[0].truth)}</text>')
        parts += [draw_crop(crop, x, GAP + 24 + row * (SIDE + TEXT)) for row, crop in enumerate(crops)]
    parts.append(f'<text x="{GAP}" y="{height - 16}" font-size="14">{escape(caption)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def draw_crop(crop: ShownCrop, x: int, y: int) -> str:
    """Return one crop with the label that it got, at a place in pixels."""
    colour = RIGHT if crop.prediction.label == crop.truth else WRONG
    with Image.open(crop.path) as image:
        image.thumbnail((SIDE, SIDE))
        stored = io.BytesIO()
        image.convert("RGB").save(stored, "JPEG", quality=80, optimize=True)
        left, top = x + (SIDE - image.width) // 2, y + (SIDE - image.height) // 2
        size = f'width="{image.width}" height="{image.height}"'
    href = f"data:image/jpeg;base64,{base64.b64encode(stored.getvalue()).decode()}"
    return (
        f'<rect x="{x - 2}" y="{y - 2}" width="{SIDE + 4}" height="{SIDE + 4}" rx="4" fill="none" '
        f'stroke="{colour}" stroke-width="2"/><image x="{left}" y="{top}" {size} href="{href}"/>'
        f'<text x="{x}" y="{y + SIDE + 18}" fill="{colour}">{escape(crop.prediction.label)} '
        f"{crop.prediction.probability:.2f}</text>"
    )


def main() -> None:
    """Draw the picture of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of `leansort run`")
    parser.add_argument("--out", type=Path, default=PICTURE, help="the picture")
    given = parser.parse_args()
    bundle = given.run / "model.leansort"
    score = leansort.score(bundle, ground_truth=given.run, split="test").all
    interval = score.macro_f1
    caption = (
        f"Macro-F1 {interval.value:.3f} (95 %: {interval.low:.3f} – {interval.high:.3f}) on {score.crops:,} drawn test "
        f"crops, {bundle.stat().st_size / 1e6:.2f} MB"
    )
    given.out.write_text(draw(choose_crops(given.run), caption), encoding="utf-8")
    print(given.out)


if __name__ == "__main__":
    main()
