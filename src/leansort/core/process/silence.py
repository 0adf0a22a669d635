"""Keeping libraries from talking: they print progress and advice that no user of ours can act on."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import tempfile
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
EVERY_LINE = re.compile("")


@contextmanager
def withhold_lines(chatter: re.Pattern[str] = EVERY_LINE) -> Iterator[None]:
    """Keep from standard error what native code writes there; other lines are passed on at the end.

    Of the whole process, Python's own standard error included, so for moments only. Callers in several threads take
    turns.

    Args:
        chatter: found in lines that are left out; all are by default.
    """
    with _NATIVE, tempfile.TemporaryFile() as lines:
        if sys.stderr is not None:
            sys.stderr.flush()
        real = os.dup(2)
        os.dup2(lines.fileno(), 2)
        try:
            yield
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(real, 2)
            lines.seek(0)
            os.write(real, b"".join(line for line in lines if not chatter.search(line.decode(errors="replace"))))
            os.close(real)
