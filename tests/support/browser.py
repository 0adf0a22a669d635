"""Pages in Chromium, where one is installed: laid out at several widths, light and dark, and looked at by a script."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHECKS = Path(__file__).with_name("page_checks.js")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed")


def looked_at(pages: Mapping[str, str], folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Lay out every page at 360, 768 and 1600 px, light and dark.

    Args:
        pages: HTML by name.
        folder: for the browser's files.

    Returns:
        What the script found in each frame, and the lines of the browser's console.
    """
    assert CHROMIUM is not None
    harness = folder / "harness.html"
    given = json.dumps(dict(pages)).replace("<", "\\u003c")
    harness.write_text(
        f"<!doctype html><meta charset='utf-8'><body><script>const PAGES = {given};\n{CHECKS.read_text()}</script>"
    )
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    options += [f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--dump-dom"]
    done = subprocess.run(
        [CHROMIUM, *options, harness.as_uri()], capture_output=True, text=True, timeout=200, check=False
    )
    found = re.search(r"<body>RESULTS(.*)END</body>", done.stdout, re.DOTALL)
    assert found, f"Chromium gave no result: {done.stderr[-600:]}"
    return json.loads(html.unescape(found[1])), [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
