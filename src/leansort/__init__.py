"""leansort: from labelled photos of trash to the smallest, fastest classifier that still sorts right.

    import leansort
    result = leansort.run("sample")              # the whole job: data, training, export, measurement, report
    leansort.predict(result.bundle, "photos/")   # what the bundle says of pictures

    from leansort import Classifier              # on the robot
    with Classifier.load("model.leansort") as classifier:
        print(classifier.predict("photo.jpg").label)

The verbs are those of the command line, and take the same. Importing this package loads nothing else; names are fetched
at first use.
"""

import os
from typing import TYPE_CHECKING

from leansort.core.process import telemetry
from leansort.core.public_package import publish

# OpenCV allocates whatever a picture's header promises, up to this many pixels, and a PNG of 100 KB may promise
# gigabytes. It reads the limit once, as it is imported, so this stands before all of leansort that does.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))

telemetry.switch_off()  # before any library that would report is imported

if TYPE_CHECKING:
    from leansort.api import compare, load_recipe, predict
    from leansort.core.bundle import Bundle
    from leansort.core.errors import (
        EngineError,
        IntegrityError,
        LeansortError,
        MachineError,
        MissingExtraError,
        UserError,
    )
    from leansort.core.process.console import silence_messages
    from leansort.measure.comparison.comparison_result import ComparisonResult
    from leansort.recipe.schema import Recipe
    from leansort.runtime.predictions import Predictions
    from leansort.runtime.predictor import Classifier, Prediction

__version__ = "0.1.0"
__all__ = [
    "Bundle",
    "Classifier",
    "ComparisonResult",
    "EngineError",
    "IntegrityError",
    "LeansortError",
    "MachineError",
    "MissingExtraError",
    "Prediction",
    "Predictions",
    "Recipe",
    "UserError",
    "__version__",
    "compare",
    "load_recipe",
    "predict",
    "silence_messages",
]

publish(
    __name__,
    {
        "leansort.api": ("compare", "load_recipe", "predict"),
        "leansort.core.bundle": ("Bundle",),
        "leansort.core.errors": (
            "EngineError", "IntegrityError", "LeansortError", "MachineError", "MissingExtraError", "UserError",
        ),
        "leansort.core.process.console": ("silence_messages",),
        "leansort.measure.comparison.comparison_result": ("ComparisonResult",),
        "leansort.recipe.schema": ("Recipe",),
        "leansort.runtime.predictions": ("Predictions",),
        "leansort.runtime.predictor": ("Classifier", "Prediction"),
    },
)  # fmt: skip
