"""`leansort mine`: of a folder of photos those that are most worth a label, ready to be labelled and imported."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from pydantic import JsonValue

from leansort.core.bundle import Bundle
from leansort.core.errors import UserError, not_one_of
from leansort.core.files.typed_result import TypedResult
from leansort.core.process.console import say
from leansort.core.text.table_files import csv_line
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import printable
from leansort.core.writing.file_lock import stage_folder
from leansort.data.quality.photo_selection import photo_worth, select_photos
from leansort.measure.engine_selection import engine_choice
from leansort.runtime.predictor import Prediction
from leansort.workflows.deploy.predict import list_inputs, predict_images

WHAT = "mine"
FORMATS = ("csv", "coco")
PHOTOS, CSV, COCO = "photos", "guesses.csv", "guesses.json"
COLUMNS = ("image", "label", "probability", "novelty", "worth")
_NAMED = 5


class MineResult(TypedResult):
    """Photos that were chosen.

    Attributes:
        folder: that holds them, in `photos`.
        guesses: file with the label that the bundle guesses for each; to be corrected by a person.
        photos: names of the chosen photos below `photos`, the one most worth a label first.
        bytes: of them together.
        looked_at: number of photos in the folder.
        repeated: photos of the same bytes as one before them, which were left out.
        unreadable: photos that cannot be classified, which were left out, and why.
        guessed: number of chosen photos by guessed label.
    """

    folder: Path
    guesses: Path
    photos: tuple[str, ...]
    bytes: int
    looked_at: int
    repeated: tuple[str, ...]
    unreadable: tuple[str, ...]
    guessed: dict[str, int]

    def headline(self) -> dict[str, str]:
        """Return how many photos were chosen, of how many, and their guesses."""
        return {
            "photos": f"{len(self.photos):,} of {self.looked_at:,}",
            "size": f"{self.bytes / 1e6:.1f} MB",
            "guessed": ", ".join(f"{label} {count:,}" for label, count in self.guessed.items()),
            "left out": f"{len(self.repeated):,} repeated, {len(self.unreadable):,} unreadable",
            "guesses": str(self.guesses),
        }


@dataclass(frozen=True)
class LookedAtPhoto:
    """A photo of the folder, looked at.

    Attributes:
        path: where it is.
        digest: of its bytes; empty where they cannot be read. Equal digests mean equal photos.
        prediction: of the bundle, also where an earlier photo has the same bytes.
    """

    path: Path
    digest: str
    prediction: Prediction


Look = Callable[[Bundle, Sequence[Path], str], Sequence[LookedAtPhoto]]


@dataclass(frozen=True)
class _Photo:
    """A photo with what the bundle says of it."""

    path: Path
    name: str
    prediction: Prediction
    size: int
    worth: float = 0.0


def mine_photos(
    bundle: Bundle,
    folder: Path,
    out: Path,
    *,
    keep: int | None = None,
    megabytes: float | None = None,
    style: str = "csv",
    engine: str = "",
    look: Look | None = None,
) -> MineResult:
    """Choose photos and copy them, with the bundle's guesses, into a folder that an import can read.

    Args:
        bundle: whose predictions choose.
        folder: of the photos.
        out: new or empty folder.
        keep: number of photos at most; `keep`, `megabytes` or both.
        megabytes: of all chosen photos at most.
        style: of the guesses, `csv` (source `table`) or `coco`.
        engine: as for `predict`.
        look: takes bundle, photos and engine, and gives every photo in order with its prediction; None classifies them
            in this process.

    Raises:
        UserError: no limit, no such style or folder, no photo can be read, or `out` is not empty.
    """
    if keep is None and megabytes is None:
        raise UserError(f"{WHAT}: say how many: --keep N, --megabytes M, or both")
    if style not in FORMATS:
        raise not_one_of("--format", style, FORMATS)
    if not folder.is_dir():
        raise UserError(f"{WHAT}: {folder} is {'no folder' if folder.exists() else 'not there'}")
    if len(bundle.meta.labels) < 2:
        raise UserError(f"{WHAT}: the bundle knows one class, so that nothing is uncertain")
    atomic_io.require_free(out, WHAT)
    photos, repeated, unreadable, looked_at = _sifted(bundle, folder, engine, look or look_at_photos)
    if not photos:
        raise UserError(f"{WHAT}: none of the {looked_at:,} photos of {folder} can be read, first {unreadable[0]}")
    chosen = _choose(photos, keep, None if megabytes is None else int(megabytes * 1e6))
    if not chosen:
        raise UserError(f"{WHAT}: no photo of {folder} fits into {megabytes:g} MB")
    with stage_folder(out, WHAT) as staged:
        for photo in chosen:
            target = staged / PHOTOS / photo.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(photo.path, target)
        _write_csv(staged / CSV, chosen) if style == "csv" else _write_coco(staged / COCO, chosen, bundle)
    counts = {label: sum(item.prediction.label == label for item in chosen) for label in bundle.meta.labels}
    return MineResult(
        folder=out,
        guesses=out / (CSV if style == "csv" else COCO),
        photos=tuple(item.name for item in chosen),
        bytes=sum(item.size for item in chosen),
        looked_at=looked_at,
        repeated=tuple(repeated),
        unreadable=tuple(unreadable),
        guessed={label: count for label, count in counts.items() if count},
    )


def look_at_photos(bundle: Bundle, photos: Sequence[Path], engine: str) -> list[LookedAtPhoto]:
    """Classify photos in this process, of those with the same bytes the first.

    Args:
        bundle: that classifies.
        photos: their paths.
        engine: as for `predict`.
    """
    digests = [_digest(path) for path in photos]
    first = dict(zip(reversed(digests), reversed(photos), strict=True))
    once = [path for path, digest in zip(photos, digests, strict=True) if not digest or first[digest] is path]
    with engine_choice.classifier_of(bundle, engine, say=say) as classifier:
        made = dict(predict_images(classifier, once))
    return [
        LookedAtPhoto(path, digest, made[first[digest] if digest else path])
        for path, digest in zip(photos, digests, strict=True)
    ]


def _sifted(bundle: Bundle, folder: Path, engine: str, look: Look) -> tuple[list[_Photo], list[str], list[str], int]:
    """Photos that can be classified, names of those that are there twice, faults of the others, and the number."""
    files = list(list_inputs([str(folder)]))
    seen, photos, repeated, faults = set[str](), list[_Photo](), list[str](), list[str]()
    for item in look(bundle, files, engine):
        name = item.path.relative_to(folder).as_posix()
        if item.digest and item.digest in seen:
            repeated.append(name)
        elif item.prediction.error:
            faults.append(f"{name}: {item.prediction.error}")
        else:
            photos.append(_Photo(item.path, name, item.prediction, item.path.stat().st_size))
        seen.add(item.digest)
    _say_left_out("cannot be classified", faults)
    _say_left_out("show the same bytes as one before", repeated)
    return photos, repeated, faults, len(files)


def _say_left_out(what: str, names: list[str]) -> None:
    if names:
        more = ", …" * (len(names) > _NAMED)
        say(printable(f"{WHAT}: left out {len(names):,} that {what}: {', '.join(names[:_NAMED])}{more}"))


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""  # whoever decodes it says why


def _choose(photos: list[_Photo], keep: int | None, most_bytes: int | None) -> list[_Photo]:
    p_nc = np.array([item.prediction.probabilities for item in photos])
    novelty_n = np.array([np.nan if (value := item.prediction.novelty) is None else value for item in photos])
    worth_n = photo_worth(p_nc, novelty_n)
    sizes = [item.size for item in photos]
    order = select_photos(p_nc, worth_n, most=keep, sizes_n=sizes, most_bytes=most_bytes)
    return [_Photo(**{**vars(photos[at]), "worth": float(worth_n[at])}) for at in order]


def _write_csv(path: Path, chosen: list[_Photo]) -> None:
    rows = [
        [
            f"{PHOTOS}/{item.name}",
            item.prediction.label,
            f"{item.prediction.probability:.6f}",
            "" if item.prediction.novelty is None else f"{item.prediction.novelty:.4f}",
            f"{item.worth:.4f}",
        ]
        for item in chosen
    ]
    atomic_io.write_text(path, "".join(f"{csv_line(row)}\n" for row in [COLUMNS, *rows]))


def _write_coco(path: Path, chosen: list[_Photo], bundle: Bundle) -> None:
    """Each photo with one box, as large as it is."""
    import PIL.Image

    labels = bundle.meta.labels
    images: list[dict[str, JsonValue]] = []
    boxes: list[dict[str, JsonValue]] = []
    for number, item in enumerate(chosen, 1):
        with PIL.Image.open(item.path) as image:
            width, height = image.size
        images.append({"id": number, "file_name": f"{PHOTOS}/{item.name}", "width": width, "height": height})
        boxes.append(
            {
                "id": number,
                "image_id": number,
                "category_id": labels.index(item.prediction.label) + 1,
                "bbox": [0, 0, width, height],
                "area": width * height,
                "iscrowd": 0,
                "score": round(item.prediction.probability, 6),
            }
        )
    categories = [{"id": number, "name": name} for number, name in enumerate(labels, 1)]
    tree = cast(JsonValue, {"images": images, "annotations": boxes, "categories": categories})
    atomic_io.write_json(path, tree)


def mine_text(result: MineResult) -> str:
    """Return what was chosen as lines of text."""
    lines = [f"{name}: {text}" for name, text in result.headline().items()]
    return "\n".join([*lines, "guesses are no labels: correct them before they are imported"])
