"""Keeping libraries from talking: they print progress and advice that no user of ours can act on."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def silence(*, errors: bool = False) -> Iterator[None]:
    """Swallow standard output, warnings and log records below ERROR; of the whole process, while it lasts.

    Args:
        errors: swallow standard error and log records of every level, too: what fails is raised, and told by us.
    """
    before = logging.root.manager.disable
    logging.disable(max(before, logging.CRITICAL if errors else logging.WARNING))
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), ExitStack() as more:
            if errors:
                more.enter_context(redirect_stderr(io.StringIO()))
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


_NATIVE = threading.Lock()  # descriptor 2 is one for all threads


@contextmanager
def silence_native() -> Iterator[None]:
    """Swallow what native code writes to standard error; of the whole process, so for moments only.

    Python's own standard error goes the same way meanwhile. Callers in several threads take turns.
    """
    with _NATIVE, open(os.devnull, "wb") as nowhere:
        if sys.stderr is not None:
            sys.stderr.flush()
        kept = os.dup(2)
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
