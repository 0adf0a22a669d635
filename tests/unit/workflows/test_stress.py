"""`leansort stress`: on a bundle whose logits are mean colours, and disks of three colours on a white board."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import leansort
from leansort.core import manifest as manifests
from leansort.core.errors import UserError
from leansort.measure.corruptions.kinds import KINDS
from leansort.measure.robustness.stress_crops import StressCrop, choose_crops
from leansort.measure.robustness.stress_result import StressResult
from leansort.report.robustness.stress_table import stress_text
from tests.support.graphs import LABELS, bundle_of, colour_bundle, mean_colour, node, onnx_graph

CROPS = 12
FAST = ("darker", "jpeg", "background")


def draw(path: Path, kind: int, number: int) -> None:
    rng = np.random.default_rng(number)
    y, x = np.mgrid[0:64, 0:72]
    pixels = 205 + rng.normal(0, 1.5, (64, 72, 3))
    inside = np.hypot(y - 32, x - 36) < 20 + number % 4
    pixels[inside] = 20
    pixels[inside, kind] = 180 + number
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bundles, and crops in class folders; treat as read-only."""
    root = tmp_path_factory.mktemp("stress")
    colour_bundle().save(root / "good.leansort")
    graph = onnx_graph([*mean_colour(), node("Mul", "colour f", "logits")], {"f": np.array([1, 1, 0.6], np.float32)})
    bundle_of(graph, name="weak").save(root / "weak.leansort")
    for number in range(CROPS):
        draw(root / "crops" / LABELS.names[number % 3] / f"{number}.png", number % 3, number)
    return root


def test_curves_summary_page_and_json(ground: Path, tmp_path: Path) -> None:
    bundles = [ground / "good.leansort", ground / "weak.leansort"]
    result = leansort.stress(bundles, ground / "crops", kinds=FAST, out=tmp_path / "out")
    a, b = result.bundles
    assert a.clean.macro_f1.value == 1.0
    assert b.clean.macro_f1.value < 1.0
    assert [curve.kind for curve in a.kinds] == list(FAST)
    assert a.kind("darker").at(1).kept == 1.0
    assert a.summary.level == 3
    assert a.summary.macro_f1 == pytest.approx(np.mean([curve.at(3).macro_f1.value for curve in a.kinds]))
    assert result.cut_outs is not None
    assert (result.cut_outs.by_colour, result.cut_outs.not_cut) == (CROPS, ())
    assert StressResult.from_json(json.loads((tmp_path / "out" / "stress.json").read_text()), "x") == result
    page = (tmp_path / "out" / "stress.html").read_text()
    assert page.count("data:image/jpeg") == 6 * len(FAST) + CROPS
    assert "<script" not in page
    text = stress_text(result)
    assert re.search(r"^jpeg +1\.000 +", text, re.M)
    assert "mean of" in text.splitlines()[-1]


def test_figures_do_not_depend_on_which_other_crops_kinds_and_levels_there_are(ground: Path, tmp_path: Path) -> None:
    alone = leansort.stress(ground / "weak.leansort", ground / "crops", kinds=["background"], levels=[5])
    among = leansort.stress(ground / "weak.leansort", ground / "crops", kinds=FAST, levels=[1, 5])
    assert alone.bundles[0].kinds[0].at(5) == among.bundles[0].kind("background").at(5)
    other = leansort.stress(ground / "weak.leansort", ground / "crops", kinds=["background"], levels=[5], seed=1)
    assert other.bundles[0].kinds[0].at(5).confidence != alone.bundles[0].kinds[0].at(5).confidence


def test_a_fixed_subset_has_the_classes_in_proportion(ground: Path) -> None:
    crops = [StressCrop(f"{n}.png", Path(f"{n}.png"), 0 if n < 40 else 1) for n in range(60)]
    kept = choose_crops(crops, 15)
    assert (len(kept), sum(crop.label for crop in kept)) == (15, 5)
    assert choose_crops(list(reversed(crops)), 15) == list(reversed(kept))
    assert choose_crops(crops, 0) == choose_crops(crops, 99) == crops
    assert leansort.stress(ground / "good.leansort", ground / "crops", kinds=["darker"], crops=6).crops == 6


def test_what_cannot_be_cut_out_and_what_cannot_be_read_is_counted_and_named(ground: Path, tmp_path: Path) -> None:
    for number in range(6):
        draw(tmp_path / "crops" / LABELS.names[number % 3] / f"{number}.png", number % 3, number)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "crops" / "a" / "rough.png")
    (tmp_path / "crops" / "b" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    result = leansort.stress(ground / "good.leansort", tmp_path / "crops", kinds=["background", "darker"])
    assert result.cut_outs is not None
    assert [item.image for item in result.cut_outs.not_cut] == ["rough.png"]
    assert [curve.crops for curve in result.bundles[0].kinds] == [7, 6]
    assert any(line.startswith("torn.jpg ") for line in result.notes)
    assert "1 could not be, and are not put on other grounds: rough.png" in stress_text(result)


def test_a_users_own_grounds_are_used(ground: Path, tmp_path: Path) -> None:
    (tmp_path / "floor").mkdir()
    Image.fromarray(np.full((80, 90, 3), (0, 0, 255), np.uint8)).save(tmp_path / "floor" / "blue.png")
    given = {"kinds": ["background"], "levels": [3]}
    mine = leansort.stress(ground / "good.leansort", ground / "crops", textures=tmp_path / "floor", **given)  # type: ignore[arg-type]
    drawn = leansort.stress(ground / "good.leansort", ground / "crops", **given)  # type: ignore[arg-type]
    assert mine.textures == 1
    assert mine.bundles[0].kinds[0].at(3).macro_f1.value < drawn.bundles[0].kinds[0].at(3).macro_f1.value


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"kinds": ["drker"]}, "got 'drker', allowed: background.*did you mean 'darker'"),
        ({"levels": "1,two"}, "--levels: got '1,two', allowed: 1 to 5"),
        ({"levels": [0, 6]}, "--levels: got 0, 6, allowed: 1 to 5"),
        ({"cut_out": "polygon"}, "--cut-out polygon needs polygons, and there are none: give --annotations"),
        ({"cut_out": "hand"}, "got 'hand', allowed: auto, colour, polygon"),
        ({"kinds": ["blur"], "textures": "x"}, "--textures has no effect without the kind 'background'"),
        ({"textures": "nowhere"}, "nowhere"),
        ({"annotations": "x.json"}, "needs a manifest"),
        ({"side": 8}, "stress: side: got 8, allowed: 32 or more"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    ground: Path, tmp_path: Path, given: dict[str, object], part: str
) -> None:
    with pytest.raises(UserError, match=part):
        leansort.stress(ground / "good.leansort", ground / "crops", out=tmp_path / "out", **given)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_three_bundles_and_other_classes_are_refused(ground: Path, tmp_path: Path) -> None:
    good = ground / "good.leansort"
    with pytest.raises(UserError, match="got 3 bundles"):
        leansort.stress([good] * 3, ground / "crops")
    with pytest.raises(UserError, match="class"):
        leansort.stress([good, "trashnet-lean"], ground / "crops")


def test_objects_are_cut_out_by_the_polygons_of_their_annotations(ground: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    ring = [30.0, 20.0, 70.0, 20.0, 70.0, 60.0, 30.0, 60.0]
    tree: dict[str, list[dict[str, object]]] = {
        "images": [], "annotations": [], "categories": [{"id": k, "name": name} for k, name in enumerate(LABELS.names)],
    }  # fmt: skip
    for number in range(6):
        name = f"photo{number}.png"
        draw(tmp_path / name, number % 3, number)
        tree["images"].append({"id": number, "file_name": name, "width": 72, "height": 64})
        mark = {"id": 100 + number, "image_id": number, "category_id": number % 3, "bbox": [20, 10, 45, 50]}
        tree["annotations"].append(mark | ({"segmentation": [ring]} if number else {}))
    (tmp_path / "coco.json").write_text(json.dumps(tree))
    leansort.import_data("coco", tmp_path / "coco.json", out=tmp_path / "data", images=tmp_path)
    manifest = manifests.load(tmp_path / "data")
    replace(manifest, rows=tuple(replace(row, split="val") for row in manifest.rows)).save(
        tmp_path / "data" / "manifest.parquet"
    )
    given = {"kinds": ["background"], "levels": [3], "annotations": tmp_path / "coco.json"}
    result = leansort.stress(ground / "good.leansort", tmp_path / "data", cut_out="polygon", **given)  # type: ignore[arg-type]
    assert result.cut_outs is not None
    assert result.cut_outs.by_polygon == 5
    assert [item.reason for item in result.cut_outs.not_cut] == ["its annotation has no polygon"]
    auto = leansort.stress(ground / "good.leansort", tmp_path / "data", **given)  # type: ignore[arg-type]
    assert auto.cut_outs is not None
    assert auto.cut_outs.by_polygon == 5


def test_every_kind_is_told_in_the_docs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "robustness.md").read_text()
    for name in KINDS:
        assert f"`{name}`" in page


def test_a_robots_installation_suffices(ground: Path, tmp_path: Path) -> None:
    """No PyTorch, OpenCV, Jinja2, pyarrow or msgspec: what `pip install leansort` does not bring."""
    program = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({['torch', 'cv2', 'jinja2', 'pyarrow', 'msgspec', 'scipy', 'openvino']}))\n"
        "from leansort.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    given = ["stress", ground / "good.leansort", "--data", ground / "crops", "--levels", "3", "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, given)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "clean macro-F1 1.000; at level 3 a mean of" in done.stdout
    assert (tmp_path / "out" / "stress.html").is_file()
