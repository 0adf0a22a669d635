"""What a run's data were made of, file by file, so that a resumed run sees what was added, removed or changed.

A file of the same size and times is taken as the same; where these differ its contents decide, so that a file that was
only touched, copied back or checked out anew is the same.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

from leansort.core.errors import IntegrityError, MissingExtraError
from leansort.core.manifest import Manifest
from leansort.core.writing import atomic_io

_KEY, _VERSION = b"leansort", 1
_NAMED = 3  # examples of each kind of difference
_GONE = -1  # the size of what is not there


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file.

    Attributes:
        path: absolute.
        kind: `photo`, or what else it is, for messages.
        size: in bytes; -1 where it is not there.
        modified: nanoseconds of its contents' last change.
        changed: nanoseconds of the last change of anything about it.
        hash: SHA-256 of the contents, first 32 hex digits; empty where it was not read.
        meaning: class, split and group where it is a manifest's crop.
    """

    path: str
    kind: str
    size: int
    modified: int
    changed: int
    hash: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class InputFiles:
    """All files of an import, or all crops of a manifest that was made before.

    Attributes:
        files: in the order of their paths.
        manifest: the manifest that was given; empty where the run imported its data itself.
    """

    files: tuple[InputFile, ...]
    manifest: str = ""

    def save(self, path: Path) -> None:
        """Write them as Parquet, atomically."""
        arrow, parquet = _arrow()
        names = [field.name for field in fields(InputFile)]
        columns = dict(zip(names, zip(*map(astuple, self.files), strict=True), strict=True)) if self.files else {}
        table = arrow.table({name: arrow.array(columns.get(name, ()), _type(arrow, name)) for name in names})
        meta = {"version": _VERSION, "manifest": self.manifest}
        with atomic_io.replace_file(path) as temporary:
            parquet.write_table(
                table.replace_schema_metadata({_KEY: atomic_io.canonical_json(meta).encode()}), temporary
            )


def load(path: Path) -> InputFiles:
    """Read what `InputFiles.save` wrote.

    Raises:
        IntegrityError: it is damaged, or of another version.
    """
    arrow, parquet = _arrow()
    try:
        table = parquet.read_table(path)
        meta = json.loads(table.schema.metadata[_KEY])
        if meta["version"] != _VERSION:
            raise ValueError(f"version {meta['version']}")
        files = tuple(InputFile(**row) for row in table.to_pylist())
        return InputFiles(files, str(meta["manifest"]))
    except (OSError, KeyError, TypeError, ValueError, arrow.ArrowException) as error:
        raise IntegrityError(f"resume: {path} cannot be read ({type(error).__name__}); start anew") from None


def describe_files(kinds: Mapping[Path, str], known: Mapping[str, str] | None = None) -> tuple[InputFile, ...]:
    """Look at files and read their contents.

    Args:
        kinds: the files, each with what it is.
        known: hashes by absolute path that need not be computed again.
    """
    known = known or {}
    return _parallel(_read, [(item, known.get(item.path, "")) for item in _seen(kinds)])


def describe_manifest(manifest: Manifest) -> tuple[InputFile, ...]:
    """Look at a manifest's crops; the contents are those that it names."""
    names, result = manifest.labels.names, {}
    for row in manifest.rows:
        path = os.path.normpath(manifest.path(row).absolute())
        item = _stat((path, "crop"))
        result[path] = replace(item, hash=row.hash, meaning=f"{names[row.label]}, {row.split}, {row.group}")
    return tuple(result[path] for path in sorted(result))


def differences(before: Sequence[InputFile], now: Mapping[Path, str] | Sequence[InputFile]) -> str:
    """Say what was added, removed and changed, with the first names; empty where all is the same.

    Args:
        before: the files as they were.
        now: the files of today with what each is, or a manifest's crops.
    """
    today = {item.path: item for item in (now if isinstance(now, Sequence) else _seen(now))}
    then = {item.path: item for item in before}
    both = [(item, today[path]) for path, item in then.items() if path in today]
    other = [item for item, same in zip(both, _parallel(_same, both), strict=True) if not same]
    gone = [item for item in then.values() if item.path not in today and item.size != _GONE]
    new = [item for path, item in today.items() if path not in then and item.size != _GONE]
    new += [item for old, item in other if old.size == _GONE]
    gone += [old for old, item in other if item.size == _GONE]
    changed = [(old, item) for old, item in other if _GONE not in (old.size, item.size)]
    moved = [item for old, item in changed if old.hash == item.hash and old.meaning != item.meaning]
    fresh = [item for old, item in changed if old.hash != item.hash or old.meaning == item.meaning]
    base = _base(item.path for item in (*then.values(), *today.values()))
    told = [_describe(new, "added", base), _describe(gone, "removed", base), _describe(fresh, "changed", base)]
    return "; ".join(part for part in (*told, _describe(moved, "given another class, split or group", base)) if part)


def _describe(files: Sequence[InputFile], what: str, base: str) -> str:
    parts = []
    for kind in dict.fromkeys(file.kind for file in files):
        names = sorted(os.path.relpath(file.path, base) for file in files if file.kind == kind)
        shown = ", ".join(names[:_NAMED]) + ", …" * (len(names) > _NAMED)
        parts.append(f"{len(names):,} {kind}{'s' * (len(names) > 1)} {what} ({shown})")
    return "; ".join(parts)


def _base(paths: Iterable[str]) -> str:
    folders = {path.rpartition(os.sep)[0] or os.sep for path in paths}
    return os.path.commonpath(folders) if folders else os.curdir


def _same(pair: tuple[InputFile, InputFile]) -> bool:
    old, item = pair
    if old.size != item.size or old.meaning != item.meaning or (item.hash and item.hash != old.hash):
        return False
    if (old.modified, old.changed) == (item.modified, item.changed) or old.size == _GONE:
        return True
    return bool(old.hash) and hash_file(item.path) == old.hash


def _seen(kinds: Mapping[Path, str]) -> list[InputFile]:
    named = {os.path.normpath(path.absolute()): kind for path, kind in kinds.items()}
    return list(_parallel(_stat, sorted(named.items())))


def _stat(named: tuple[str, str]) -> InputFile:
    path, kind = named
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return InputFile(path, kind, _GONE, 0, 0)
    return InputFile(path, kind, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _read(pair: tuple[InputFile, str]) -> InputFile:
    item, known = pair
    return replace(item, hash=known or (hash_file(item.path) if item.size != _GONE else ""))


def hash_file(path: str) -> str:
    """Return the first 32 hex digits of the SHA-256 of a file; empty where it cannot be read."""
    try:
        return hashlib.sha256(atomic_io.read_file(Path(path))).hexdigest()[:32]
    except OSError:
        return ""


def _parallel(function: Any, values: Sequence[Any]) -> tuple[Any, ...]:
    with ThreadPoolExecutor(2 * len(os.sched_getaffinity(0))) as pool:  # what is waited for is disks and networks
        return tuple(pool.map(function, values))


def _type(arrow: Any, name: str) -> Any:
    return arrow.int64() if name in ("size", "modified", "changed") else arrow.string()


def _arrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError("pyarrow", "train") from None
