"""The base of every settings class: frozen, no unknown key, no number that is infinite or none."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """Settings that cannot be changed after they were checked.

    A key that does not exist is refused, so nothing is accepted and ignored; infinite numbers are, as limits would not
    hold against them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
