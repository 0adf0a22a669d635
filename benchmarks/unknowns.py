"""Claim: a bundle tells drawn unknowns from TrashNet's val photos with AUROC >= 0.95, in float and in int8.

Measured on any bundle, by path or by the name of a model, or on a folder with `model.safetensors`, which is exported in
float. Each gets its scale of novelty anew, as `leansort export` and `compress` fit it: features on train crops, the
threshold on val. Unknown are pictures that are drawn on the spot, corners of val photos (an empty board), and what a
folder holds:

    python -m benchmarks.unknowns models/trashnet trashnet-compressed --unknown photos/
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx

from benchmarks.recorded_runs import processor
from leansort.arch import trained_model
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.files.bundle_decisions import DISTANCE, LOGIT_METHODS
from leansort.core.folders.image_files import list_image_files
from leansort.core.preprocess import Preprocess, decode
from leansort.core.run_folder import ModelFolder
from leansort.core.seeds import Seeds
from leansort.core.text.columns import align_columns
from leansort.core.writing import atomic_io
from leansort.data.loading.crops import Crops
from leansort.data.synthetic import texture
from leansort.data.synthetic.background import draw_background
from leansort.data.synthetic.scene import draw_scene
from leansort.export.distance_graph import PREFIX
from leansort.export.onnx import export_onnx
from leansort.measure.accuracy.unknowns import MethodScore, score_method
from leansort.measure.timing import latency, timing_lock
from leansort.runtime import engine as engines
from leansort.runtime.decisions.novelty import novelty_scores
from leansort.runtime.shipped_models import find_bundle
from leansort.workflows.deploy.bundle_calibration import calibrate_bundle

DATA = Path(os.environ.get("LEANSORT_DATA", Path(__file__).parents[2] / "shared" / "data")) / "trashnet"
GOAL, APART, COST, COUNT = 0.95, 0.01, 0.03, 100
HEIGHT, WIDTH = 384, 512  # of TrashNet's photos
Image = npt.NDArray[np.uint8]
Rng = np.random.Generator
Scores = dict[str, dict[str, MethodScore]]  # by method, by kind of unknown


def scene(rng: Rng) -> Image:
    """Several drawn things on a drawn ground."""
    return draw_scene(rng)[0]


def ground(rng: Rng) -> Image:
    """Drawn grass, asphalt, wood, tiles or a belt, with debris."""
    return np.asarray(np.clip(draw_background(rng, HEIGHT, WIDTH), 0, 1) * 255, np.uint8)


def noise(rng: Rng) -> Image:
    """Every pixel by chance."""
    return rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def smooth(rng: Rng) -> Image:
    """Soft colours."""
    channels = [texture.noise(rng, HEIGHT, WIDTH, int(rng.integers(2, 12))) for _ in range(3)]
    return np.asarray(np.stack(channels, -1) * 255, np.uint8)


def flat(rng: Rng) -> Image:
    """One colour."""
    return np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), (HEIGHT, WIDTH, 3)).copy()


def stripes(rng: Rng) -> Image:
    """Stripes of two colours."""
    angle, period = rng.uniform(0, np.pi), rng.uniform(8, 80)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
    first, second = rng.integers(0, 256, (2, 3))
    return np.asarray(np.where(wave[..., None] > 0, first, second), np.uint8)


def shapes(rng: Rng) -> Image:
    """Discs and triangles on one colour."""
    image = flat(rng)
    for _ in range(int(rng.integers(3, 12))):
        colour = rng.integers(0, 256, 3).tolist()
        if rng.random() < 0.5:
            cv2.circle(
                image, (int(rng.integers(WIDTH)), int(rng.integers(HEIGHT))), int(rng.integers(10, 120)), colour, -1
            )
        else:
            cv2.fillPoly(image, [rng.integers(0, [WIDTH, HEIGHT], (3, 2)).astype(np.int32)], colour)
    return image


DRAWN: tuple[Callable[[Rng], Image], ...] = (scene, ground, noise, smooth, flat, stripes, shapes)


def corner(path: Path, rng: Rng) -> Image:
    """A fifth of each side of a photo, from a corner: the board without the thing on it, mostly."""
    image = decode(path.read_bytes())[..., ::-1]
    height, width = image.shape[0] // 5, image.shape[1] // 5
    return np.ascontiguousarray(image[:height, :width] if rng.random() < 0.5 else image[-height:, -width:])


def unknowns(preprocess: Preprocess, folder: Path | None, count: int) -> dict[str, Image]:
    """Unknown images by kind, as a network's input."""
    found = {}
    for draw in DRAWN:
        rng = Seeds(0).child(f"unknowns/{draw.__name__}").numpy()
        found[draw.__name__] = np.stack([preprocess(np.ascontiguousarray(draw(rng))) for _ in range(count)])
    rng = Seeds(0).child("unknowns/corner").numpy()
    files = list_image_files(DATA / "val").files
    chosen = rng.choice(len(files), min(count, len(files)), replace=False)
    found["corner"] = np.stack([preprocess(corner(files[at], rng)) for at in chosen])
    if folder:
        found["given"] = np.stack([preprocess(path) for path in list_image_files(folder).files])
    return found


def crops(split: str, preprocess: Preprocess, labels: Sequence[str], step: int = 1) -> Crops:
    """TrashNet's photos of a split."""
    files = list_image_files(DATA / split).files[::step]
    return Crops(np.stack([preprocess(path) for path in files]), [labels.index(path.parent.name) for path in files])


def open_bundle(name: str) -> Bundle:
    """A bundle by path or name, or a network exported in float."""
    if (folder := Path(name)).is_dir() and ModelFolder(folder).model.exists():
        return export_onnx(trained_model.load(folder))
    return bundles.load(find_bundle(name))


def measure(bundle: Bundle, folder: Path | None, count: int) -> tuple[Bundle, Scores]:
    """Every method on every kind of unknown."""
    preprocess, labels = bundle.meta.preprocess, bundle.meta.labels
    val, train = crops("val", preprocess, labels), crops("train", preprocess, labels, 2)
    bundle, _ = calibrate_bundle(bundle, val, train=train)
    engine = engines.load_engine(bundle)
    known = _outputs(bundle, *engines.compute_with_distances(engine, val.pixels))
    logits = engines.compute_logits(engine, val.pixels)
    right = logits.argmax(1) == np.asarray(val.labels)
    scores: Scores = {method: {} for method in known}
    for kind, x_bhwc in unknowns(preprocess, folder, count).items():
        for method, values in _outputs(bundle, *engines.compute_with_distances(engine, x_bhwc)).items():
            scores[method][kind] = score_method(method, known[method], values, right, draws=300)
    return bundle, scores


def without_distance(bundle: Bundle) -> Bundle:
    """The same bundle whose graph gives logits alone; unchanged where it gives nothing else."""
    if bundle.format != "onnx" or len((model := onnx.load_from_string(bundle.graph)).graph.output) == 1:
        return bundle
    graph = model.graph
    ours = [node for node in graph.node if node.name.startswith(PREFIX)]
    constants = [value for value in graph.initializer if value.name.startswith(PREFIX)]
    for kept, gone in ((graph.node, ours), (graph.initializer, constants), (graph.output, list(graph.output)[1:])):
        for item in gone:
            kept.remove(item)
    return Bundle(bundle.meta, {**bundle.files, "graph.onnx": model.SerializeToString(deterministic=True)})


def overhead(bundle: Bundle, seconds: float) -> float:
    """What the distance adds to a call of the network on one image, as a fraction of the median; timed in turns."""
    pairs = {"plain": without_distance(bundle), "told": bundle}
    calls = {name: latency.call(item, engines.default_engine(item)) for name, item in pairs.items()}
    with timing_lock.exclusive_timing():
        taken = latency.time_interleaved(calls, seconds=seconds)
    return float(np.median(taken["told"]) / np.median(taken["plain"]) - 1)


def _outputs(bundle: Bundle, logits: Any, distances: Any) -> dict[str, npt.NDArray[np.float64]]:
    values: dict[str, npt.NDArray[np.float64]] = {
        method: novelty_scores(logits, method, bundle.meta.temperature) for method in LOGIT_METHODS
    }
    if distances is not None:
        values[DISTANCE] = np.asarray(distances, np.float64)
    return values


def table(scores: Scores) -> str:
    """AUROC by method and kind, with the mean; and the fraction of unknowns taken for known at 95 % recall."""
    kinds = list(next(iter(scores.values())))
    rows = [["AUROC", *kinds, "mean", "taken for known"]]
    for method, by_kind in scores.items():
        fpr = np.mean([by_kind[kind].fpr.value for kind in kinds])
        rows.append(
            [method, *(f"{by_kind[k].auroc.value:.3f}" for k in kinds), f"{mean(by_kind, kinds):.3f}", f"{fpr:.1%}"]
        )
    return align_columns(rows, left=1)


def mean(by_kind: dict[str, MethodScore], kinds: Sequence[str]) -> float:
    return float(np.mean([by_kind[kind].auroc.value for kind in kinds]))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="*", default=["models/trashnet", "trashnet-compressed"])
    parser.add_argument("--unknown", type=Path, help="folder of photos that show none of the classes")
    parser.add_argument("--count", type=int, default=COUNT, help="pictures of each drawn kind")
    parser.add_argument("--seconds", type=float, default=3.0, help="of timing what the distance costs; 0 times nothing")
    given = parser.parse_args(arguments)
    means: dict[str, float] = {}
    results: dict[str, Any] = {}
    for name in given.bundles:
        bundle, scores = measure(open_bundle(name), given.unknown, given.count)
        own = bundle.meta.novelty.method if bundle.meta.novelty else ""
        drawn = [draw.__name__ for draw in DRAWN]
        means[name] = mean(scores[own], drawn)
        print(f"{name}: {given.count} pictures of each kind against val; the bundle's own way is {own}")
        print(table(scores))
        worst = min(drawn, key=lambda kind: scores[own][kind].auroc.value)
        print(f"  worst of the drawn: {worst}, {scores[own][worst].auroc}")
        print(
            f"  mean AUROC of drawn unknowns {means[name]:.3f} (goal {GOAL}): {verdict(means[name] >= GOAL)}",
            flush=True,
        )
        if given.seconds and without_distance(bundle).files != bundle.files:
            cost = overhead(bundle, given.seconds)
            print(f"  the distance adds {cost:.1%} to a call (goal: at most {COST:.0%}): {verdict(cost <= COST)}")
        results[name] = {m: {k: (v.auroc.value, v.fpr.value) for k, v in row.items()} for m, row in scores.items()}
    first, *others = means
    for name in others:
        gap = means[name] - means[first]
        print(f"{name} against {first}: {gap:+.3f} (goal: at least -{APART}): {verdict(gap >= -APART)}")
    path = Path(__file__).parent / "out" / "unknowns.json"
    atomic_io.write_json(path, {"auroc_fpr": results, "means": means, "host": processor()})


def verdict(holds: bool) -> str:
    return "holds" if holds else "MISSED"


if __name__ == "__main__":
    main()
