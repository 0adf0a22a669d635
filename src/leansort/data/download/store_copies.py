"""Local copies of files and folders that lie in a store, for work that reads its data more than once.

A copy lies in the user's cache, each file written whole. Bringing it again fetches what is new or changed there, by
size and entity tag or time, and removes what is gone; so what an attempt brought that failed is kept for the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from leansort.core.errors import LeansortError, MachineError, UserError
from leansort.core.files.typed_files import JsonFile
from leansort.core.folders.user_cache import cache_folder
from leansort.core.locations import remote_store
from leansort.core.locations.location import RemotePath
from leansort.core.process.console import bar, say
from leansort.core.writing import atomic_io
from leansort.core.writing.file_lock import hold_lock

AT_ONCE = 16
_LISTING = "listing.json"


def bring(path: Path) -> Path:
    """Return the local copy of a file or a folder in a store; a local path is returned as it is.

    Raises:
        UserError: it is not there.
        MachineError: the store refuses or does not answer, or files could not be fetched; what was is kept.
    """
    if not isinstance(path, RemotePath):
        return path
    place = cache_folder("stores") / atomic_io.sha256(str(path).encode())[:16]
    with hold_lock(place.with_name(f"{place.name}.lock")):
        if not path.exists():
            raise UserError(f"{path} is not there")
        if path.is_dir():
            _bring_folder(path, place, _stamps(path))
        else:
            _bring_folder(path.parent, place, {path.name: remote_store.stamp_of(str(path))})
            return place / "files" / path.name
    return place / "files"


def _stamps(folder: RemotePath) -> dict[str, str]:
    """What tells whether a file is another one than before, by name."""
    try:
        names = remote_store.files_below(str(folder))
    except FileNotFoundError:
        raise UserError(f"{folder} is not there") from None
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = pool.map(lambda name: names[name] or remote_store.stamp_of(str(folder / name)), names)
        return dict(zip(names, asked, strict=True))


def _bring_folder(source: RemotePath, place: Path, stamps: Mapping[str, str]) -> None:
    """Make the files in `place` those of the store."""
    kept = JsonFile(place, _LISTING)
    before = kept.read_if_there(dict[str, str], "copy of a store") or {}
    files = place / "files"
    for name in before.keys() - stamps.keys():
        (files / name).unlink(missing_ok=True)
    wanted = [name for name, stamp in stamps.items() if before.get(name) != stamp or not (files / name).is_file()]
    done = {name: stamp for name, stamp in before.items() if name in stamps and name not in wanted}
    faults: list[str] = []
    try:
        _fetch(source, files, wanted, stamps, done, faults)
    finally:
        place.mkdir(parents=True, exist_ok=True)
        kept.write(done)
    gone = len(before.keys() - stamps.keys())
    say(
        f"{source}: {len(wanted) - len(faults):,} files fetched, {len(stamps) - len(wanted):,} were here, {gone:,} gone"
    )
    if faults:
        raise MachineError(
            f"{source}: {len(faults):,} of {len(stamps):,} files could not be fetched, first {min(faults)}; "
            f"run it again: what is here is kept"
        )


def _fetch(
    source: RemotePath, files: Path, wanted: list[str], stamps: Mapping[str, str], done: dict[str, str],
    faults: list[str],
) -> None:  # fmt: skip
    with bar(f"fetching {source}") as advance, ThreadPoolExecutor(AT_ONCE) as pool:
        begun = {pool.submit(_fetch_file, source / name, files / name): name for name in wanted}
        try:
            for number, future in enumerate(as_completed(begun), 1):
                name = begun[future]
                try:
                    future.result()
                    done[name] = stamps[name]
                except OSError as error:
                    faults.append(f"{source / name}: {error.strerror or error}")
                advance(number, len(wanted))
        except LeansortError:
            pool.shutdown(cancel_futures=True)
            raise


def _fetch_file(source: RemotePath, file: Path) -> None:
    if not file.resolve().is_relative_to(file.parent.resolve()) or ".." in source.parts:
        raise OSError(0, "has a name that leads out of its folder")
    atomic_io.write_bytes(file, source.read_bytes())
