"""RGB of luma and chroma in numpy, with OpenCV's whole-number weights: ITU-R BT.601, Y of 16 to 235."""

from __future__ import annotations

import numpy as np

from leansort.core.pixels import Image

_SHIFT = 20
_ROUND = 1 << (_SHIFT - 1)
_Y, _RED_V, _GREEN_U, _GREEN_V, _BLUE_U = 1220542, 1673527, -409993, -852492, 2116026  # times 2 ** -20


def rgb_of(y_hw: Image, u_hw: Image, v_hw: Image) -> Image:
    """Return uint8 RGB (h, w, 3).

    Args:
        y_hw: luma.
        u_hw: blue less luma, around 128, one for every pixel.
        v_hw: red less luma.
    """
    light = np.maximum(y_hw.astype(np.int32) - 16, 0) * _Y + _ROUND
    u, v = u_hw.astype(np.int32) - 128, v_hw.astype(np.int32) - 128
    channels = (light + _RED_V * v, light + _GREEN_U * u + _GREEN_V * v, light + _BLUE_U * u)
    return np.stack([np.clip(value >> _SHIFT, 0, 255) for value in channels], axis=-1).astype(np.uint8)
