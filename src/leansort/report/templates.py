"""Where pages come from: Jinja2 templates that lie beside this file and share one style."""

from __future__ import annotations

import base64
import functools
import importlib
from importlib import resources
from typing import TYPE_CHECKING

from leansort.core.errors import MissingExtraError
from leansort.core.writing.escaping import printable_lines

if TYPE_CHECKING:
    from jinja2 import Environment


def environment() -> Environment:
    """The Jinja2 environment of this folder's templates: whatever is put in is escaped, its control characters too.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    try:
        importlib.import_module("jinja2")
    except ModuleNotFoundError:
        raise MissingExtraError("jinja2", "train") from None
    return _environment()


@functools.cache
def _environment() -> Environment:
    """Made once, since it keeps the compiled templates, and compiling takes longer than all else of a page."""
    jinja2 = importlib.import_module("jinja2")
    loader = jinja2.FunctionLoader(lambda name: resources.files("leansort.report").joinpath(name).read_text("utf-8"))
    made: Environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=loader, finalize=escape_text
    )
    return made


def escape_text(value: object) -> object:
    """Text as a page can show it; what is markup already, and what is no text, is passed on."""
    return printable_lines(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def trusted(text: str) -> str:
    """Text of the package itself, which a page takes as it is: never anything of a user's.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    try:
        markup: str = importlib.import_module("markupsafe").Markup(text)
    except ModuleNotFoundError:
        raise MissingExtraError("jinja2", "train") from None
    return markup


def base64_of(data: bytes) -> str:
    """Bytes as text for a data URI."""
    return base64.b64encode(data).decode("ascii")


def writable(page: str) -> str:
    """Make a page encodable: a file name that is not UTF-8 arrives with lone surrogates."""
    return page.encode("utf-8", "replace").decode("utf-8")
