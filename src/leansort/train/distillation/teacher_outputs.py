"""What teachers gave for the views of crops, kept so that they look at each view but once.

Rows of 16-bit floats in memory, up to a limit. With every checkpoint the new rows go to a file of their own beside it:
a teacher asked again would see the crops in other company, and rounding differs by the batch that a crop is computed
in, so a resumed run reads what the broken one was told and ends as an unbroken one would have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from leansort.arch.trained_model import load_tensors, save_tensors
from leansort.core.errors import IntegrityError
from leansort.core.files import json_documents
from leansort.core.process.console import say

Key = tuple[int, ...]
Rows = npt.NDArray[np.float16]
_MB = 1_000_000


class _Meta(TypedDict):
    """What a file of rows holds beside them."""

    __pydantic_config__ = json_documents.OPEN  # type: ignore[misc]

    identity: str
    epoch: int
    batch: int


@dataclass
class _View:
    """The rows of all crops in one way of varying them, and which of them are there."""

    rows: Rows
    known: npt.NDArray[np.bool_]


class TeacherOutputs:
    """Rows of numbers by the names of crops' views.

    Args:
        crops: how many crops there are; the last part of a name counts them from 0.
        views: how many names each of them has; 0 keeps nothing.
        limit_mb: memory that the rows may take.
    """

    def __init__(self, crops: int, views: int, limit_mb: int) -> None:
        self.crops, self.views, self.limit_mb = crops, views, limit_mb
        self._kept: dict[Key, _View] = {}
        self._new: list[tuple[Key, Rows]] = []
        self._most: int | None = None  # views that fit into the limit; None before a row's width is known

    def rows(self, names: Sequence[Key], ask: Callable[[list[int]], Tensor]) -> Tensor:
        """Return a row for each name, float16 on the CPU.

        Args:
            names: (…, crop) each; the parts before the crop name its view.
            ask: gives (n, width) for the places in `names` that are not known yet.
        """
        new = [at for at, name in enumerate(names) if not self._has(name)]
        told = dict(zip(new, ask(new).half().cpu().numpy(), strict=True)) if new else {}
        for at, row in told.items():
            self._keep(names[at], row)
        rows = [told[at] if at in told else self._kept[name[:-1]].rows[name[-1]] for at, name in enumerate(names)]
        return torch.from_numpy(np.stack(rows))

    def _has(self, name: Key) -> bool:
        view = self._kept.get(name[:-1])
        return view is not None and bool(view.known[name[-1]])

    def _keep(self, name: Key, row: Rows, *, note: bool = True) -> None:
        view = self._view(name[:-1], len(row))
        if view is None:
            return
        view.rows[name[-1]], view.known[name[-1]] = row, True
        if note:
            self._new.append((name, row))

    def _view(self, name: Key, width: int) -> _View | None:
        """Where the rows of a view are; None where there is no room for it."""
        if self._most is None:
            self._most = self._announced(width)
        if name not in self._kept and len(self._kept) < self._most:
            self._kept[name] = _View(np.zeros((self.crops, width), np.float16), np.zeros(self.crops, np.bool_))
        return self._kept.get(name)

    def _announced(self, width: int) -> int:
        """Say how much memory the rows will take; return how many views fit into the limit."""
        each = self.crops * (2 * width + 1) / _MB
        most = min(self.views, int(self.limit_mb / each))
        what = f"distill: teachers look at {self.crops:,} crops in {self.views} views"
        if most == self.views:
            say(f"{what} once each; their outputs take up to {self.views * each:,.1f} MB of memory")
        else:
            say(
                f"{what}; the outputs of {most} fit into distill.memory_mb={self.limit_mb}, for the others they are "
                f"asked every time: {self.views * each:,.0f} MB would keep all"
            )
        return most

    def save(self, path: Path, identity: str, epoch: int, batch: int) -> None:
        """Write the rows that are new since the last time, if any, and where the training stands.

        Args:
            path: the file.
            identity: of the training.
            epoch: epochs done.
            batch: batches done of the epoch that was interrupted.
        """
        if self._new:
            names, rows = zip(*self._new, strict=True)
            tensors = {"names": torch.tensor(names), "rows": torch.from_numpy(np.stack(rows))}
            save_tensors(path, tensors, {"identity": identity, "epoch": epoch, "batch": batch})
        self._new = []

    def load(self, paths: Iterable[Path], identity: str, epoch: int, batch: int) -> None:
        """Read what was written up to a point of a training; what a broken run wrote after that is left out.

        Raises:
            IntegrityError: a file is damaged, or another training's.
        """
        for path in paths:
            tensors, meta = load_tensors(path, "teachers' outputs")
            stands = json_documents.validate(meta, _Meta, f"teachers' outputs: {path}")
            if stands["identity"] != identity:
                raise IntegrityError(f"resume: {path} is of another training; start a new run instead")
            if (stands["epoch"], stands["batch"]) <= (epoch, batch):
                self._take(path, tensors)

    def _take(self, path: Path, tensors: dict[str, Any]) -> None:
        names, rows = tensors.get("names"), tensors.get("rows")
        if (
            not isinstance(names, Tensor)
            or not isinstance(rows, Tensor)
            or names.dtype != torch.int64
            or rows.dtype != torch.float16
            or names.ndim != 2
            or rows.ndim != 2
            or len(names) != len(rows)
            or not bool(((names[:, -1] >= 0) & (names[:, -1] < self.crops)).all())
        ):
            raise IntegrityError(f"resume: {path} does not hold the outputs of this training's teachers")
        for name, row in zip(names.tolist(), rows.numpy(), strict=True):
            self._keep(tuple(name), row, note=False)
