"""File names that a data set gives, held inside the folder that the user gave."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from leansort.core.errors import UserError


def safe_name(name: str, what: str, root: Path | None = None) -> str:
    """Return a file's name as a path relative to its folder, with forward slashes.

    Args:
        name: as the data set has it.
        what: names the data set in the error.
        root: absolute names inside this folder are made relative; None refuses them.

    Raises:
        UserError: it leaves the folder (absolute, or by `..`), or is no file name.
    """
    pure = PurePosixPath(name.replace("\\", "/"))
    if root is not None and pure.is_absolute() and pure.is_relative_to(root.resolve().as_posix()):
        pure = pure.relative_to(root.resolve().as_posix())
    if not pure.name or "\0" in name or pure.is_absolute() or ".." in pure.parts or ":" in pure.parts[0]:
        raise UserError(f"{what}: file name {name!r} leaves the folder of the photos; refused")
    return pure.as_posix()
