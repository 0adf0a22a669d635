"""Write `docs/licences.md`: the licence of everything that an extra brings, as its own metadata states it.

python -m docs.licences            # of what is installed; rows of what is not are kept
python -m docs.licences --look-up  # asks pip for the metadata of pins that are not installed
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email import message_from_string
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import cast

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PAGE, PINS = ROOT / "docs" / "licences.md", ROOT / "constraints.txt"
UNKNOWN = "not stated"
INNER = ("all", "dev", "testing")  # extras that bring others, or what developers and their tests alone need
HEAD = """\
# Licences

leansort is under the Apache License 2.0. What `pip install leansort` and its extras bring besides has the licences
below, as each package's own metadata states them. Written by `python -m docs.licences` from the pins in
`constraints.txt`; do not edit. The models in the package have cards of their own, which `leansort models NAME` shows.

| package | version | licence | brought by |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Facts:
    """What a package says of itself.

    Attributes:
        licence: an SPDX expression where it has one, else its words.
        requires: requirements with their markers.
    """

    licence: str
    requires: tuple[str, ...] = ()


def pins() -> dict[str, str]:
    """Version by package's name, as `constraints.txt` pins them."""
    lines = [line.partition("#")[0].strip() for line in PINS.read_text().splitlines()]
    pairs = [line.split("==") for line in lines if "==" in line]
    return {canonicalize_name(name): version.partition(";")[0].strip() for name, version in pairs}


def licence_of(expression: str | None, text: str | None, classifiers: Iterable[str]) -> str:
    """The licence that metadata state: an expression, else classifiers, else the first line of free text."""
    named = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    first = (text or "").strip().splitlines()[:1]
    return (expression or ", ".join(dict.fromkeys(named)) or "".join(first)[:60] or UNKNOWN).replace("|", "/")


def stated(found: Message) -> Facts:
    """What a package's metadata state."""
    licence = licence_of(found["License-Expression"], found["License"], found.get_all("Classifier", ()))
    return Facts(licence, tuple(found.get_all("Requires-Dist", ())))


def installed(names: Iterable[str]) -> dict[str, Facts]:
    """Facts about those of the packages that are installed here."""
    found: dict[str, metadata.Distribution] = {canonicalize_name(item.name): item for item in metadata.distributions()}
    return {name: stated(cast(Message, found[name].metadata)) for name in names if name in found}


def looked_up(given: Mapping[str, str]) -> dict[str, Facts]:
    """Facts about packages that are not installed, from the wheels that pip fetches."""
    if not given:
        return {}
    result: dict[str, Facts] = {}
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "-d",
            folder,
        ]
        subprocess.run([*command, *(f"{name}=={version}" for name, version in given.items())], check=True)
        for path in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(path) as wheel:
                (name,) = [name for name in wheel.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
                found = message_from_string(wheel.read(name).decode())
            result[canonicalize_name(found["Name"])] = stated(found)
    return result


def brought_by(facts: Mapping[str, Facts]) -> dict[str, list[str]]:
    """Extras of leansort that bring a package, by its name; an empty name stands for no extra."""
    own = metadata.metadata("leansort")
    requires = tuple(own.get_all("Requires-Dist") or ())
    result: dict[str, list[str]] = {}
    for extra in ("", *sorted(set(own.get_all("Provides-Extra") or ()).difference(INNER))):
        seen: set[tuple[str, str]] = set()
        todo = [("leansort", extra)]
        while todo:
            name, inner = todo.pop()
            if (name, inner) in seen:
                continue
            seen.add((name, inner))
            lines = requires if name == "leansort" else facts[name].requires if name in facts else ()
            for needed in _needed(lines, inner):
                todo += [(canonicalize_name(needed.name), more) for more in ("", *needed.extras)]
        for name in sorted({name for name, _ in seen} - {"leansort"}):
            result.setdefault(name, []).append(extra)
    return result


def _needed(lines: Sequence[str], extra: str) -> list[Requirement]:
    """The requirements that hold here, with an extra or with none."""
    parsed = [Requirement(line) for line in lines]
    return [item for item in parsed if item.marker is None or item.marker.evaluate({"extra": extra})]


def kept_rows(text: str) -> dict[str, Facts]:
    """What a page says by package, for those that are not installed here."""
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\| .+ \|$", text, re.M)]
    return {row[0].strip("`"): Facts(row[2]) for row in cells if len(row) == 4}


def kept_extras(text: str) -> dict[str, list[str]]:
    """The extras that a page names by package, of those that there still are; an empty name stands for no extra."""
    there = {*(metadata.metadata("leansort").get_all("Provides-Extra") or ())}
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\| .+ \|$", text, re.M)]
    named = {row[0].strip("`"): row[3] for row in cells if len(row) == 4}
    return {
        name: [""] if told == "leansort" else [extra for extra in re.findall(r"`(\w[\w-]*)`", told) if extra in there]
        for name, told in named.items()
    }


def page(facts: Mapping[str, Facts], by: Mapping[str, Sequence[str]]) -> str:
    """The whole page: what no extra brings, but tests and tools need, comes last."""
    rows = []
    for name, version in pins().items():
        extras = by.get(name, [])
        told = "leansort" if "" in extras else ", ".join(f"`{item}`" for item in extras) or "development"
        licence = facts[name].licence if name in facts else UNKNOWN
        rows.append((told == "development", f"| `{name}` | {version} | {licence} | {told} |"))
    return HEAD + "\n".join(row for _, row in sorted(rows, key=lambda item: item[0])) + "\n"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--look-up", action="store_true", help="ask pip for what is not installed")
    given, pinned = parser.parse_args(), pins()
    facts = installed(pinned)
    if given.look_up:
        facts |= looked_up({name: version for name, version in pinned.items() if name not in facts})
    by = brought_by(facts)
    if PAGE.exists() and not given.look_up:  # what is not installed here may bring others: the page knows
        kept = PAGE.read_text()
        facts = {**kept_rows(kept), **facts}
        by = {name: sorted({*by.get(name, ()), *kept_extras(kept).get(name, ())}) for name in pinned}
    PAGE.write_text(page(facts, by))


if __name__ == "__main__":
    main()
