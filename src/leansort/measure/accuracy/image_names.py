"""What a list of images is called in answers and ground truth."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def image_names(pictures: Sequence[Path]) -> list[str]:
    """Return the names of images in a file of answers.

    That is the file name; where one is there twice, the path below the folder that all share.
    """
    short = [path.name for path in pictures]
    if len(set(short)) == len(short):
        return short
    whole = [path.absolute() for path in pictures]
    above = os.path.commonpath([path.parent for path in whole])
    return [path.relative_to(above).as_posix() for path in whole]
