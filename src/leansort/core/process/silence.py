"""Keeping libraries from talking: they print progress and advice that no user of ours can act on."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import tempfile
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


@contextmanager
def withhold_lines(chatter: re.Pattern[str]) -> Iterator[None]:
    """Keep from standard error what native code writes there; other lines are passed on at the end.

    Args:
        chatter: found in lines that are left out.
    """
    sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as lines:
        os.dup2(lines.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            lines.seek(0)
            os.write(2, b"".join(line for line in lines if not chatter.search(line.decode(errors="replace"))))
