"""What leaving out each class comes to, and its table."""

from __future__ import annotations

from statistics import fmean

from leansort.core.files.typed_result import TypedResult
from leansort.measure.accuracy.metrics import Interval
from leansort.report import markdown


class LeftOutClass(TypedResult):
    """One class that a network was trained without.

    Attributes:
        name: of the class.
        recipe: digest of the recipe of the training.
        data: digest of the manifest without the class.
        val_macro_f1: of the network, on the other classes.
        unknown: val photos of the class.
        known: val photos of the others.
        auroc: by score, with its bootstrap interval: probability that a photo of the class is more novel than another.
    """

    name: str
    recipe: str
    data: str
    val_macro_f1: float
    unknown: int
    known: int
    auroc: dict[str, Interval]


class LeaveOutResult(TypedResult):
    """What leaving out each class comes to.

    Attributes:
        complete: whether every class that has val photos was left out.
        classes: in the order of the labels.
        deployed: the score that a bundle of these networks tells novelty by.
        notes: what is not among them, a line each.
    """

    complete: bool
    classes: tuple[LeftOutClass, ...]
    deployed: str
    notes: tuple[str, ...] = ()

    @property
    def means(self) -> dict[str, float]:
        """Mean AUROC over the classes by score, the best first; scores that not every class has are left out."""
        names = [name for name in self.classes[0].auroc if all(name in item.auroc for item in self.classes)]
        pairs = [(name, fmean(item.auroc[name].value for item in self.classes)) for name in names]
        return dict(sorted(pairs, key=lambda pair: -pair[1]))

    def headline(self) -> dict[str, str]:
        """Return the mean AUROC of each score, the best first."""
        shown = {f"mean AUROC, {name}": f"{value:.3f}" for name, value in self.means.items()}
        return {"classes": ", ".join(item.name for item in self.classes), **shown}


def leave_out_table(result: LeaveOutResult) -> str:
    """A Markdown table that is as easily read as text: a row a score, the best first, a column a class."""
    head = ["AUROC of a class left out", "mean", *(item.name for item in result.classes)]
    rows = []
    for name, mean in result.means.items():
        own = " (deployed)" * (name == result.deployed)
        rows.append([f"{name}{own}", f"{mean:.3f}", *(f"{item.auroc[name].value:.3f}" for item in result.classes)])
    rows.append(["val photos of the class", "", *(str(item.unknown) for item in result.classes)])
    rows.append(["val macro-F1 of the others", "", *(f"{item.val_macro_f1:.3f}" for item in result.classes)])
    lines = [markdown.table(head, rows), "deployed: what a bundle of these networks tells novelty by", *result.notes]
    return "\n".join(lines if result.complete else [*lines, "not every class is done; go on with --resume"])
