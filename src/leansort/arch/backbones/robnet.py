"""RobNet (arXiv:1911.10695): the published `large` and `free`, or cells of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator
from torch import nn

from leansort.arch.layers.robnet_cells import Genotype, RobNet, genotype_faults
from leansort.arch.spec.backbone import Backbone
from leansort.arch.spec.spec import ArchSpec
from leansort.core.errors import UserError, did_you_mean
from leansort.core.strict_model import StrictModel

_LARGE = "11 11 11 11 11 01 11 01 10 11 01 01 01 11"
_FREE = """
11 10 11 11 10 11 01 01 10 11 11 00 11 01
11 00 01 10 01 00 10 10 00 01 11 10 11 00
11 11 11 01 01 11 01 00 10 00 10 10 00 11
10 11 10 01 01 10 10 01 10 11 00 00 01 10
11 11 01 00 10 10 10 01 10 01 00 10 01 11
11 10 11 11 11 01 10 11 00 10 01 11 01 11
11 11 11 10 10 01 11 10 01 10 10 10 01 10
01 11 11 11 01 11 11 11 01 11 01 11 10 00
11 11 11 11 11 01 01 11 10 01 00 10 01 11
10 11 01 00 11 11 10 11 01 11 11 11 11 00
11 10 11 00 00 00 11 00 01 10 00 01 10 11
01 11 01 11 11 10 10 11 10 11 01 11 10 00
11 11 10 10 01 00 10 11 11 01 10 10 00 01
01 11 11 11 01 01 11 01 01 11 11 01 10 10
01 11 11 11 11 01 00 01 10 10 11 10 10 11
11 11 00 11 11 01 00 01 10 00 11 01 11 11
11 11 01 11 11 10 11 10 10 10 10 10 11 11
10 11 01 11 11 01 11 00 11 11 00 10 00 01
11 10 11 11 11 11 11 10 11 00 11 01 11 11
11 11 01 01 11 11 01 00 00 10 00 01 01 11
"""


def _codes(cells: Sequence[str]) -> Genotype:
    return tuple(tuple(cell.split()) for cell in cells)


LARGE, FREE = _codes([_LARGE]), _codes(_FREE.strip().splitlines())
GENOTYPES = {"large": LARGE, "free": FREE}


class RobNetConfig(StrictModel):
    """Options of the backbone.

    Attributes:
        layers: number of cells.
        channels: of a node in the first cells.
        stem: `small` for images near 32 px; `large` divides height and width by 8 at once.
        genotype: `large`, `free` (20 cells), or a list of cells, each 14 codes in one text ("11 10 00 ..."): one cell
            for all layers or one for each.
    """

    layers: int = Field(default=20, ge=1, le=200, strict=True)
    channels: int = Field(default=36, ge=2, le=4096, strict=True)
    stem: Literal["small", "large"] = "large"
    genotype: str | tuple[str, ...] = "large"  # after `layers`, which its check reads

    @field_validator("genotype", mode="before")
    @classmethod
    def _names_or_cells(cls, value: Any, info: ValidationInfo) -> Any:
        allowed = f"allowed: {', '.join(GENOTYPES)} or a list of cells, each a text of 14 codes such as '11 00 01 ...'"
        if isinstance(value, str) and value not in GENOTYPES:
            raise ValueError(allowed + did_you_mean(value, GENOTYPES))
        if not isinstance(value, str | list | tuple) or not all(isinstance(cell, str) for cell in value):
            raise ValueError(allowed)
        cells = GENOTYPES[value] if isinstance(value, str) else _codes(value)
        if wrong := genotype_faults(cells, info.data.get("layers", len(cells))):
            raise ValueError("; ".join(wrong))
        return value

    def cells(self) -> Genotype:
        """Return the genotype as codes."""
        return GENOTYPES[self.genotype] if isinstance(self.genotype, str) else _codes(self.genotype)


class RobNetBackbone(Backbone[RobNetConfig]):
    """Makes RobNets; the examples have both stems, one cell for all and one a cell, and every kind of edge."""

    Config = RobNetConfig
    examples: ClassVar[Mapping[str, dict[str, Any]]] = {
        "large": {"genotype": "large", "layers": 4, "channels": 8, "stem": "large"},
        "free": {"genotype": [" ".join(codes) for codes in FREE[:4]], "layers": 4, "channels": 8, "stem": "small"},
    }

    def build(self, spec: ArchSpec) -> nn.Module:
        """Make the network; `width` multiplies the channels, cut to an integer, at least 2 (the stem halves them).

        Raises:
            UserError: a depth multiple, which the fixed places of the cells leave no meaning.
        """
        if spec.depth != 1.0:
            raise UserError(f"robnet: depth: got {spec.depth}, need 1.0; options.layers sets the number of cells")
        options = self.options
        return RobNet(
            classes=spec.classes,
            channels=max(2, int(options.channels * spec.width)),
            layers=options.layers,
            genotype=options.cells(),
            stem=options.stem,
            dropout=spec.dropout or 0.0,
        )
