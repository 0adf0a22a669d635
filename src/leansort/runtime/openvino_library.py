"""The one place through which OpenVINO and NNCF are imported: silent, and named where they are missing."""

from __future__ import annotations

import logging
from typing import Any

from leansort.core.errors import MissingExtraError
from leansort.core.process import telemetry


def import_openvino(extra: str = "openvino") -> Any:
    """Import OpenVINO.

    Args:
        extra: of leansort's, that brings it for what it is needed for.

    Raises:
        MissingExtraError: it is not installed.
    """
    telemetry.switch_off()  # again: a program may have undone it since it imported leansort
    try:
        import openvino
        import openvino.passes
    except ImportError:
        raise MissingExtraError("openvino", extra) from None
    return openvino


def import_nncf() -> Any:
    """Import NNCF, so that it says nothing, neither to the terminal nor of our work to its makers.

    Raises:
        MissingExtraError: it or OpenVINO is not installed.
    """
    import_openvino("compress")
    try:
        import nncf
        import nncf.quantization.range_estimator
    except ImportError:
        raise MissingExtraError("nncf", "compress") from None
    nncf.set_log_level(logging.ERROR)
    return nncf
