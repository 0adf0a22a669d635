"""`leansort doctor`: what is installed here, which engines work and how fast, what is wrong and how to mend it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from leansort.core import bundle as bundles
from leansort.core import pixels
from leansort.core.errors import LeansortError, one_line
from leansort.core.files.typed_result import JsonObject, TypedResult
from leansort.core.folders.user_cache import cache_folder
from leansort.core.provenance import versions
from leansort.core.text.columns import align_columns
from leansort.measure import engine_trial
from leansort.measure.timing import latency, machine, timing_lock
from leansort.runtime import engine as engines
from leansort.runtime.shipped_models import default_model, list_models

SECONDS = 0.3  # of each engine
LEAST_FREE = 1 << 30  # bytes of disk
PINNED_TORCH = "2.13.0"
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)[^;]*;\s*.*extra == ['\"]([a-z-]+)['\"]")


class Check(TypedResult):
    """One thing that was looked at.

    Attributes:
        name: of it.
        state: `ok`; `note`: it works, and could be better; `fault`: something will fail.
        text: what was found.
        remedy: what to do, where there is something.
    """

    name: str
    state: Literal["ok", "note", "fault"]
    text: str
    remedy: str = ""


class DoctorResult(TypedResult):
    """What `leansort doctor` found.

    Attributes:
        checks: in the order that they were made.
        machine: as `bench` names it.
        engine_ms: median of a call by engine, of the default model of the package, one image, one thread.
        warning: where other work kept the machine busy meanwhile.
    """

    checks: tuple[Check, ...]
    machine: JsonObject
    engine_ms: dict[str, float]
    warning: str = ""

    @property
    def faults(self) -> int:
        """Number of things that will fail."""
        return sum(check.state == "fault" for check in self.checks)

    def headline(self) -> dict[str, str]:
        """Return what is wrong, and how fast the engines are."""
        wrong = {check.name: f"{check.text}; {check.remedy}" for check in self.checks if check.state == "fault"}
        return {**wrong, **{name: f"{ms:.2f} ms" for name, ms in self.engine_ms.items()}}


def examine() -> DoctorResult:
    """Look at this installation and this machine; takes some seconds."""
    watch = machine.LoadWatch()
    times = dict[str, float]()
    checks = [_python(), _pixels(), *_extras(), *_models(), *_engines(times), _cache(), *_disk(), *_torch()]
    warning = watch.warning()
    return DoctorResult(checks=tuple(checks), machine=machine.machine_state(), engine_ms=times, warning=warning)


def doctor_text(result: DoctorResult) -> str:
    """Return the checks as a table, with what to do behind each that is not in order."""
    rows = [[check.state, check.name, check.text] for check in result.checks]
    lines = [align_columns(rows, left=3)]
    lines += [f"{check.name}: {check.remedy}" for check in result.checks if check.remedy]
    lines += [f"warning: {result.warning}"] if result.warning else []
    faults = result.faults
    return "\n".join([*lines, f"{faults} fault{'' if faults == 1 else 's'}" if faults else "everything works"])


def _python() -> Check:
    known = versions()
    return Check(name="leansort", state="ok", text=f"{known['leansort']} on Python {platform.python_version()}")


def _pixels() -> Check:
    if pixels.default_backend() == "opencv":
        return Check(name="decoding", state="ok", text="OpenCV")
    remedy = "OpenCV decodes and resizes faster, with the same pixels: pip install 'leansort[opencv]'"
    return Check(name="decoding", state="note", text="Pillow", remedy=remedy)


def _extras() -> Iterator[Check]:
    """Each extra: whether all distributions that it asks for are there."""
    wanted: dict[str, list[str]] = {}
    for text in importlib.metadata.requires("leansort") or ():
        if found := _REQUIREMENT.match(text):
            wanted.setdefault(found[2], []).append(found[1])
    for extra, names in sorted(wanted.items()):
        others = [name for name in names if name != "leansort"]
        missing = [name for name in others if installed_version(name) is None]
        if extra in ("all", "dev") or not others:
            continue
        if not missing:
            shown = ", ".join(f"{name} {installed_version(name)}" for name in others[:3])
            yield Check(name=f"extra {extra}", state="ok", text=shown + (" …" if len(others) > 3 else ""))
        elif others[0] not in missing:  # the library that the extra is there for
            yield Check(
                name=f"extra {extra}", state="note", text=f"in part: no {', '.join(missing)}",
                remedy=f"pip install 'leansort[{extra}]'",
            )  # fmt: skip
        else:
            yield Check(name=f"extra {extra}", state="ok", text=f"not installed (pip install 'leansort[{extra}]')")


def installed_version(distribution: str) -> str | None:
    """Return the version of a distribution; None where it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _models() -> Iterator[Check]:
    """Each model that is known by name is opened, so its hashes are checked."""
    for name, model in sorted(list_models().items()):
        try:
            bundle = bundles.load(model.path)
        except LeansortError as error:
            remedy = "install leansort anew" if model.origin == "leansort" else f"mend or remove it from {model.origin}"
            yield Check(name=f"model {name}", state="fault", text=one_line(error), remedy=remedy)
        else:
            size = len(bundle.to_bytes()) / 1e6
            yield Check(name=f"model {name}", state="ok", text=f"{size:.2f} MB, {len(bundle.labels)} classes")


def _engines(times: dict[str, float]) -> Iterator[Check]:
    """Each installed engine loads and runs a model of the package in a child process, and is then timed."""
    model = default_model()
    bundle = bundles.load(model.path)
    names = engines.installed_engines(bundle.graph_format)
    faults = engine_trial.find_faults([(bundle, name) for name in names], batches=engine_trial.SINGLES)
    sound = [name for name, fault in zip(names, faults, strict=True) if not fault]
    with timing_lock.exclusive_timing():
        taken = latency.time_interleaved({name: latency.call(bundle, name) for name in sound}, seconds=SECONDS)
    times |= {name: 1e3 * float(np.median(seconds)) for name, seconds in taken.items()}
    for name in sorted(set(engines.installed_engines()) - set(names)):
        formats = ", ".join(engines.engine_class(name).formats)
        text = f"reads {formats}, which no model of the package is; not tried"
        yield Check(name=f"engine {name}", state="ok", text=text)
    for name, fault in zip(names, faults, strict=True):
        if fault:
            yield Check(
                name=f"engine {name}", state="fault", text=one_line(fault), remedy="use another engine by --engine"
            )
        else:
            yield Check(name=f"engine {name}", state="ok", text=f"{times[name]:.3f} ms a photo, {model.name} alone")


def _cache() -> Check:
    folder = cache_folder("doctor")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        remedy = "set XDG_CACHE_HOME to a folder that can be written"
        return Check(name="cache", state="note", text=f"{folder.parent}: {error.strerror or error}", remedy=remedy)
    size = sum(path.stat().st_size for path in folder.parent.rglob("*") if path.is_file() and not path.is_symlink())
    return Check(name="cache", state="ok", text=f"{folder.parent}, {size / 1e6:.0f} MB")


def _disk() -> Iterator[Check]:
    """Room in the working and the temporary folder."""
    for name, folder in (("working folder", Path.cwd()), ("temporary folder", Path(tempfile.gettempdir()))):
        free, can_write = shutil.disk_usage(folder).free, os.access(folder, os.W_OK)
        text = f"{folder}, {free / 1e9:.1f} GB free" + ("" if can_write else ", cannot be written")
        state: Literal["ok", "note"] = "ok" if free >= LEAST_FREE and can_write else "note"
        remedy = "" if state == "ok" else "make room, or name other folders by --out and TMPDIR"
        yield Check(name=name, state=state, text=text, remedy=remedy)


def _torch() -> Iterator[Check]:
    """PyTorch's version, which is pinned, since exact resume and exports are tested with one."""
    found = installed_version("torch")
    if found is None:
        return
    if found.partition("+")[0] == PINNED_TORCH:
        yield Check(name="torch", state="ok", text=found)
    else:
        remedy = f"pip install torch=={PINNED_TORCH}"
        yield Check(name="torch", state="note", text=f"{found}, tested with {PINNED_TORCH}", remedy=remedy)
