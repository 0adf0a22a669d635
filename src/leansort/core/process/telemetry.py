"""No library that leansort uses reports on it: what each is told, before it is imported.

ONNX Runtime's Linux and Windows builds send what is run to Microsoft and keep an identity of the machine in the
user's cache; OpenVINO and NNCF report to Google from a forked child, OpenVINO as early as its import. All of this can
be told by environment variables, which child processes inherit, but OpenVINO, whose only switch is a file in the
user's home. That one is made to miss the library that it reports by, and then does what it does wherever that is not
installed.
"""

from __future__ import annotations

import os
import sys

SWITCHES = {
    "DO_NOT_TRACK": "1",  # Hugging Face's hub, MLflow and others
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "NNCF_CI": "1",  # its one switch, read at import
    "ORT_DISABLE_TELEMETRY": "1",  # read as ONNX Runtime is imported
    "RAY_USAGE_STATS_ENABLED": "0",
    "WANDB_ERROR_REPORTING": "false",  # crashes of its own, to its makers; the run goes where it was asked for
}
REPORTER = "openvino_telemetry"


def switch_off() -> None:
    """Keep libraries that are imported from now on, here and in child processes, from reporting."""
    os.environ.update(SWITCHES)
    sys.modules[REPORTER] = None  # type: ignore[assignment]  # Python's own way to say that a module is not there
