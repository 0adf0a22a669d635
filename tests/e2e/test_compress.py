"""`leansort compress` through the command line: the whole chain, killed and gone on with, and a user's mistakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from leansort.arch import trained_model
from leansort.core import bundle as bundles
from tests.conftest import Cli
from tests.contract.test_passes import weight_bytes

STEPS = """
compress:
  seconds: 0.1
  max_f1_drop: 1.0
  steps:
    - {pass: prune, macs: 0.7, round_to: 2, faster: false, finetune: {epochs: 1}}
    - {pass: qat, epochs: 2}
    - {pass: quantize, crops: 16, faster: false}
"""


@pytest.fixture
def recipe(tiny_recipe: Path, tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(tiny_recipe.read_text() + STEPS)
    return path


@pytest.mark.slow
def test_a_network_is_pruned_healed_trained_for_int8_and_quantized(
    recipe: Path, tiny_run: Path, folders: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "out"
    given = [recipe, tiny_run / "train", "--manifest", tiny_run, "--cache", tiny_run / "cache", "--out", out]
    done = cli("compress", *given, "--explain", "--json")
    assert done.returncode == 0, done.stderr
    tree = json.loads(done.stdout)
    assert tree == json.loads((out / "compress.json").read_text())
    assert [step["state"] for step in tree["steps"]] == ["start", "accepted", "accepted", "accepted"]
    start, pruned = tree["steps"][:2]
    assert pruned["macs"] <= 0.72 * start["macs"]
    assert pruned["notes"]["reached"] <= 0.7
    assert {item["engine"] for item in tree["latency"] if item["step"] == "3-quantize"} == {"onnxruntime", "openvino"}
    assert len(tree["layers"]) > 20
    assert sum(layer["macs"] for layer in tree["layers"]) == start["macs"]
    for file in ("compress.md", "compress.html"):
        text = (out / file).read_text()
        assert "3-quantize" in text
        assert tree["layers"][0]["name"] in text
    bundle = bundles.load(out / "model.leansort")
    assert bundle.meta.provenance["quantized"]["weights"] == "int8"
    float_bundle = bundles.load(out / "steps" / "1-prune" / "model.leansort")
    assert weight_bytes(bundle) < 0.6 * weight_bytes(float_bundle)  # of so small a network the file itself may grow
    some = cli("predict", out / "model.leansort", next((folders / "val").rglob("*.jpg")))
    assert some.returncode == 0, some.stderr
    again = cli("compress", *given, "--explain")
    assert (again.returncode, "not empty" in again.stderr) == (2, True)
    resumed = cli("compress", *given, "--resume", "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count("finished before") == 3
    assert [step["verdict"] for step in json.loads(resumed.stdout)["steps"]] == [
        step["verdict"] for step in tree["steps"]
    ]


def test_what_was_compressed_can_be_passed_on(recipe: Path, tiny_run: Path, tmp_path: Path, cli: Cli) -> None:
    given = [recipe, tiny_run / "train", "compress.steps=[{pass: half, faster: false}]", "compress.max_f1_drop=1"]
    done = cli("compress", *given, "--manifest", tiny_run, "--out", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    card = cli("card", tmp_path / "small" / "model.leansort", "--manifest", tiny_run, "--out", tmp_path / "passed")
    assert card.returncode == 0, card.stderr
    text = (tmp_path / "passed" / "README.md").read_text()
    assert "float16, model.leansort (onnx)" in text
    assert "leansort compress recipe.json NETWORK seed=0 --data FOLDER" in text


def test_a_cascade_that_val_is_too_small_for_leaves_the_network_alone(
    recipe: Path, tiny_run: Path, tmp_path: Path, cli: Cli
) -> None:
    steps = f"compress.steps=[{{pass: fuse}}, {{pass: cascade, small: {tiny_run / 'train'}}}]"
    given = [recipe, tiny_run / "train", steps, "compress.timed=label"]
    done = cli(
        "compress", *given, "compress.max_f1_drop=1", "--manifest", tiny_run, "--out", tmp_path / "out", "--json"
    )
    assert done.returncode == 0, done.stderr
    step = json.loads(done.stdout)["steps"][2]
    assert (step["state"], step["pass"]) == ("left alone", "cascade")
    assert step["reason"] == "left alone: got 24 photos that both graphs can read, a threshold needs 50"
    assert not bundles.load(tmp_path / "out" / "model.leansort").stages


def test_a_smaller_input_is_judged_from_photo_to_label(
    recipe: Path, tiny_run: Path, folders: Path, tmp_path: Path, cli: Cli
) -> None:
    """The bundle, its calibration, stress and the steps behind it are of the new size; it is gone on with, too."""
    steps = (
        "compress.steps=[{pass: resize_input, size: [24, 20], faster: false, finetune: {epochs: 1}},"
        "{pass: quantize, crops: 16, faster: false}]"
    )
    given = [recipe, tiny_run / "train", steps, "compress.max_f1_drop=1", "compress.timed=label"]
    given += ["compress.stress={kinds: [darker], level: 2}", "--manifest", tiny_run, "--out", tmp_path / "small"]
    done = cli("compress", *given, "--json")
    assert done.returncode == 0, done.stderr
    tree = json.loads(done.stdout)
    assert [step["state"] for step in tree["steps"]] == ["start", "accepted", "accepted"]
    assert [step["input_size"] for step in tree["steps"]] == [32, 20, 20]
    assert tree["budget"]["timed"] == "label"
    assert tree["steps"][2]["verdict"]["stress"]["kinds"].keys() == {"darker"}
    bundle = bundles.load(tmp_path / "small" / "model.leansort")
    assert bundle.preprocess.size == 20
    assert bundle.meta.provenance["resized_input"]["from"] == {"size": 32, "fit": "pad"}
    assert trained_model.load(tmp_path / "small" / "steps" / "1-resize_input").preprocess.size == 20
    cached = (tmp_path / "small" / "cache").glob("*.npy")
    sides = {np.load(path, mmap_mode="r").shape[1] for path in cached}
    assert sides == {32, 20, 37}  # the teacher's view is cut out of crops as large as before, 1.15 times 32 px
    table = (tmp_path / "small" / "compress.md").read_text()
    assert "input, px" in table
    assert "from one encoded photo to its label" in (tmp_path / "small" / "compress.html").read_text()
    resumed = cli("compress", *given, "--resume", "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count("finished before") == 2
    scored = cli("score", tmp_path / "small" / "model.leansort", "--ground-truth", folders / "val")
    assert scored.returncode == 0, scored.stderr


@pytest.mark.slow
def test_the_network_of_a_step_can_be_passed_on(recipe: Path, tiny_run: Path, tmp_path: Path, cli: Cli) -> None:
    steps = "compress.steps=[{pass: prune, macs: 0.7, round_to: 2, faster: false}, {pass: half, faster: false}]"
    given = [recipe, tiny_run / "train", steps, "compress.max_f1_drop=1", "compress.retries=0"]
    done = cli("compress", *given, "--manifest", tiny_run, "--out", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    step = tmp_path / "small" / "steps" / "1-prune"
    card = cli("card", step, "--manifest", tiny_run, "--out", tmp_path / "passed")
    assert card.returncode == 0, card.stderr
    assert trained_model.load(tmp_path / "passed").spec == trained_model.load(step).spec
    text = (tmp_path / "passed" / "README.md").read_text()
    assert "leansort compress recipe.json NETWORK seed=0 --data FOLDER" in text


@pytest.mark.slow
def test_killed_in_its_third_step_it_goes_on_there(recipe: Path, tiny_run: Path, tmp_path: Path, cli: Cli) -> None:
    plugins = tmp_path / "plugins" / "passes"
    plugins.mkdir(parents=True)
    (plugins / "sleep.py").write_text(
        "import time\nfrom pathlib import Path\nfrom leansort.core.strict_model import StrictModel\n"
        "from leansort.compress.passes_api import CompressionPass, PassOutcome\n"
        "class SleepPass(CompressionPass):\n    Config = StrictModel\n    stage = 'model'\n"
        "    def apply(self, model, context):\n"
        f"        here = Path({str(tmp_path / 'here')!r})\n"
        "        if not here.exists():\n            here.touch()\n            time.sleep(600)\n"
        "        return PassOutcome(model)\n"
    )
    steps = "[{pass: fuse}, {pass: prune, macs: 0.8, round_to: 2, faster: false}, {pass: sleep}, {pass: sparsify}]"
    given = [recipe, tiny_run / "train", f"compress.steps={steps}", "--manifest", tiny_run, "--out", tmp_path / "out"]
    command = [sys.executable, "-m", "leansort", "compress", *map(str, given)]
    environment = {**os.environ, "LEANSORT_PLUGINS": str(tmp_path / "plugins")}
    started = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    for _ in range(6000):  # long, for a machine with much else to do
        if (tmp_path / "here").exists() or started.poll() is not None:
            break
        time.sleep(0.1)
    assert (tmp_path / "here").exists(), started.poll()
    started.send_signal(signal.SIGKILL)
    started.communicate()
    kept = {path: path.read_bytes() for path in (tmp_path / "out" / "steps").glob("[012]-*/*") if path.is_file()}
    assert {path.name for path in kept} >= {"step.json", "model.safetensors", "model.leansort"}
    done = subprocess.run([*command, "--resume"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("finished before") == 2
    assert [path for path, data in kept.items() if path.read_bytes() != data] == []
    assert [load["state"] for load in json.loads((tmp_path / "out" / "compress.json").read_text())["steps"]] == [
        "start", *["accepted"] * 4,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("compress.steps=[{pass: prun, macs: 0.5}]", "did you mean 'prune'"),
        ("compress.steps=[{pass: quantize}, {pass: fuse}]", "step 2 (fuse) works on networks, but step 1 (quantize)"),
        ("compress.steps=[{pass: qat, train: {lrr: 1}}]", "finetune.train.lrr: unknown key; did you mean 'lr'"),
        ("compress.steps=[{pass: prune, macs: 0.5, finetune: {train: {lrr: 1}}}]", "finetune.train.lrr: unknown key"),
        ("compress.steps=[{pass: qat, teachers: [lost]}]", "finetune.teachers: lost is not there"),
        ("compress.steps=[{pass: sparsify}, {pass: qat}]", "step 2 (qat) trains, which would undo step 1 (sparsify)"),
        (
            "compress.steps=[{pass: sparsify, finetune: {epochs: 1}}]",
            "step 1 (sparsify) trains, which would undo",
        ),
        (
            "compress.steps=[{pass: quantize, finetune: {epochs: 1}}]",
            "step 1 (quantize) is fine-tuned, but a graph",
        ),
        (
            "compress.steps=[{pass: qat}, {pass: quantize, weight_bits: 8}]",
            "step 2 (quantize): weight_bits is 8, but it was trained for 7 in step 1 (qat)",
        ),
        ("compress.steps=[{pass: half}, {pass: quantize}]", "follows step 1 (half), which has to be the last"),
        ("compress.steps=[{pass: finetune, epochs: 0}]", "compress.steps.1.epochs: got 0"),
        ("compress.steps=[{pass: tucker, ranks: [0]}]", "compress.steps.1.ranks"),
        ("target.engine=onnx-runtime", "did you mean 'onnxruntime'"),
        ("target.engine=torch", "target.engine: torch does not read the onnx format, which the passes leave"),
        ("compress.engine=openvino", "compress.engine: unknown key, it was renamed: write target.engine"),
        ("export.format=openvino", "export.format: openvino has no effect, since the passes decide the format"),
        (
            "compress.steps=[{pass: quantize, engine: openvino, method: percentile}]",
            "method has no effect with engine openvino",
        ),
        ("compress.steps=[{pass: quantize, preset: mixed}]", "preset has no effect with engine onnxruntime"),
        ("arch.width=0.5", "is another network than the recipe's: arch.width: got 0.5, the network has"),
        ("arch.base=mnasnet", "is another network than the recipe's: arch.base: got mnasnet, the network has"),
        ("preprocess.size=48", "is another network than the recipe's: preprocess.size: got 48, the network has 32"),
        ("distill.teachers=[lost]", "distill.teachers: the network does not say that it learned from these"),
        (
            "compress.steps=[{pass: resize_input, size: 48}]",
            "compress.steps.1.size: got 48, the network takes 32 px; allowed: 16 to 32, or more with larger: true",
        ),
        (
            "compress.steps=[{pass: cascade, small: x.leansort}]",
            "compress.timed: got model, but step 1 (cascade) is timed on photos; allowed: label",
        ),
        ("compress.steps=[{pass: cascade}]", "compress.steps.1.small: missing"),
        ("compress.steps=[{pass: resize_input}]", "needs size, fit, or both"),
        ("compress.steps=[{pass: resize_input, size: 8}]", "compress.steps.1.size"),
        ("compress.timed=photo", "compress.timed: got 'photo', input should be 'model' or 'label'"),
        ("compress.max_f1_drop=.nan", "holds nan, need finite numbers"),
        ("compress.steps=[]", "no compress.steps"),
        ("compress.max_f1_drop=two", "compress.max_f1_drop: got 'two'"),
        ("compress.stress.kinds=[dakrer]", "kind: got 'dakrer', allowed: background, "),
        ("compress.stress.kinds=[dakrer]", "did you mean 'darker'"),
        ("compress.stress.level=6", "compress.stress.level: got 6, input should be less than or equal to 5"),
        ("compress.stress.max_drop=1.5", "compress.stress.max_drop: got 1.5, input should be less than or equal to 1"),
        ("compress.stress.levels=3", "compress.stress.levels: unknown key; did you mean 'level'"),
        ("compress.stress.crops=25", "compress.stress.crops: got 25, val has 24 crops; allowed: 1 to 24"),
        (
            "compress.stress={kinds: [noise], textures: x}",
            "compress.stress: textures has no effect without the kind 'background'",
        ),
        (
            "compress.steps=[{pass: fuse, max_stress_drop: 0.1}]",
            "compress.steps.1.max_stress_drop: has no effect without compress.stress",
        ),
    ],
)
def test_a_mistake_is_one_line(
    recipe: Path, tiny_run: Path, tmp_path: Path, cli: Cli, change: str, message: str
) -> None:
    done = cli("compress", recipe, tiny_run / "train", change, "--manifest", tiny_run, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_bundle_is_no_network(recipe: Path, tiny_run: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("compress", recipe, tiny_run / "model.leansort", "--out", tmp_path / "out")
    assert (done.returncode, "compression begins with a network" in done.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]
