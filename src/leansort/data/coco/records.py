"""The records of a COCO file, read with few checks and little memory.

A million annotations have to fit: only what is used is kept, and polygons stay as text until someone needs one.
"""

from __future__ import annotations

import importlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leansort.core.errors import MissingExtraError, UserError, did_you_mean
from leansort.core.text.encodings import decode_text, to_utf8
from leansort.core.text.text_files import find_duplicate_key
from leansort.core.writing import atomic_io

Id = int | str
_PARTS = ("images", "annotations", "categories")
# JSON has no NaN, yet Python writes it; strings are matched first so that a name with NaN in it stays whole.
_NOT_A_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b')


@dataclass(frozen=True)
class CocoFile:
    """One annotation file; records are msgspec structs with the attributes of COCO's keys."""

    path: Path
    images: list[Any]
    annotations: list[Any]
    categories: list[Any]


def read_coco(path: Path) -> CocoFile:
    """Read an annotation file.

    Raises:
        UserError: unreadable, not JSON, or not COCO; the message names the record.
        MissingExtraError: msgspec is not installed.
    """
    msgspec, decoder = _decoder()
    try:
        data = to_utf8(atomic_io.read_file(path), f"annotations: {path}")
    except OSError as error:
        raise UserError(f"annotations: cannot read {path} ({error.strerror or error})") from None
    try:
        try:
            tree = decoder.decode(data)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            data = _NOT_A_NUMBER.sub(lambda m: m[0] if m[0][:1] == b'"' else b"null", data)
            tree = decoder.decode(data)
        _require_parts_once(data, path, msgspec)
    except msgspec.ValidationError as error:
        raise UserError(f"annotations: {path} is not COCO ({_plainly(str(error))})") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        decode_text(data, f"annotations: {path}")  # what is no UTF-8 is refused by the name of its encoding
        raise UserError(f"annotations: {path} is not JSON ({error})") from None
    return CocoFile(path, tree.images, tree.annotations, tree.categories)


def _require_parts_once(data: bytes, path: Path, msgspec: Any) -> None:
    """Refuse a part that is there twice: of two lists of annotations the decoder keeps the second one.

    A file that names each part once, as all but odd ones do, is told by a search for the names alone; in others the
    names are counted that stand inside the parts.
    """
    times = {part: data.count(f'"{part}"'.encode()) for part in _PARTS}
    if max(times.values()) <= 1:
        return
    kept = [bytes(part) for part in msgspec.json.decode(data, type=dict[str, msgspec.Raw]).values()]
    if any(count > 1 + sum(part.count(f'"{name}"'.encode()) for part in kept) for name, count in times.items()):
        raise UserError(
            f"annotations: {path} gives a key twice: {find_duplicate_key(data.decode())}; merge the two parts"
        )


def polygon(annotation: Any) -> Any:
    """The segmentation of an annotation as plain data, None where it has none."""
    try:
        return json.loads(bytes(annotation.segmentation) or b"null")
    except (ValueError, RecursionError):  # e.g. a number of thousands of digits
        return None


def require_unique(ids: Iterable[Id], path: Path, part: str, known: Iterable[Id] = ()) -> None:
    """Refuse ids that are there more than once, except the known ones.

    Raises:
        UserError: with the doubled ids.
    """
    accepted = set(known)
    doubled = [item for item, times in Counter(ids).items() if times > 1 and item not in accepted]
    if doubled:
        shown = ", ".join(map(str, doubled[:5])) + (", …" if len(doubled) > 5 else "")
        hint = "; boxes that share an id on purpose go under doubled_annotation_ids of a category map"
        raise UserError(
            f"annotations: {path}: {part} has {len(doubled)} doubled ids: {shown}" + hint * (part == "annotations")
        )


def require_known(coco: CocoFile) -> None:
    """Refuse annotations of images or categories that the file does not list.

    Raises:
        UserError: with the first such annotation, how many there are, and the closest id.
    """
    for key, part in (("image_id", coco.images), ("category_id", coco.categories)):
        known = {record.id for record in part}
        lost = [a for a in coco.annotations if getattr(a, key) not in known]
        if lost:
            got, listed = getattr(lost[0], key), "images" if key == "image_id" else "categories"
            raise UserError(
                f"annotations: {coco.path}: annotation {lost[0].id} has {key} {got!r}, which is not in {listed} "
                f"({len(lost)} such){_hint(got, known)}"
            )


def _hint(got: Id, known: set[Id]) -> str:
    if str(got) in map(str, known):
        return "; it is there as text" if isinstance(got, int) else "; it is there as a number"
    return did_you_mean(str(got), map(str, known)) if len(known) < 1000 else ""


def _plainly(text: str) -> str:
    """Turn msgspec's path (`$.images[3]`) into ours (images[3])."""
    message, _, place = text.partition(" - at `")
    where = place.rstrip("`").removeprefix("$").removeprefix(".") or "the file"
    lacking = re.fullmatch(r"Object missing required field `(.+)`", message)
    return f"{where} lacks {lacking[1]}" if lacking else f"{where}: {message[:1].lower()}{message[1:]}"


def _decoder() -> tuple[Any, Any]:
    try:
        msgspec = importlib.import_module("msgspec")
    except ImportError:
        raise MissingExtraError("msgspec", "train") from None
    raw, plain = msgspec.Raw, (Any, None)
    image = [("id", Id), ("file_name", str), ("width", *plain), ("height", *plain), ("split", *plain)]
    annotation = [
        ("id", Id),
        ("image_id", Id),
        ("category_id", Id),
        ("bbox", *plain),
        ("iscrowd", *plain),
        ("segmentation", raw, raw(b"")),
    ]
    lists = {"images": image, "annotations": annotation, "categories": [("id", Id), ("name", str)]}
    fields = [(name, list[msgspec.defstruct(name, of, gc=False)]) for name, of in lists.items()]  # type: ignore[misc]
    return msgspec, msgspec.json.Decoder(msgspec.defstruct("coco", fields))
