"""Write which of the committed models to take, from their cards: `models/README.md`, and a table in both READMEs.

    python -m docs.models_table

Bundles lie in `src/leansort/models`, and so in the package, or in `models`; networks to begin with lie in `models`.
Each folder is one that `leansort card` made. Nothing here is written by hand but the words around the tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from leansort.core import bundle as bundles
from leansort.core.errors import UserError
from leansort.core.files.bundle_card import BundleCard
from leansort.core.run_folder import ModelFolder
from leansort.report import markdown
from leansort.runtime import shipped_models

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "models" / "README.md"
READMES = {
    "README.md": ("model", "take it as the", "macro-F1 (95 %)"),
    "README.ko.md": ("모델", "장점", "macro-F1 (95 %)"),
}
MARKED = re.compile(r"(<!-- models: begin[^>]*-->\n).*?(<!-- models: end -->)", re.DOTALL)
KOREAN = {
    "most accurate": "가장 정확함",
    "smallest": "가장 작음",
    "fastest": "가장 빠름",
    "(default)": "(기본)",
    "not recorded": "기록 없음",
}
FACTS = "trashnet-facts.yaml"
BEGIN = f"""\
# Models

One folder a model, each made by `leansort card`, which scores it and writes its card; the tables are made of the cards
by `python -m docs.models_table`. All scores are on TrashNet's val split, which also chose the epochs, with 95 %
bootstrap intervals over its crops. The networks were trained on photos of one piece of trash on a white board, and know
nothing else.

To replace or add one: `leansort card RUN/model.leansort --manifest MANIFEST --facts models/{FACTS} --out FOLDER`.

## Bundles, to sort with
"""
SHIPPED = """
Those that lie in [the package](../src/leansort/models) are known by name (`leansort predict NAME photo.jpg`,
`leansort models NAME`); the one marked default sorts where no bundle is named. Milliseconds are the network alone, one
photo a call on one thread, each on the processor that its card names; `leansort bench NAME NAME` compares on yours.
"""
NETWORKS = "\n## Networks, to train on, distil from or compress\n\n"


@dataclass(frozen=True)
class CommittedModel:
    """A folder that `leansort card` made.

    Attributes:
        folder: the folder.
        is_bundle: whether it holds a bundle, or else a network.
        bytes: size of the bundle's or network's file.
        parameters: weights of the network.
        size: side of its input in pixels.
        card: what its card tells.
    """

    folder: Path
    is_bundle: bool
    bytes: int
    parameters: int
    size: int
    card: BundleCard

    @property
    def macro_f1(self) -> float:
        """On val; below 0 where the card does not tell it."""
        return self.card.score.macro_f1 if self.card.score else -1.0

    @property
    def ms(self) -> float | None:
        """Median milliseconds of the network alone, where the card tells them."""
        return self.card.latency.model_ms if self.card.latency else None


def committed(folder: Path) -> CommittedModel:
    """Read a model's folder.

    Raises:
        UserError: it is none, or its card was not written by `leansort card`.
    """
    files = ModelFolder(folder)
    if files.bundle.is_file():
        meta = bundles.load(files.bundle).meta
        size = files.bundle.stat().st_size
        return CommittedModel(folder, True, size, meta.parameters, meta.preprocess.size, meta.card or BundleCard())
    if not files.card_facts.exists():
        raise UserError(f"{folder} holds neither a bundle nor the card of a network; make it with leansort card")
    from leansort.arch import trained_model
    from leansort.arch.build import parameters

    model = trained_model.load(folder)
    card = files.card_facts.read(BundleCard, "models")
    return CommittedModel(
        folder, False, files.model.stat().st_size, parameters(model.network()), model.preprocess.size, card
    )


def best_in(models: Sequence[CommittedModel]) -> dict[Path, str]:
    """Say of each model what it betters all others of its table in; what is best in nothing has no entry."""
    aims: dict[str, Callable[[CommittedModel], float | None]] = {
        "most accurate": lambda model: -model.macro_f1,
        "smallest": lambda model: model.bytes,
        "fastest": lambda model: model.ms,
    }
    result: dict[Path, list[str]] = {}
    for aim, measure in aims.items():
        known = {model.folder: value for model in models if (value := measure(model)) is not None}
        if len(known) == len(models) > 1:  # of two that were never timed neither is the fastest
            result.setdefault(min(known, key=lambda folder: known[folder]), []).append(aim)
    return {folder: ", ".join(found) for folder, found in result.items()}


def table(models: Sequence[CommittedModel]) -> str:
    """The models as a table, the most accurate first."""
    best = best_in(models)
    timed = any(model.is_bundle for model in models)
    head = ["model", "take it as the", "macro-F1 (95 %)", "seeds", "MB", *["ms"] * timed, "parameters", "input", "data"]
    rows = []
    for model in sorted(models, key=lambda model: -model.macro_f1):
        score, seeds = model.card.score, model.card.seeds
        rows.append(
            [
                _link(model),
                best.get(model.folder, ""),
                f"{score.macro_f1:.4f} ({score.low:.4f} – {score.high:.4f})" if score else "not recorded",
                f"{seeds.mean:.4f} ± {seeds.std:.4f} of {seeds.n}" if seeds and seeds.std is not None else "1",
                f"{model.bytes / 1e6:.2f}",
                *[f"{model.ms:.2f}" if model.ms is not None else "not recorded"] * timed,
                f"{model.parameters:,}",
                f"{model.size} px",
                model.card.data or "not recorded",
            ]
        )
    return markdown.table(head, rows)


def _link(model: CommittedModel) -> str:
    is_default = model.folder == shipped_models.default_model().path.parent
    shipped = model.folder.parent == shipped_models.FOLDER
    return f"{model.folder.name}{' (default)' if is_default else ' (in the package)' if shipped else ''}"


def page(models: Sequence[CommittedModel]) -> str:
    """The whole page of models."""
    sorting, others = [model for model in models if model.is_bundle], [model for model in models if not model.is_bundle]
    parts = [BEGIN, table(sorting), SHIPPED]
    return "\n".join(parts) + (NETWORKS + table(others) + "\n" if others else "")


def short_table(models: Sequence[CommittedModel], head: Sequence[str]) -> str:
    """The bundles that the package brings as a small table, the most accurate first.

    Args:
        models: any committed ones.
        head: what the first three columns are called; MB and ms follow.
    """
    shipped = [model for model in models if model.folder.parent == shipped_models.FOLDER]
    best, default = best_in(shipped), shipped_models.default_model().path.parent
    rows = []
    for model in sorted(shipped, key=lambda model: -model.macro_f1):
        score = model.card.score
        rows.append(
            [
                f"{model.folder.name}{' (default)' if model.folder == default else ''}",
                best.get(model.folder, ""),
                f"{score.macro_f1:.3f} ({score.low:.3f} – {score.high:.3f})" if score else "not recorded",
                f"{model.bytes / 1e6:.2f}",
                f"{model.ms:.2f}" if model.ms is not None else "not recorded",
            ]
        )
    return markdown.table([*head, "MB", "ms"], rows)


def readme(text: str, name: str, models: Sequence[CommittedModel]) -> str:
    """Return a README with its table of models written anew.

    Raises:
        UserError: the marks that the table stands between are not there, or more than once.
    """
    lines = short_table(models, READMES[name])
    if name == "README.ko.md":
        for english, korean in KOREAN.items():
            lines = lines.replace(english, korean)
    written, times = MARKED.subn(lambda match: f"{match[1]}{lines}\n{match[2]}", text)
    if times != 1:
        raise UserError(f"{name}: marks of the table of models: 1 expected, {times} there")
    return written


def committed_models() -> list[CommittedModel]:
    """Read every model of the repository, those of the package first."""
    folders = [*sorted(shipped_models.FOLDER.iterdir()), *sorted(PAGE.parent.iterdir())]
    return [committed(folder) for folder in folders if folder.is_dir()]


def main() -> None:
    """Write all three files."""
    models = committed_models()
    PAGE.write_text(page(models), encoding="utf-8")
    for name in READMES:
        path = ROOT / name
        path.write_text(readme(path.read_text(encoding="utf-8"), name, models), encoding="utf-8")


if __name__ == "__main__":
    main()
