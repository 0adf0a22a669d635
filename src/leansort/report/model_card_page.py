"""The model card (arXiv:1810.03993): what a network is, what it was trained on, how well it sorts, what to mind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leansort.core.preprocess import Preprocess
from leansort.core.writing.escaping import markdown_line, printable, printable_lines
from leansort.measure.accuracy.metrics import ClassScore, Interval, coverage
from leansort.measure.confidence import MeanInterval
from leansort.report import markdown


@dataclass(frozen=True)
class ModelFacts:
    """What a network or bundle tells of itself.

    Attributes:
        base: the backbone, and its width where that is not 1.
        parameters: weights of the network.
        macs: multiply-adds for one picture.
        preprocess: how pictures become its input.
        labels: its classes, in order.
        weights: size, precision and file.
        data: digest of the manifest that it was trained on.
        versions: of leansort and PyTorch.
    """

    base: str
    parameters: int
    macs: int
    preprocess: Preprocess
    labels: Sequence[str]
    weights: str
    data: str
    versions: str


@dataclass(frozen=True)
class ModelCard:
    """What a card tells.

    Attributes:
        name: of the model.
        title: what it is, one line.
        facts: what the model tells of itself.
        split: that it was scored on.
        f1: macro-F1 with its bootstrap interval over the crops.
        crops: of that split.
        classes: the per-class table.
        seeds: of the same recipe with several seeds, where they were trained.
        reproduce: the command that trains it again.
        notes: about data, licence, and limits; one paragraph of Markdown each.
    """

    name: str
    title: str
    facts: ModelFacts
    split: str
    f1: Interval
    crops: int
    classes: Sequence[ClassScore]
    seeds: MeanInterval | None
    reproduce: str
    notes: Sequence[str]


def text(card: ModelCard) -> str:
    """The card as Markdown."""
    rows = [
        [item.name, *(f"{value:.3f}" for value in (item.precision, item.recall, item.f1)), str(item.support)]
        for item in card.classes
    ]
    over = coverage([item.name for item in card.classes], [item.support for item in card.classes])
    missing = f" {over.sentence(card.split)}." if over.left_out else ""
    between = f"95 % bootstrap interval {card.f1.low:.4f} – {card.f1.high:.4f}"
    parts = [
        f"# {markdown_line(card.name)}\n\n{markdown_line(card.title)}",
        markdown.table(["", ""], [[name, value] for name, value in facts(card.facts).items()]),
        f"## How well it sorts\n\nMacro-F1 {card.f1.value:.4f} on {card.crops} {card.split} crops, {over} "
        f"({between}).{missing} The best epoch was chosen on these crops, so the figure is a little too high.",
        *([_seeds(card.seeds)] if card.seeds else []),
        markdown.table(["class", "precision", "recall", "F1", "crops"], rows),
        "## How it was trained\n\nBy the recipe beside this card (`recipe.json`):\n\n"
        f"```\n{printable(card.reproduce)}\n```",
        *(["## Please note\n\n" + "\n\n".join(map(printable_lines, card.notes))] if card.notes else []),
    ]
    return "\n\n".join(parts) + "\n"


def _seeds(mean_interval: MeanInterval) -> str:
    between = (
        "" if mean_interval.low is None else f", 95 % t-interval {mean_interval.low:.4f} – {mean_interval.high:.4f}"
    )
    spread = "" if mean_interval.std is None else f" ± {mean_interval.std:.4f}"
    mean = f"{mean_interval.mean:.4f}{spread} (mean ± standard deviation{between})"
    return f"The same recipe with {mean_interval.n} seeds: {mean}."


def facts(model: ModelFacts) -> dict[str, str]:
    """The lines of the first table: parameters, multiply-adds, input, classes, provenance."""
    size = model.preprocess.size
    return {
        "network": model.base,
        "parameters": f"{model.parameters:,}",
        "multiply-adds": f"{model.macs / 1e6:.1f} M",
        "input": f"{size} x {size} RGB, fit: {model.preprocess.fit}",
        "classes": ", ".join(model.labels),
        "weights": model.weights,
        "data": f"digest {model.data}",
        "trained with": model.versions,
    }
