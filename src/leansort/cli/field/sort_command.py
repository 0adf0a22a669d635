"""`leansort sort`: what lies on a belt, decided as it passes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leansort import api
from leansort.cli.completion.offered_names import offer_models
from leansort.cli.options import Engine, print_line
from leansort.core.errors import LeansortError

if TYPE_CHECKING:
    from leansort.runtime.sorting.sort_decision import SortDecision


def sort(
    source: Annotated[
        str,
        typer.Argument(
            help="A camera (/dev/video0), a stream (rtsp://..., http://...), a video, a folder that fills with photos, "
            "or - for standard input: lines of JSON that name photos, or a video (such as JPEGs one after the other)."
        ),
    ],
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="The bundle, or a name that `leansort models` lists; the package's own model by default.",
            autocompletion=offer_models,
        ),
    ] = None,
    boxes: Annotated[
        str,
        typer.Option(
            help="belt: what differs from the background; frame: each frame as a whole; or a file with boxes (COCO, or "
            "lines of JSON). By default belt for videos, and for photos frame or the boxes of their lines."
        ),
    ] = "",
    deadline: Annotated[
        float | None,
        typer.Option(
            help="Line before which objects are decided, as a fraction of the frame along the belt; 0.8 by default.",
            min=0.05,
            max=1,
        ),
    ] = None,
    direction: Annotated[
        str, typer.Option(help="In which the belt moves: right, left, down or up; right by default.")
    ] = "",
    stall: Annotated[
        float | None,
        typer.Option(
            help="Seconds without a frame after which a camera or stream is opened again, or a folder ends; 10 by "
            "default.",
            min=0,
        ),
    ] = None,
    retries: Annotated[
        int | None,
        typer.Option(help="Attempts without a frame after which a camera or stream is given up; 5 by default.", min=0),
    ] = None,
    votes: Annotated[
        int | None,
        typer.Option(
            help="Boxes of a frame that are classified at most, for full belts: those of objects with the fewest votes "
            "first. All by default.",
            min=1,
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Play a video as a camera: at its own pace, dropping frames if too slow.")
    ] = False,
    annotate: Annotated[
        Path | None, typer.Option(help="Video to write (.mp4, .mkv, .mov) with boxes, labels and the line.")
    ] = None,
    engine: Engine = "",
    mqtt: Annotated[
        str,
        typer.Option(
            help="Send each decision to an MQTT broker, too: mqtt://[USER:PASSWORD@]HOST[:PORT]/TOPIC, or mqtts:// "
            "for TLS. The password may stand in LEANSORT_MQTT_PASSWORD instead."
        ),
    ] = "",
    webhook: Annotated[
        str,
        typer.Option(
            help="Post each decision to this http:// or https:// address, too; with the token of "
            "LEANSORT_WEBHOOK_TOKEN, if that is set."
        ),
    ] = "",
) -> None:
    """Sort what a camera sees: one line of JSON for each object, decided once by all its frames. Ctrl-C ends it.

    \b
    Example: leansort sort /dev/video0 --bundle model.leansort --deadline 0.7
    Example: leansort sort belt/belt.mp4 --annotate sorted.mp4
    Example: leansort sort photos/ --boxes annotations.json
    Example: leansort sort /dev/video0 --mqtt mqtt://broker/belt/1
    """
    from leansort.workflows.field.belt_sorting import sort_text

    result = api.sort(
        source,
        bundle=bundle,
        boxes=boxes,
        deadline=deadline,
        direction=direction,
        stall=stall,
        retries=retries,
        live=live,
        annotate=annotate,
        engine=engine,
        mqtt=mqtt,
        webhook=webhook,
        votes=votes,
        stream=sys.stdin.buffer,
        on_decision=_print,
    )
    print_line(sort_text(result), to_error=True)
    if result.gone:
        raise LeansortError(result.gone)


def _print(decision: SortDecision) -> None:
    print(decision.line(), flush=True)  # a robot waits for it at the other end of a pipe
