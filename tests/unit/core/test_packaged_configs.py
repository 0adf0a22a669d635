"""Files that the package brings are found by name; a user's own file wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from leansort.core.errors import UserError
from leansort.core.text import packaged_configs
from leansort.core.text.packaged_configs import ABLATION, CATEGORY_MAP, COMPRESSION_RECIPE, RECIPE, SEARCH, find_config
from leansort.data.importing import category_map
from leansort.data.sources import folder as folder_source
from leansort.recipe.load import load_recipe
from leansort.search import search_config

FOLDER = packaged_configs.FOLDER


@pytest.mark.parametrize(
    ("name", "kind", "path"),
    [
        ("sample", RECIPE, "sample.yaml"),
        ("trashnet", RECIPE, "trashnet.yaml"),
        ("compress/trashnet", RECIPE, "compress/trashnet.yaml"),
        ("trashnet", COMPRESSION_RECIPE, "compress/trashnet.yaml"),
        ("sample", COMPRESSION_RECIPE, "sample.yaml"),
        ("trashnet", SEARCH, "search/trashnet.yaml"),
        ("search/quick", SEARCH, "search/quick.yaml"),
        ("trashnet", ABLATION, "ablations/trashnet.yaml"),
        ("taco6", CATEGORY_MAP, "data/taco6.yaml"),
    ],
)
def test_each_kind_looks_in_its_own_folder_first(
    name: str, kind: packaged_configs.ConfigKind, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir(parents=True)  # a folder is no recipe
    assert find_config(name, kind) == find_config(Path(name), kind) == FOLDER / path


def test_a_file_of_the_user_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample").write_text("name: mine\ndata: {source: sample}\n")
    assert load_recipe("sample").name == "mine"
    (tmp_path / "sample").unlink()
    assert load_recipe("sample").name == "sample"


@pytest.mark.parametrize(
    ("name", "kind", "parts"),
    [
        ("smaple", RECIPE, ["recipe: 'smaple' is neither a file nor a name", "did you mean 'sample'?"]),
        ("quik", SEARCH, ["search: 'quik'", "did you mean 'quick'?"]),
        ("taco7", CATEGORY_MAP, ["category map: 'taco7'", "names: taco6, taco9, trashnet6"]),
        ("x/sample.yaml", RECIPE, ["recipe: cannot read x/sample.yaml", "did you mean 'sample'?"]),
    ],
)
def test_an_unknown_name_is_one_line_with_a_guess(
    name: str, kind: packaged_configs.ConfigKind, parts: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        find_config(name, kind)
    assert all(part in str(caught.value) for part in parts), caught.value
    assert "\n" not in str(caught.value)


def test_an_unknown_map_is_a_fault_of_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.map: got 'taco7'.*neither a file nor a name"):
        load_recipe("trashnet", ["data.map=taco7"], tmp_path)


def test_a_source_takes_the_name_of_a_map(tmp_path: Path) -> None:
    config = folder_source.FolderConfig.model_validate({"path": tmp_path, "map": "trashnet6"})
    assert config.map == FOLDER / "data" / "trashnet6.yaml"
    assert category_map.load("trashnet6").labels == category_map.load(config.map).labels


def test_a_search_that_is_copied_elsewhere_still_has_its_recipe(tmp_path: Path) -> None:
    copy = packaged_configs.copy_packaged("quick", tmp_path, overwrite=False)
    assert copy == tmp_path / "quick.yaml"
    assert search_config.load(copy).recipe == FOLDER / "sample.yaml"
    (tmp_path / "sample").write_text("a recipe beside the search")
    assert search_config.load(copy).recipe == tmp_path / "sample"


def test_copy_overwrites_on_demand_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("mine")
    with pytest.raises(UserError, match=r"mine\.yaml is there already.*--force"):
        packaged_configs.copy_packaged("sample", mine, overwrite=False)
    assert mine.read_text() == "mine"
    packaged_configs.copy_packaged("sample", mine, overwrite=True)
    assert mine.read_text() == (FOLDER / "sample.yaml").read_text()


def test_a_name_that_stands_for_several_is_refused() -> None:
    with pytest.raises(UserError, match="trashnet-small"):
        packaged_configs.find_packaged("trashnet-smal")
    with pytest.raises(UserError, match="search/int9"):
        packaged_configs.find_packaged("search/int9")
    assert packaged_configs.find_packaged("trashnet") == FOLDER / "trashnet.yaml"


def test_each_file_says_in_one_line_what_it_is_for() -> None:
    for name, path in packaged_configs.list_configs().items():
        text = packaged_configs.describe_config(path)
        assert path.read_text().startswith(f"# {text}\n"), name
        assert 20 < len(text) <= 110, name
        assert text[-1] == ".", name
