"""Why a graph is refused."""

from __future__ import annotations


class UnsoundGraphError(Exception):
    """A graph that must not be run; the text goes on after "its graph"."""


def quote(text: str) -> str:
    """A name out of a file that nobody vouches for, quoted: on one line, and short."""
    return repr(text[:60] + ("…" if len(text) > 60 else ""))
