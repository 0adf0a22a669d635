"""The page of doubtful labels: a person says what each photo is, and downloads the decisions as a corrections file.

The one page with a script. Its policy allows exactly that script, by its digest, and no request; what comes from the
data lies in attributes, escaped, and the script writes none of it into the page.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from urllib.parse import quote

from leansort.core.text.table_files import csv_line
from leansort.report import templates
from leansort.report.sheets import Image, data_uri

SCRIPT = "review/doubt.js.j2"


@dataclass(frozen=True)
class DoubtTile:
    """A photo whose label is in doubt.

    Attributes:
        pixels: (h, w, 3) uint8 RGB, or None where it cannot be shown.
        file: its name, as a corrections file has it.
        label: its class.
        suggested: the class that is suggested.
        note: a line above it.
    """

    pixels: Image | None
    file: str
    label: str
    suggested: str
    note: str


@dataclass(frozen=True)
class DoubtPage:
    """A whole page.

    Attributes:
        title: of the page.
        lead: one sentence under it.
        classes: that a photo may be given.
        tiles: the photos, the most doubtful first.
        drop: the word that leaves a photo out; empty where classes are called like both such words.
        data: digest of the data, under which a browser keeps decisions that were not downloaded yet.
    """

    title: str
    lead: str
    classes: Sequence[str]
    tiles: Sequence[DoubtTile]
    drop: str
    data: str


def render(page: DoubtPage) -> str:
    """Lay the page out as one self-contained HTML document.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    script = resources.files("leansort.report").joinpath(SCRIPT).read_text("utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    loaded = templates.environment()
    loaded.filters.update(uri=data_uri, cell=_cell)
    text: str = loaded.get_template("review/doubt.html.j2").render(
        page=page, policy=f"'sha256-{digest}'", script=templates.trusted(script)
    )
    return templates.writable(text)


def _cell(text: str) -> str:
    """A cell of CSV, so encoded that an attribute carries it unchanged."""
    return quote(csv_line([text]), safe="", errors="replace")
