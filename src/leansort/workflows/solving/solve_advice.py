"""What would help most, from what a solve has measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

from leansort.contest.score_result import ListScore
from leansort.core.bundle import Bundle
from leansort.core.manifest import Manifest
from leansort.measure.engine_selection.fastest_engine import time_engines
from leansort.recipe.goal import SIZE
from leansort.runtime.engine import installed_engines
from leansort.workflows.deploy.target_limits import LimitResult
from leansort.workflows.finishing.run_result import ALONE, WHOLE
from leansort.workflows.solving.candidate_pricing import CandidatePrice
from leansort.workflows.solving.candidate_work import CandidateOutcome
from leansort.workflows.solving.solve_result import Advice
from leansort.workflows.training.quick.probe_curve import ProbeCurve
from leansort.workflows.training.quick.probe_result import ProbeScore

TEACHER_AHEAD = 0.01  # macro-F1 by which a larger network has to lead before its size is what is missing
NEARLY_ALL = 0.9  # of a recipe's epochs: the last tenth has not told trainings apart


def more_photos(score: ListScore, manifest: Manifest, curve: ProbeCurve | None) -> Advice:
    """More photos of the class that is classified worst, with what it has now and what more photos brought so far."""
    worst = min((row for row in score.classes if row.support), key=lambda row: row.f1)
    names = manifest.labels.names
    at = names.index(worst.name)
    row, count = score.confusion[at], manifest.counts("train")[at]
    others = [(wrong, names[other]) for other, wrong in enumerate(row) if other != at and wrong]
    mistaken = f", {max(others)[0]} of {worst.support} are taken for {max(others)[1]}" if others else ""
    evidence = f"its F1 is {worst.f1:.3f}, the lowest, learned from {count} of {sum(manifest.counts('train')):,} photos"
    return Advice(f"more photos of {worst.name}", evidence + mistaken + _gain(curve))


def _gain(curve: ProbeCurve | None) -> str:
    if curve is None:
        return ""
    grows = curve.whole.value > curve.half.value
    return (
        f"; a linear probe went from {curve.half.value:.3f} with half of the photos to {curve.whole.value:.3f} with "
        f"all, so more {'still help' if grows else 'may help little'}"
    )


def larger_network(
    outcome: CandidateOutcome, teacher: float | None, tried: Sequence[CandidateOutcome], teacher_size: int
) -> Advice | None:
    """A larger network or input, where one is ahead of the chosen one on val; None where none is."""
    mine = outcome.macro_f1.value
    if teacher is not None and teacher > mine + TEACHER_AHEAD:
        return Advice(
            f"a larger network or input (as the teacher's, {teacher_size} px)",
            f"the teacher reaches {teacher:.3f} on val, this one {mine:.3f}; it needs a larger budget",
        )
    best = max(tried, key=lambda item: item.macro_f1.value)
    if best.macro_f1.value > mine + TEACHER_AHEAD:
        missed = ", ".join(str(item) for item in best.limits if not item.met)
        return Advice(f"a larger budget, for {best.name}", f"it reaches {best.macro_f1.value:.3f} on val ({missed})")
    return None


def larger_input(curve: ProbeCurve | None) -> Advice | None:
    """A larger input, where a linear probe gains by it more than chance may do; None where it does not."""
    if curve is None or curve.gain is None or curve.larger is None or curve.gain.low <= 0:
        return None
    return Advice(
        f"a larger input, {curve.larger_size} px",
        f"with {curve.larger_size} px in place of {curve.size} a linear probe goes from {curve.whole.value:.3f} to "
        f"{curve.larger.value:.3f} on val (95 % {100 * curve.gain.low:+.1f} to {100 * curve.gain.high:+.1f} points)",
    )


def better_weights(outcome: CandidateOutcome, probe: ProbeScore | None) -> Advice | None:
    """Pretrained weights or a longer training, where a linear probe is ahead; None where it is not."""
    mine = outcome.macro_f1.value
    if probe is None or probe.val_macro_f1.value <= mine + TEACHER_AHEAD:
        return None
    return Advice(
        "a longer training, or a network that begins with pretrained weights",
        f"a linear probe reaches {probe.val_macro_f1.value:.3f} on val with features of {probe.network}, this one "
        f"{mine:.3f}, so the photos can give more",
    )


def shortened_training(outcome: CandidateOutcome) -> Advice | None:
    """More time, where a training was shortened by so much that it matters, to fit into the hours that were given."""
    if outcome.fraction >= NEARLY_ALL:
        return None
    return Advice("more hours", f"{outcome.name} was trained for {100 * outcome.fraction:.0f} % of its epochs to fit")


def faster_engine(bundle: Bundle, engine: str, threads: int, here: bool) -> Advice | None:
    """Another engine, where one that is installed here is faster; None where none is, or the device is elsewhere."""
    names = installed_engines(bundle.format)
    own = engine.partition(":")[0]
    if not here or len(names) < 2 or own not in names:
        return None
    ms = time_engines(bundle, names, threads=threads, seconds=0.3)
    best = min(ms, key=lambda name: ms[name])
    told = ", ".join(f"{name} {value:.2f} ms" for name, value in sorted(ms.items(), key=lambda item: item[1]))
    return None if best == own else Advice(f"the engine {best}", f"median of the model alone: {told}")


def smaller_work(latency: dict[str, dict[str, float]]) -> Advice | None:
    """Smaller photos or frames in place of JPEGs, where decoding takes most of the time."""
    alone, whole = latency.get(ALONE, {}).get("p50"), latency.get(WHOLE, {}).get("p50")
    if not alone or not whole or alone > whole / 2:
        return None
    return Advice(
        "frames or smaller photos in place of these files",
        f"of {whole:.2f} ms from photo to label the model takes {alone:.2f} ms, the rest is decoding",
    )


def smaller_recipe(
    limits: Sequence[LimitResult], prices: Sequence[CandidatePrice], tried: Sequence[CandidateOutcome]
) -> Advice | None:
    """The recipe that comes nearest to a size that was missed; of those that were tried by their bundles."""
    size = next((item for item in limits if item.name == SIZE and not item.met), None)
    priced = {item.name: item.costs[SIZE] for item in prices if SIZE in item.costs}
    sized = priced | {item.name: item.bytes / 1e6 for item in tried}
    if size is None or not sized:
        return None
    name, least = min(sized.items(), key=lambda item: item[1])
    return Advice(
        f"a size limit of {math.ceil(100 * least) / 100:g} MB or more",
        f"{name}, the smallest of {len(sized)} recipes, takes {least:.3g} MB",
    )
