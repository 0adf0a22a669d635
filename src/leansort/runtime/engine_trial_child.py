"""What a child process does to try engines: load bundles and run a few batches of noise, telling each step beforehand.

Reads a list of [bundle file, engine, threads, images of each call] as JSON from standard input. Prints a line of JSON
before each step, so that the last one says what ended the process.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from pathlib import Path

import numpy as np

from leansort.core import bundle as bundles
from leansort.core.errors import LeansortError, UserError, one_line
from leansort.core.seeds import Seeds
from leansort.runtime import engine as engines

BATCHES = (
    1,
    1,
    1,
    2,
    3,
    4,
    8,
    16,
    64,
)  # those that streams are tried with, what may be left of them, and that of scoring
LIMIT = "LEANSORT_ENGINE_SECONDS"
SECONDS = 120.0
HUNG = "Timeout ("  # how faulthandler begins what it says


def time_limit_s() -> float:
    """Seconds that an engine may take to load, or for one call.

    Raises:
        UserError: the environment says something else than a number above zero.
    """
    given = os.environ.get(LIMIT, "")
    try:
        seconds = float(given or SECONDS)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise UserError(f"{LIMIT}: got {given!r}, need seconds above 0")
    return seconds


def describe_exception(error: Exception) -> str:
    """What an engine did that raised an exception of its own library's, in a few words."""
    text = one_line(error)
    return f"failed ({type(error).__name__}{text and ': '}{text})"


def main() -> None:
    """Try what standard input lists."""
    seconds = time_limit_s()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is not for whoever reads this
    for number, (path, engine, threads, batches) in enumerate(json.load(sys.stdin)):

        def tell(number: int = number, **what: object) -> None:
            faulthandler.dump_traceback_later(seconds, exit=True)  # from a thread that needs no lock of Python's
            print(json.dumps({"job": number, **what}), file=out, flush=True)

        tell(doing="loading")
        doing = "loading"
        try:
            runner, size = _load(Path(path), engine, threads)
            for batch in batches:
                doing = f"a batch of {batch}"
                tell(doing=doing)
                runner.run(_noise(batch, size))
        except LeansortError:
            tell(done=True)  # said in a line of its own, when it is loaded to be used
        except Exception as error:
            tell(doing=doing, failed=describe_exception(error))
        else:
            tell(done=True)
    faulthandler.cancel_dump_traceback_later()
    out.close()
    os._exit(0)  # a library that crashes as it is taken down has run all the same


def _load(path: Path, engine: str, threads: int) -> tuple[engines.LoadedGraph, int]:
    bundle = bundles.load(path)
    config = {"threads": threads}
    return engines.load_engine(bundle, engine, **config), bundle.meta.preprocess.size


def _noise(batch: int, size: int) -> engines.Pixels:
    drawn = Seeds(0).child("measure/noise").numpy().integers(0, 256, (batch, size, size, 3))
    return np.ascontiguousarray(drawn.astype(np.uint8))


if __name__ == "__main__":
    main()
