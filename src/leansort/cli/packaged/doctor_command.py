"""`leansort doctor`: what works here, and what does not."""

from __future__ import annotations

import typer

from leansort import api
from leansort.cli.options import Json, print_result


def doctor(as_json: Json = False) -> None:
    """Tell what is installed here, which engines work and how fast they are, and how to mend what is wrong.

    Takes some seconds. Exit code 1 if something will fail.

    \b
    Example: leansort doctor
    """
    from leansort.workflows.device.doctor import doctor_text

    result = api.doctor()
    print_result(result, as_json, doctor_text(result))
    if result.faults:
        raise typer.Exit(1)
