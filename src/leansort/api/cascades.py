"""Cascades: two bundles made one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leansort.api.verbs import AnyPath, verb

if TYPE_CHECKING:
    from leansort.workflows.cascading.make_cascade import CascadeResult


@verb(max_f1_drop=(0, 1))
def cascade(
    first: AnyPath,
    second: AnyPath,
    *,
    manifest: AnyPath,
    max_f1_drop: float = 0.005,
    out: AnyPath = "cascade.leansort",
    decode: str = "",
    engine: str = "",
    name: str = "",
) -> CascadeResult:
    """Make one bundle of two: a small graph answers where it is sure, a large one answers the rest.

    The threshold is the one with which the small graph answers most photos while the macro-F1 is kept. It is fitted on
    the photos that judge it; `fit.crossfitted_macro_f1` tells what thresholds come to on photos they have not seen.

    >>> import leansort
    >>> small, large = "runs/second/model.leansort", "runs/first/model.leansort"
    >>> try:  # the threshold of a cascade takes more photos than this small run has
    ...     leansort.cascade(small, large, manifest="runs/first", out="pair.leansort")
    ... except leansort.UserError as error:
    ...     print(error)
    cascade: got ... photos that both graphs can read, a threshold needs 50

    Args:
        first: the small bundle, or a name that `leansort.models` lists.
        second: the large bundle, or such a name.
        manifest: a manifest (its val crops), class folders, or a CSV; photos that neither network was trained on.
        max_f1_drop: how much of the large bundle's macro-F1 may be lost on them, 0 to 1.
        out: path of the bundle to write.
        decode: `once` decodes a photo for the large graph and shrinks these pixels for the small one; `again` decodes
            it for the small graph, and once more where that is not sure; empty: once where both are fitted alike.
        engine: that runs both graphs; what suits their format where empty.
        name: of the cascade, for people.

    Returns:
        The threshold, who answers how many photos, macro-F1 as fitted and cross-fitted, and the multiply-adds.

    Raises:
        UserError: the bundles differ in labels or format, the photos cannot be used, or no threshold keeps the
            macro-F1; nothing is written.
        IntegrityError: a bundle is damaged.
    """
    from leansort.runtime.shipped_models import find_bundle
    from leansort.workflows.cascading.make_cascade import make_cascade

    return make_cascade(
        find_bundle(first),
        find_bundle(second),
        Path(manifest),
        Path(out),
        max_f1_drop=max_f1_drop,
        decode=decode,
        engine=engine,
        name=name,
    )
