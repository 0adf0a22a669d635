"""`leansort status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort import api
from leansort.cli.options import Json, print_result


def status(
    run: Annotated[Path, typer.Argument(help="Folder of leansort run or leansort solve.")],
    as_json: Json = False,
) -> None:
    """Draw the stages of a job: what is done, how long it took, and what waits for what.

    \b
    Example: leansort status runs/sample
    """
    result = api.status(run)
    from leansort.workflows.stages.stage_status import status_text

    print_result(result, as_json, status_text(result))
