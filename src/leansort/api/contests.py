"""The contest, simulated: what helps most, how sure a rank is, and which bundle to hand in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leansort.api.verbs import AnyPath, optional, require_within, several, verb

if TYPE_CHECKING:
    from leansort.contest.contest_result import ContestResult


@verb(margin=(0, 0.5), draws=(100, 100_000), seed=0)
def contest(
    answers: AnyPath | Sequence[AnyPath],
    ground_truth: AnyPath,
    *,
    split: str = "val",
    public: AnyPath | None = None,
    private: AnyPath | None = None,
    seconds: float | Sequence[float] | None = None,
    margin: float = 0.05,
    draws: int = 2000,
    seed: int = 0,
    base_f1: float = 0.70,
    base_seconds: float = 43.16,
    base_macs_f1: float = 0.8342,
    base_macs: int = 13_863_553,
    engine: str = "",
) -> ContestResult:
    """Simulate the contest for bundles or submission files: what changes are worth, ranks, and the best one.

    >>> import leansort
    >>> bundles = ["runs/first/model.leansort", "runs/second/model.leansort"]
    >>> result = leansort.contest(bundles, "runs/first", seconds=60, draws=100)
    >>> round(result.contestants[0].worth[0].unit_cost, 4)  # what a second adds to the score
    0.0116
    >>> [choice.edition for choice in result.choices][:1]
    ['time']

    Args:
        answers: a bundle, a model's name or a submission file (JSON), or several of them. Bundles are run, each in a
            process of its own.
        ground_truth: a manifest, a folder of class folders, or a CSV file `image,label`.
        split: which split of a manifest, or of class folders with splits; `test` chooses nothing.
        public: file with the names of the public list, one a line; without it both lists are resampled from all crops.
        private: file with the names of the private list.
        seconds: in place of the times that were stated or measured, at least 0: one for all, or one each.
        margin: macro-F1 to keep above the step of the MACs edition, 0 to 0.5; what is nearer is not chosen there.
        draws: number of resampled lists, 100 to 100,000.
        seed: of the bootstrap, at least 0.
        base_f1: baseline of macro-F1 in the contest's time edition.
        base_seconds: baseline of seconds in the time edition.
        base_macs_f1: baseline of macro-F1 in the contest's MACs edition.
        base_macs: baseline of multiply-adds in the MACs edition.
        engine: what runs bundles, as for `submit`.

    Returns:
        Each one's scores on both lists with intervals, what a point of macro-F1, a second and a million multiply-adds
        are worth there, the chance of each rank and of its change, and the best one with its optimism.

    Raises:
        UserError: a file is named twice, pictures have no answer, or classes differ.
        IntegrityError: a bundle is damaged.
    """
    from leansort.runtime.shipped_models import find_bundle
    from leansort.workflows.contest import score as scores
    from leansort.workflows.contest.contest_kit import ContestSetting, simulate

    given = [answers] if isinstance(answers, str) or not isinstance(answers, Sequence) else list(answers)
    base = scores.baselines(time_f1=base_f1, time_s=base_seconds, macs_f1=base_macs_f1, macs=base_macs)
    setting = ContestSetting(
        split=split, public=optional(public), private=optional(private), seconds=_seconds(seconds), margin=margin,
        draws=draws, seed=seed, engine=engine, base=base,
    )  # fmt: skip
    return simulate([find_bundle(path) for path in several(given)], list(map(str, given)), Path(ground_truth), setting)


def _seconds(given: float | Sequence[float] | None) -> tuple[float, ...]:
    if given is None:
        return ()
    each = list(given) if isinstance(given, Sequence) else [given]
    for value in each:
        require_within("contest: seconds", value, 0)
    return tuple(map(float, each))
