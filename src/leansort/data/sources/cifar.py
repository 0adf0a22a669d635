"""CIFAR-10 and CIFAR-100 from their published binary archives (A. Krizhevsky, 2009), which the user has.

The archives "for Python" hold pickles, which run code when they are read; the binary ones hold the same images.
"""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import cv2
import numpy as np

from leansort.core.errors import LeansortError, UserError, one_line
from leansort.core.labels import LabelSet
from leansort.core.strict_model import StrictModel
from leansort.core.text.encodings import decode_text
from leansort.core.text.text_files import split_lines
from leansort.data.importing import category_map
from leansort.data.importing.data_source import DataSource, ProgressCallback
from leansort.data.importing.items import MAP, WITHOUT, Item, Items
from leansort.data.importing.safe_paths import file_name_for

SIDE = 32
PIXELS = 3 * SIDE * SIDE
CifarRecord = tuple[str, int, bytes]


class CifarConfig(StrictModel):
    """Which archive.

    Attributes:
        path: `cifar-10-binary.tar.gz` or `cifar-100-binary.tar.gz`.
        out: gets `crops/<split>/`.
        level: of CIFAR-100: its 100 fine classes, or its 20 coarse ones.
        map: category map that turns CIFAR's names into classes: a file, or a name of the package.
    """

    path: Path
    out: Path = Path()
    level: Literal["fine", "coarse"] = "fine"
    map: category_map.CategoryMapPath | None = None


class CifarSource(DataSource[CifarConfig]):
    """Takes CIFAR-10 or CIFAR-100 from its binary archive."""

    Config = CifarConfig

    def items(self, advance: ProgressCallback | None = None) -> Items:
        """Write the archive's images as PNG.

        Raises:
            UserError: not one of the two binary archives, or it is cut short.
            LeansortError: an image cannot be written.
        """
        config = self.config
        labels, listed = _labels(config), []
        kept = dict.fromkeys(labels.names, True)
        if config.map:
            chosen = category_map.load(config.map).resolve(labels.names, str(config.map))
            kept = {name: index != category_map.DROPPED for name, index in chosen.items()}
        for number, (split, label, pixels) in enumerate(_records(config, labels)):
            if not kept[labels.names[label]]:
                continue
            path = config.out / "crops" / split / f"{number:05d}_{file_name_for(labels.names[label])}.png"
            image = np.frombuffer(pixels, np.uint8).reshape(3, SIDE, SIDE)[::-1].transpose(1, 2, 0)  # planes R, G, B
            _write(path, cv2.imencode(".png", np.ascontiguousarray(image))[1].tobytes())
            listed.append(Item(path, labels.names[label], split, group=path.name, source=path.name))
        result = category_map.apply_category_map(Items(listed, labels, config.out), config.map)
        return replace(result, inputs=self.inputs())

    def inputs(self) -> dict[Path, str]:
        """The files that an import reads."""
        return {self.config.path: "archive", **({self.config.map: MAP} if self.config.map else {})}

    def survey(self) -> dict[str, Any]:
        """Counts per split and class, nothing written.

        Raises:
            UserError: as `items` does.
        """
        config = self.config
        labels = _labels(config)
        counts = Counter((split, label) for split, label, _ in _records(config, labels))
        names: tuple[str, ...] = labels.names
        if config.map:
            chosen = category_map.load(config.map)
            index = chosen.resolve(labels.names, str(config.map))
            mapped: Counter[tuple[str, int]] = Counter()
            for (split, label), count in counts.items():
                mapped[split, index[labels.names[label]]] += count
            counts, names = mapped, chosen.labels
        per_split = {split: {name: counts[split, k] for k, name in enumerate(names)} for split in ("train", "test")}
        empty = [name for name in names if not any(of[name] for of in per_split.values())]
        dropped = sum(count for (_, label), count in counts.items() if label == category_map.DROPPED)
        without = {WITHOUT: empty} if empty else {}
        return {**per_split, **without, **({"dropped": dropped} if config.map else {})}


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise LeansortError(f"cannot write {path}: {error.strerror or error}") from None


def _labels(config: CifarConfig) -> LabelSet:
    wanted = ("batches.meta.txt", f"{config.level}_label_names.txt")
    for name, data in _members(config.path):
        if name in wanted:
            lines = split_lines(decode_text(data, f"cifar: {name} in {config.path}"))
            return LabelSet.of(line.strip() for line in lines if line.strip())
    raise UserError(f"cifar: {config.path} holds no list of class names")


def _records(config: CifarConfig, labels: LabelSet) -> Iterator[CifarRecord]:
    """Yield (split, label, 3072 bytes); a CIFAR-100 record starts with the coarse and then the fine label."""
    for name, data in _members(config.path):
        if not name.endswith(".bin"):
            continue
        head = 2 if name in ("train.bin", "test.bin") else 1
        at = 1 if head == 2 and config.level == "fine" else 0
        if not data or len(data) % (head + PIXELS):
            raise UserError(f"cifar: {name} in {config.path} is cut short ({len(data)} bytes)")
        split = "test" if name.startswith("test") else "train"
        for start in range(0, len(data), head + PIXELS):
            if data[start + at] >= len(labels):
                raise UserError(
                    f"cifar: {name} in {config.path} has label {data[start + at]}, its names are {len(labels)}"
                )
            yield split, data[start + at], data[start + head : start + head + PIXELS]


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Read the archive's files by name, into memory; nothing is unpacked to disk."""
    if not path.is_file():
        raise UserError(f"cifar: {path} is not there, or no file")
    try:
        with tarfile.open(path) as archive:
            members = sorted((m for m in archive.getmembers() if m.isfile()), key=lambda member: member.name)
            if any(PurePosixPath(m.name).name in ("data_batch_1", "train", "batches.meta", "meta") for m in members):
                binary = path.name.replace("-python", "-binary")
                raise UserError(f"cifar: {path} holds pickles, which are never read; take the binary version, {binary}")
            for member in members:
                file = archive.extractfile(member)
                yield PurePosixPath(member.name).name, file.read() if file else b""
            if archive.fileobj is not None:  # once more to the end, where the checksum of the whole stands
                archive.fileobj.seek(0)
                while archive.fileobj.read(1 << 20):
                    pass
    except (OSError, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UserError(f"cifar: cannot read the archive {path} ({one_line(error, None)})") from None
