"""Which packs there are, which of them are at hand, and on what terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from leansort.arch.pretrained.pack_cache import cached_file, read_cached
from leansort.arch.pretrained.pack_conversion import verified_bytes
from leansort.arch.pretrained.weight_pack import PackFile, WeightPack, find_pack, list_packs, weights_file
from leansort.core.errors import IntegrityError, LeansortError, MachineError, UserError
from leansort.core.files.typed_result import TypedResult
from leansort.core.process.console import say
from leansort.core.text.columns import align_columns

Installed = Literal["yes", "no", "file missing", "file differs"]


@dataclass(frozen=True)
class PackState:
    """A pack and whether it can be used at once.

    Attributes:
        name: of the pack.
        installed: whether its file is there, and the one that the pack was written for.
        cached: whether its tensors are kept already, so that the file is not needed.
        origin: where the pack comes from: `leansort`, a file of a plugin folder, or a distribution.
        facts: what its file holds.
    """

    name: str
    installed: Installed
    cached: bool
    origin: str
    facts: PackFile

    @property
    def state(self) -> str:
        """In a word or two."""
        installed = {"yes": "installed", "no": "not installed"}.get(self.installed, self.installed)
        return f"cached, {installed}" if self.cached else installed


class PacksResult(TypedResult):
    """All packs.

    Attributes:
        packs: in alphabetical order.
    """

    packs: tuple[PackState, ...]

    def headline(self) -> dict[str, str]:
        """Return the state of each."""
        return {pack.name: pack.state for pack in self.packs}


def pack_states() -> PacksResult:
    """Look for the file and the cache of every pack; a pack whose own file is wrong is named and left out."""
    states = []
    for name in list_packs():
        try:
            states.append(_state(find_pack(name)))
        except UserError as error:
            say(f"warning: left out: {error}")
    return PacksResult(packs=tuple(states))


def packs_table(result: PacksResult) -> str:
    """Packs as text, and how the missing ones are had."""
    rows = [
        [
            f"pack:{pack.name}",
            pack.state,
            pack.facts.backbone,
            f"{pack.facts.data}, {pack.facts.classes} classes",
            pack.facts.licence,
            pack.facts.distribution or "a file",
            f"{pack.facts.bytes / 1e6:.1f}",
        ]
        for pack in result.packs
    ]
    head = ["name", "state", "made for", "trained on", "licence", "comes with", "MB"]
    lines = [align_columns([head, *rows], left=len(head) - 1)]
    if any(pack.installed == "no" and not pack.cached and pack.origin == "leansort" for pack in result.packs):
        lines.append("What is not installed comes with: pip install 'leansort[pretrained]'")
    return "\n".join(lines)


def describe_pack(pack: WeightPack) -> str:
    """A pack in a paragraph: source, terms, statistics."""
    facts, images = pack.facts, pack.facts.preprocess
    lines = {
        "made for": f"{facts.backbone}, {facts.classes} classes",
        "trained on": f"{facts.data}, {images.size} px, mean {images.mean}, std {images.std}",
        "licence": facts.licence,
        "source": " ".join(part for part in (facts.source, facts.paper) if part),
        "comes with": " ".join(part for part in (facts.distribution, facts.version) if part) or facts.file,
        "sha256": facts.sha256,
    }
    return "\n".join(f"{name + ':':<12}{value}" for name, value in lines.items())


def _state(pack: WeightPack) -> PackState:
    try:
        cached = read_cached(cached_file(pack)) is not None
    except MachineError:
        cached = False
    return PackState(pack.name, _installed(pack), cached, pack.plugin.origin, pack.facts)


def _installed(pack: WeightPack) -> Installed:
    if weights_file(pack) is None:
        return "no"
    try:
        verified_bytes(pack)
    except IntegrityError:
        return "file differs"
    except LeansortError:
        return "file missing"
    return "yes"
