"""A folder of files that is there whole, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.writing import atomic_io


def write(files: Mapping[str, bytes], out: Path, what: str) -> None:
    """Write files by their paths within a folder: beside it first, and then it gets its name.

    Args:
        files: contents.
        out: the folder, not there yet or empty.
        what: the option that names it; begins the line that refuses it.

    Raises:
        UserError: it cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise UserError(f"{what}: cannot make {out} ({error.strerror or error})") from None
    try:
        for name, data in files.items():
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_io.write_bytes(path, data)
        part.chmod(0o777 & ~atomic_io.umask())
        part.replace(out)
    except OSError as error:
        raise UserError(f"{what}: cannot write {out} ({error.strerror or error})") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
