"""A stress test as one self-contained page: figures, curves, a picture of every kind at every level, no script."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from importlib import resources

from PIL import Image as Pillow

from leansort.core.pixels import Image
from leansort.core.writing.escaping import markup
from leansort.measure.robustness.stress_examples import StressExamples
from leansort.measure.robustness.stress_result import KindParameters, KindScore, StressedBundle, StressResult
from leansort.report.charts.severity import severity_plot
from leansort.report.robustness.stress_table import cut_out_line, stress_rows

QUALITY = 80
_SIDE = 170  # pixels of the longer side of a picture
_STYLE = """
.list td, .list th { padding: .3rem .5rem; } .list { font-size: .85rem; }
.dot { fill: var(--accent); } .dot.other { fill: var(--second); }
.whisker.line { stroke-width: 1.25; } .axis { font-size: 11px; }
.curves { grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); }
.legend b { color: var(--accent); } .legend b.other { color: var(--second); }
.levels { display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: .6rem; margin-top: 1.2rem; }
.levels h3 { grid-column: 1 / -1; margin: 0; font-size: 1rem; }
.levels h3 small { color: var(--muted); font-weight: 400; }
.levels img { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: contain; background: var(--raised); }
.levels figcaption { font-size: .78rem; color: var(--muted); margin-top: .2rem; } .names { font-size: .85rem; }
@media screen and (max-width: 48rem) { .levels { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
"""


def stress_page(result: StressResult, examples: StressExamples) -> str:
    """Lay a stress test out as an HTML document.

    Args:
        result: of one or two bundles.
        examples: the pictures.
    """
    title = " and ".join(item.path for item in result.bundles)
    lead = (
        f"{result.crops:,} crops of {result.truth}, {result.macro_f1_classes}, corrupted at {result.side} px before "
        f"preprocessing. Lines are macro-F1 with 95 % bootstrap intervals; levels as the last table says."
    )
    sections = [_cards(result), _notes(result), _curves(result)]
    sections += [_scores(item, result.levels) for item in result.bundles]
    sections += [_pictures(result, examples), _grounds(result, examples), _parameters(result.parameters)]
    return _document(title, lead, "".join(sections)).encode("utf-8", "replace").decode("utf-8")


def _document(title: str, lead: str, body: str) -> str:
    style = resources.files("leansort.report").joinpath("style.css.j2").read_text("utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{markup(title)}: stress</title><style>{style}{_STYLE}</style></head><body>"
        f'<header><div class="over">leansort stress</div><h1>{markup(title)}</h1><p class="lead">{markup(lead)}</p>'
        f"</header><main>{body}</main></body></html>\n"
    )


def _cards(result: StressResult) -> str:
    cards = []
    for letter, item in zip("AB", result.bundles, strict=False):
        of = f" of {letter}" if len(result.bundles) > 1 else ""
        summary = item.summary
        cards += [
            (f"clean macro-F1{of}", f"{item.clean.macro_f1.value:.3f}", f"accuracy {item.clean.accuracy:.3f}"),
            (f"mean at level {summary.level}{of}", f"{summary.macro_f1:.3f}", f"over {len(item.kinds)} kinds"),
            (f"kept at level {summary.level}{of}", f"{summary.kept:.0%}", "of the clean macro-F1, mean over the kinds"),
            (f"worst at level {summary.level}{of}", f"{summary.worst_macro_f1:.3f}", summary.worst),
        ]
    made = "".join(
        f'<div class="card"><dt>{markup(name)}</dt><dd class="big">{markup(value)}</dd><dd class="note">{markup(note)}'
        "</dd></div>"
        for name, value, note in cards
    )
    return f'<dl class="cards" style="--across: 4">{made}</dl>'


def _notes(result: StressResult) -> str:
    items = "".join(f"<li>{markup(line)}</li>" for line in result.notes)
    return f'<section class="notes"><h2>Please note</h2><ul>{items}</ul></section>' if items else ""


def _curves(result: StressResult) -> str:
    legend = ""
    if len(result.bundles) > 1:
        a, b = (markup(item.path) for item in result.bundles)
        legend = f'<p class="legend"><b>A</b> {a}, <b class="other">B</b> {b}</p>'
    figures = []
    for curve in result.bundles[0].kinds:
        curves = [(item.path, item.kind(curve.kind)) for item in result.bundles]
        figures.append(f"<figure><figcaption>{_spelled(curve.kind)}</figcaption>{severity_plot(curves)}</figure>")
    return f'<section><h2>Macro-F1 by level</h2>{legend}<div class="curves">{"".join(figures)}</div></section>'


def _scores(item: StressedBundle, levels: Sequence[int]) -> str:
    head, *rows = stress_rows(item, levels)
    hint = f"{item.engine}, digest {item.digest}. Kept, accuracy and mean confidence are at level {item.summary.level}."
    failed = (
        f" For {item.failed:,} crops the network gave no finite numbers; they count as wrong." if item.failed else ""
    )
    return _table(item.path, hint + failed, head, rows)


def _table(title: str, hint: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    names = "".join(
        f'<th scope="col"{"" if at == 0 else " class=n"}>{markup(cell)}</th>' for at, cell in enumerate(head)
    )
    body = "".join(
        f'<tr><th scope="row">{markup(row[0])}</th>{"".join(f"<td>{markup(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return (
        f'<section><h2>{markup(title)}</h2><p class="hint">{markup(hint)}</p><div class="scroll">'
        f'<table class="list wide"><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div></section>'
    )


def _pictures(result: StressResult, examples: StressExamples) -> str:
    if examples.clean is None or not examples.levels:
        return ""
    blocks = []
    for kind, images in examples.levels.items():
        curves = [item.kind(kind) for item in result.bundles]
        figures = [_figure(examples.clean, f"clean {_scores_at(curves, 0)}")]
        figures += [_figure(image, f"level {at} {_scores_at(curves, at)}") for at, image in enumerate(images, 1)]
        source = next((item.source for item in result.parameters if item.kind == kind), "")
        note = f" <small>{markup(source)}</small>" if source else ""
        blocks.append(f'<div class="levels"><h3>{_spelled(kind)}{note}</h3>{"".join(figures)}</div>')
    hint = f"{examples.name}, with the macro-F1 of all crops at each level that was measured."
    return f'<section><h2>Every kind at every level</h2><p class="hint">{markup(hint)}</p>{"".join(blocks)}</section>'


def _scores_at(curves: Sequence[KindScore], level: int) -> str:
    values = [
        score.macro_f1.value for curve in curves for score in (curve.clean, *curve.levels) if score.level == level
    ]
    return " / ".join(f"{value:.3f}" for value in values)


def _grounds(result: StressResult, examples: StressExamples) -> str:
    if result.cut_outs is None:
        return ""
    figures = "".join(_figure(image, name) for name, image in examples.cut_outs)
    lost = "".join(f"<li>{markup(item.image)}: {markup(item.reason)}</li>" for item in result.cut_outs.not_cut)
    names = f'<details><summary>Not cut out</summary><ul class="names">{lost}</ul></details>' if lost else ""
    return (
        f'<section><h2>Other grounds</h2><p class="hint">{markup(cut_out_line(result.cut_outs))}</p>'
        f'<div class="levels">{figures}</div>{names}</section>'
    )


def _figure(image: Image, caption: str) -> str:
    return f'<figure><img src="{_data_uri(image)}" alt=""><figcaption>{markup(caption)}</figcaption></figure>'


def _data_uri(image: Image) -> str:
    picture = Pillow.fromarray(image)
    picture.thumbnail((_SIDE, _SIDE))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _parameters(parameters: Sequence[KindParameters]) -> str:
    rows = [
        [
            item.kind,
            item.parameter,
            *(" / ".join(f"{value:g}" for value in level) for level in item.levels),
            item.source,
        ]
        for item in parameters
    ]
    hint = (
        "ImageNet-C: Hendrycks and Dietterich 2019, arXiv:1903.12261, whose images have 224 px. The rest is leansort's."
    )
    return _table("What the levels set", hint, ["kind", "parameter", "1", "2", "3", "4", "5", "from"], rows)


def _spelled(kind: str) -> str:
    return markup(kind.replace("_", " "))
