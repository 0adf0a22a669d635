"""The code of docs/extending.md as files: its plugins in a plugin folder, its suite as a file of tests."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT

_PLUGIN = re.compile(r"^`((?:backbones|passes|engines|sources|trackers)/\w+\.py)`.*?```python\n(.*?)```", re.S | re.M)


def code_blocks() -> list[str]:
    """Every block of Python of the page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "extending.md").read_text(), re.S)


def plugin_files() -> dict[str, str]:
    """The page's plugins by their places in a plugin folder."""
    return dict(_PLUGIN.findall((ROOT / "docs" / "extending.md").read_text()))


def write_plugins(folder: Path) -> None:
    """Make a plugin folder of the page."""
    for name, text in plugin_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def contract_suite() -> str:
    """The page's file of tests."""
    [suite] = [block for block in code_blocks() if block.startswith("from leansort.testing import")]
    return suite
