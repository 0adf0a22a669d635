"""A weight pack: a small file that says which pretrained weights there are, who brings them and on what terms.

The weights themselves lie in a distribution of the package registry, or in a file beside the pack. A pack is found by
its name as every plugin is: `packs/NAME.yaml` of a plugin folder or of this package, or an entry point
`leansort.packs`, whose value is the importable package that `NAME.yaml` lies in. Nothing of it is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from pydantic import Field, ValidationError, field_validator

from leansort.core import plugins
from leansort.core.errors import UserError
from leansort.core.files.typed_result import JsonObject
from leansort.core.plugins import Plugin
from leansort.core.preprocess import Preprocess
from leansort.core.strict_model import StrictModel
from leansort.core.text import yaml_config

PREFIX = "pack:"
_SAME = 0.005  # of pixels/255, one step of 255 and a little: 0.5 stands for 127/255 in other tools


class PackFile(StrictModel):
    """What the file of a pack holds.

    Attributes:
        distribution: of the package registry that brings the weights; empty: they lie beside the pack's file, or in
            the distribution whose entry point it is.
        version: of the distribution.
        file: of the weights, `.pth` or `.safetensors`; a path in the distribution, or from the pack's file on.
        sha256: of that file, hexadecimal.
        bytes: size of that file.
        licence: of the weights, as SPDX names it.
        source: URL of who trained them.
        paper: that describes them.
        data: that they were trained on.
        classes: outputs of the classifier.
        backbone: that they are made for, at width and depth 1.
        preprocess: how images were made the network's input: side in pixels, mean and deviation of pixels/255.
        key_map: names of tensors in the file, or beginnings of names, and what they are called in the backbone;
            `{n}` stands for a number, which the other side may name as `{n}`, `{n+1}` or `{n-1}`.
    """

    distribution: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$")
    version: str = Field(default="", pattern=r"^[A-Za-z0-9.!+_-]*$")
    file: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=1)
    licence: str = Field(min_length=1)
    source: str = Field(pattern=r"^https?://\S+$")
    paper: str = ""
    data: str = Field(min_length=1)
    classes: int = Field(ge=2)
    backbone: str
    preprocess: Preprocess
    key_map: dict[str, str] = Field(default_factory=dict)

    @field_validator("file")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or path.suffix not in (".pth", ".safetensors"):
            raise ValueError("need a relative path to a .pth or .safetensors file")
        return value


@dataclass(frozen=True)
class WeightPack:
    """A pack that was found.

    Attributes:
        name: of the pack.
        facts: what its file holds.
        plugin: how it was found.
        folder: that its file lies in.
    """

    name: str
    facts: PackFile
    plugin: Plugin
    folder: Path

    @property
    def source(self) -> str:
        """How recipes and commands name it: `pack:NAME`."""
        return f"{PREFIX}{self.name}"

    def other_statistics(self, preprocess: Preprocess) -> str:
        """What differs where images are normalized otherwise than the weights were trained with; empty if little."""
        theirs = self.facts.preprocess
        pairs = ((theirs.mean, preprocess.mean), (theirs.std, preprocess.std))
        if all(abs(a - b) <= _SAME for side in pairs for a, b in zip(*side, strict=True)):
            return ""
        return (
            f"{self.source} was trained with mean {theirs.mean} and std {theirs.std}, preprocess has {preprocess.mean} "
            f"and {preprocess.std}; leave preprocess.mean and preprocess.std out to take the pack's"
        )

    def record(self, used: str) -> JsonObject:
        """What a network that learned from it keeps: where the weights come from, and on what terms.

        Args:
            used: `pretrained` or `teacher`.
        """
        known = self.facts.model_dump(mode="json", include={"sha256", "licence", "source", "paper", "data"})
        return {"pack": self.name, "used": used, **known}


def is_pack(source: str) -> bool:
    """Whether a source of weights is a pack."""
    return source.startswith(PREFIX)


def find_pack(source: str) -> WeightPack:
    """Return a pack by `pack:NAME`.

    Raises:
        UserError: there is no such pack, or its file is wrong.
    """
    plugin = plugins.find("packs", source.removeprefix(PREFIX))
    path = plugin.path or _named_by_entry_point(plugin)
    if path.suffix != ".yaml":
        raise UserError(f"{plugin.what} of {plugin.origin}: a pack is a YAML file")
    tree = yaml_config.read_yaml(path, "pack", "distribution, file, sha256")
    try:
        facts = PackFile.model_validate(tree)
    except ValidationError as error:
        faults = "; ".join(yaml_config.validation_faults(error, PackFile))
        raise UserError(f"{plugin.what} of {plugin.origin}: {faults}") from None
    if plugin.entry_points and not facts.distribution and (dist := plugin.entry_points[0].dist):
        facts = facts.model_copy(update={"distribution": dist.name, "version": dist.version})
    return WeightPack(plugin.name, facts, plugin, path.parent)


def list_packs() -> list[str]:
    """Names of all packs, in alphabetical order."""
    return sorted(plugins.list_plugins("packs"))


def packs_for(backbone: str) -> list[str]:
    """Packs of this package that are made for a backbone, as `pack:NAME`."""
    own = [name for name, plugin in plugins.list_plugins("packs").items() if plugin.is_own]
    return [pack.source for pack in map(find_pack, own) if pack.facts.backbone == backbone]


def weights_file(pack: WeightPack) -> Path | None:
    """Where a pack's weights should lie; None where its distribution is not installed."""
    if not pack.facts.distribution:
        return pack.folder / pack.facts.file
    try:
        return Path(str(metadata.distribution(pack.facts.distribution).locate_file(pack.facts.file)))
    except metadata.PackageNotFoundError:
        return None


def _named_by_entry_point(plugin: Plugin) -> Path:
    if len(plugin.entry_points) > 1:
        raise UserError(f"{plugin.what} is in several distributions, {plugin.origin}; uninstall all but one of them")
    point = plugin.entry_points[0]
    if point.dist is None:
        raise UserError(f"{plugin.what} of {plugin.origin}: belongs to no distribution")
    return Path(str(point.dist.locate_file(point.module.replace(".", "/")))) / f"{plugin.name}.yaml"
