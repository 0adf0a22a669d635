"""Let the examples in docstrings stand on the site as code: a griffe extension, named in `mkdocs.yml`.

The docstrings have examples that the tests run, lines after `>>>`, which Markdown takes for quotations.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^([ ]*)>>> .*(?:\n\1\S.*|\n\1[ ]+\S.*)*", re.MULTILINE)


def fence(text: str) -> str:
    """Return a docstring whose examples, up to the next empty line, are fenced blocks."""
    return EXAMPLE.sub(lambda match: f"{match[1]}```pycon\n{match[0]}\n{match[1]}```", text)


class FencedDoctests(griffe.Extension):
    """Fences the examples of every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change an object's docstring; called by griffe for each object that it has read."""
        if obj.docstring:
            obj.docstring.value = fence(obj.docstring.value)
