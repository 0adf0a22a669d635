"""Classes of a data set: without a crop, missing from train, in several spellings; the same for every source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.manifest import Manifest, Row
from leansort.data.importing import category_map, class_selection
from leansort.data.importing.items import Item, Items, count_items
from leansort.data.importing.manifest_builder import build_manifest
from leansort.data.sources import coco as coco_source
from leansort.data.sources import folder, table
from tests.conftest import draw

NFD = "pla\u0301stico"


def items(root: Path, wanted: dict[str, dict[str, int]], names: tuple[str, ...]) -> Items:
    """Files (no pictures) of each class in each split."""
    root.mkdir(parents=True, exist_ok=True)
    listed: list[Item] = []
    for label, splits in wanted.items():
        for split, number in splits.items():
            for at in range(number):
                path = root / f"{len(listed)}-{split}-{at}.jpg"
                path.write_bytes(path.name.encode())
                listed.append(Item(path, label, split or None, path.name, path.name))
    return Items(listed, LabelSet.of(names), root)


def imported(result: Items, **more: Any) -> tuple[Manifest, dict[str, list[str]]]:
    manifest, faults = build_manifest(result, verify=False, **more)
    return manifest, faults.examples


ALL = {"train": 6, "val": 2, "test": 2}


def test_a_class_without_a_crop_is_left_out_named_and_changes_no_other_index(tmp_path: Path) -> None:
    wanted = {"b": ALL, "d": ALL}
    manifest, faults = imported(items(tmp_path, wanted, ("a", "b", "c", "d")))
    assert manifest.labels == LabelSet(("b", "d"))
    assert manifest.labels.digest == LabelSet(("b", "d")).digest
    assert [manifest.counts(split) for split in ALL] == [[6, 6], [2, 2], [2, 2]]
    assert faults[class_selection.EMPTY] == ["a", "c"]
    assert manifest.notes[class_selection.LEFT_OUT] == ["a", "c"]
    alone, _ = imported(items(tmp_path / "alone", wanted, ("b", "d")))
    assert [(row.label, row.split, row.image) for row in alone.rows] == [
        (row.label, row.split, row.image) for row in manifest.rows
    ]


@pytest.mark.parametrize("method", ["hash", "class"])
def test_a_class_without_a_crop_moves_nobody_to_another_split(method: str, tmp_path: Path) -> None:
    from leansort.data.splits import SplitConfig

    split = SplitConfig.model_validate({"method": method})
    wanted = {"b": {"": 40}, "d": {"": 40}}
    with_empty, _ = imported(items(tmp_path, wanted, ("a", "b", "d")), split=split)
    without, _ = imported(items(tmp_path, wanted, ("b", "d")), split=split)
    assert with_empty.digest == without.digest


def test_it_stays_where_the_user_asks_for_it_by_name_and_the_manifest_says_so(tmp_path: Path) -> None:
    result = items(tmp_path, {"b": ALL, "d": ALL}, ("a", "b", "c", "d"))
    manifest, faults = imported(result, keep=["a "])
    assert manifest.labels.names == ("a", "b", "d")
    assert (faults[class_selection.EMPTY], faults[class_selection.KEPT_EMPTY]) == (["c"], ["a"])
    assert manifest.notes[class_selection.KEPT] == ["a"]
    class_selection.require_learnable(manifest)
    with pytest.raises(UserError, match=r"data.keep_classes: got 'aa', allowed: a, b, c, d"):
        imported(result, keep=["aa"])


def test_a_class_whose_pictures_all_cannot_be_read_is_left_out_too(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for number in range(8):
            draw(tmp_path / name / f"{number}.png", 0, number, (16, 16))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "x.png").write_bytes(b"no picture")
    manifest, faults = build_manifest(folder.FolderSource(folder.FolderConfig(path=tmp_path)).items(), tolerate=0.1)
    assert manifest.labels.names == ("a", "b")
    assert faults.examples[class_selection.EMPTY] == ["c"]


def test_one_class_alone_is_no_classifier(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="only b has crops, a classifier needs two classes or more; without a crop: a"):
        imported(items(tmp_path, {"b": ALL}, ("a", "b")))


def test_a_class_of_val_or_test_alone_is_refused_unless_it_is_asked_for(tmp_path: Path) -> None:
    result = items(tmp_path, {"a": ALL, "b": ALL, "c": {"val": 3, "test": 1}}, ("a", "b", "c"))
    with pytest.raises(UserError, match=r"1 of 3 classes have no crop in train.*c \(val 3, test 1\).*--keep-classes c"):
        imported(result)
    manifest, _ = imported(result, keep=["c"])
    assert manifest.counts("train") == [6, 6, 0]
    assert class_selection.scarce_class_warnings(manifest) == [
        "class 'c' has no crop in train: it is never right, which takes 1/3 off macro-F1"
    ]


def test_data_without_a_train_split_are_for_scoring_and_need_no_class_there(tmp_path: Path) -> None:
    manifest, _ = imported(items(tmp_path, {"a": {"test": 3}, "b": {"test": 1}}, ("a", "b")))
    assert class_selection.scarce_class_warnings(manifest) == []


def test_few_crops_in_train_or_none_in_val_or_test_are_told_with_what_they_do(tmp_path: Path) -> None:
    wanted = {"a": ALL, "b": {"train": 4, "test": 1}, "c": {"train": 9, "val": 1}}
    told = class_selection.scarce_class_warnings(imported(items(tmp_path, wanted, ("a", "b", "c")))[0])
    assert told == [
        "class 'b' has 4 crops in train, fewer than 5: its F1, 1/3 of macro-F1, hangs on luck",
        "class 'b' has no crop in val: val macro-F1, which chooses the best epoch and fits thresholds, leaves it out",
        "class 'c' has no crop in test: test macro-F1, the final score, leaves it out",
    ]


def test_training_refuses_an_older_manifest_with_a_class_that_nothing_shows() -> None:
    rows = tuple(Row(f"{at}.jpg", at % 2, split, f"{at}{split}", "h", "s") for at in range(4) for split in ALL)
    manifest = Manifest(rows, LabelSet(("a", "b", "unknown")), Path())
    with pytest.raises(UserError, match=r"unknown \(val 0, test 0\)"):
        class_selection.require_learnable(manifest)
    class_selection.require_learnable(manifest, ["unknown"])


def written(root: Path, names: list[str]) -> Path:
    for kind, name in enumerate(names):
        for split in ("train", "test"):
            for number in range(5):
                draw(root / split / name / f"{kind}{number}.png", kind % 3, number, (16, 16))
    return root


def test_class_folders_in_two_spellings_are_one_class(tmp_path: Path) -> None:
    root = written(tmp_path, ["plastic", "paper"])
    draw(root / "train" / "plastic " / "more.png", 0, 9, (16, 16))
    manifest, faults = build_manifest(folder.FolderSource(folder.FolderConfig(path=root)).items())
    assert manifest.labels.names == ("paper", "plastic")
    assert sum(manifest.counts(split)[1] for split in ALL) == 11
    assert faults.examples[class_selection.RESPELLED] == ["'plastic ' taken as 'plastic', 1 crop"]


@pytest.mark.parametrize("labels", [None, ("paper", "Plastic")])
def test_class_folders_that_differ_in_case_are_refused(labels: tuple[str, ...] | None, tmp_path: Path) -> None:
    root = written(tmp_path, ["plastic", "paper"])
    draw(root / "train" / "Plastic" / "more.png", 0, 9, (16, 16))
    with pytest.raises(UserError, match="in case or Unicode form only") as caught:
        folder.FolderSource(folder.FolderConfig(path=root, labels=labels)).items()
    assert ("'plastic'" in str(caught.value), "'Plastic'" in str(caught.value)) == (True, True)


def test_a_category_map_is_the_way_out_and_takes_spellings_as_data_do(tmp_path: Path) -> None:
    root = written(tmp_path / "photos", ["plastic", "paper"])
    draw(root / "train" / "Plastic" / "more.png", 0, 9, (16, 16))
    path = tmp_path / "map.yaml"
    path.write_text("labels: [Plastic, Paper]\nmap: {Plastic: ['plastic ', Plastic], ' Paper': [paper]}\n")
    result = folder.FolderSource(folder.FolderConfig(path=root, map=path)).items()
    assert result.labels.names == ("Plastic", "Paper")
    assert sum(item.label == "Plastic" for item in result.items) == 11
    path.write_text("labels: [Plastic, Paper]\nmap: {Plastic: [plastic, Plastic], Paper: [paper, 'plastic ']}\n")
    with pytest.raises(UserError, match="named twice: plastic"):
        category_map.load(path)
    path.write_text("labels: [Plastic, plastic]\nmap: {Plastic: [plastic], plastic: [paper]}\n")
    with pytest.raises(UserError, match="'Plastic' and 'plastic' differ in case"):
        category_map.load(path)


def test_a_map_keeps_its_order_and_loses_the_class_that_nothing_shows(tmp_path: Path) -> None:
    root = written(tmp_path / "photos", ["can", "bag", "cup"])
    (root / "train" / "battery").mkdir()
    path = tmp_path / "map.yaml"
    path.write_text("labels: [Metal, Battery, Bag]\nmap: {Metal: [can], Battery: [battery], Bag: [bag]}\ndrop: [cup]\n")
    result = folder.FolderSource(folder.FolderConfig(path=root, map=path)).items()
    manifest, faults = build_manifest(result)
    assert (manifest.labels.names, faults.examples[class_selection.EMPTY]) == (("Metal", "Bag"), ["Battery"])
    assert build_manifest(result, keep=["Battery"])[0].labels.names == ("Metal", "Battery", "Bag")
    assert count_items(result)["classes without a crop"] == ["Battery"]


def test_labels_of_a_table_in_either_unicode_form_are_one_class(tmp_path: Path) -> None:
    lines = ["image,label,split"]
    for number in range(12):
        draw(tmp_path / f"{number}.png", number % 3, number, (16, 16))
        split = "train" if number < 10 else "val"
        lines.append(f"{number}.png,{('plástico', NFD, 'paper')[number % 3]},{split}")
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    manifest, faults = build_manifest(table.TableSource(table.TableConfig(path=tmp_path / "list.csv")).items())
    assert manifest.labels.names == ("paper", "plástico")
    assert [r"('pla\u0301stico') taken as" in line for line in faults.examples[class_selection.RESPELLED]] == [True]
    unused = table.TableConfig(path=tmp_path / "list.csv", labels=("plástico", "glass", "paper"))
    assert build_manifest(table.TableSource(unused).items())[0].labels.names == ("plástico", "paper")
    assert json.dumps(manifest.notes)


def coco(root: Path, categories: list[str], boxes: list[int]) -> Path:
    """A file of one photo a box; `boxes` are places in `categories`."""
    tree: dict[str, Any] = {"images": [], "annotations": []}
    tree["categories"] = [{"id": at, "name": name} for at, name in enumerate(categories)]
    for at, category in enumerate(boxes):
        draw(root / f"{at}.jpg", at % 3, at, (40, 40))
        split = ("train", "train", "train", "val", "test")[at // 2 % 5]
        tree["images"].append({"id": at, "file_name": f"{at}.jpg", "width": 40, "height": 40, "split": split})
        tree["annotations"].append({"id": at, "image_id": at, "category_id": category, "bbox": [2, 2, 30, 30]})
    path = root / "annotations.json"
    path.write_text(json.dumps(tree))
    return path


def test_a_category_that_only_groups_the_others_is_no_class(tmp_path: Path) -> None:
    """As Roboflow writes it: category 0 has the project's name, and may be spelled as a class is."""
    config = coco_source.CocoConfig(path=coco(tmp_path, ["plastic", "Plastic", "paper"], [1, 2] * 10), out=tmp_path)
    assert coco_source.CocoSource(config).survey()["classes without a crop"] == ["plastic"]
    manifest, faults = build_manifest(coco_source.CocoSource(config).items())
    assert (manifest.labels.names, faults.examples[class_selection.EMPTY]) == (("Plastic", "paper"), ["plastic"])


def test_categories_in_several_spellings(tmp_path: Path) -> None:
    path = coco(tmp_path, ["plastic", "paper", "plastic "], [0, 1, 2, 1] * 5)
    config = coco_source.CocoConfig(path=path, out=tmp_path)
    manifest, faults = build_manifest(coco_source.CocoSource(config).items())
    assert manifest.labels.names == ("plastic", "paper")
    assert faults.examples[class_selection.RESPELLED] == ["'plastic ' taken as 'plastic', 5 boxes"]
    assert sum(coco_source.CocoSource(config).survey()["classes"].values()) == 20
    with pytest.raises(UserError, match="'Plastic' and 'plastic' differ in case"):
        coco_source.CocoSource(
            coco_source.CocoConfig(path=coco(tmp_path, ["plastic", "Plastic"], [0, 1] * 10), out=tmp_path)
        ).items()
