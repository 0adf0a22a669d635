"""File names that a data set gives, held inside the folder that the user gave."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from leansort.core.errors import UserError


def safe_name(name: str, what: str, root: Path | None = None, way_out: str = "") -> str:
    """Return a file's name as a path relative to its folder, with forward slashes.

    Args:
        name: as the data set has it.
        what: names the data set in the error.
        root: absolute names inside this folder are made relative; None refuses them.
        way_out: what to do about a refused name, for the error.

    Raises:
        UserError: it leaves the folder (absolute, or by `..`), or is no file name.
    """
    pure = PurePosixPath(name.replace("\\", "/"))
    if root is not None and pure.is_absolute() and pure.is_relative_to(root.resolve().as_posix()):
        pure = pure.relative_to(root.resolve().as_posix())
    if not pure.name:
        raise UserError(f"{what}: {name!r} is no file name")
    if "\0" in name or pure.is_absolute() or ".." in pure.parts or ":" in pure.parts[0]:
        raise UserError(f"{what}: file name {name!r} leaves the folder of the photos; refused{way_out}")
    return pure.as_posix()


def file_name_for(name: str) -> str:
    """Make any text part of a file name: letters, digits, dot, dash and underline.

    A long name keeps its start and gets a digest.
    """
    plain = re.sub(r"[^\w.-]", "_", name)
    if len(plain.encode()) <= 100:
        return plain
    return plain.encode()[:80].decode("utf-8", "ignore") + "-" + hashlib.sha256(name.encode()).hexdigest()[:12]


def printable_name(name: str) -> str:
    """A file name that can be printed and stored: bytes that are not UTF-8 become `\\udcXX`."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
