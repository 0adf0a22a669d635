"""What `leansort watch` reads: a log of predictions, a list or folder of photos, or either on standard input.

Whatever it is, it comes one by one and is never held as a whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from leansort.core.errors import UserError
from leansort.core.process.console import say
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import printable
from leansort.runtime.drift.prediction_lines import MOST_CHARACTERS, parse_prediction
from leansort.runtime.predictor import Prediction

STDIN = "-"
_NAMED = 5  # lines that are named one by one; of more, their number
_BLANK = b" \t\r\n"


@dataclass
class LineFaults:
    """Lines that were passed over.

    Attributes:
        count: number of them.
        examples: the first of them, and why.
    """

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, why: str) -> None:
        """Count a line, and name it where it is one of the first."""
        self.count += 1
        if self.count <= _NAMED:
            self.examples.append(why)
            say(f"warning: {printable(why)}; it is passed over")


def is_log(path: Path) -> bool:
    """Whether a file holds lines of JSON objects, by its first byte that is no blank."""
    try:
        with path.open("rb") as file:
            return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip(_BLANK).startswith(b"{")
    except OSError as error:
        raise UserError(f"watch: cannot read {path} ({error.strerror or error})") from None


def name_log(path: Path) -> str:
    """Return a name for a log that stays while it grows, and changes where another one takes its place."""
    with path.open("rb") as file:
        return f"the log {path.name} that begins with {atomic_io.sha256(file.readline(MOST_CHARACTERS))[:16]}"


def split_stream(stream: BinaryIO) -> tuple[Iterator[bytes], bool]:
    """Return the lines of a stream, and whether they are JSON objects; waits for the first one."""
    lines = read_lines(stream)
    first = next((line for line in lines if line.strip()), b"")
    return itertools.chain([first] if first else [], lines), first.lstrip(_BLANK).startswith(b"{")


def read_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines as they come; of a line that is too long only the beginning, which no reader takes for a whole."""
    while line := stream.readline(MOST_CHARACTERS + 2):
        rest = line
        while len(rest) > MOST_CHARACTERS and not rest.endswith(b"\n") and rest:
            rest = stream.readline(MOST_CHARACTERS + 2)
        yield line


def read_log(
    lines: Iterator[bytes], labels: tuple[str, ...], where: str, faults: LineFaults, *, behind: int = 0
) -> Iterator[tuple[int, str, Prediction]]:
    """Yield number, image and prediction of each line of a log.

    Args:
        lines: of the log.
        labels: the classes.
        where: names the log in warnings.
        faults: gets the lines that cannot be used: cut short, no JSON, of other classes.
        behind: lines that were read before, and are not again.

    Raises:
        UserError: the log ends before `behind`.
    """
    number = 0
    for number, line in enumerate(lines, 1):
        if number <= behind or not line.strip():
            continue
        try:
            text = line.decode("utf-8")
            image, prediction, _ = parse_prediction(text.removeprefix("\ufeff"), labels, f"{where}: line {number}")
        except UserError as error:
            faults.add(f"{error}{_cut(line)}")
        except UnicodeDecodeError:
            faults.add(f"{where}: line {number} is no UTF-8")
        else:
            yield number, image, prediction
    if number < behind:
        raise UserError(
            f"watch: {where} has {number:,} lines, {behind:,} were read before; it was cut. Name another --out"
        )


def _cut(line: bytes) -> str:
    return "" if line.rstrip(_BLANK).endswith(b"}") else " (the line is cut short)"
