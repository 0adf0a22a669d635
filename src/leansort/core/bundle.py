"""The bundle: one file with all that a robot needs to sort.

A zip of stored (uncompressed) members: the graph's files, `bundle.json` and `hashes.json`. It is written
deterministically, and opening one re-creates the whole file from its members and compares: any byte that differs
from what we would have written - in a member, in the zip's own tables, before or after them - is refused before
anything is used. Nothing is ever unpacked to disk, so names like `../x` have nowhere to go.
"""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from leansort.core.errors import IntegrityError, UserError, one_line
from leansort.core.files.bundle_card import BundleCard
from leansort.core.files.bundle_cascade import CASCADE, CASCADE_FILES, CascadeSettings
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
    "litert": ("graph.tflite",),
}
_LAYOUTS = {**FORMATS, CASCADE: CASCADE_FILES}  # the files of a cascade are bundles of one of the formats
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
        cascade: which of two graphs answers; None of bundles of one graph.
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
    cascade: CascadeSettings | None = None
    card: BundleCard | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the content of `bundle.json`.

        Without a card it is that of bundles from before there were cards, and of a card the defaults are left out, so
        that bundles keep their bytes and digest where cards come to tell more; likewise of `novelty`, `reference` and
        `cascade`.
        """
        later = {"card": self.card, "novelty": self.novelty, "reference": self.reference, "cascade": self.cascade}
        tree = self.model_dump(mode="json", exclude=set(later))
        return tree | {key: part.model_dump(mode="json", exclude_defaults=True) for key, part in later.items() if part}


@dataclass(frozen=True)
class Bundle:
    """A verified deployable model.

    Attributes:
        meta: everything but the graph.
        files: the serialized network by file name, those of one format: uint8 (b, h, w, 3) RGB in, (b, classes)
            logits out; of a cascade its two bundles. Never changed in place.
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
        """Which of `FORMATS` the graph is in, or `cascade`."""
        return _format(self.files)

    @property
    def graph_format(self) -> str:
        """Which of `FORMATS` an engine has to read: of a cascade that of both its graphs."""
        return self.stages[0].format if self.stages else self.format

    @functools.cached_property
    def stages(self) -> tuple[Bundle, ...]:
        """The two bundles of a cascade, the small one first; empty of a bundle of one graph.

        Raises:
            IntegrityError: one is damaged.
        """
        if self.format != CASCADE:
            return ()
        return tuple(_opened(self.files[name], f"{name} of {self.meta.name}", within=True) for name in CASCADE_FILES)

    @property
    def graph(self) -> bytes:
        """The network's own file; the openvino format has its weights beside it.

        Raises:
            UserError: a cascade has two graphs, and whatever asks for one cannot work on it.
        """
        if self.format == CASCADE:
            raise UserError(f"bundle: {self.meta.name} is a cascade of two graphs; this takes a bundle of one")
        return self.files[FORMATS[self.format][0]]

    @property
    def preprocess(self) -> Preprocess:
        """How images become the graph's input."""
        return self.meta.preprocess

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
    return _opened(path.read_bytes(), path)


def _opened(data: bytes, path: Path | str, *, within: bool = False) -> Bundle:
    """Verify a file's content; `within` says that it lies in a cascade, which holds no cascade in turn."""
    members = _members(data, path)
    if within and CASCADE_FILES[0] in members:
        raise IntegrityError(f"bundle: {path} is a cascade within a cascade")
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
    if (meta.cascade is None) == (bundle.format == CASCADE):
        raise IntegrityError(f"{where} has two graphs without a cascade section, or that section without two graphs")
    try:
        require_printable(meta.name, "name", NAME_CHARACTERS)
        require_distinct(LabelSet(meta.labels).names, "labels")
        if bundle.format == CASCADE:
            return _require_alike(bundle, where)
        return soundness.require(bundle.format, bundle.files, meta.preprocess.size, len(meta.labels))
    except soundness.UnsoundGraphError as error:
        raise IntegrityError(f"{where} its graph {error}") from None
    except UserError as error:
        raise IntegrityError(f"{where} {error}") from None


def _require_alike(cascade: Bundle, where: str) -> int:
    """Refuse two graphs that cannot answer in each other's place; return the numbers that the larger one holds."""
    first, second = cascade.stages
    if first.format != second.format:
        raise IntegrityError(f"{where} has graphs in the formats {first.format} and {second.format}, need one format")
    if not first.meta.labels == second.meta.labels == cascade.meta.labels:
        raise IntegrityError(f"{where} has graphs of different labels")
    if second.meta.preprocess != cascade.meta.preprocess:
        raise IntegrityError(f"{where} prepares images otherwise than its second graph")
    return max(first.numbers, second.numbers) if first.numbers and second.numbers else 0


def _format(names: Iterable[str]) -> str:
    """Name of the format that has exactly these files; empty where none has."""
    return next((name for name, files in _LAYOUTS.items() if sorted(files) == sorted(names)), "")


def _not_a_graph(names: Iterable[str]) -> str:
    known = ", ".join(f"{' + '.join(files)} ({name})" for name, files in _LAYOUTS.items())
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


def _members(data: bytes, path: Path | str) -> dict[str, bytes]:
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


def _verify_hashes(members: dict[str, bytes], path: Path | str) -> None:
    listed = _tree(members[_HASHES], _HASHES, path)
    for name, data in members.items():
        text = listed.get(name)
        if name != _HASHES and text != {"sha256": atomic_io.sha256(data), "size": len(data)}:
            raise IntegrityError(f"bundle: {path} is damaged or was changed ({name} does not match its hash)")


def _tree(data: bytes, name: str, path: Path | str) -> dict[str, Any]:
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


def _meta(data: bytes, path: Path | str) -> BundleMeta:
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
