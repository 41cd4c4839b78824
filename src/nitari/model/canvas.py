"""The square a network sees: any picture fitted to ``side`` x ``side``, the same in training, extraction and serving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from PIL import Image

from nitari.errors import ConfigError

Fit = Literal["stretch", "pad"]
GREY = 128


def canvas(images: Sequence[np.ndarray], side: int, fit: str = "stretch") -> np.ndarray:
    """n pictures, (H, W, 3) uint8 RGB of any size -> (n, side, side, 3) uint8.

    ``stretch`` gives up the aspect and uses every pixel; ``pad`` keeps it, on grey. Pillow's bilinear filter widens
    with the reduction, so that shrinking does not alias.
    """
    if fit not in get_args(Fit):
        raise ConfigError(f"fit is '{fit}'. Choose one of: {', '.join(get_args(Fit))}")
    out = np.empty((len(images), side, side, 3), np.uint8)
    for image, square in zip(images, out, strict=True):
        height, width = image.shape[:2]
        if (height, width) == (side, side):
            square[:] = image
        elif fit == "stretch":
            square[:] = _resize(image, side, side)
        else:
            scale = side / max(height, width)
            h, w = max(1, round(height * scale)), max(1, round(width * scale))
            top, left = (side - h) // 2, (side - w) // 2
            square[:] = GREY
            square[top : top + h, left : left + w] = _resize(image, w, h)
    return out


def _resize(image: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
