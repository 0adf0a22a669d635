"""Write the bundles that the contract of engines takes, which need torch to be made, into a folder."""

from __future__ import annotations

import sys
from pathlib import Path

from leansort.core.bundle import FORMATS
from leansort.core.errors import LeansortError
from leansort.testing.engine_contract import sample_bundle


def main(folder: Path) -> None:
    """Write `FORMAT.leansort` of every format that can be made here; say which cannot."""
    for graph_format in FORMATS:
        try:
            sample_bundle(graph_format).save(folder / f"{graph_format}.leansort")
        except LeansortError as error:
            print(f"{graph_format}: left out, {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
