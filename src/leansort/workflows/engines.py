"""Which engine runs a bundle: the one that was asked for, or, for `auto`, the fastest."""

from __future__ import annotations

from pathlib import Path

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.runtime import engine as engines
from leansort.runtime.predictor import Classifier
from leansort.workflows.board import Board, WatchedEngine
from leansort.workflows.progress import say

AUTO = "auto"


def classifier(path: Path, engine: str, *, threads: int = 1) -> Classifier:
    """Load a bundle, once it is known, for an engine that leansort does not rest on itself, to bear that.

    Args:
        path: the bundle file.
        engine: name of an engine; what suits the bundle where empty; the fastest one installed for `auto`.
        threads: compute threads of the engine.

    Raises:
        UserError: no such file or engine.
        EngineError: the engine crashed, hung or failed when it was tried.
        IntegrityError: the bundle is damaged.
    """
    return loaded(bundles.load(path), engine, threads=threads)


def loaded(bundle: Bundle, engine: str, *, threads: int = 1, board: Board | None = None) -> Classifier:
    """Load a bundle that was opened already; see `classifier`.

    Args:
        bundle: what to load.
        engine: as there.
        threads: as there.
        board: by which another process watches this one, so that nothing need be tried beforehand.
    """
    engine = chosen(bundle, engine, threads=threads)
    if board:
        board.named(engine)
        with board.doing(0):
            made = Classifier.of(bundle, engine=engine, threads=threads)
        made.engine = WatchedEngine(made.engine, board)
        return made
    if not engines.proven(engine):
        from leansort.measure import trial

        trial.require(bundle, engine, threads=threads)
    return Classifier.of(bundle, engine=engine, threads=threads)


def chosen(bundle: Bundle, engine: str, *, threads: int = 1) -> str:
    """The engine's name.

    Raises:
        UserError: for `auto`, no engine that is installed reads the bundle.
        EngineError: for `auto`, none that reads it bears it.
    """
    if engine == AUTO:
        from leansort.measure.fastest import fastest  # not loaded by a robot that asks for one engine

        return fastest(bundle, threads=threads, say=say)
    return engine or engines.default_for(bundle)


def proven(bundle: Bundle, engine: str) -> bool:
    """Whether leansort itself rests on the engine that would run a bundle.

    Raises:
        UserError: no such engine.
    """
    return engine != AUTO and engines.proven(engine or engines.default_for(bundle))
