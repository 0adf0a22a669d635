"""Where a result comes from: versions, host, recipe and data digests. No clock: equal work gives equal bytes."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

LIBRARIES = (
    "numpy",
    "opencv-python-headless",
    "onnxruntime",
    "openvino",
    "ncnn",
    "ai-edge-litert",
    "onnx",
    "torch",
    "torchvision",
    "lightning-fabric",
)


def versions() -> dict[str, str]:
    """Versions of leansort, Python and those libraries that decide results, where installed."""
    known = {"python": platform.python_version()}
    for name in ("leansort", *LIBRARIES):
        try:
            known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return known


def cpu_model() -> str:
    """The processor's own name, as the operating system gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def host() -> dict[str, Any]:
    """The machine: processor, its cores that this process may use, operating system."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": cpu_model(), "cores": usable, "system": f"{platform.system()} {platform.machine()}"}


def provenance(**more: Any) -> dict[str, Any]:
    """Versions and host together with what the caller knows (recipe digest, data digest, seed)."""
    return {"versions": versions(), "host": host(), "platform": sys.platform, **more}
