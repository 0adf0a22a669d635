"""The bundle: one file with all that a robot needs to sort.

A zip of stored (uncompressed) members: the graph's files, `bundle.json` and `hashes.json`. It is written
deterministically, and opening one re-creates the whole file from its members and compares: any byte that differs
from what we would have written - in a member, in the zip's own tables, before or after them - is refused before
anything is used. Nothing is ever unpacked to disk, so names like `../x` have nowhere to go.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leansort.core import store
from leansort.core.errors import IntegrityError, UserError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess

SCHEMA = 1
# The first file holds the network; `torch` has the architecture and its weights, and no graph.
FORMATS = {"onnx": ("graph.onnx",), "openvino": ("graph.xml", "graph.bin"), "torch": ("network.safetensors",)}
MAX_BYTES = 1 << 30
_META, _HASHES = "bundle.json", "hashes.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold


class BundleMeta(BaseModel):
    """The content of `bundle.json`.

    Attributes:
        bundle_schema: version of this layout.
        name: of the model, for people.
        preprocess: how pictures become the graph's input.
        labels: class names in the order of the graph's outputs.
        labels_digest: digest of `labels`.
        temperature: logits are divided by it before the softmax.
        reject_below: predictions less probable than this are not accepted.
        parameters: weights of the network.
        macs: multiply-adds for one picture.
        provenance: where the bundle comes from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    bundle_schema: int = SCHEMA
    name: str
    preprocess: Preprocess
    labels: tuple[str, ...]
    labels_digest: str
    temperature: float = Field(default=1.0, gt=0.0)
    reject_below: float = Field(default=0.0, ge=0.0, le=1.0)
    parameters: int = Field(ge=0)
    macs: int = Field(ge=0)
    provenance: dict[str, Any] = {}


@dataclass(frozen=True)
class Bundle:
    """A verified deployable model.

    Attributes:
        meta: everything but the graph.
        files: the serialized network by file name, those of one format: uint8 (b, h, w, 3) RGB in, (b, classes)
            logits out. Never changed in place.

    Raises:
        IntegrityError: the files are not those of one format.
    """

    meta: BundleMeta
    files: Mapping[str, bytes]

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
        return store.sha256(self.to_bytes())[:16]

    def to_bytes(self) -> bytes:
        """The file's content: equal bundles give equal bytes."""
        meta = store.canonical_json(self.meta.model_dump(mode="json"), indent=1).encode()
        members = {**self.files, _META: meta}
        return _zipped(members | {_HASHES: _hashes(members)})

    def save(self, path: Path) -> None:
        """Write the bundle atomically."""
        store.write_bytes(path, self.to_bytes())


def load(path: Path) -> Bundle:
    """Open and verify a bundle.

    Raises:
        UserError: no such file.
        IntegrityError: cut short, changed in any byte, of another schema version, or no bundle at all.
    """
    if not path.is_file():
        raise UserError(f"bundle: {path} is not there")
    if path.stat().st_size > MAX_BYTES:
        raise IntegrityError(f"bundle: {path} has {path.stat().st_size} bytes, at most {MAX_BYTES} are read")
    data = path.read_bytes()
    members = _members(data, path)
    _verify_hashes(members, path)
    if _zipped(members) != data:
        raise IntegrityError(f"bundle: {path} was changed after it was written (its container differs)")
    files = {name: content for name, content in members.items() if name not in (_META, _HASHES)}
    return Bundle(_meta(members[_META], path), files)


def _format(names: Iterable[str]) -> str:
    """Name of the format that has exactly these files; empty where none has."""
    return next((name for name, files in FORMATS.items() if sorted(files) == sorted(names)), "")


def _not_a_graph(names: Iterable[str]) -> str:
    known = ", ".join(f"{' + '.join(files)} ({name})" for name, files in FORMATS.items())
    return f"{sorted(names)[:5]} is no graph; known are {known}"


def _zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system, info.external_attr = 3, 0o644 << 16  # the same on every system
            archive.writestr(info, members[name])
    return buffer.getvalue()


def _hashes(members: dict[str, bytes]) -> bytes:
    listed = {name: {"sha256": store.sha256(data), "size": len(data)} for name, data in members.items()}
    return store.canonical_json(listed, indent=1).encode()


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
    try:
        listed = json.loads(members[_HASHES])
    except (ValueError, RecursionError):
        raise IntegrityError(f"bundle: {path} is damaged ({_HASHES} is not JSON)") from None
    for name, data in members.items():
        said = listed.get(name) if isinstance(listed, dict) else None
        if name != _HASHES and said != {"sha256": store.sha256(data), "size": len(data)}:
            raise IntegrityError(f"bundle: {path} is damaged or was changed ({name} does not match its hash)")


def _meta(data: bytes, path: Path) -> BundleMeta:
    try:
        tree = json.loads(data)
        if tree.get("bundle_schema") != SCHEMA:
            raise IntegrityError(
                f"bundle: {path} has schema version {tree.get('bundle_schema')}, this leansort reads {SCHEMA}"
            )
        meta = BundleMeta.model_validate(tree)
    except (ValueError, AttributeError, RecursionError, ValidationError) as error:
        raise IntegrityError(f"bundle: {path} has a wrong {_META} ({type(error).__name__})") from None
    if LabelSet(meta.labels).digest != meta.labels_digest:
        raise IntegrityError(f"bundle: {path} has labels that do not match their digest")
    return meta
