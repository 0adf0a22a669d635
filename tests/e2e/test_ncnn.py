"""NCNN through the command line: export, convert, bench, predict and score; what cannot be is refused in one line."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from leansort.core import bundle as bundles
from tests.conftest import Cli
from tests.e2e.test_mistakes import refused

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ncnn") is None or importlib.util.find_spec("pnnx") is None,
    reason="NCNN or its converter is not installed: pip install 'leansort[ncnn-export]'",
)


def rows(text: str) -> dict[str, str]:
    """Label by picture."""
    return {line.split(",")[0]: line.split(",")[1] for line in text.splitlines()[1:]}


def test_a_network_is_exported_and_sorts_as_the_onnx_bundle_does(
    cli: Cli, tiny_run: Path, folders: Path, tmp_path: Path
) -> None:
    out = tmp_path / "n.leansort"
    done = cli("export", tiny_run / "train", "--manifest", tiny_run, "--format", "ncnn", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "parity holds" in done.stdout + done.stderr
    made = bundles.load(out)
    assert made.format == "ncnn"
    base = bundles.load(tiny_run / "model.leansort")
    assert made.meta.novelty is not None
    assert base.meta.novelty is not None
    assert made.meta.novelty.method == base.meta.novelty.method
    some, same = (
        cli("predict", bundle, folders / "val", "--format", "csv") for bundle in (out, tiny_run / "model.leansort")
    )
    assert rows(some.stdout) == rows(same.stdout)
    assert len(rows(some.stdout)) > 3
    scored = [
        cli("score", bundle, "--ground-truth", folders / "val", "--json")
        for bundle in (out, tiny_run / "model.leansort")
    ]
    assert not scored[0].returncode, scored[0].stderr
    scores = [json.loads(done.stdout)["lists"]["all"]["macro_f1"] for done in scored]
    assert scores[0] == scores[1]
    timed = cli(
        "bench", out, tiny_run / "model.leansort", "--images", folders / "val", "--seconds", "0.1", "--queries", "5",
        "--starts", "0", "--json",
    )  # fmt: skip
    assert timed.returncode == 0, timed.stderr
    assert {item["engine"] for item in json.loads(timed.stdout)["measurements"] if item["engine"]} == {
        "ncnn", "onnxruntime",
    }  # fmt: skip


def test_a_bundle_is_converted_and_keeps_what_it_holds(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    source, out = tiny_run / "model.leansort", tmp_path / "n.leansort"
    before = source.read_bytes()
    done = cli("export", source, "--manifest", tiny_run, "--format", "ncnn", "--out", out)
    assert done.returncode == 0, done.stderr
    assert bundles.load(out).meta == bundles.load(source).meta
    assert source.read_bytes() == before
    again = cli("export", out, "--manifest", tiny_run, "--format", "openvino", "--out", tmp_path / "o.leansort")
    refused(again, "is in the ncnn format; bundles are converted from the onnx format")
    same = cli("export", out, "--manifest", tiny_run, "--format", "ncnn", "--out", tmp_path / "o.leansort")
    refused(same, "is in the ncnn format already")
    torch = cli("export", source, "--manifest", tiny_run, "--format", "torch", "--out", tmp_path / "o.leansort")
    refused(torch, "format: got 'torch', allowed: litert, ncnn, onnx, openvino")
    idle = cli(
        "export", source, "--manifest", tiny_run, "--format", "ncnn", "--target-error", "0.1",
        "--out", tmp_path / "o.leansort",
    )  # fmt: skip
    refused(idle, "target error: has no effect on a bundle")
    assert not (tmp_path / "o.leansort").exists()


def test_a_model_is_known_by_its_name_and_its_labels_are_compared(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    done = cli("export", "trashnet-lean", "--manifest", tiny_run, "--format", "ncnn", "--out", tmp_path / "o.leansort")
    refused(done, "labels")
    assert not (tmp_path / "o.leansort").exists()


@pytest.mark.slow
def test_a_recipe_quantizes_for_ncnn(cli: Cli, tiny_run: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    steps = "compress.steps=[{pass: quantize, engine: ncnn, crops: 16, faster: false}]"
    done = cli(
        "compress", tiny_recipe, tiny_run / "train", steps, "target.engine=ncnn", "compress.max_f1_drop=1",
        "compress.max_class_drop=1",
        "compress.seconds=0.1", "--manifest", tiny_run, "--out", tmp_path / "c",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = bundles.load(tmp_path / "c" / "model.leansort")
    assert made.format == "ncnn"
    assert made.meta.provenance["quantized"]["engine"] == "ncnn"
