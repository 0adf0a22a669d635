"""Files of a results' folder as handles: where each lies, read and written as the type that the caller names.

A folder of results may come from a stranger. So nothing is read through a link that leads out of the folder, nothing is
written through one, and what is read is checked (`json_documents`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from leansort.core.files import json_documents
from leansort.core.files.typed_result import TypedResult, to_plain
from leansort.core.text import text_files
from leansort.core.writing import atomic_io

T = TypeVar("T")


@dataclass(frozen=True)
class _FolderFile:
    """A file of a folder.

    Attributes:
        folder: the folder.
        name: of the file in it.
    """

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        """Where the file is, or would be."""
        return self.folder / self.name

    def __str__(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        """Whether there is anything by that name."""
        return self.path.exists()

    def remove(self) -> None:
        """Remove the file where it is there."""
        self.path.unlink(missing_ok=True)


class JsonFile(_FolderFile):
    """One JSON value."""

    def read(self, shape: type[T], what: str) -> T:
        """Read the file.

        Args:
            shape: the type of result, or any other shape that pydantic knows.
            what: names the work in errors, e.g. `report`.

        Raises:
            UserError: it is not there or cannot be read.
            IntegrityError: it is of another version, or not what was written.
        """
        if isinstance(shape, type) and issubclass(shape, TypedResult):
            tree = json_documents.read_tree(self.path, what)
            return cast(T, shape.from_json(tree, f"{what}: {self.path}"))
        return json_documents.read(self.path, shape, what)

    def read_if_there(self, shape: type[T], what: str) -> T | None:
        """Read the file as `read` does; None where there is none."""
        return self.read(shape, what) if self.path.is_file() else None

    def write(self, value: object) -> None:
        """Write a result, a dataclass, a pydantic model, or plain data, atomically.

        Raises:
            UserError: a link there leads out of the folder.
            MachineError: it cannot be written.
        """
        json_documents.require_within(self.folder, self.path)
        atomic_io.write_json(self.path, to_plain(value))


class JsonLinesFile(_FolderFile):
    """One JSON value a line."""

    def read(self, shape: type[T], what: str) -> list[T]:
        """Read all lines; see `JsonFile.read`."""
        return json_documents.read_lines(self.path, shape, what)

    def write(self, values: Iterable[object]) -> None:
        """Write all lines atomically; see `JsonFile.write`."""
        json_documents.require_within(self.folder, self.path)
        atomic_io.write_text(self.path, "".join(atomic_io.canonical_json(to_plain(value)) + "\n" for value in values))


class TextFile(_FolderFile):
    """Text for people: Markdown, a page, a recipe in YAML."""

    def read(self, what: str) -> str:
        """Read the text; `what` names the work in errors.

        Raises:
            UserError: it is not there, or no text.
        """
        return text_files.read_text(self.path, what)

    def write(self, text: str) -> None:
        """Write the text as UTF-8 atomically; see `JsonFile.write`."""
        json_documents.require_within(self.folder, self.path)
        atomic_io.write_text(self.path, text)
