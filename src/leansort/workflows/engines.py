"""Which engine runs a bundle: the one that was asked for, or, for `auto`, the fastest."""

from __future__ import annotations

from pathlib import Path

from leansort.runtime.predictor import Classifier

AUTO = "auto"


def classifier(path: Path, engine: str, *, threads: int = 1) -> Classifier:
    """Load a bundle.

    Args:
        path: the bundle file.
        engine: name of an engine; what suits the bundle where empty; the fastest one installed for `auto`.
        threads: compute threads of the engine.

    Raises:
        UserError: no such file or engine.
        IntegrityError: the bundle is damaged.
    """
    if engine == AUTO:
        from leansort.core import bundle as bundles
        from leansort.measure.fastest import fastest  # not loaded by a robot that asks for one engine

        engine = fastest(bundles.load(path), threads=threads)
    return Classifier.load(path, engine=engine, threads=threads)
