"""Where files are kept that any run may use again and that can be made anew: below the user's cache folder."""

from __future__ import annotations

from pathlib import Path

from leansort.core.errors import MachineError


def cache_folder(kind: str) -> Path:
    """Return the folder of one kind of files (of Linux below `$XDG_CACHE_HOME`, else `~/.cache`); it need not exist.

    Raises:
        MachineError: the user has no home folder.
    """
    from platformdirs import user_cache_path  # here: whoever names an engine needs no cache, and starts at once

    folder = user_cache_path("leansort")
    if not folder.is_absolute():
        raise MachineError(f"cache: got {folder}; set HOME or XDG_CACHE_HOME to a folder")
    return folder / kind
