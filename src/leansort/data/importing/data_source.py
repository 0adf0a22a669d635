"""What a data source is: a class derived from `DataSource`, found by the name of its file or entry point."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic

from pydantic import BaseModel
from typing_extensions import TypeVar

from leansort.data.importing.items import Items

ConfigT = TypeVar("ConfigT", bound=BaseModel, default=Any)
ProgressCallback = Callable[[int, int], None]


@dataclass(frozen=True)
class DataSource(ABC, Generic[ConfigT]):
    """One way of finding labelled images, with its checked settings.

    Equal data and settings give equal items in an equal order. What cannot be used is left out, counted and named in
    `Items.faults`, or refused in one clear line; nothing vanishes in silence.

    Attributes:
        Config: the settings, a pydantic model with a `path`; a field `out` is set to the run's folder, where crops may
            be written.
        progress: title of the bar that `items` moves; empty where it is done at once.
        config: a `Config`.
    """

    Config: ClassVar[type[BaseModel]]
    progress: ClassVar[str] = ""

    config: ConfigT

    @abstractmethod
    def items(self, advance: ProgressCallback | None = None) -> Items:
        """List the labelled images; writes the crops where it cuts them.

        Args:
            advance: called with (done, all).

        Raises:
            UserError: the data cannot be used.
            LeansortError: a crop cannot be written.
        """

    def inputs(self) -> Mapping[Path, str] | None:
        """Return the files that `items` reads, each with what it is, which a resumed run compares.

        None where the source does not say.
        """
        return None

    def survey(self) -> dict[str, Any] | None:
        """Count what an import would give, without opening a photo or writing; None where that cannot be told."""
        return None

    def recognized(self) -> list[str]:
        """Say what the source took a folder for, a line a folder; empty where there is nothing to recognize."""
        return []
