"""The bundle: one file with all that a robot needs to sort.

A zip of stored (uncompressed) members: the graph's files, `bundle.json` and `hashes.json`. It is written
deterministically, and opening one re-creates the whole file from its members and compares: any byte that differs
from what we would have written - in a member, in the zip's own tables, before or after them - is refused before
anything is used. Nothing is ever unpacked to disk, so names like `../x` have nowhere to go.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from leansort.core.errors import IntegrityError, UserError, one_line
from leansort.core.files.bundle_card import BundleCard
from leansort.core.files.bundle_decisions import NoveltyScale
from leansort.core.files.bundle_reference import BundleReference
from leansort.core.graphs import soundness
from leansort.core.graphs.limits import BUNDLE_BYTES, META_BYTES, META_DEPTH, NAME_CHARACTERS
from leansort.core.labels import LabelSet, require_distinct, require_printable
from leansort.core.preprocess import Preprocess
from leansort.core.strict_model import StrictModel
from leansort.core.text import text_files, yaml_config
from leansort.core.writing import atomic_io

SCHEMA = 1
# The first file holds the network; `torch` has the architecture and its weights, and no graph.
FORMATS = {
    "onnx": ("graph.onnx",),
    "openvino": ("graph.xml", "graph.bin"),
    "torch": ("network.safetensors",),
    "ncnn": ("graph.ncnn.param", "graph.ncnn.bin"),
}
_META, _HASHES = "bundle.json", "hashes.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold


class BundleMeta(StrictModel):
    """The content of `bundle.json`.

    Attributes:
        bundle_schema: version of this layout.
        name: of the model, for people.
        preprocess: how images become the graph's input.
        labels: class names in the order of the graph's outputs.
        labels_digest: digest of `labels`.
        temperature: logits are divided by it before the softmax; 0.01 to 100.
        reject_below: predictions less probable than this are not accepted.
        novelty: how novel images are told; None of bundles that cannot tell it.
        reference: what val photos look like, by which drift is told; None of bundles that cannot tell it.
        parameters: weights of the network.
        macs: multiply-adds for one image.
        provenance: where the bundle comes from.
        card: what its model card tells; None of bundles that were not made to be passed on.
    """

    bundle_schema: int = SCHEMA
    name: str
    preprocess: Preprocess
    labels: tuple[str, ...]
    labels_digest: str
    temperature: float = Field(default=1.0, ge=0.01, le=100.0)
    reject_below: float = Field(default=0.0, ge=0.0, le=1.0)
    novelty: NoveltyScale | None = None
    reference: BundleReference | None = None
    parameters: int = Field(ge=0, le=10**12)
    macs: int = Field(ge=0, le=10**15)
    provenance: dict[str, Any] = Field(default_factory=dict)
    card: BundleCard | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the content of `bundle.json`.

        Without a card it is that of bundles from before there were cards, and of a card the defaults are left out, so
        that bundles keep their bytes and digest where cards come to tell more; likewise of `novelty` and `reference`.
        """
        later = {"card": self.card, "novelty": self.novelty, "reference": self.reference}
        tree = self.model_dump(mode="json", exclude=set(later))
        return tree | {key: part.model_dump(mode="json", exclude_defaults=True) for key, part in later.items() if part}


@dataclass(frozen=True)
class Bundle:
    """A verified deployable model.

    Attributes:
        meta: everything but the graph.
        files: the serialized network by file name, those of one format: uint8 (b, h, w, 3) RGB in, (b, classes)
            logits out. Never changed in place.
        numbers: of 32 bits, that the graph holds at once for one image; 0 where it was not asked yet.

    Raises:
        IntegrityError: the files are not those of one format.
    """

    meta: BundleMeta
    files: Mapping[str, bytes]
    numbers: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if not _format(self.files):
            raise IntegrityError(f"bundle: {_not_a_graph(self.files)}")

    @property
    def format(self) -> str:
        """Which of `FORMATS` the graph is in."""
        return _format(self.files)

    @property
    def graph(self) -> bytes:
        """The network's own file; the openvino format has its weights beside it."""
        return self.files[FORMATS[self.format][0]]

    @property
    def labels(self) -> LabelSet:
        """The classes in the order of the graph's outputs."""
        return LabelSet(self.meta.labels)

    @property
    def digest(self) -> str:
        """SHA-256 of the whole file, first 16 hex digits."""
        return atomic_io.sha256(self.to_bytes())[:16]

    def to_bytes(self) -> bytes:
        """The file's content: equal bundles give equal bytes."""
        meta = atomic_io.canonical_json(self.meta.to_json(), indent=1).encode()
        members = {**self.files, _META: meta}
        return zip_members(members | {_HASHES: hash_members(members)})

    def save(self, path: Path) -> None:
        """Write the bundle atomically, if it would open again.

        Raises:
            IntegrityError: a value of its meta or its graph is not one that a bundle may have.
        """
        _require_sound(self, "bundle:")
        atomic_io.write_bytes(path, self.to_bytes())


def load(path: Path) -> Bundle:
    """Open and verify a bundle: its bytes, its values, and whether its graph may be run.

    Raises:
        UserError: no such file.
        IntegrityError: cut short, changed in any byte, of another schema version, or no bundle at all; its values are
            out of their ranges; its graph has what no bundle may have, or needs more than `core.graphs.limits` allow.
    """
    if not path.is_file():
        raise UserError(f"bundle: {path} is not there")
    if path.stat().st_size > BUNDLE_BYTES:
        raise IntegrityError(f"bundle: {path} has {path.stat().st_size} bytes, at most {BUNDLE_BYTES} are read")
    data = path.read_bytes()
    members = _members(data, path)
    _verify_hashes(members, path)
    if zip_members(members) != data:
        raise IntegrityError(f"bundle: {path} was changed after it was written (its container differs)")
    files = {name: content for name, content in members.items() if name not in (_META, _HASHES)}
    bundle = Bundle(_meta(members[_META], path), files)
    return replace(bundle, numbers=_require_sound(bundle, f"bundle: {path}:"))


def recorded_macro_f1(path: Path) -> float:
    """Return the macro-F1 in a bundle's card, -1 where there is none; the bundle is not verified."""
    try:
        with zipfile.ZipFile(path) as archive:
            meta = BundleMeta.model_validate_json(archive.read(_META))
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, NotImplementedError):
        return -1.0  # whoever opens it says what is wrong
    return meta.card.score.macro_f1 if meta.card and meta.card.score else -1.0


def _require_sound(bundle: Bundle, where: str) -> int:
    """Refuse what has the right hashes and is hostile all the same; return the numbers that the graph holds."""
    meta = bundle.meta
    try:
        require_printable(meta.name, "name", NAME_CHARACTERS)
        require_distinct(LabelSet(meta.labels).names, "labels")
        return soundness.require(bundle.format, bundle.files, meta.preprocess.size, len(meta.labels))
    except soundness.UnsoundGraphError as error:
        raise IntegrityError(f"{where} its graph {error}") from None
    except UserError as error:
        raise IntegrityError(f"{where} {error}") from None


def _format(names: Iterable[str]) -> str:
    """Name of the format that has exactly these files; empty where none has."""
    return next((name for name, files in FORMATS.items() if sorted(files) == sorted(names)), "")


def _not_a_graph(names: Iterable[str]) -> str:
    known = ", ".join(f"{' + '.join(files)} ({name})" for name, files in FORMATS.items())
    return f"{sorted(names)[:5]} is no graph; known are {known}"


def zip_members(members: dict[str, bytes]) -> bytes:
    """Return a zip archive of these files by name, sorted and uncompressed: the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system, info.external_attr = 3, 0o644 << 16  # the same on every system
            archive.writestr(info, members[name])
    return buffer.getvalue()


def hash_members(members: dict[str, bytes]) -> bytes:
    """Return the JSON of `hashes.json`: SHA-256 and size in bytes of each file, by name."""
    listed = {name: {"sha256": atomic_io.sha256(data), "size": len(data)} for name, data in members.items()}
    return atomic_io.canonical_json(listed, indent=1).encode()


def _members(data: bytes, path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            names = [info.filename for info in infos]
            if names.count(_META) != 1 or names.count(_HASHES) != 1:
                raise IntegrityError(f"bundle: {path} holds {sorted(names)[:5]}, need a graph, {_META} and {_HASHES}")
            if not _format(graph := [name for name in names if name not in (_META, _HASHES)]):
                raise IntegrityError(f"bundle: {path} cannot be read: {_not_a_graph(graph)}")
            if any(info.compress_type != zipfile.ZIP_STORED or info.file_size > len(data) for info in infos):
                raise IntegrityError(f"bundle: {path} has a member that is compressed or larger than the file")
            return {info.filename: archive.read(info) for info in infos}
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise IntegrityError(f"bundle: {path} is damaged, cut short or no bundle ({error})") from None


def _verify_hashes(members: dict[str, bytes], path: Path) -> None:
    listed = _tree(members[_HASHES], _HASHES, path)
    for name, data in members.items():
        text = listed.get(name)
        if name != _HASHES and text != {"sha256": atomic_io.sha256(data), "size": len(data)}:
            raise IntegrityError(f"bundle: {path} is damaged or was changed ({name} does not match its hash)")


def _tree(data: bytes, name: str, path: Path) -> dict[str, Any]:
    """A member's JSON: no key twice, nothing that could not be written again."""
    if len(data) > META_BYTES:
        raise IntegrityError(f"bundle: {path} has {len(data)} bytes of {name}, at most {META_BYTES} are read")
    try:
        tree = text_files.parse_json(data, name)
        if not isinstance(tree, dict) or _depth(tree) > META_DEPTH:
            raise UserError(f"{name} is no object, or more than {META_DEPTH} deep")
        atomic_io.canonical_json(tree).encode()  # neither NaN nor half a character
    except (UserError, ValueError, RecursionError) as error:
        raise IntegrityError(f"bundle: {path} is damaged ({one_line(error)})") from None
    return tree


def _depth(tree: Any) -> int:
    depth, level = 0, [tree]
    while level and depth <= META_DEPTH:
        depth += 1
        held = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list))
        level = [inner for item in held for inner in item]
    return depth


def _meta(data: bytes, path: Path) -> BundleMeta:
    tree = _tree(data, _META, path)
    if tree.get("bundle_schema") != SCHEMA:
        text = repr(tree.get("bundle_schema"))[:40]
        raise IntegrityError(f"bundle: {path} has schema version {text}, this leansort reads {SCHEMA}")
    try:
        meta = BundleMeta.model_validate(tree)
        matches = LabelSet(meta.labels).digest == meta.labels_digest
    except ValidationError as error:
        raise IntegrityError(
            f"bundle: {path} has a wrong {_META}: {yaml_config.validation_faults(error, BundleMeta)[0]}"
        ) from None
    except UserError as error:
        raise IntegrityError(f"bundle: {path}: {error}") from None
    if not matches:
        raise IntegrityError(f"bundle: {path} has labels that do not match their digest")
    return meta
