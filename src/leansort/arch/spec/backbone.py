"""What a backbone made by code is: a class derived from `Backbone`, found by the name of its file or entry point.

A backbone made of rows is a YAML file in `backbones/` and needs no class; see `leansort.arch.model_files`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic

from pydantic import BaseModel
from torch import nn
from typing_extensions import TypeVar

from leansort.arch.spec.spec import ArchSpec
from leansort.core.strict_model import StrictModel

OptionsT = TypeVar("OptionsT", bound=BaseModel, default=Any)


class NoOptions(StrictModel):
    """No options."""


class Backbone(ABC, Generic[OptionsT]):
    """Makes networks of one family.

    Args:
        options: a `Config`, made of `arch.options` of the recipe.

    Attributes:
        Config: the options, a pydantic model.
        examples: options by a name each, small enough for tests; what the contract suite builds.
    """

    Config: ClassVar[type[BaseModel]] = NoOptions
    examples: ClassVar[Mapping[str, dict[str, Any]]] = {"": {}}

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    @abstractmethod
    def build(self, spec: ArchSpec) -> nn.Module:
        """Make the network, its weights drawn from PyTorch's global generator, which the caller seeds.

        Args:
            spec: how many classes, and the multiples of width and depth; a backbone refuses what it cannot follow.

        Returns:
            A network in training mode: float32 normalized RGB (b, 3, h, w) to logits (b, classes). It has to be
            traceable by torch.export, for every network is exported before it is trained.

        Raises:
            UserError: a field of the spec that this backbone has no meaning for.
        """
