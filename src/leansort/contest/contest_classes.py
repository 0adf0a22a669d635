"""The contest's six classes, and how many crops of each its training set has."""

from __future__ import annotations

CONTEST_CLASSES = ("Metal", "Paper", "Paperpack", "Plastic", "Plasticbag", "Styrofoam")
TRAINING_CROPS = (1168, 4826, 1020, 2655, 4879, 1092)
