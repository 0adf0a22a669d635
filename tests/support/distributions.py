"""Plugin distributions put into a folder as an installer leaves them, without an installer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, name: str, entry_points: Mapping[str, Mapping[str, str]], files: Mapping[str, str]) -> None:
    """Write a distribution's modules and its metadata; the folder then belongs on the module path.

    Args:
        folder: where; made if it is not there.
        name: of the distribution, whose version is 1.0.
        entry_points: by group, what each name points to.
        files: the modules by file name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / file).write_text(text)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    parts = [
        "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in points.items())])
        for group, points in entry_points.items()
    ]
    (info / "entry_points.txt").write_text("\n\n".join(parts) + "\n")
