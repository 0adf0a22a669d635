"""What a compression pipeline did, as text and as a page: every step's size, speed and F1, and each layer's part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leansort.compress.pipeline.accuracy_budget import format_points
from leansort.report.tables import Table, as_text, render_page

Tree = dict[str, Any]


def text(tree: Tree) -> str:
    """The tables as Markdown.

    Args:
        tree: what `compress.json` holds.
    """
    return as_text(tables(tree), tree["warning"])


def page(tree: Tree) -> str:
    """The tables as a page.

    Args:
        tree: what `compress.json` holds.
    """
    held = _held(tree)
    first, last = held[0], held[-1]
    cards = [
        ("macro-F1 on val", f"{_f1(last):.4f}", f"{_f1(first):.4f} at the start"),
        ("size", f"{last['bytes'] / 1e6:.2f} MB", f"{first['bytes'] / last['bytes']:.1f}x smaller"),
        ("multiply-adds", f"{last['macs'] / 1e6:.1f} M", f"{first['macs'] / max(1, last['macs']):.1f}x fewer"),
        *_speed_card(tree),
    ]
    count = len(tree["steps"]) - 1
    lead = f"{count} {'step' if count == 1 else 'steps'} of compression, judged on val."
    return render_page("compress", tree["title"], lead, cards, tables(tree), warning=tree["warning"])


def tables(tree: Tree) -> list[Table]:
    """Every table that has rows."""
    return [item for item in (_steps(tree), _classes(tree), _tries(tree), _layers(tree)) if item.rows]


def _steps(tree: Tree) -> Table:
    engines, budget = sorted({item["engine"] for item in tree["latency"]}), tree["budget"]
    head = ["step", "outcome", "macro-F1", "drop, points", "parameters", "MMACs", "MB"]
    rows = [_step(record, tree, engines) for record in tree["steps"]]
    hint = (
        f"All steps together may cost {100 * budget['max_f1_drop']:.1f} points of macro-F1 where a step names no other "
        "budget. Drops are to the start, ± half the paired 95 % interval. Latencies are medians of one picture, with "
        f"their 95 % intervals; threads: {budget['threads']}; all bundles in turns."
    )
    return Table("Steps", hint, [*head, *(f"{engine}, ms" for engine in engines)], rows, words=(1,))


def _step(record: Tree, tree: Tree, engines: Sequence[str]) -> list[str]:
    verdict, held = record.get("verdict"), record in _held(tree)
    size = [f"{record['parameters']:,}", f"{record['macs'] / 1e6:.1f}", f"{record['bytes'] / 1e6:.2f}"]
    ms = {item["engine"]: _ms(item) for item in tree["latency"] if item["step"] == record["name"]}
    return [
        record["name"], record["state"],
        f"{_f1(record):.4f}" if verdict else "", _drop(verdict) if record["pass"] else "",
        *(size if held else [""] * 3), *(ms.get(engine, "") if held else "" for engine in engines),
    ]  # fmt: skip


def _held(tree: Tree) -> list[Tree]:
    """The start and the steps that were accepted: what the pipeline held, one after the other."""
    return [record for record in tree["steps"] if record["state"] in ("start", "accepted")]


def _f1(record: Tree) -> float:
    return float(record["verdict"]["macro_f1"]["value"]) if record.get("verdict") else float("nan")


def _drop(verdict: Tree | None) -> str:
    if not verdict:
        return ""
    return format_points(**verdict["drop"])


def _ms(tree: Tree) -> str:
    return f"{tree['value']:.3f} ({tree['low']:.3f}–{tree['high']:.3f})"


def _classes(tree: Tree) -> Table:
    judged = [record for record in tree["steps"] if record.get("verdict")]
    names = list(judged[0]["verdict"]["classes"])
    rows = [[record["name"], *(f"{record['verdict']['classes'][name]:.3f}" for name in names)] for record in judged]
    return Table("F1 by class", "Who pays for the smaller network.", ["step", *names], rows if len(judged) > 1 else [])


def _tries(tree: Tree) -> Table:
    rows = [
        [record["name"], f"{100 * item['fraction']:.0f} %", item["reason"]]
        for record in tree["steps"] for item in record.get("tries", [])
    ]  # fmt: skip
    return Table(
        "Tries", "What was said of each try, and how strong it was.", ["step", "strength", "verdict"], rows, (2,)
    )


def _layers(tree: Tree) -> Table:
    kinds = {"half pruned": "prune", "half rank": "rank", "int8": "int8"}
    head = ["layer", "kind", "input", "parameters", "kMACs", "ms"]
    harms = [f"{what}: {kind}" for what in ("loss", "F1, points") for kind in kinds]
    rows = [
        [
            item["name"], item["kind"], "x".join(map(str, item["shape"])), f"{item['parameters']:,}",
            f"{item['macs'] / 1e3:,.0f}", f"{item['ms']:.3f}",
            *(_harm(item[key], what) for what in ("loss", "f1") for key in kinds.values()),
        ] for item in tree["layers"]
    ]  # fmt: skip
    hint = (
        "One layer changed at a time, nothing fine-tuned: the rise of the mean cross-entropy on val, and how far "
        "macro-F1 moves."
    )
    return Table("Layers", hint, [*head, *harms], rows, words=(1, 2))


def _harm(harm: Tree | None, key: str) -> str:
    return "" if harm is None else f"{harm[key]:+.3f}" if key == "loss" else f"{-100 * harm[key]:+.1f}"


def _speed_card(tree: Tree) -> list[tuple[str, str, str]]:
    """The last bundle on its fastest engine against the first on its fastest."""

    def fastest(step: str) -> Tree | None:
        return min(
            (item for item in tree["latency"] if item["step"] == step),
            key=lambda item: float(item["value"]),
            default=None,
        )

    held = _held(tree)
    first, last = fastest(held[0]["name"]), fastest(held[-1]["name"])
    if first is None or last is None:
        return []
    return [("latency", f"{last['value']:.2f} ms", f"{first['value'] / last['value']:.1f}x as fast, {last['engine']}")]
