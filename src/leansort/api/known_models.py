"""Models that are known by name, and what works here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leansort.api.verbs import AnyPath, optional, verb
from leansort.core.errors import UserError

if TYPE_CHECKING:
    from leansort.workflows.cards.model_listing import ModelsResult
    from leansort.workflows.device.doctor import DoctorResult


@verb()
def models(name: AnyPath | None = None, *, out: AnyPath | None = None) -> ModelsResult:
    """List the bundles that are known by name, with their cards, or open one, and copy it.

    >>> import leansort
    >>> known = leansort.models().models
    >>> [item.origin for item in known if item.default]
    ['leansort']
    >>> leansort.models(known[0].name, out="copy.leansort").copied == leansort.models("copy.leansort").models[0].file
    True

    Args:
        name: of a model, or the path of any bundle; None lists all models.
        out: path of the file or folder that the bundle is copied to; None copies nothing.

    Returns:
        Each model with size, classes, preprocessing, provenance and card: data, licences, scores, latency, limits.

    Raises:
        UserError: there is no such model, or `out` is there already, or names nothing to copy.
        IntegrityError: the bundle is damaged.
    """
    from leansort.workflows.cards.model_listing import list_models, show_model

    if name is None:
        if out is not None:
            raise UserError("models: --out has no effect without the name of a model")
        return list_models()
    return show_model(str(name), optional(out))


@verb()
def doctor() -> DoctorResult:
    """Look at this installation and machine: what is installed, which engines work and how fast, what is wrong.

    >>> import leansort
    >>> result = leansort.doctor()
    >>> result.faults
    0

    Returns:
        Every check with its state and, where something is not in order, what to do; the time of each engine.

    Raises:
        MachineError: the user has no home folder.
    """
    from leansort.workflows.device.doctor import examine

    return examine()
