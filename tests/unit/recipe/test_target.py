"""The target of a recipe: which engine and settings it stands for, and what contradicts itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.recipe.load import load_recipe, validate_recipe
from leansort.recipe.target import Target, engine_with_threads
from tests.support.graphs import meta

QUANTIZED = ["compress.steps=[{pass: quantize}]"]


@pytest.mark.parametrize(
    ("settings", "spec"),
    [
        ({}, ""),
        ({"engine": "openvino"}, "openvino"),
        ({"engine": "openvino", "settings": {"precision": "bf16"}}, "openvino:precision=bf16"),
        ({"engine": "openvino", "precision": "bfloat16"}, "openvino:precision=bf16"),
        ({"engine": "openvino", "precision": "float32"}, "openvino"),
    ],
)
def test_the_engine_with_its_settings(settings: dict[str, object], spec: str) -> None:
    assert Target.model_validate(settings).engine_spec == spec


def test_threads_go_with_the_engine_that_suits_the_bundle() -> None:
    bundle = Bundle(meta(), {"graph.onnx": b"graph"})
    assert engine_with_threads(bundle, Target()) == "onnxruntime"
    assert engine_with_threads(bundle, Target(threads=2)) == "onnxruntime:threads=2"
    target = Target(engine="openvino", threads=2, precision="bfloat16")
    assert engine_with_threads(bundle, target) == "openvino:precision=bf16,threads=2"


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        (
            ["target.engine=auto"],
            "auto is chosen on the machine at hand; name the engine: litert, ncnn, onnxruntime",
        ),
        (["target.engine=onnx-runtime"], "did you mean 'onnxruntime'"),
        (["target.settings={precision: bf16}"], "target.settings: no engine is named that has them"),
        (["target.engine=openvino", "target.settings={precision: b16}"], "target.settings.precision: got 'b16'"),
        (["target.engine=onnxruntime", "target.settings={stream: 1}"], "target.settings.stream: unknown key"),
        (["target.engine=openvino", "target.settings={threads: 2}"], "target.settings.threads: write target.threads"),
        (["target.precision=int8"], "target.precision: int8 needs a quantize step"),
        (["target.precision=float32", *QUANTIZED], "target.precision: float32 contradicts the quantize step"),
        (["target.precision=bfloat16"], "the default engine does not compute in bfloat16"),
        (["target.precision=bfloat16", "target.engine=onnxruntime"], "onnxruntime does not compute in bfloat16"),
        (["target.precision=float16"], "target.precision: got 'float16'"),
        (
            ["target.precision=float32", "target.engine=openvino", "target.settings={precision: bf16}"],
            "target.settings.precision says it too",
        ),
        (["target.limits={label_p98_ms: 5}"], "did you mean 'label_p99_ms'"),
        (["target.limits={size_mb: 0}"], "target.limits.size_mb: got 0.0, need a number over 0"),
        (["target.thread=2"], "target.thread: unknown key; did you mean 'threads'"),
    ],
)
def test_what_contradicts_itself_is_one_fault(overrides: list[str], fault: str) -> None:
    with pytest.raises(UserError, match="1 fault: ") as refused:
        load_recipe("sample", overrides)
    assert fault in str(refused.value)


def test_int8_goes_with_a_quantize_step() -> None:
    assert load_recipe("sample", ["target.precision=int8", *QUANTIZED]).target.precision == "int8"


def test_the_option_replaces_the_engine_and_its_settings_alone(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "name: x\ndata: {source: sample}\n"
        "target: {engine: openvino, settings: {precision: bf16}, threads: 2, limits: {size_mb: 1}}\n"
    )
    other = load_recipe(path, engine="onnxruntime").target
    assert other == Target(engine="onnxruntime", threads=2, limits={"size_mb": 1})
    assert load_recipe(path, engine="openvino:precision=f32,threads=3").target.threads == 3
    with pytest.raises(UserError, match=r"target\.engine: auto is chosen"):
        load_recipe(path, engine="auto")


def test_a_resolved_recipe_reads_back_with_its_target() -> None:
    recipe = load_recipe("sample", ["target.engine=openvino", "target.limits={macro_f1: 0.8, label_p99_ms: 5}"])
    assert validate_recipe(recipe.to_json(), "x") == recipe
