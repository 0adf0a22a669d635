"""Drawn data with faults planted in them: every one is found and named, from import to contact sheet."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from leansort.core import manifest as manifests
from leansort.core.pixels import Image as Pixels
from leansort.core.preprocess import Preprocess
from leansort.data.coco.plan import CROWD
from leansort.recipe.load import load_recipe
from tests.conftest import Cli, draw

Tree = dict[str, Any]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """Eight drawn scenes with COCO annotations. Treat as read-only."""
    out = tmp_path_factory.mktemp("drawn") / "sample"
    done = cli("data", "sample", "--out", out, "--train", "5", "--val", "2", "--test", "3")
    assert done.returncode == 0, done.stderr
    return out


def edited(drawn: Path, out: Path, change: Callable[[Tree], None]) -> Path:
    shutil.copytree(drawn, out)
    tree = json.loads((out / "annotations.json").read_text())
    change(tree)
    (out / "annotations.json").write_text(json.dumps(tree))
    return out / "annotations.json"


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def turned_by_exif(path: Path) -> None:
    """Store the photo lying on its side, with the EXIF note that turns it upright again."""
    picture = Image.open(path)
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.rotate(90, expand=True).save(path, exif=exif.tobytes(), quality=95)


def not_turned_boxes(path: Path) -> None:
    """An EXIF note that came after the annotations: the boxes fit the photo as stored."""
    picture = Image.open(path)
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(path, exif=exif.tobytes(), quality=95)


def test_faults_of_boxes_and_photos_are_found_counted_and_named(drawn: Path, cli: Cli, tmp_path: Path) -> None:
    ids: dict[str, int] = {}

    def plant(tree: Tree) -> None:
        boxes = tree["annotations"]
        frame = {"width": tree["images"][0]["width"], "height": tree["images"][0]["height"]}

        def add(name: str, **fields: Any) -> None:
            ids[name] = 10_000 + len(ids)
            boxes.append({**boxes[0], "id": ids[name], **fields})

        add("nan", bbox=[math.nan, 3, 40, 40])
        add("string", bbox=["a", 3, 40, 40])
        add("zero", bbox=[30, 30, 0, 50])
        add("negative", bbox=[30, 30, -20, 50])
        add("pixel", bbox=[30, 30, 1, 1])
        add("outside", bbox=[frame["width"] + 20, 30, 50, 50])
        add("clipped", bbox=[frame["width"] - 30, 30, 80, 40])
        add("crowd", bbox=[1, 2, 50, 60], iscrowd=1, segmentation={"size": [4, 4], "counts": [4, 8, 4]})
        add("twice", bbox=boxes[0]["bbox"])
        add("one label", bbox=[40, 50, 60, 70], category_id=1)
        add("other label", bbox=[40, 50, 60, 70], category_id=2)
        add("polygon", bbox=None, segmentation=[[20, 20, 70, 20, 70, 90, 20, 90]])
        add("run lengths", bbox=None, segmentation={"size": [100, 100], "counts": [2010, *[50] * 17, 7140]})
        names = [image["file_name"] for image in tree["images"]]
        tree["images"][5]["width"], tree["images"][5]["height"] = 100, 60
        ids.update({"photos": names})  # type: ignore[dict-item]

    path = edited(drawn, tmp_path / "bad", plant)
    photos = [tmp_path / "bad" / name for name in ids["photos"]]  # type: ignore[attr-defined]
    cut_short(photos[1])
    photos[2].unlink()
    photos[3].write_bytes(b"")
    turned_by_exif(photos[4])
    not_turned_boxes(photos[6])
    Image.open(photos[7]).convert("CMYK").save(photos[7])
    Image.open(photos[8]).convert("L").save(photos[8])

    strict = cli("data", "import", "coco", path, "--out", tmp_path / "m")
    assert strict.returncode == 2
    assert "photos: 4 of 10 cannot be used, at most 1 % are left out (--tolerate)" in strict.stderr
    assert not (tmp_path / "m").exists()
    assert not list(tmp_path.glob(".m.*"))

    few = ["--tolerate", "0.5", "--keep-classes", "Paperpack"]  # which the photos that are left show in test alone
    done = cli("data", "import", "coco", path, "--out", tmp_path / "m", *few, "--json")
    assert done.returncode == 0, done.stderr
    notes = json.loads(done.stdout)["notes"]
    expected = {
        "box is not four finite numbers": 2, "box of no area": 2, "box under the least size": 1,
        "box outside the frame": 1, "box clipped to the frame": 1, CROWD: 1, "same box twice": 1,
        "one box with two labels": 2, "photo is missing": 1, "photo cannot be read": 2,
        "photo has another size than its annotations say": 1, "photo with boxes from before its EXIF turn": 1,
    }  # fmt: skip
    assert {kind: notes.get(kind) for kind in expected} == expected
    named = json.loads((tmp_path / "m" / "import.json").read_text())["faults"]
    for kind, name in (
        ("box of no area", "zero"), ("box under the least size", "pixel"), ("box outside the frame", "outside"),
        (CROWD, "crowd"), ("same box twice", "twice"), ("one box with two labels", "other label"),
    ):  # fmt: skip
        assert any(f"annotation {ids[name]} in " in place for place in named[kind]["examples"]), (kind, named[kind])
    assert "is cut short" in named["photo cannot be read"]["examples"][0]
    assert f"{ids['photos'][2]}: photo is missing" in done.stderr  # type: ignore[index]

    manifest = manifests.load(tmp_path / "m")
    cut = {int(Path(row.image).stem.rpartition("_")[2]): row for row in manifest.rows}
    assert cut[ids["polygon"]].box == (20, 20, 50, 70)
    assert cut[ids["run lengths"]].box == (20, 10, 9, 50)
    assert {ids[name] for name in ("nan", "zero", "pixel", "outside", "crowd", "twice", "other label")}.isdisjoint(cut)


def test_a_turned_photo_gives_the_crops_of_the_upright_one(drawn: Path, cli: Cli, tmp_path: Path) -> None:
    def nothing(tree: Tree) -> None:
        pass

    for name, change in (("plain", None), ("turned", turned_by_exif), ("untold", not_turned_boxes)):
        path = edited(drawn, tmp_path / name, nothing)
        for photo in (tmp_path / name / "images").rglob("*.jpg"):
            if change:
                change(photo)
        done = cli("data", "import", "coco", path, "--out", tmp_path / f"{name}-crops")
        assert done.returncode == 0, done.stderr
    plain, turned, untold = (manifests.load(tmp_path / f"{name}-crops") for name in ("plain", "turned", "untold"))
    for rows in (turned, untold):
        assert [(row.source, row.box, row.label) for row in rows.rows] == [
            (row.source, row.box, row.label) for row in plain.rows
        ]
        for item, other in zip(plain.rows, rows.rows, strict=True):
            a, b = (cv2.imread(str(m.path(row))).astype(int) for m, row in ((plain, item), (rows, other)))  # type: ignore[union-attr]
            assert np.abs(a - b).mean() < 6
    assert untold.notes["photo with boxes from before its EXIF turn"] == 10
    assert "photo with boxes from before its EXIF turn" not in turned.notes


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda tree: tree["images"].append(tree["images"][0]), "images has 1 doubled ids: 1"),
        (lambda tree: tree["annotations"].append(tree["annotations"][4]), "annotations has 1 doubled ids: 5"),
        (lambda tree: tree["annotations"][3].update(image_id=77), "annotation 4 has image_id 77, which is not in"),
        (lambda tree: tree["annotations"][3].update(category_id=9), "has category_id 9, which is not in categories"),
        (lambda tree: tree["categories"][0].update(name="Metall"), "'Metall' is neither mapped nor dropped; did you"),
        (lambda tree: tree["images"][0].update(file_name="../../etc/passwd"), "leaves the folder of the photos"),
        (lambda tree: tree["images"][0].update(file_name="/etc/passwd"), "leaves the folder of the photos"),
        (lambda tree: tree["images"][0].update(split="trian"), "split of image 1: got 'trian'"),
        (lambda tree: tree["categories"][1].update(name="Metal"), "'Paper' is no category of the data"),
    ],
)  # fmt: skip
def test_faults_that_no_import_survives(
    drawn: Path, cli: Cli, tmp_path: Path, change: Callable[[Tree], None], part: str
) -> None:
    path = edited(drawn, tmp_path / "bad", change)
    names = ["Metal", "Paper", "Paperpack", "Plastic", "Plasticbag", "Styrofoam"]
    mapping = tmp_path / "map.yaml"
    mapping.write_text(json.dumps({"labels": names, "map": {name: [name] for name in names}}))
    done = cli("data", "import", "coco", path, "--map", mapping, "--out", tmp_path / "m")
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert part in line
    assert not (tmp_path / "m").exists()


def test_faults_of_pictures_are_found_by_a_check(cli: Cli, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    for split, count in (("train", 12), ("val", 6)):
        for kind, label in enumerate(("a", "b")):
            for number in range(count):
                draw(root / split / label / f"{number}.jpg", kind, seed=number + 50 * kind + 500 * (split == "val"))
    (root / "train" / "empty").mkdir()
    folder = root / "train" / "a"
    scene = cv2.resize(np.random.default_rng(5).integers(0, 255, (7, 9, 3), np.uint8), (360, 280), interpolation=2)
    cv2.imwrite(str(folder / "scene.jpg"), scene)
    small = cv2.resize(scene, (180, 140), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(root / "val" / "a" / "rescaled.jpg"), small, [cv2.IMWRITE_JPEG_QUALITY, 55])
    shutil.copy(folder / "1.jpg", root / "train" / "b" / "copy.jpg")
    shutil.copy(folder / "2.jpg", root / "val" / "a" / "leak.jpg")
    cut_short(folder / "3.jpg")
    (folder / "4.jpg").write_bytes(b"")
    (folder / "5.jpg").write_bytes(b"GIF is what this is not")
    Image.fromarray(scene).save(folder / "cmyk.png")
    Image.fromarray(scene[::-1]).convert("CMYK").save(folder / "cmyk.jpg")
    (folder / "cmyk.png").rename(folder / "really_png.jpg")
    Image.fromarray(scene[:, ::-1]).convert("L").save(folder / "grey.png")
    cv2.imwrite(str(folder / "deep.png"), scene[::-1, ::-1].astype(np.uint16) * 257)
    cv2.imwrite(str(folder / "alpha.png"), np.dstack([np.roll(scene, 90, axis=0), scene[:, :, :1]]))
    cv2.imwrite(str(folder / "even.png"), np.full((40, 50, 3), 90, np.uint8))
    cv2.imwrite(str(folder / "dot.png"), np.random.default_rng(0).integers(0, 255, (3, 3, 3), np.uint8))
    cv2.imwrite(str(folder / "strip.png"), np.random.default_rng(1).integers(0, 255, (20, 400, 3), np.uint8))
    shutil.copy(folder / "6.jpg", folder / "exif.jpg")
    turned_by_exif(folder / "exif.jpg")
    (folder / "notes.txt").write_text("not a picture")

    done = cli("data", "check", root, "--json", "--strict", "--html", tmp_path / "check.html")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    result = json.loads(done.stdout)
    places = {kind: " ".join(of["examples"]) for kind, of in result["findings"].items()}
    for what, name in (
        ("cannot be read", "3.jpg (is cut short"), ("cannot be read", "4.jpg (is empty"), ("cannot be read", "5.jpg"),
        ("CMYK", "cmyk.jpg"), ("ending does not fit the format", "really_png.jpg (.jpg holds PNG)"),
        ("grayscale", "grey.png"), ("16 bits a channel", "deep.png"), ("transparency, which is dropped", "alpha.png"),
        ("one even colour", "even.png"), ("a side under 16 px", "dot.png (3x3)"),
        ("longer than 8 times its width", "strip.png (400x20)"), ("turned by EXIF", "exif.jpg"),
        ("no picture, ignored", "notes.txt"), ("class folder without pictures", "train/empty"),
    ):  # fmt: skip
        assert name in places[what], (what, places)
    pairs = {(pair["first"], pair["second"]): pair for pair in result["pairs"]}
    exact = pairs["train/a/1.jpg", "train/b/copy.jpg"]
    assert (exact["kind"], exact["conflict"], exact["across"]) == ("exact", True, False)
    assert pairs["train/a/2.jpg", "val/a/leak.jpg"]["across"]
    near = pairs["train/a/scene.jpg", "val/a/rescaled.jpg"]
    assert (near["kind"], near["across"]) == ("near", True)
    assert result["leaks"] >= 2
    page = (tmp_path / "check.html").read_text()
    assert "Pairs across splits" in page
    assert page.count("data:image/jpeg;base64,") >= 6
    text = cli("data", "check", root)
    assert text.returncode == 0
    assert "train/a/2.jpg  val/a/leak.jpg ACROSS SPLITS" in text.stdout


def tiles_of(sheet: Path, side: int) -> list[list[Pixels]]:
    """The images of a contact sheet by section, each of which has one row of them."""
    page = np.asarray(Image.open(sheet))
    tops = range(2 * 34 + 34, page.shape[0] - side, 34 + side + 8 + 18)
    lefts = range(8, page.shape[1] - side, side + 8)
    cells = [[page[top : top + side, left : left + side] for left in lefts] for top in tops]
    return [[cell for cell in row if (cell != 255).any()] for row in cells]


def test_import_check_split_cache_and_sheets(drawn: Path, cli: Cli, tmp_path: Path, tiny_recipe: Path) -> None:
    crops = tmp_path / "crops"
    done = cli("data", "import", "coco", drawn / "annotations.json", "--out", crops, "--margin", "0.1")
    assert done.returncode == 0, done.stderr
    again = cli("data", "import", "coco", drawn / "annotations.json", "--out", crops)
    assert (again.returncode, "not empty" in again.stderr) == (2, True)

    checked = cli("data", "check", crops, "--strict", "--json")
    assert checked.returncode == 0, checked.stdout

    split = cli("data", "split", crops, "--out", tmp_path / "split", "--ratios", "0.5,0.25,0.25", "--near-duplicates")
    assert split.returncode == 0, split.stderr
    manifest = manifests.load(tmp_path / "split")
    assert len({row.split for row in manifest.rows}) >= 2
    sides: dict[str, set[str]] = {}
    for row in manifest.rows:
        sides.setdefault(row.source, set()).add(row.split)
    assert all(len(of) == 1 for of in sides.values())
    assert manifest.path(manifest.rows[0]).is_file()

    cached = cli("data", "cache", tmp_path / "split", "--recipe", tiny_recipe, "--out", tmp_path / "cache", "--json")
    assert cached.returncode == 0, cached.stderr
    assert "MB in" in cached.stderr
    splits = {name: of for name, of in json.loads(cached.stdout).items() if name != "version"}
    sizes = sum(of["bytes"] + 128 for of in splits.values())
    assert sum(path.stat().st_size for path in (tmp_path / "cache").glob("*.npy")) == sizes

    preprocess = Preprocess(size=96)
    sheets: list[tuple[str, list[Any]]] = [
        ("sheet.png", ["--per-class", "2"]), ("sheet.html", ["--split", "val"]),
        ("augmented.png", ["--augmented", "--recipe", tiny_recipe, "--per-class", "2"]),
    ]  # fmt: skip
    for sheet, more in sheets:
        shown = cli("data", "show", tmp_path / "split", "--out", tmp_path / sheet, *more)
        assert shown.returncode == 0, shown.stderr
    groups = [
        [preprocess(manifest.path(row)).tobytes() for row in manifest.split(split) if row.label == label]
        for split in ("train", "val", "test")
        for label in range(len(manifest.labels))
    ]
    sections = [group for group in groups if group]
    for tiles, group in zip(tiles_of(tmp_path / "sheet.png", preprocess.size), sections, strict=True):
        assert len(tiles) == min(2, len(group))
        assert {tile.tobytes() for tile in tiles} <= set(group)
    augmented = tiles_of(tmp_path / "augmented.png", load_recipe(tiny_recipe).preprocess.size)
    train = [count for count in manifest.counts("train") if count]
    assert [len(tiles) for tiles in augmented] == [6 * min(2, count) for count in train]  # six epochs of each crop
    page, val = (tmp_path / "sheet.html").read_text(), manifest.counts("val")
    assert re.findall(r"<h2>val: (.+?)</h2>", page) == [
        name for name, count in zip(manifest.labels.names, val, strict=True) if count
    ]
    assert page.count("data:image/jpeg;base64,") == sum(min(12, count) for count in val)
    assert cli("data", "show", crops, "--out", tmp_path / "x.gif").returncode == 2
    assert cli("data", "show", crops, "--out", tmp_path / "x.png", "--augmented").returncode == 2


def test_a_sheet_of_augmented_crops_shows_what_training_is_fed(tiny_run: Path, tiny_recipe: Path) -> None:
    from leansort.core.damage.watch import watch_images
    from leansort.core.seeds import Seeds
    from leansort.data.augmentation.batch import Augmentation
    from leansort.data.loading.decoded_cache import load_decoded
    from leansort.data.loading.loader import AugmentedCrops
    from leansort.workflows.data.contact_sheet import augmented_view

    recipe, manifest = load_recipe(tiny_recipe), manifests.load(tiny_run)
    rows = manifest.split("train")
    pixels = load_decoded(manifest, rows, recipe.train_preprocess, tiny_run / "cache")
    augment = Augmentation(recipe.augment, recipe.preprocess.size)
    fed = AugmentedCrops(pixels, [row.label for row in rows], augment, Seeds(recipe.seed).child("train"))
    with watch_images() as watch:
        shown = list(augmented_view(recipe, manifest.rows, manifest.root, watch)(rows[5]))
    for epoch, tile in enumerate(shown):
        assert tile.pixels is not None
        assert np.array_equal(tile.pixels.transpose(2, 0, 1), fed[epoch, 5][0].numpy())


def test_evaluation_and_predict_feed_the_same_bytes(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from leansort.data.loading.decoded_cache import load_decoded
    from leansort.data.loading.loader import eval_batches
    from leansort.recipe.load import validate_recipe
    from leansort.runtime.predictor import Classifier

    manifest = manifests.load(tiny_run)
    rows = manifest.split("val")
    recipe = validate_recipe(json.loads((tiny_run / "recipe.json").read_text()), "recipe.json")
    pixels = load_decoded(manifest, rows, recipe.preprocess, tiny_run / "cache")
    evaluated = np.concatenate([batch.numpy() for batch in eval_batches(pixels, 16)]).transpose(0, 2, 3, 1)
    classifier = Classifier.load(tiny_run / "model.leansort")
    fed: list[np.ndarray[Any, Any]] = []
    run = classifier.engine.run_with_distance

    class Spy:
        def run_with_distance(self, batch: Any) -> Any:
            fed.append(batch.copy())
            return run(batch)

    monkeypatch.setattr(classifier, "engine", Spy())
    for row in rows:
        classifier.predict(manifest.path(row))
    assert np.concatenate(fed).tobytes() == evaluated.tobytes()
