"""What a bundle is compared with, taken from labelled photos: read early, fitted later, refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from leansort.core.errors import UserError
from leansort.workflows.deploy.reference_photos import add_reference, read_reference
from tests.conftest import Cli, draw
from tests.support.graphs import LABELS, colour_bundle


def class_folders(root: Path, photos: int) -> Path:
    for number in range(photos):
        draw(root / LABELS.names[number % 3] / f"{number}.jpg", number % 3, seed=number)
    return root


def test_photos_read_beforehand_give_the_same_reference(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "photos", 12)
    bundle = colour_bundle()
    read = read_reference(folder, bundle.labels, "export: reference")
    fitted = add_reference(bundle, read).meta.reference
    assert fitted == add_reference(bundle, folder).meta.reference
    assert fitted is not None
    assert fitted.photos == 12
    assert bundle.meta.reference is None  # the given one stays as it was


def test_too_few_photos_are_refused_before_and_after_they_are_read(tmp_path: Path) -> None:
    bundle = colour_bundle()
    with pytest.raises(UserError, match=r"export: reference: .* has 9 photos, a reference needs 10"):
        read_reference(class_folders(tmp_path / "few", 9), bundle.labels, "export: reference")
    folder = class_folders(tmp_path / "broken", 11)
    for number in (0, 1):
        (folder / LABELS.names[number] / f"{number}.jpg").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"watch: .* has 9 photos that can be read, a reference needs 10"):
        add_reference(bundle, folder)


def test_an_export_watches_by_the_photos_it_is_given(tiny_run: Path, folders: Path, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    rows = [f"{path.name},{path.parent.name}" for path in sorted((folders / "val").rglob("*.jpg"))[:15]]
    for path in (folders / "val").rglob("*.jpg"):
        (tmp_path / "mine" / path.name).write_bytes(path.read_bytes())
    listed = tmp_path / "mine" / "labels.csv"
    listed.write_text("\n".join(["image,label", *rows]))
    command = ["export", tiny_run / "train", "--manifest", tiny_run, "--out", tmp_path / "m.leansort"]
    done = cli(*command, "--reference", listed)
    assert done.returncode == 0, done.stderr
    assert f"a watch compares with the 15 photos of {listed}" in done.stderr
    watched = cli("watch", tmp_path / "m.leansort", folders / "val", "--shuffle", "--out", tmp_path / "w", "--json")
    assert '"photos": 24' in watched.stdout
    listed.write_text("\n".join(["image,label", *rows[:5]]))
    few = cli(*command[:-1], tmp_path / "few.leansort", "--reference", listed)
    assert (few.returncode, few.stderr.count("\n")) == (2, 1)
    assert "has 5 photos, a reference needs 10" in few.stderr
    assert not (tmp_path / "few.leansort").exists()
