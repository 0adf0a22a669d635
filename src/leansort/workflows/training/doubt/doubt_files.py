"""What `leansort data doubt` writes for a person: the table, the page, and a corrections file to be filled in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.manifest import Manifest, Row
from leansort.core.process.console import say
from leansort.core.run_folder import RunFolder
from leansort.core.writing import atomic_io
from leansort.data.importing.corrections import drop_words, read_corrections
from leansort.report.review.doubt_page import DoubtPage, DoubtTile, render
from leansort.workflows.data.check import small_picture
from leansort.workflows.training.doubt.doubt_result import DoubtfulLabel, corrections_csv, table_csv


def write_doubts(
    folder: RunFolder, data: Manifest, ranked: Sequence[DoubtfulLabel], unjudged: Sequence[Row], top: int
) -> bool:
    """Write table, page and corrections file; return whether the last held decisions and was left alone.

    Args:
        folder: gets the files.
        data: the photos.
        ranked: the judged ones in order.
        unjudged: the others.
        top: number of photos on the page and in the corrections file.
    """
    names = data.labels.names
    others = [(row.image, row.split, names[row.label]) for row in unjudged]
    atomic_io.write_text(folder.doubt_table, table_csv(ranked, others))
    folder.doubt_page.write(render(_page(data, ranked[:top])))
    if _decides(folder.corrections):
        say(f"data doubt: {folder.corrections} holds decisions and is left as it is; move it away for a new one")
        return True
    atomic_io.write_text(folder.corrections, corrections_csv(ranked[:top]))
    return False


def _page(data: Manifest, top: Sequence[DoubtfulLabel]) -> DoubtPage:
    tiles = [
        DoubtTile(small_picture(data.root / item.file), item.file, item.label, item.suggested, _note(item))
        for item in top
    ]
    lead = (
        f"The {len(tiles):,} most doubtful labels of {len(data.rows):,}. Each is judged by predictions that the photo "
        "took no part in. Say what each photo is, download the corrections, and import with them."
    )
    drop = drop_words(data.labels.names)
    return DoubtPage("Doubtful labels", lead, data.labels.names, tiles, drop[0] if drop else "", data.digest)


def _note(item: DoubtfulLabel) -> str:
    own = f"p({item.label}) {item.label_probability:.3f}"
    return f"rank {item.rank}, {item.split}, {own}, p({item.suggested}) {item.suggested_probability:.3f}"


def _decides(path: Path) -> bool:
    """Whether a person has filled in a corrections file; one that cannot be read is a person's, too."""
    if not path.exists():
        return False
    try:
        return bool(read_corrections(path).rows)
    except UserError:
        return True
