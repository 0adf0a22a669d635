"""Files that were sent to an agent, by their SHA-256; the ones unused for longest go where there are too many."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from leansort.core.errors import MachineError, UserError
from leansort.core.writing import atomic_io

MOST_FILE, MOST_TOTAL = 256 << 20, 2 << 30  # bytes


class FileStore:
    """Files in one folder.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Return where a file lies or would lie; a digest is 64 hex digits, so no name leads elsewhere."""
        return self._folder / digest

    def has(self, digest: str) -> bool:
        """Whether a file is there; one that is asked for counts as used."""
        path = self.path(digest)
        if not path.is_file():
            return False
        path.touch()
        return True

    def put(self, digest: str, data: bytes, needed: Collection[str]) -> None:
        """Keep a file.

        Args:
            digest: its SHA-256, as the sender says.
            data: its content.
            needed: digests that must stay, since jobs wait for them.

        Raises:
            UserError: the content has another SHA-256, or there is no room beside the files that are needed.
            MachineError: the disk is full.
        """
        if atomic_io.sha256(data) != digest:
            raise UserError("the file has another SHA-256 than its name says; it was damaged on its way")
        self._make_room(len(data), needed)
        try:
            atomic_io.write_bytes(self.path(digest), data)
        except OSError as error:
            raise MachineError(f"cannot keep the file ({error.strerror or error})") from None

    def _make_room(self, size: int, needed: Collection[str]) -> None:
        files = sorted(
            (item for item in self._folder.iterdir() if item.is_file()), key=lambda item: item.stat().st_mtime
        )
        total = sum(item.stat().st_size for item in files) + size
        for item in files:
            if total <= MOST_TOTAL:
                return
            if item.name not in needed:
                total -= item.stat().st_size
                item.unlink()
        if total > MOST_TOTAL:
            raise UserError(f"the waiting jobs hold {MOST_TOTAL >> 20} MB of files, which is all; try again later")
