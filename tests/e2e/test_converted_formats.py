"""Formats that ONNX graphs are converted to, through the command line: export, bench, score; refusals in one line."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from leansort.core import bundle as bundles
from tests.conftest import Cli
from tests.e2e.test_mistakes import refused

NEEDS = {"ncnn": ("ncnn", "pnnx"), "litert": ("ai_edge_litert",)}


@pytest.fixture(params=sorted(NEEDS))
def converted(request: pytest.FixtureRequest) -> str:
    """A format, where what writes and runs it is installed."""
    name: str = request.param
    missing = [module for module in NEEDS[name] if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install 'leansort[{name}]'")
    return name


def rows(text: str) -> dict[str, str]:
    """Label by picture."""
    return {line.split(",")[0]: line.split(",")[1] for line in text.splitlines()[1:]}


def test_a_network_is_exported_and_sorts_as_the_onnx_bundle_does(
    converted: str, cli: Cli, tiny_run: Path, folders: Path, tmp_path: Path
) -> None:
    out = tmp_path / "n.leansort"
    done = cli("export", tiny_run / "train", "--manifest", tiny_run, "--format", converted, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "parity holds" in done.stdout + done.stderr
    made = bundles.load(out)
    assert made.format == converted
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
        converted, "onnxruntime",
    }  # fmt: skip


def test_a_bundle_is_converted_and_keeps_what_it_holds(
    converted: str, cli: Cli, tiny_run: Path, tmp_path: Path
) -> None:
    source, out = tiny_run / "model.leansort", tmp_path / "n.leansort"
    before = source.read_bytes()
    done = cli("export", source, "--manifest", tiny_run, "--format", converted, "--out", out)
    assert done.returncode == 0, done.stderr
    assert bundles.load(out).meta == bundles.load(source).meta
    assert source.read_bytes() == before
    again = cli("export", out, "--manifest", tiny_run, "--format", "openvino", "--out", tmp_path / "o.leansort")
    refused(again, f"is in the {converted} format; bundles are converted from the onnx format")
    same = cli("export", out, "--manifest", tiny_run, "--format", converted, "--out", tmp_path / "o.leansort")
    refused(same, f"is in the {converted} format already")
    torch = cli("export", source, "--manifest", tiny_run, "--format", "torch", "--out", tmp_path / "o.leansort")
    refused(torch, "format: got 'torch', allowed: litert, ncnn, onnx, openvino")
    idle = cli(
        "export", source, "--manifest", tiny_run, "--format", converted, "--target-error", "0.1",
        "--out", tmp_path / "o.leansort",
    )  # fmt: skip
    refused(idle, "target error: has no effect on a bundle")
    assert not (tmp_path / "o.leansort").exists()


def test_a_model_is_known_by_its_name_and_its_labels_are_compared(
    converted: str, cli: Cli, tiny_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.leansort"
    done = cli("export", "trashnet-lean", "--manifest", tiny_run, "--format", converted, "--out", out)
    refused(done, "labels")
    assert not out.exists()


@pytest.mark.slow
def test_a_recipe_quantizes_for_the_format(
    converted: str, cli: Cli, tiny_run: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    steps = f"compress.steps=[{{pass: quantize, engine: {converted}, crops: 16, faster: false}}]"
    done = cli(
        "compress", tiny_recipe, tiny_run / "train", steps, f"target.engine={converted}", "compress.max_f1_drop=1",
        "compress.max_class_drop=1",
        "compress.seconds=0.1", "--manifest", tiny_run, "--out", tmp_path / "c",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = bundles.load(tmp_path / "c" / "model.leansort")
    assert made.format == converted
    assert made.meta.provenance["quantized"]["engine"] == converted
    if converted == "litert":
        require_an_array_of_c(cli, tiny_run, tmp_path)


def require_an_array_of_c(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    """The int8 bundle as an array of C."""
    if importlib.util.find_spec("tflite_micro") is None:
        return
    out = tmp_path / "board"
    done = cli("export", tmp_path / "c" / "model.leansort", "--manifest", tiny_run, "--format", "c", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "kB of memory" in done.stdout
    assert (out / "model.tflite").read_bytes() == bundles.load(tmp_path / "c" / "model.leansort").graph
    assert "resolver.AddConv2D();" in (out / "leansort_model.h").read_text()
    again = cli("export", tmp_path / "c" / "model.leansort", "--manifest", tiny_run, "--format", "c", "--out", out)
    refused(again, "export: out")


def test_an_array_of_c_is_made_of_an_int8_bundle_in_the_format_alone(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    source = tiny_run / "model.leansort"
    done = cli("export", source, "--manifest", tiny_run, "--format", "c", "--out", tmp_path / "o")
    refused(done, "is in the onnx format; an array of C is made of one in the litert format")
    refused(cli("export", source, "--format", "c", "--out", tmp_path / "o"), "manifest: needed for format c")
    idle = cli("export", source, "--manifest", tiny_run, "--format", "c", "--name", "x", "--out", tmp_path / "o")
    refused(idle, "name: has no effect with format c")
    assert not (tmp_path / "o").exists()
