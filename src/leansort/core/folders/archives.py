"""Archives that are given in place of what is in them."""

from __future__ import annotations

from pathlib import Path

from leansort.core.errors import UserError

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # with files, and without any


def require_unpacked(path: Path, what: str) -> None:
    """Refuse a zip archive, whatever it is called.

    Args:
        path: what the user gave; a folder, or what cannot be read, is passed on.
        what: names its kind in the error.

    Raises:
        UserError: with what to do.
    """
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            packed = file.read(4) in _ZIP
    except OSError:
        return  # said with its reason by whoever reads it
    if packed:
        raise UserError(f"{what}: {path} is a zip archive; unpack it (unzip {path.name} -d FOLDER) and give FOLDER")
