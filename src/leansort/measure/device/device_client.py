"""The client of `leansort agent`: sends files that the device lacks, asks for a job, waits for its result.

A connection that is lost is made anew until `PATIENCE` seconds have passed without an answer. A job has a name of its
own, so that asking twice starts it once, and an agent that was killed goes on with it or has its result on disk.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import TypeVar

from leansort.core.errors import LeansortError, MachineError, UserError
from leansort.core.files.typed_result import TypedResult
from leansort.core.process.console import say
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import printable
from leansort.measure.device.device_connection import DeviceConnection, DeviceGone, Reply
from leansort.measure.device.device_jobs import (
    PROTOCOL,
    BenchJob,
    DeviceStatus,
    JobRequest,
    JobState,
    LatencyJob,
    OutputsJob,
)

PATIENCE, LONGEST_PAUSE = 120.0, 5.0  # seconds
PATIENCE_OF_USER = "LEANSORT_DEVICE_SECONDS"
POLL_S = 20
AnyJob = LatencyJob | OutputsJob | BenchJob
Result = TypeVar("Result", bound=TypedResult)


class DeviceClient:
    """A device, by the address of its agent.

        with DeviceClient("http://robot:8791") as device:
            times = device.run(LatencyJob(...), LatencyTimes, files)

    Args:
        address: `http://HOST:PORT`, `https://HOST:PORT` or `ssh:HOST`.

    Raises:
        UserError: the address or the token cannot be used.
    """

    def __init__(self, address: str) -> None:
        self._connection = DeviceConnection(address)
        self._patience = _patience()
        self._sent: set[str] = set()

    def __enter__(self) -> DeviceClient:
        """Return the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the connection."""
        self._connection.close()

    def status(self) -> DeviceStatus:
        """Ask the agent what it is.

        Raises:
            UserError: it speaks another version of the protocol, or refuses the token.
            MachineError: it does not answer.
        """
        reply = self._ask("GET", "/v1/status")
        tree = reply.tree()
        theirs = tree.get("protocol") if isinstance(tree, dict) else None
        if theirs != PROTOCOL:
            raise UserError(
                f"device: {self._connection.address.text} speaks protocol {printable(str(theirs))}, this leansort "
                f"{PROTOCOL}; install the same version on both"
            )
        return DeviceStatus.from_json(tree, "device: status")

    def run(self, job: AnyJob, result: type[Result], files: Iterable[bytes]) -> Result:
        """Have a job done.

        Args:
            job: what to do.
            result: the type of what it gives.
            files: contents of all files that the job names by their SHA-256.

        Raises:
            UserError: the device refuses the job, e.g. a bundle that its engines do not read.
            LeansortError: it failed there.
            MachineError: the device has not answered for `PATIENCE` seconds.
        """
        named = {atomic_io.sha256(data): data for data in files}
        self._send(named)
        request = JobRequest(kind=job.KIND, job=job.model_dump(mode="json"))  # type: ignore[arg-type]
        body = atomic_io.canonical_json(request.model_dump(mode="json")).encode()
        path = f"/v1/jobs/{os.urandom(16).hex()}"
        self._ask("PUT", path, body)
        state = self._wait(path, body, named)
        if state.state == "failed":
            kind = UserError if state.exit_code == 2 else LeansortError
            raise kind(f"device {self._connection.address.text}: {printable(state.error)}")
        return result.from_json(state.result, f"device: result of {job.KIND}")

    def _wait(self, path: str, body: bytes, files: Mapping[str, bytes]) -> JobState:
        told = -1
        while True:
            reply = self._ask("GET", f"{path}?wait={POLL_S}", missing=True)
            if reply.status == 404:  # the agent's folder is new: it knows neither the job nor the files any more
                self._sent.clear()
                self._send(files)
                self._ask("PUT", path, body)
                continue
            state = JobState.from_json(reply.tree(), "device: job")
            if state.state in ("done", "failed"):
                return state
            if state.state == "queued" and state.before != told:
                told = state.before
                say(f"device: waiting for {told} other job{'' if told == 1 else 's'} there")

    def _send(self, files: Mapping[str, bytes]) -> None:
        for digest, data in files.items():
            if digest in self._sent:
                continue
            if self._ask("HEAD", f"/v1/files/{digest}", missing=True).status == 404:
                self._ask("PUT", f"/v1/files/{digest}", data)
            self._sent.add(digest)

    def _ask(self, method: str, path: str, body: bytes = b"", *, missing: bool = False) -> Reply:
        """Ask until there is an answer; one that refuses is raised, a 404 only where nothing may be missing."""
        last, pause, said = time.monotonic(), 0.2, False
        while True:
            try:
                reply = self._connection.ask(method, path, body)
            except DeviceGone as error:
                if time.monotonic() - last > self._patience:
                    raise MachineError(f"device: {self._connection.address.text} does not answer ({error})") from None
                if not said:
                    said = True
                    say(f"device: {self._connection.address.text} does not answer ({error}); trying again")
                time.sleep(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)
                continue
            if reply.status < 300 or (missing and reply.status == 404):
                return reply
            raise UserError(f"device {self._connection.address.text}: {printable(reply.error())}")


def _patience() -> float:
    text = os.environ.get(PATIENCE_OF_USER, "")
    try:
        seconds = float(text or PATIENCE)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise UserError(f"{PATIENCE_OF_USER}: got {text!r}, need seconds from 0 to 86400")
    return seconds
