"""The report as one self-contained HTML page: no script, nothing fetched, pictures inside."""

from __future__ import annotations

import base64
import importlib
import importlib.resources
from collections.abc import Iterator, Mapping
from typing import Any

from leansort.core.errors import MissingExtraError
from leansort.report.content import Report
from leansort.report.plots import curve


def render(report: Report) -> str:
    """Lay out a report.

    Args:
        report: what to show; every text in it is escaped.

    Returns:
        A whole HTML document.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    try:
        jinja2 = importlib.import_module("jinja2")
    except ImportError:
        raise MissingExtraError("jinja2", "train") from None
    source = importlib.resources.files("leansort.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["jpeg"] = lambda data: "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
    page: str = environment.from_string(source).render(
        report=report,
        rows=_confusion(report),
        loss=curve(report.history, "loss", "Training loss by epoch"),
        f1=curve(report.history, "val_macro_f1", "Validation macro-F1 by epoch", mark_best=True),
        provenance=list(_flat(report.provenance)),
    )
    return page


def _confusion(report: Report) -> list[tuple[str, list[tuple[int, float]]]]:
    """Each true class with its counts and their share of the row, which shades the cell."""
    return [
        (row.name, [(count, count / max(1, sum(counts))) for count in counts])
        for row, counts in zip(report.classes, report.matrix, strict=True)
    ]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, str(value)
