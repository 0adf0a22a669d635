"""Which engine runs a bundle: the one that was asked for, or, for `auto`, the fastest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.runtime import engine as engines
from leansort.runtime.call_board import CallBoard, WatchedEngine
from leansort.runtime.decisions.costs import DecisionCosts
from leansort.runtime.predictor import Classifier

AUTO = "auto"
Say = Callable[[str], None]


def _silent(_: str) -> None:
    """Hear of the engines that are left out, and tell nobody."""


def load_classifier(path: Path, engine: str, *, threads: int = 1, say: Say = _silent) -> Classifier:
    """Load a bundle, once it is known, for an engine that leansort does not rest on itself, to bear that.

    Args:
        path: the bundle file.
        engine: name of an engine; what suits the bundle where empty; the fastest one installed for `auto`.
        threads: compute threads of the engine.
        say: hears of each engine that `auto` leaves out.

    Raises:
        UserError: no such file or engine.
        EngineError: the engine crashed, hung or failed when it was tried.
        IntegrityError: the bundle is damaged.
    """
    return classifier_of(bundles.load(path), engine, threads=threads, say=say)


def classifier_of(
    bundle: Bundle,
    engine: str,
    *,
    threads: int = 1,
    board: CallBoard | None = None,
    say: Say = _silent,
    costs: DecisionCosts | None = None,
    statistics: bool = False,
) -> Classifier:
    """Load a bundle that was opened already; see `load_classifier`.

    Args:
        bundle: what to load.
        engine: as there.
        threads: as there.
        board: by which another process watches this one, so that nothing need be tried beforehand.
        say: as there.
        costs: by which it decides; None leaves the bundle's reject threshold.
        statistics: whether predictions tell what their images look like.
    """
    engine = choose_engine(bundle, engine, threads=threads, say=say)
    if board:
        board.set_engine(engine)
        with board.record_call(0):
            made = Classifier.of(bundle, engine=engine, threads=threads, costs=costs, statistics=statistics)
        made.wrap_engine(lambda inner: WatchedEngine(inner, board))
        return made
    if not engines.is_proven(engine):
        from leansort.measure import engine_trial

        engine_trial.require(bundle, engine, threads=threads)
    return Classifier.of(bundle, engine=engine, threads=threads, costs=costs, statistics=statistics)


def choose_engine(bundle: Bundle, engine: str, *, threads: int = 1, say: Say = _silent) -> str:
    """Return the name of the engine that runs a bundle.

    Raises:
        UserError: for `auto`, no engine that is installed reads the bundle.
        EngineError: for `auto`, none that reads it bears it.
    """
    if engine == AUTO:
        # Not loaded by a robot that asks for one engine.
        from leansort.measure.engine_selection.fastest_engine import choose_fastest_engine

        return choose_fastest_engine(bundle, threads=threads, say=say)
    return engine or engines.default_engine(bundle)


def is_proven(bundle: Bundle, engine: str) -> bool:
    """Say whether leansort itself rests on the engine that would run a bundle.

    Raises:
        UserError: no such engine.
    """
    return engine != AUTO and engines.is_proven(engine or engines.default_engine(bundle))
