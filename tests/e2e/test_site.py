"""The site of the documentation: built strictly, whole, and without a thing that another host would have to give."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from docs import site_pages

import leansort
from tests.conftest import ROOT

LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "image": "href"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as `make site` builds it. Treat as read-only."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class LoadedFromElsewhere(HTMLParser):
    """Collects what a page makes a browser load from another host; a link that is only followed is none."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get(LOADED.get(tag, "")) or ""
        if re.match(r"(https?:)?//", address) and given.get("rel") != "canonical":
            self.found.append(address)


@pytest.mark.slow
def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 60
    for page in pages:
        parser = LoadedFromElsewhere()
        parser.feed(page.read_text())
        assert parser.found == [], page
    for sheet in site.rglob("*.css"):
        assert re.findall(r"url\(\s*[\"']?(?:https?:)?//[^)]*|@import[^;]*//[^;]*", sheet.read_text()) == [], sheet


@pytest.mark.slow
def test_the_search_works_without_a_server(site: Path) -> None:
    index = (site / "search" / "search_index.js").read_text()
    assert index.startswith("var __index = ")
    places = {entry["location"] for entry in json.loads(index.removeprefix("var __index = "))["docs"]}
    assert {"tutorial-robot.html", "int8.html", "index.html", "ko.html"} <= places
    assert "assets/iframe-worker.js" in (site / "index.html").read_text()


@pytest.mark.slow
def test_every_page_and_decision_can_be_reached_from_the_first_one(site: Path) -> None:
    seen, left = set[Path](), [site / "index.html"]
    while left:
        page = left.pop().resolve()
        if page in seen or page.suffix != ".html":
            continue
        seen.add(page)
        links = re.findall(r'href="([^":#]+)', page.read_text())
        left += [target for link in links if (target := page.parent / link).is_file()]
    names = {page.relative_to(site.resolve()).as_posix() for page in seen}
    wanted = {path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert wanted <= names
    assert {"models.html", "changelog.html", "ko.html", "adr/index.html"} <= names


@pytest.mark.slow
def test_the_functions_are_laid_out_from_their_docstrings(site: Path) -> None:
    page = (site / "api.html").read_text()
    assert re.search(r'id="leansort\.api\.train"', page)
    assert "macro-F1" in page


def test_every_public_name_is_on_the_page_of_functions() -> None:
    listed = re.findall(r"^::: leansort\..*?(\w+)$", (ROOT / "docs" / "api.md").read_text(), re.M)
    assert sorted(listed) == sorted(set(leansort.__all__) - {"__version__"})


def test_links_lead_to_where_the_site_has_the_same() -> None:
    assert site_pages.mend_links("[a](docs/robot.md#sorting)", "index.md") == "[a](robot.md#sorting)"
    assert site_pages.mend_links("[a](README.ko.md)", "index.md") == "[a](ko.md)"
    assert site_pages.mend_links("[a](../models/README.md)", "results.md") == "[a](models.md)"
    assert site_pages.mend_links("[a](../compression.md#x)", "adr/0040.md") == "[a](../compression.md#x)"
    assert site_pages.mend_links("![a](docs/tutorial-month.svg)", "ko.md") == "![a](tutorial-month.svg)"
    script = "examples/month_on_a_belt.py"
    assert site_pages.mend_links(f"[`m`](../{script})", "tutorial-month.md") == f"[`m`](repository/{script})"


def test_a_link_to_a_folder_leaves_its_name_and_one_to_nothing_stays_for_mkdocs_to_complain_of() -> None:
    assert site_pages.mend_links("[the package](../src/leansort/models)", "models.md") == "the package"
    assert site_pages.mend_links("[a](../nothing.md)", "data.md") == "[a](../nothing.md)"
    assert site_pages.mend_links("[a](https://example.org/x)", "data.md") == "[a](https://example.org/x)"


def test_the_list_of_decisions_has_every_title(tmp_path: Path) -> None:
    (tmp_path / "0002-b.md").write_text("# 2. Second\n\nText.\n")
    (tmp_path / "0001-a.md").write_text("# 1. First. With a stop\n")
    lines = site_pages.list_decisions(tmp_path).splitlines()
    assert lines[-2:] == ["- [1: First. With a stop](0001-a.md)", "- [2: Second](0002-b.md)"]
