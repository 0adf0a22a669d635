"""`import leansort`: what it loads, what it offers, and that floors and verbs of one name get along."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

import leansort
from leansort import api
from leansort.api.verbs import verb

HEAVY = ("torch", "numpy", "pydantic", "onnxruntime", "cv2", "PIL", "rich", "typer", "yaml", "optuna")
FUNCTIONS = [getattr(api, name) for name in api.__all__]


def in_a_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_loads_no_library() -> None:
    code = f"import sys, leansort; print(*(name for name in {HEAVY} if name in sys.modules))"
    assert in_a_process(code) == ""


def test_naming_every_verb_and_error_loads_no_pytorch() -> None:
    names = [*api.__all__, "UserError", "Classifier", "Prediction", "silence_messages"]
    code = f"import sys, leansort; [getattr(leansort, name) for name in {names}]; print('torch' in sys.modules)"
    assert in_a_process(code) == "False"


def test_every_public_name_is_there_and_listed() -> None:
    for name in leansort.__all__:
        assert getattr(leansort, name) is not None
    assert set(api.__all__) <= set(leansort.__all__) <= set(dir(leansort))
    assert leansort.__all__ == sorted(leansort.__all__)
    assert set(leansort.__all__) - {"__version__"} == set(leansort.public_places)  # type: ignore[attr-defined]


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        leansort.nonsense  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_every_function_says_its_types_and_explains_each_argument(function: Callable[..., object]) -> None:
    signature, text = inspect.signature(function), inspect.getdoc(function) or ""
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(item.annotation is not inspect.Parameter.empty for item in signature.parameters.values())
    arguments = "".join(re.findall(r"\nArgs:\n(.*?)\n\n", text + "\n\n", re.S))
    assert re.findall(r"^    (\w+): \S", arguments, re.M) == list(signature.parameters)
    assert ">>> " in text
    assert "\nReturns:" in text
    assert "\nRaises:" in text


FLOORS = {"train": "train_config", "compress": "compress_config", "export": "export_failure", "report": "markdown"}


@pytest.mark.parametrize("first", ["floor", "verb"])
def test_a_floor_that_is_called_like_a_verb_is_both(first: str) -> None:
    """Whichever is asked for first, the module is found, and what is called has the function's parameters."""
    lines = ["import inspect, leansort, leansort.api"]
    for floor, module in FLOORS.items():
        as_verb = f"assert inspect.signature(leansort.{floor}) == inspect.signature(leansort.api.{floor})"
        as_floor = f"import leansort.{floor}.{module}; assert leansort.{floor}.{module}.__name__.endswith('{module}')"
        lines += [as_floor, as_verb] if first == "floor" else [as_verb, as_floor, as_verb]
    in_a_process("\n".join(lines))


def test_a_number_out_of_its_range_is_one_line_before_anything_is_read() -> None:
    with pytest.raises(leansort.UserError, match=r"^predict: batch: got -1, allowed: 0 or more$"):
        leansort.predict("not there", "not there", batch=-1)
    with pytest.raises(leansort.UserError, match=r"^predict: threads: got 'two', need a number$"):
        leansort.predict("not there", "not there", threads="two")  # type: ignore[arg-type]


def test_a_library_that_is_missing_is_named_with_its_extra() -> None:
    def tune(missing: str) -> None:
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    with pytest.raises(leansort.MissingExtraError, match=r"'torch'.*pip install 'leansort\[tune\]'"):
        verb()(tune)("torch")
    with pytest.raises(ModuleNotFoundError, match=r"leansort\.nonsense"):  # a fault of ours, not of the installation
        verb()(tune)("leansort.nonsense")


def test_the_extra_of_a_verb_is_named_where_it_brings_what_a_file_of_the_package_asks_for() -> None:
    def tune(module: str, extra: str) -> None:
        raise leansort.MissingExtraError(module, extra)

    def train(module: str, extra: str) -> None:
        raise leansort.MissingExtraError(module, extra)

    with pytest.raises(leansort.MissingExtraError, match=r"'pyyaml'.*pip install 'leansort\[tune\]'"):
        verb()(tune)("pyyaml", "train")
    with pytest.raises(leansort.MissingExtraError, match=r"'ncnn'.*pip install 'leansort\[ncnn\]'"):
        verb()(tune)("ncnn", "ncnn")  # which the extra of tune does not bring
    with pytest.raises(leansort.MissingExtraError, match=r"'pyyaml'.*pip install 'leansort\[train\]'"):
        verb()(train)("pyyaml", "train")
