"""Which optional extra brings a library, so that one that is missing is said by the name that pip takes."""

from __future__ import annotations

from leansort.core.errors import MissingExtraError

_TRAIN = (
    "cv2", "jinja2", "lightning_fabric", "ml_dtypes", "msgspec", "onnx", "onnxscript", "pyarrow", "safetensors",
    "tensorboard", "torch", "torchvision", "urllib3", "yaml",
)  # fmt: skip
EXTRAS = dict.fromkeys(_TRAIN, "train") | {
    "ai_edge_litert": "litert",
    "aiohttp": "cloud",
    "av": "video",
    "fsspec": "cloud",
    "huggingface_hub": "timm",
    "ncnn": "ncnn",
    "nncf": "compress",
    "openvino": "openvino",
    "optuna": "tune",
    "paho": "mqtt",
    "psycopg": "postgresql",
    "pytest": "testing",
    "ray": "ray",
    "s3fs": "cloud",
    "sqlalchemy": "tune",
    "tensorly": "compress",
    "tflite_micro": "litert-micro",
    "timm": "timm",
    "torch_pruning": "compress",
}
WITH_MORE = ("tune", "compress")  # verbs whose extra of the same name brings all that they need


def missing_extra(error: ModuleNotFoundError, verb: str) -> MissingExtraError | None:
    """Return the error that names the extra to install; None where the module is of no extra.

    Args:
        error: what Python raised.
        verb: the command or public function that was asked for.
    """
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        return None
    return for_verb(MissingExtraError(module, EXTRAS[module]), verb)


def for_verb(error: MissingExtraError, verb: str) -> MissingExtraError:
    """Return the error with the extra that brings all that the verb needs, so that nobody installs twice.

    Extras that a verb's own does not bring, such as an engine's, stay as they are.
    """
    return MissingExtraError(error.module, verb) if verb in WITH_MORE and error.extra == "train" else error
