"""The `target` section of a recipe: the device that the result is for, and what the result must meet there."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue, ValidationError

from leansort.core import plugins
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, not_one_of
from leansort.core.files.typed_result import JsonObject
from leansort.core.strict_model import StrictModel
from leansort.core.text import yaml_config
from leansort.measure.device.device_address import parse_address
from leansort.runtime.engine import default_engine, engine_class, parse_engine
from leansort.search.objectives import F1, TIMED

LIMITS = (F1, *TIMED, "size_mb", "macs", "parameters")
Precision = Literal["float32", "bfloat16", "int8"]
Setting = str | int | float | bool
_SETTING = {"float32": "f32", "bfloat16": "bf16"}  # of an engine that has a setting `precision`


class Target(StrictModel):
    """The device: compression, search, timing, submission and report all obey it.

    Attributes:
        engine: what runs the graph; empty: the engine that suits the graph's format.
        settings: the engine's own, beside `threads` and `precision`.
        threads: compute threads of the engine.
        precision: what the graph is computed in: `int8` needs a `quantize` step, `bfloat16` an engine that computes in
            it, `float32` neither; None leaves it to the steps and the engine.
        device: address of `leansort agent` on the device, where latencies are measured: `http://HOST:PORT`,
            `https://HOST:PORT` or `ssh:HOST`; empty: this machine. Accuracy is measured here.
        limits: the worst that is allowed, by name: of `macro_f1` the least, of all others the most. Latencies are in
            ms, `size_mb` is the bundle's. Whether they are met is said by `run`; a search takes them as its own.
    """

    engine: str = ""
    settings: dict[str, Setting] = Field(default_factory=dict)
    threads: int = Field(default=1, ge=1, le=256)
    precision: Precision | None = None
    device: str = ""
    limits: dict[str, float] = Field(default_factory=dict)

    @property
    def engine_spec(self) -> str:
        """The engine with its settings behind it, such as `openvino:precision=bf16`; empty where none is named."""
        settings = dict(self.settings)
        if self.precision == "bfloat16":
            settings["precision"] = _SETTING[self.precision]
        text = ",".join(f"{name}={value}" for name, value in settings.items())
        return f"{self.engine}:{text}" if text else self.engine


def engine_with_threads(bundle: Bundle, target: Target) -> str:
    """The engine that runs a bundle on a target, with all its settings behind it, as `--engine` takes them."""
    spec = target.engine_spec or default_engine(bundle)
    return f"{spec}{',' if ':' in spec else ':'}threads={target.threads}" if target.threads > 1 else spec


def read_engine_option(engine: str) -> JsonObject:
    """The keys of a target that `--engine` replaces: the engine and its settings, `threads` and `precision` too.

    Raises:
        UserError: a setting has no value.
    """
    name, given = parse_engine(engine)
    threads: JsonValue = given.pop("threads", None)
    replaced: JsonObject = {"engine": name, "settings": given}
    return replaced if threads is None else {**replaced, "threads": threads}


def target_faults(target: Target, passes: list[str]) -> list[str]:
    """Everything that contradicts itself in a target, one line each.

    Args:
        target: of the recipe.
        passes: names of the recipe's compression passes.
    """
    return [
        *_engine_faults(target),
        *device_faults(target.device),
        *_precision_faults(target, "quantize" in passes),
        *_limit_faults(target),
    ]


def _engine_faults(target: Target) -> list[str]:
    if not target.engine:
        return ["target.settings: no engine is named that has them; set target.engine"] if target.settings else []
    known = plugins.list_plugins("engines")
    if target.engine == "auto":
        return [f"target.engine: auto is chosen on the machine at hand; name the engine: {', '.join(sorted(known))}"]
    if target.engine not in known:
        return [str(not_one_of("target.engine", target.engine, known))]
    if "threads" in target.settings:
        return ["target.settings.threads: write target.threads"]
    return _setting_faults(target) if target.settings else []


def device_faults(device: str) -> list[str]:
    """What is wrong with the address of a device, one line; none where it is empty, which is this machine."""
    try:
        parse_address(device or "ssh:none")
    except LeansortError as error:
        return [f"target.{error}"]
    return []


def _setting_faults(target: Target) -> list[str]:
    try:
        config = engine_class(target.engine).Config
        config.model_validate(target.settings)
    except ValidationError as error:
        return yaml_config.validation_faults(error, config, "target.settings.")
    except LeansortError as error:
        return [f"target.engine: {error}"]
    return []


def _precision_faults(target: Target, quantized: bool) -> list[str]:
    wanted = target.precision
    if wanted is None:
        return []
    if "precision" in target.settings:
        return ["target.precision: target.settings.precision says it too; leave one of them out"]
    if wanted == "int8":
        return [] if quantized else ["target.precision: int8 needs a quantize step among compress.steps"]
    if quantized:
        return [f"target.precision: {wanted} contradicts the quantize step among compress.steps"]
    if wanted == "bfloat16" and not _computes_bfloat16(target.engine):
        return [
            f"target.precision: {target.engine or 'the default engine'} does not compute in bfloat16; openvino does"
        ]
    return []


def _computes_bfloat16(engine: str) -> bool:
    try:
        return bool(engine) and "precision" in engine_class(engine).Config.model_fields
    except LeansortError:
        return True  # what the engine lacks is said in its own words


def _limit_faults(target: Target) -> list[str]:
    faults = [str(not_one_of("target.limits", name, LIMITS)) for name in target.limits if name not in LIMITS]
    return faults + [
        f"target.limits.{name}: got {value}, need a number over 0"
        for name, value in target.limits.items()
        if not value > 0
    ]
