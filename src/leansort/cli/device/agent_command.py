"""`leansort agent`: measure on this machine what `--device` asks for on another one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort.cli.options import print_line


def agent(
    folder: Annotated[Path | None, typer.Option(help="The agent's own; in the user's cache by default.")] = None,
    address: Annotated[str, typer.Option(help="IP address of this machine to bind to.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8791,
    token_file: Annotated[
        Path | None, typer.Option(help="Whose content clients must send; FOLDER/token by default, made where missing.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="PEM file of a certificate, for TLS.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of its private key.")] = None,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Serve other machines without TLS: the token can be read on the way."),
    ] = False,
    limit: Annotated[float, typer.Option(help="Seconds that a job may take.", min=1)] = 1800.0,
) -> None:
    """Run on a device: takes bundles in, gives measurements out, one job at a time, until Ctrl-C.

    Clients give its address by --device, and the token by the variable LEANSORT_DEVICE_TOKEN.

    \b
    Example: leansort agent --address 192.0.2.7 --certificate robot.pem --key robot.key
    Example: leansort agent --folder /tmp/agent --port 0
    """
    from leansort.workflows.device.agent import Agent, AgentSettings, agent_folder

    settings = AgentSettings(
        folder or agent_folder(), address, port, token_file, certificate, key, plain=plain, job_limit_s=limit
    )
    running = Agent(settings)
    print_line(f"agent: serving at {running.url}, token in {running.token_file}; Ctrl-C ends it", to_error=True)
    try:
        running.serve()
    except KeyboardInterrupt:
        print_line("agent: ended", to_error=True)
