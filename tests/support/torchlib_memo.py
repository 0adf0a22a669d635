"""The exporter's list of what each operator of PyTorch becomes, worked out once a process rather than at every export.

ONNX Script parses the source of some 500 functions each time that `torch.onnx.export` asks for the list, which takes
half a second, a quarter of a small network's export; tests export hundreds. The list is the same each time, and no
export changes it.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

from torch.onnx._internal import _lazy_import

APIS: Any = vars(_lazy_import)["onnxscript_apis"]


@functools.cache
def operators() -> Any:
    """The list, made when it is first asked for."""
    return importlib.import_module(APIS._name).get_torchlib_ops()


def remember_operators() -> None:
    """Have the exporter take the list that is kept."""
    APIS.get_torchlib_ops = operators  # of the object that imports the module when an attribute is missing
