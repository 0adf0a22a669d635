"""The notebooks run from top to bottom, and show what they say that they show."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

NOTEBOOKS = ROOT / "docs" / "notebooks"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("training-to-bundle.ipynb", ["macro-F1", "accepted", "model.leansort"]),
        ("reading-a-run.ipynb", ["Metal", "taken for", "crops"]),
    ],
)
def test_a_notebook_runs_from_top_to_bottom(
    name: str, shown: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    text = " ".join(
        "".join(output.get("data", {}).get("text/html", "") or output.get("text", ""))
        for cell in cells
        for output in cell.outputs
    )
    assert all(word in text for word in shown), text
    assert all(cell.execution_count for cell in cells)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code" and cell.outputs] == []
