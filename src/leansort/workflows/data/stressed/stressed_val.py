"""Val crops under stress, for networks that are compared: made once and kept beside the decoded crops."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leansort.core import manifest as manifests
from leansort.core.errors import LeansortError, UserError
from leansort.core.files import json_documents
from leansort.core.folders.image_files import list_image_files
from leansort.core.manifest import Manifest
from leansort.core.preprocess import Preprocess
from leansort.core.process.console import bar, say
from leansort.core.writing import atomic_io
from leansort.core.writing.file_lock import hold_lock
from leansort.data.loading.decoded_cache import read_unchanged
from leansort.measure.accuracy.image_names import image_names
from leansort.measure.corruptions.kinds import BACKGROUND
from leansort.measure.corruptions.textures import Grounds
from leansort.measure.robustness.stress_crops import StressCrop, choose_crops, load_grounds
from leansort.measure.robustness.stress_result import NotCutOut
from leansort.measure.robustness.stress_setting import MOST_CROPS, StressSetting
from leansort.measure.robustness.stress_test import StressPlan
from leansort.measure.robustness.stressed_crops import StressedCrops, StressFacts, fill_stressed
from leansort.workflows.data.object_polygons import object_polygons

_VERSION = 1  # grows when pixels are made in another way
Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class _Wanted:
    """What is to be made: the crops, the hashes of their files, how, and the digest of all of it."""

    crops: list[StressCrop]
    hashes: list[str]
    plan: StressPlan
    digest: str


def stressed_val(
    setting: StressSetting, manifest: Manifest, preprocess: Preprocess, cache: Path, where: str
) -> StressedCrops:
    """Put val crops under stress, or read them where that is done; says how many, and what was left out.

    Args:
        setting: which stress.
        manifest: the data.
        preprocess: of the networks.
        cache: folder of decoded crops, which gets a file for each setting and preprocessing.
        where: names the setting in errors, such as `compress.stress`.

    Raises:
        UserError: there are fewer val crops than asked for, no object can be cut out, textures or annotations cannot be
            used, or a crop has changed since the import.
        LeansortError: the cache cannot be written.
    """
    wanted = _wanted(setting, manifest, preprocess, where)
    lost, pixels = _kept_or_made(wanted, preprocess, cache)
    kinds, count, left_out = wanted.plan.kinds, len(wanted.crops), ""
    if BACKGROUND in kinds and len(lost) == count:
        left_out = f"no object could be cut out of {count:,} val crops, first {lost[0].image}: {lost[0].reason}"
        if BACKGROUND in setting.kinds:
            raise UserError(f"{where}: {BACKGROUND}: {left_out}")
        kinds, left_out = kinds[:-1], f"{BACKGROUND}: {left_out}"  # it is the last of all kinds
        pixels = pixels[: len(kinds) * count]
    facts = StressFacts(kinds, setting.level, count, setting.seed, wanted.digest, tuple(lost), left_out)
    _tell(facts, where)
    there = np.ones((len(kinds), count), np.bool_)
    if BACKGROUND in kinds:
        names = {item.image for item in lost}
        there[kinds.index(BACKGROUND)] = [crop.name not in names for crop in wanted.crops]
    return StressedCrops(facts, pixels, np.array([crop.label for crop in wanted.crops], np.int64), there)


def require_enough_crops(setting: StressSetting | None, manifest: Path | None, where: str) -> None:
    """Refuse a setting that asks for more crops than val has, where the data are there before anything is written.

    Raises:
        UserError: naming both numbers.
    """
    if setting is not None and manifest is not None:
        _require_count(setting, len(manifests.load(manifest).split("val")), where)


def _require_count(setting: StressSetting, count: int, where: str) -> None:
    if setting.crops and setting.crops > count:
        raise UserError(f"{where}.crops: got {setting.crops:,}, val has {count:,} crops; allowed: 1 to {count:,}")


def _tell(facts: StressFacts, where: str) -> None:
    say(f"{where}: {facts}")
    if facts.left_out:
        say(f"{where}: left out {facts.left_out}")
    elif facts.not_cut:
        first = facts.not_cut[0]
        say(
            f"{where}: {BACKGROUND} is measured without {len(facts.not_cut):,} of {facts.crops:,} crops, whose object "
            f"could not be cut out, first {first.image}: {first.reason}"
        )


def _wanted(setting: StressSetting, manifest: Manifest, preprocess: Preprocess, where: str) -> _Wanted:
    rows = manifest.split("val")
    files = [manifest.path(row) for row in rows]
    _require_count(setting, len(rows), where)
    try:
        polygons = object_polygons(manifest, "val", setting.annotations) if setting.annotations else {}
        photos, notes = load_grounds(setting.textures) if setting.textures else ((), [])
        grounds = _digests([*setting.annotations, *_files(setting.textures)])
    except UserError as error:
        raise UserError(f"{where}: {str(error).removeprefix('stress: ')}") from None
    for line in notes:
        say(f"{where}: {line}")
    names = image_names(files)
    crops = [
        StressCrop(name, file, row.label, polygons.get(file, ()))
        for name, file, row in zip(names, files, rows, strict=True)
    ]
    chosen, by_name = choose_crops(crops, setting.crops or MOST_CROPS), dict(zip(names, rows, strict=True))
    hashes = [by_name[crop.name].hash for crop in chosen]
    plan = StressPlan(setting.all_kinds, (setting.level,), setting.seed, grounds=Grounds(photos))
    shown = [[crop.name, crop.label, [list(ring) for ring in crop.polygons]] for crop in chosen]
    how = [preprocess.digest, plan.kinds, plan.levels, plan.seed, plan.side, grounds]
    return _Wanted(chosen, hashes, plan, atomic_io.digest([_VERSION, how, shown, hashes]))


def _files(textures: Path | None) -> Sequence[Path]:
    return list_image_files(textures).files if textures else ()


def _digests(files: Sequence[Path]) -> list[str]:
    try:
        return [hashlib.sha256(atomic_io.read_file(file)).hexdigest() for file in files]
    except OSError as error:
        raise UserError(f"cannot read {error.filename} ({error.strerror or error})") from None


def _kept_or_made(
    wanted: _Wanted, preprocess: Preprocess, cache: Path
) -> tuple[list[NotCutOut], npt.NDArray[np.uint8]]:
    shape = (len(wanted.plan.kinds) * len(wanted.crops), preprocess.size, preprocess.size, 3)
    path = cache / f"stressed-{wanted.digest}.npy"
    notes = path.with_suffix(".json")
    with hold_lock(path.with_suffix(".lock")):
        kept = _kept(path, notes, shape)
        if kept is not None:
            return kept
        atomic_io.clear_leftovers(path)
        with atomic_io.replace_file(path) as temporary, bar("stress") as advance:
            pixels = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
            with temporary.open("r+b") as file:  # a full disk would end the process, see `decoded_cache`
                os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
            for crop, known in zip(wanted.crops, wanted.hashes, strict=True):
                read_unchanged(crop.file, known)
            lost = fill_stressed(pixels, wanted.crops, preprocess, wanted.plan, advance)
            pixels.flush()
        atomic_io.write_json(notes, [[item.image, item.reason] for item in lost])
        kept = _kept(path, notes, shape)
    if kept is None:
        raise LeansortError(f"cache: {path} was just written and cannot be read back; is the disk failing?")
    return kept


def _kept(path: Path, notes: Path, shape: Shape) -> tuple[list[NotCutOut], npt.NDArray[np.uint8]] | None:
    """What was made before; None where there is none, or a damaged one."""
    try:
        pixels: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
        pairs = json_documents.read(notes, list[tuple[str, str]], "cache")
    except (OSError, ValueError, EOFError, UserError):
        return None
    fits = pixels.shape == shape and pixels.dtype == np.uint8
    return ([NotCutOut(*pair) for pair in pairs], pixels) if fits else None
