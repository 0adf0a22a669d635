"""The child process of a job: reads the request, does it, writes the result; ends when its agent does."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from leansort.core.errors import LeansortError
from leansort.core.files import json_documents
from leansort.core.writing import atomic_io
from leansort.measure.device.device_jobs import JobRequest


def main(folder: Path, request: Path, result: Path) -> int:
    """Do one job.

    Args:
        folder: of the agent.
        request: the job's file.
        result: the file to write.

    Returns:
        The exit code: 0 done, 1 failed, 2 the request is at fault, said in a line on standard error.
    """
    threading.Thread(target=_end_with_agent, daemon=True).start()
    from leansort.workflows.device.file_store import FileStore
    from leansort.workflows.device.job_kinds import do_job

    try:
        asked = JobRequest.model_validate(json_documents.read_tree(request, "agent: job"))
        done = do_job(asked, FileStore(folder / "files"))
        atomic_io.write_json(result, done.to_json())
    except LeansortError as error:
        print("error:", *str(error).splitlines(), file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def _end_with_agent() -> None:
    """Wait until the agent's end of standard input is closed, which its death does, too."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    code = main(*(Path(item) for item in sys.argv[1:]))
    sys.stderr.flush()
    os._exit(code)  # a library that crashes as it is taken down has done its job all the same
