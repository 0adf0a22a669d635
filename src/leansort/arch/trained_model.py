"""A trained network as one safetensors file: weights, architecture, preprocessing, labels, provenance.

Everything but the weights is JSON in the file's own header, so that the file is whole or absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors import torch as tensor_files
from torch import Tensor, nn
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from leansort.arch.build import BuiltNetwork, build
from leansort.arch.spec.spec import ArchSpec
from leansort.core.errors import IntegrityError, UserError, one_line
from leansort.core.files import json_documents
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.run_folder import ModelFolder
from leansort.core.text.text_files import parse_json
from leansort.core.writing import atomic_io

_VERSION = 1
_MOST_BYTES = 1 << 32  # of a file that is read whole
_MOST_HEADER = 1 << 24
_ZIP = b"PK\x03\x04"


class _Header(TypedDict):
    """What a trained model's file holds beside its weights."""

    __pydantic_config__ = json_documents.OPEN  # type: ignore[misc]

    version: int
    spec: ArchSpec
    preprocess: Preprocess
    labels: list[str]
    provenance: dict[str, Any]


@dataclass(frozen=True)
class TrainedModel:
    """What training makes and export reads.

    Attributes:
        spec: the architecture.
        weights: the network's state by tensor name; never changed in place.
        preprocess: how images become its input.
        labels: its outputs in order.
        provenance: where it comes from.
        built: a network, where one is at hand; as long as the architecture is its own, it is copied in place of
            building another, and left as it is.
    """

    spec: ArchSpec
    weights: dict[str, Tensor]
    preprocess: Preprocess
    labels: LabelSet
    provenance: dict[str, Any] = field(default_factory=dict)
    built: BuiltNetwork | None = field(default=None, compare=False, repr=False)

    def network(self) -> nn.Module:
        """Make a network of its own and load the weights strictly; in evaluation mode.

        Raises:
            IntegrityError: the weights do not fit the architecture.
        """
        same = self.built is not None and self.built.spec == self.spec
        model = self.built.copy() if self.built and same else build(self.spec)
        try:
            model.load_state_dict(self.weights, strict=True)
        except RuntimeError as error:
            raise IntegrityError(f"weights do not fit {self.spec.base}: {one_line(error, 200)}") from None
        return model.eval()

    def require_fit(self, where: str) -> None:
        """Refuse weights that are not the architecture's before memory is taken for it, which may be any amount.

        Raises:
            IntegrityError: a weight is missing, too much, or of another shape; `where` names the file.
        """
        try:
            with torch.device("meta"):
                wanted = build(self.spec).state_dict()
        except UserError as error:
            raise IntegrityError(f"model: {where}: {error}") from None
        except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError) as error:
            raise IntegrityError(f"model: {where}: spec: {one_line(error)}") from None
        for name in dict.fromkeys([*wanted, *self.weights]):
            need, got = (tuple(item[name].shape) if name in item else "none" for item in (wanted, self.weights))
            if need != got:
                raise IntegrityError(f"model: {where}: weights do not fit {self.spec.base}: {name} {got}, need {need}")
        if self.spec.classes != len(self.labels):
            raise IntegrityError(f"model: {where}: {self.spec.classes} outputs, but {len(self.labels)} labels")

    def save(self, path: Path) -> None:
        """Write the model atomically."""
        atomic_io.write_bytes(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """What `save` writes: equal models give equal bytes."""
        meta = {
            "version": _VERSION,
            "spec": self.spec.to_json(),
            "preprocess": self.preprocess.model_dump(mode="json"),
            "labels": list(self.labels.names),
            "provenance": self.provenance,
        }
        return _serialized(self.weights, meta)


def load(path: Path, *, fitting: bool = True) -> TrainedModel:
    """Read a trained model, or `model.safetensors` of a run folder.

    Args:
        path: the file or folder.
        fitting: refuse weights that are not the architecture's. A network that trains for int8 has others until it is
            done, and only who trains it reads them.

    Raises:
        UserError: no such file.
        IntegrityError: the file is damaged or of another version.
    """
    path = ModelFolder(path).model if path.is_dir() else path
    return _model(*load_tensors(path, "model"), str(path), fitting)


def load_bytes(data: bytes, where: str) -> TrainedModel:
    """Read a trained model from bytes; `where` they come from is for the error.

    Raises:
        IntegrityError: they are damaged or of another version.
    """
    return _model(*_read(data, "model", where), where)


def _model(tensors: dict[str, Tensor], meta: dict[str, Any], where: str, fitting: bool = True) -> TrainedModel:
    if meta.get("version") != _VERSION:
        raise IntegrityError(f"model: {where} has version {meta.get('version')!r}, this leansort reads {_VERSION}")
    result = json_documents.validate(meta, _Header, f"model: {where}: header")
    labels = LabelSet.of(result["labels"], f"model: {where}")
    model = TrainedModel(result["spec"], tensors, result["preprocess"], labels, result["provenance"])
    if fitting:
        model.require_fit(where)
    return model


def save_tensors(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Write tensors and JSON to one safetensors file, atomically."""
    atomic_io.write_bytes(path, _serialized(tensors, meta))


def _serialized(tensors: dict[str, Tensor], meta: dict[str, Any]) -> bytes:
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return tensor_files.save(plain, {"leansort": atomic_io.canonical_json(meta)})


def load_tensors(path: Path, what: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote.

    Raises:
        UserError: no such file.
        IntegrityError: the file is damaged or not ours.
    """
    if not path.is_file():
        raise UserError(f"{what}: {path} is not there")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise IntegrityError(f"{what}: {path} has {path.stat().st_size:,} bytes, at most {_MOST_BYTES:,} are read")
        return _read(path.read_bytes(), what, str(path))
    except OSError as error:
        raise IntegrityError(f"{what}: {path} cannot be read ({error.strerror or error})") from None


def _read(data: bytes, what: str, where: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if data.startswith(_ZIP):
        raise IntegrityError(f"{what}: {where} is a zip archive, as bundles are; need a network, model.safetensors")
    length = int.from_bytes(data[:8], "little")  # of the header, which the tensors follow
    if length > min(_MOST_HEADER, len(data)):
        raise IntegrityError(f"{what}: {where} is damaged: a header of {length:,} bytes cannot be")
    try:
        tensors = tensor_files.load(data)
        header = parse_json(data[8 : 8 + length], "its header")
        meta = parse_json(header["__metadata__"]["leansort"], "its header")
        tensors = {name: tensors[name] for name in header if name != "__metadata__"}  # they come in any order
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, UserError) as error:
        raise IntegrityError(f"{what}: {where} is damaged or not a leansort file ({str(error)[:200]})") from None
    if not isinstance(meta, dict):
        raise IntegrityError(f"{what}: {where} is damaged or not a leansort file (its header is no object)")
    json_documents.require_sane(meta, f"{what}: {where}: header")
    return tensors, meta


def compute_logits(model: nn.Module, preprocess: Preprocess, batches: Any) -> Tensor:
    """Run a network over uint8 (b, 3, h, w) batches; return (n, classes) float32 on the CPU."""
    device = next(model.parameters()).device
    with torch.inference_mode():
        return torch.cat([model(normalize(x.to(device), preprocess)).float().cpu() for x in batches])


def normalize(x_bchw: Tensor, preprocess: Preprocess) -> Tensor:
    """Turn uint8 RGB (b, 3, h, w) into what networks take: channels-last float with the statistics applied."""
    mean = torch.tensor(preprocess.mean, device=x_bchw.device).view(1, 3, 1, 1) * 255
    std = torch.tensor(preprocess.std, device=x_bchw.device).view(1, 3, 1, 1) * 255
    return ((x_bchw.float() - mean) / std).contiguous(memory_format=torch.channels_last)
