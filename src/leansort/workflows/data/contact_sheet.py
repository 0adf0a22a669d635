"""`leansort data show`: contact sheets of crops, as the robot sees them or as training varies them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leansort.core.damage.watch import Watch, watch_images
from leansort.core.errors import UserError, not_one_of
from leansort.core.manifest import SPLITS, Row
from leansort.core.pixels import Image
from leansort.core.preprocess import Preprocess, UnreadableImage
from leansort.core.process.console import say
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import printable
from leansort.data.loading.object_covers import cover_preprocess, find_cover
from leansort.measure.robustness.stress_crops import StressCrop
from leansort.report.sheets import Section, Sheet, Tile, to_html, to_png
from leansort.workflows.data.check import open_dataset

if TYPE_CHECKING:
    from leansort.recipe.schema import Recipe

View = Callable[[Row], Iterator[Tile]]
EPOCHS = 6


def write_contact_sheet(
    path: Path, out: Path, *, split: str | None, per_class: int, seed: int, recipe: Recipe | None, augmented: bool
) -> Path:
    """Write a contact sheet: some crops of each class and split.

    Args:
        path: a manifest, or class folders.
        out: `.png` or `.html`.
        split: only this one; None: all.
        per_class: crops of each class and split.
        seed: chooses the crops.
        recipe: its preprocessing, and for `augmented` its augmentation; None: crops as they are, padded.
        augmented: training crops as training sees them, several epochs of each.

    Raises:
        UserError: unknown split or ending, or `augmented` without a recipe.
    """
    if out.suffix.lower() not in (".png", ".html"):
        raise not_one_of("data show: ending of --out", out.suffix, (".png", ".html"))
    if split is not None and split not in SPLITS:
        raise not_one_of("split", split, SPLITS)
    if augmented and recipe is None:
        raise UserError("data show: --augmented needs --recipe, which says how training varies its crops")
    if augmented and split not in (None, "train"):
        raise UserError(f"data show: got --split {split} with --augmented; only train is varied")
    rows, labels, root, faults = open_dataset(path)
    if faults.counts:
        say(f"{path}: " + "; ".join(f"{count:,} {kind}" for kind, count in faults.counts.items()))
    wanted = ["train"] if augmented else [*SPLITS, ""]
    groups = [
        (name, label, [row for row in rows if (row.split, row.label) == (name, index)])
        for name in wanted
        for index, label in enumerate(labels.names)
        if split in (None, name)
    ]
    with watch_images() as watch:
        view = augmented_view(recipe, rows, root, watch) if augmented and recipe else _plain_view(recipe, root, watch)
        sections = [
            Section(f"{name or 'no split'}: {label}", _tiles(members, per_class, seed, view), f"{len(members):,} crops")
            for name, label, members in groups
            if members
        ]
        for line in watch.damage_lines():
            say(printable(f"warning: {line}; shown is what could be decoded"))
    if not sections:
        raise UserError(f"data show: {path} has no crops in split {split!r}")
    lead = "As training sees them." if augmented else "As evaluation and the robot see them."
    sheet = Sheet(out.stem, lead, sections)
    atomic_io.write_bytes(out, to_png(sheet) if out.suffix.lower() == ".png" else to_html(sheet).encode())
    return out


def _tiles(members: Sequence[Row], count: int, seed: int, view: View) -> list[Tile]:
    """Tiles of some of the members, drawn at random, in their own order."""
    order = Seeds(seed).child(f"show/{members[0].split}/{members[0].label}").numpy().permutation(len(members))
    return [tile for index in sorted(order[:count]) for tile in view(members[index])]


def _plain_view(recipe: Recipe | None, root: Path, watch: Watch) -> View:
    preprocess = recipe.preprocess if recipe else Preprocess(size=96)

    def view(row: Row) -> Iterator[Tile]:
        try:
            with watch.note_suspect(root / row.image):
                pixels = preprocess(root / row.image)
            yield Tile(pixels, Path(row.image).name)
        except UnreadableImage as error:
            yield Tile(None, f"{Path(row.image).name} {error}")

    return view


class _Larger:
    """The array that training caches, made crop by crop as it is asked for."""

    def __init__(self, pictures: Sequence[Path], preprocess: Preprocess, watch: Watch) -> None:
        self.pictures, self.preprocess, self.watch = pictures, preprocess, watch

    def __getitem__(self, index: int) -> Image:
        with self.watch.note_suspect(self.pictures[index]):
            return self.preprocess(self.pictures[index])


class _CoversOnDemand:
    """Where objects are, found as it is asked for."""

    def __init__(self, crops: Sequence[StressCrop], preprocess: Preprocess) -> None:
        self.crops, self.preprocess = crops, cover_preprocess(preprocess)

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int) -> Image:
        return find_cover(self.crops[index], self.preprocess)


def _covers(recipe: Recipe, rows: Sequence[Row], root: Path) -> _CoversOnDemand | None:
    config = recipe.augment.robust
    if not config.background:
        return None
    if config.annotations:
        say("data show: objects are cut out by colour here, in training by augment.robust.annotations")
    crops = [StressCrop(row.image, root / row.image, row.label) for row in rows]
    return _CoversOnDemand(crops, recipe.train_preprocess)


def augmented_view(recipe: Recipe, rows: Sequence[Row], root: Path, watch: Watch) -> View:
    """Training's own data set, asked for the first epochs of a crop."""
    from leansort.data.augmentation.batch import Augmentation
    from leansort.data.loading.loader import AugmentedCrops

    train = [row for row in rows if row.split == "train"]
    numbers = {row.image: number for number, row in enumerate(train)}
    larger = _Larger([root / row.image for row in train], recipe.train_preprocess, watch)
    covers = _covers(recipe, train, root)
    augment = Augmentation(recipe.augment, recipe.preprocess.size, covers)
    crops = AugmentedCrops(larger, [row.label for row in train], augment, Seeds(recipe.seed).child("train"))

    def view(row: Row) -> Iterator[Tile]:
        for epoch in range(EPOCHS):
            x_chw, _ = crops[epoch, numbers[row.image]]
            yield Tile(np.ascontiguousarray(x_chw.numpy().transpose(1, 2, 0)), f"epoch {epoch + 1}")

    return view
