"""Jobs of an agent: one at a time, first come first served, each in a child process, all of them on disk.

A job that was taken on or done is a file before anyone is told so. An agent that was killed finds the waiting jobs when
it starts again, begins anew the one that ran, and loses no result.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

from leansort.core.errors import LeansortError, UserError
from leansort.core.files import json_documents
from leansort.core.files.typed_result import JsonObject
from leansort.core.process.console import say
from leansort.core.writing import atomic_io
from leansort.measure.device.device_jobs import JobRequest, JobState
from leansort.workflows.device import job_child
from leansort.workflows.device.job_kinds import files_of

MOST_WAITING, MOST_KEPT = 100, 1000
_REQUEST, _RESULT, _NUMBER = "request.json", "state.json", "number"


class JobQueue:
    """The jobs in one folder.

    Args:
        folder: of the agent.
        limit_s: seconds that a job may take.
    """

    def __init__(self, folder: Path, limit_s: float) -> None:
        self._folder, self._limit_s = folder, limit_s
        self._changed = threading.Condition()
        self._stopping = False
        self._child: subprocess.Popen[str] | None = None
        self._jobs.mkdir(parents=True, exist_ok=True)
        self._clear_half_written()
        known = sorted((self._number(item), item.name) for item in self._jobs.iterdir())
        self._last = known[-1][0] if known else 0
        self._waiting = [name for _, name in known if not (self._jobs / name / _RESULT).exists()]
        if self._waiting:
            say(f"agent: {len(self._waiting)} jobs of before go on")

    def submit(self, name: str, request: JobRequest) -> None:
        """Take a job on; one that is known already is left as it is.

        Raises:
            UserError: too many wait, its settings are wrong, or a file that it names was not sent.
        """
        with self._changed:
            folder = self._jobs / name
            if folder.exists():
                return
            if len(self._waiting) >= MOST_WAITING:
                raise UserError(f"{MOST_WAITING} jobs wait already; try again later")
            files_of(request)
            self._last += 1
            self._keep(folder, request)
            self._waiting.append(name)
            self._forget()
            self._changed.notify_all()

    def state(self, name: str, wait_s: float) -> JobState | None:
        """Where a job stands, asked until it is done or the time is over; None where it is not known."""
        with self._changed:
            self._changed.wait_for(lambda: name not in self._waiting or self._stopping, wait_s)
            folder = self._jobs / name
            if not folder.exists():
                return None
            if name in self._waiting:
                before = self._waiting.index(name)
                return JobState(state="queued" if before else "running", before=before)
            tree = json_documents.read_tree(folder / _RESULT, "agent: result")
            return JobState.from_json(tree, "agent: result")

    def waiting(self) -> int:
        """How many jobs wait or run."""
        return len(self._waiting)

    def needed(self) -> set[str]:
        """Digests of the files of all waiting jobs."""
        with self._changed:
            return {digest for name in self._waiting for digest in files_of(self._request(name))}

    def work(self) -> None:
        """Do the jobs one after the other, until `stop`."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting) or self._stopping)
                if self._stopping:
                    return
                name = self._waiting[0]
            state = self._done(name)
            with self._changed:
                if self._stopping:
                    return  # the job is begun anew at the next start
                atomic_io.write_json(self._jobs / name / _RESULT, state.to_json())
                self._waiting.remove(name)
                self._changed.notify_all()

    def stop(self) -> None:
        """End the worker and the job that runs."""
        with self._changed:
            self._stopping = True
            if self._child:
                self._child.kill()
            self._changed.notify_all()

    def _done(self, name: str) -> JobState:
        """Run a job's child process to its end.

        The child ends when its standard input does, so it does not outlive an agent that was killed.
        """
        result = self._jobs / name / "answer.json"
        command = [
            sys.executable,
            "-m",
            job_child.__name__,
            str(self._folder),
            str(self._jobs / name / _REQUEST),
            str(result),
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            self._child = child
            lines: list[str] = []
            reader = threading.Thread(target=lambda: lines.extend(child.stderr or ()), daemon=True)
            reader.start()
            try:
                code = child.wait(self._limit_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                return JobState(state="failed", error=f"the job took more than {self._limit_s:g} s", exit_code=1)
            finally:
                self._child = None
            reader.join(5)
        return _ended(code, lines, result)

    def _request(self, name: str) -> JobRequest:
        return JobRequest.model_validate(json_documents.read_tree(self._jobs / name / _REQUEST, "agent: job"))

    def _keep(self, folder: Path, request: JobRequest) -> None:
        half = folder.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        atomic_io.write_json(half / _REQUEST, request.model_dump(mode="json"))
        atomic_io.write_text(half / _NUMBER, str(self._last))
        half.rename(folder)

    def _forget(self) -> None:
        """Remove the oldest results where there are too many."""
        done = sorted((self._number(item), item) for item in self._jobs.iterdir() if (item / _RESULT).exists())
        for _, item in done[: max(0, len(done) - MOST_KEPT)]:
            shutil.rmtree(item, ignore_errors=True)

    def _clear_half_written(self) -> None:
        for item in self._jobs.glob("*.half"):
            shutil.rmtree(item, ignore_errors=True)

    @staticmethod
    def _number(folder: Path) -> int:
        return int((folder / _NUMBER).read_text())

    @property
    def _jobs(self) -> Path:
        return self._folder / "jobs"


def _ended(code: int, lines: list[str], result: Path) -> JobState:
    """What a child that ended with a code left."""
    if code == 0:
        try:
            tree = json_documents.read_tree(result, "agent: result")
        except LeansortError as error:
            return JobState(state="failed", error=str(error), exit_code=1)
        assert isinstance(tree, dict)
        done: JsonObject = tree
        return JobState(state="done", result=done)
    said = [line.removeprefix("error: ").strip() for line in lines if line.startswith("error: ")]
    words = said[-1] if said else f"the job ended with code {code}; an engine may have crashed"
    return JobState(state="failed", error=words, exit_code=2 if code == 2 else 1)
