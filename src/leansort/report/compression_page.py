"""What a compression pipeline did, as text and as a page: every step's size, speed and F1, and each layer's part."""

from __future__ import annotations

from collections.abc import Sequence

from leansort.compress.compress_config import Timed
from leansort.compress.layer_sensitivity import LayerHarm
from leansort.compress.pipeline.accuracy_budget import BudgetVerdict, format_points
from leansort.compress.pipeline.compress_result import CompressResult, PipelineStep, StepLatency
from leansort.report.tables import Table, as_text, render_page

_TIMED = {"model": "of one picture", "label": "from one encoded photo to its label"}


def text(result: CompressResult) -> str:
    """The tables as Markdown."""
    return as_text(tables(result), result.warning)


def page(result: CompressResult) -> str:
    """The tables as a page."""
    first, last = result.held[0], result.held[-1]
    cards = [
        ("macro-F1 on val", f"{_f1(last):.4f}", f"{_f1(first):.4f} at the start"),
        *_stress_card(result),
        ("size", f"{last.bytes / 1e6:.2f} MB", f"{first.bytes / last.bytes:.1f}x smaller"),
        ("multiply-adds", f"{last.macs / 1e6:.1f} M", f"{first.macs / max(1, last.macs):.1f}x fewer"),
        *_speed_card(result),
    ]
    count = len(result.steps) - 1
    lead = f"{count} {'step' if count == 1 else 'steps'} of compression, judged on val."
    return render_page("compress", result.title, lead, cards, tables(result), warning=result.warning)


def tables(result: CompressResult) -> list[Table]:
    """Every table that has rows."""
    made = (_steps(result), _classes(result), _kinds(result), _tries(result), _layers(result))
    return [item for item in made if item.rows]


def _steps(result: CompressResult) -> Table:
    engines, budget = sorted({item.engine for item in result.latency}), result.budget
    under_stress = ["under stress", "drop under stress, points"] if result.stress else []
    head = ["step", "outcome", "macro-F1", "drop, points", *under_stress, *_input_head(result)]
    head += ["parameters", "MMACs", "MB"]
    rows = [_step(step, result, engines) for step in result.steps]
    hint = (
        f"All steps together may cost {100 * budget.max_f1_drop:.1f} points of macro-F1 where a step names no other "
        "budget. Drops are to the start, ± half the paired 95 % interval. Latencies are medians "
        f"{_TIMED[budget.timed]}, with their 95 % intervals; threads: {budget.threads}; all bundles in turns."
        f"{_stress_hint(result)}"
    )
    return Table("Steps", hint, [*head, *(f"{engine}, ms" for engine in engines)], rows, words=(1,))


def _step(step: PipelineStep, result: CompressResult, engines: Sequence[str]) -> list[str]:
    size = [str(step.input_size)] if _input_head(result) else []
    size += [f"{step.parameters:,}", f"{step.macs / 1e6:.1f}", f"{step.bytes / 1e6:.2f}"]
    ms = {item.engine: _ms(item, result.budget.timed) for item in result.latency if item.step == step.name}
    return [
        step.name,
        step.state,
        f"{_f1(step):.4f}" if step.verdict else "",
        _drop(step.verdict) if step.pass_name else "",
        *(_stressed(step) if result.stress else []),
        *(size if step.is_held else [""] * len(size)),
        *(ms.get(engine, "") if step.is_held else "" for engine in engines),
    ]


def _input_head(result: CompressResult) -> list[str]:
    """The column of the input's size, where a step has changed it."""
    return ["input, px"] if len({step.input_size for step in result.held}) > 1 else []


def _stress_hint(result: CompressResult) -> str:
    if result.stress is None:
        return ""
    limit = result.budget.max_stress_drop
    may = "is told and refuses nothing" if limit is None else f"may fall by {100 * limit:.1f} points"
    return f" Under stress: mean macro-F1 over {result.stress}, which {may} where a step names no other budget."


def _stressed(step: PipelineStep) -> list[str]:
    stress = step.verdict.stress if step.verdict else None
    if stress is None:
        return ["", ""]
    drop = format_points(stress.drop.value, stress.drop.low, stress.drop.high) if step.pass_name else ""
    return [f"{stress.macro_f1.value:.4f}", drop]


def _stress_card(result: CompressResult) -> list[tuple[str, str, str]]:
    first, last = (step.verdict.stress if step.verdict else None for step in (result.held[0], result.held[-1]))
    if first is None or last is None:
        return []
    return [("macro-F1 under stress", f"{last.macro_f1.value:.4f}", f"{first.macro_f1.value:.4f} at the start")]


def _kinds(result: CompressResult) -> Table:
    """Macro-F1 of each step under each kind of stress."""
    judged = [(step.name, step.verdict.stress.kinds) for step in result.steps if step.verdict and step.verdict.stress]
    names = result.stress.kinds if result.stress else ()
    rows = [[step, *(f"{kinds[name]:.3f}" for name in names)] for step, kinds in judged]
    return Table("Under stress", f"Macro-F1 by kind.{_left_out(result)}", ["step", *names], rows)


def _left_out(result: CompressResult) -> str:
    facts = result.stress
    if facts is None or not facts.not_cut:
        return ""
    if facts.left_out:
        return f" Left out {facts.left_out}."
    return f" Other grounds are measured without {len(facts.not_cut)} crops, whose object could not be cut out."


def _f1(step: PipelineStep) -> float:
    return step.verdict.macro_f1.value if step.verdict else float("nan")


def _drop(verdict: BudgetVerdict | None) -> str:
    return format_points(verdict.drop.value, verdict.drop.low, verdict.drop.high) if verdict else ""


def _ms(latency: StepLatency, timed: Timed) -> str:
    """The median, and of times that differ by photo mean and 99th percentile, too."""
    text = f"{latency.value:.3f} ({latency.low:.3f}–{latency.high:.3f})"
    if timed == "model" or latency.mean is None or "p99" not in latency.percentiles:
        return text
    return f"{text}, mean {latency.mean:.3f}, p99 {latency.percentiles['p99']:.3f}"


def _classes(result: CompressResult) -> Table:
    judged = [(step.name, step.verdict.classes) for step in result.steps if step.verdict]
    names = list(judged[0][1]) if judged else []
    rows = [[step, *(f"{classes[name]:.3f}" for name in names)] for step, classes in judged]
    return Table("F1 by class", "Who pays for the smaller network.", ["step", *names], rows if len(judged) > 1 else [])


def _tries(result: CompressResult) -> Table:
    rows = [[step.name, f"{100 * tried.fraction:.0f} %", tried.reason] for step in result.steps for tried in step.tries]
    return Table(
        "Tries", "The verdict on each try, and how strong it was.", ["step", "strength", "verdict"], rows, (2,)
    )


def _layers(result: CompressResult) -> Table:
    head = ["layer", "kind", "input", "parameters", "kMACs", "ms"]
    changes = ("half pruned", "half rank", "int8")
    rows = []
    for layer in result.layers:
        harms = (layer.prune, layer.rank, layer.int8)
        rows.append(
            [
                layer.name,
                layer.kind,
                "x".join(map(str, layer.shape)),
                f"{layer.parameters:,}",
                f"{layer.macs / 1e3:,.0f}",
                f"{layer.ms:.3f}",
                *("" if harm is None else f"{harm.loss:+.3f}" for harm in harms),
                *map(_points, harms),
            ]
        )
    hint = (
        "One layer changed at a time, nothing fine-tuned: the rise of the mean cross-entropy on val, and how far "
        "macro-F1 moves."
    )
    named = [f"{what}: {change}" for what in ("loss", "F1, points") for change in changes]
    return Table("Layers", hint, [*head, *named], rows, words=(1, 2))


def _points(harm: LayerHarm | None) -> str:
    return "" if harm is None else f"{-100 * harm.f1:+.1f}"


def _speed_card(result: CompressResult) -> list[tuple[str, str, str]]:
    """The last bundle on its fastest engine against the first on its fastest."""

    def fastest(step: str) -> StepLatency | None:
        return min((item for item in result.latency if item.step == step), key=lambda item: item.value, default=None)

    first, last = fastest(result.held[0].name), fastest(result.held[-1].name)
    if first is None or last is None:
        return []
    return [("latency", f"{last.value:.2f} ms", f"{first.value / last.value:.1f}x as fast, {last.engine}")]
