"""What a recipe's whole job comes to, as a result and as text."""

from __future__ import annotations

from pathlib import Path

from leansort.contest.score_result import ContestScore
from leansort.core.files.typed_result import TypedResult
from leansort.core.writing.escaping import printable
from leansort.measure.accuracy.metrics import DescribedCoverage, Interval
from leansort.workflows.deploy import bench as benches
from leansort.workflows.deploy.target_limits import LimitResult
from leansort.workflows.training.quick.probe_result import ProbeScore

ALONE, WHOLE = benches.ALONE, benches.WHOLE


class RunResult(TypedResult):
    """What a recipe's whole job comes to.

    Attributes:
        macro_f1: on the scored split, with its 95 % bootstrap interval.
        macro_f1_classes: the classes that it was taken over.
        accuracy: fraction of the crops that are classified correctly.
        crops: of the scored split.
        split: that was scored: test, or val where there is no test.
        contest: the contest's scores.
        parameters: weights of the network.
        bytes: of the bundle's file.
        latency_ms: percentiles (`p50`, `p90`, `p99`) of `model alone`, `decode alone` and `decode to label`.
        limits: of the recipe's target, and whether each is met.
        warning: where other work disturbed the timing, else empty.
        bundle: the bundle's file.
        submission: the contest's submission file.
        report: the page.
        probe: what a linear probe of the same data came to on val, where one was made in this folder.
    """

    macro_f1: Interval
    macro_f1_classes: DescribedCoverage
    accuracy: float
    crops: int
    split: str
    contest: tuple[ContestScore, ...]
    parameters: int
    bytes: int
    latency_ms: dict[str, dict[str, float]]
    limits: tuple[LimitResult, ...] = ()
    warning: str
    bundle: Path
    submission: Path
    report: Path
    probe: ProbeScore | None = None

    def headline(self) -> dict[str, str]:
        """Return macro-F1, latencies, size, the contest's score, and where the files are."""
        row = next((row for row in self.contest if (row.edition, row.list) == ("time", "all")), None)
        return {
            f"{self.split} macro-F1": f"{self.macro_f1} {self.macro_f1_classes}",
            **{name: ", ".join(f"{p} {ms:.2f} ms" for p, ms in of.items()) for name, of in self.latency_ms.items()},
            "bundle": f"{self.bytes / 1e6:.2f} MB, {self.parameters:,} parameters: {self.bundle}",
            **({"contest score": f"{row.score:.4f} (time edition, {row.cost:.2f} s)"} if row else {}),
            **({"linear probe, val": str(self.probe)} if self.probe else {}),
            "report": str(self.report),
            **{f"target, {item.name}": str(item) for item in self.limits},
            **({"warning": self.warning} if self.warning else {}),
        }


def run_summary(result: RunResult) -> str:
    """The headline figures as lines of text."""
    f1, over, ms = result.macro_f1, result.macro_f1_classes, result.latency_ms
    contest = next(row for row in result.contest if row.edition == "time" and row.list == "all")
    lines = [
        f"{result.split} macro-F1     {f1.value:.4f} {over.over} (95 % {f1.low:.4f} – {f1.high:.4f})",
        *([f"                  {over.note}"] if over.note else []),
        f"decode to label   p50 {ms[WHOLE]['p50']:.2f} ms, p99 {ms[WHOLE]['p99']:.2f} ms",
        f"model alone       p50 {ms[ALONE]['p50']:.2f} ms, p99 {ms[ALONE]['p99']:.2f} ms",
        f"bundle            {result.bytes / 1e6:.2f} MB, {result.parameters:,} parameters: "
        + printable(str(result.bundle)),
        f"contest score     {contest.score:.4f} (time edition, {contest.cost:.2f} s for {result.crops} crops)",
        *([f"linear probe      {printable(str(result.probe))}, val"] if result.probe else []),
        f"report            {printable(str(result.report))}",
        *(f"target            {item}" for item in result.limits),
    ]
    return "\n".join([*lines, *([f"warning: {result.warning}"] if result.warning else [])])
