"""What the site has beside the pages of `docs/`, and links that hold there as they hold in the repository.

    make site

A hook of MkDocs, named in `mkdocs.yml`. README, changelog and the table of models become pages of the site; a list of
the decisions is made of their titles; any other file of the repository that a page links to is laid beside the pages.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
DOCS = "docs"
PAGES = {
    "README.md": "index.md",
    "README.ko.md": "ko.md",
    "CHANGELOG.md": "changelog.md",
    "models/README.md": "models.md",
}
BESIDE = "repository"  # folder of the site for files that are no pages
DECISIONS = "adr/"
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s#]+)(#[^()\s]*)?\)")

log = logging.getLogger("mkdocs.hooks.site_pages")


def on_config(config: MkDocsConfig) -> None:
    """Put every decision where the navigation says `adr/`."""
    names = sorted(path.name for path in (ROOT / DOCS / DECISIONS).glob("[0-9]*.md"))
    for entry in config.nav or []:
        if isinstance(entry, dict) and list(entry.values()) == [DECISIONS]:
            entry[next(iter(entry))] = [f"{DECISIONS}index.md", *(DECISIONS + name for name in names)]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages that lie elsewhere, the list of decisions, and the files that pages link to."""
    for path, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / path).read_text(encoding="utf-8")))
    files.append(File.generated(config, f"{DECISIONS}index.md", content=list_decisions(ROOT / DOCS / DECISIONS)))
    linked: dict[str, None] = {}
    for file in list(files.documentation_pages()):
        origin = origin_of(file.src_uri)
        for _, _, target, _ in LINK.findall(file.content_string):
            path = in_repository(origin, target)
            if site_path(path).startswith(f"{BESIDE}/") and (ROOT / path).is_file():
                linked[path] = None
    for path in linked:
        files.append(File.generated(config, site_path(path), abs_src_path=str(ROOT / path)))


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let a page's links lead to where the site has the same; what a search finds in decisions comes last."""
    if page.file.src_uri.startswith(DECISIONS):
        page.meta.setdefault("search", {"boost": 0.5})
    return mend_links(markdown, page.file.src_uri)


def list_decisions(folder: Path) -> str:
    """Return a page that lists the decisions of a folder by their titles."""
    lines = [
        "# Decisions",
        "",
        "One page for each decision of weight: what it was about, what was chosen, at what price.",
        "",
    ]
    for path in sorted(folder.glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        number, _, words = title.partition(". ")
        lines.append(f"- [{number}: {words}]({path.name})")
    return "\n".join(lines) + "\n"


def mend_links(markdown: str, page: str) -> str:
    """Return a page with links as the site needs them.

    Args:
        markdown: the page's text, as it lies in the repository.
        page: its path in the site.
    """

    def mend(match: re.Match[str]) -> str:
        image, text, target, anchor = match.groups()
        path = in_repository(origin_of(page), target)
        if "://" in target or not (ROOT / path).exists():
            return match[0]  # another host's, or one that MkDocs complains of
        if (ROOT / path).is_dir() and not image:
            log.info("%s: the folder %s is no page of the site; its name stays, its link goes", page, path)
            return text
        return f"{image}[{text}]({posixpath.relpath(site_path(path), posixpath.dirname(page) or '.')}{anchor or ''})"

    return LINK.sub(mend, markdown)


def origin_of(page: str) -> str:
    """Return where a page of the site lies in the repository."""
    return {site: path for path, site in PAGES.items()}.get(page, f"{DOCS}/{page}")


def in_repository(origin: str, target: str) -> str:
    """Return the path from the repository's root that a link leads to, from the file that it stands in."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))


def site_path(path: str) -> str:
    """Return where the site has a file of the repository."""
    if path in PAGES:
        return PAGES[path]
    return path.removeprefix(f"{DOCS}/") if path.startswith(f"{DOCS}/") else f"{BESIDE}/{path}"
