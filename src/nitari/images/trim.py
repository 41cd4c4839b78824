"""Uniform borders: the bars and frames around a picture that say nothing of what is in it."""

from __future__ import annotations

import numpy as np

TOLERANCE = 16
"""Levels of 255 that a border may vary by: what JPEG does to one colour."""


def trim(pixels: np.ndarray, tolerance: int = TOLERANCE) -> np.ndarray:
    """(H, W, 3) uint8 -> a view of it without the lines at its edges that are all of one colour.

    Each side has a colour of its own, and bars within bars are cut too. A picture of one colour comes back whole.
    """
    inner, before = pixels, None
    while inner.shape != before:
        before = inner.shape
        for _ in range(4):  # top, left, bottom, right
            cut = _border(inner, tolerance)
            if cut == len(inner):
                return pixels
            inner = np.rot90(inner[cut:], -1)
    return inner


def _border(pixels: np.ndarray, tolerance: int) -> int:
    """How many of the first rows have, in every pixel, about the colour that is the first row's median."""
    colour = np.median(pixels[0], axis=0)
    low, high = np.clip((colour - tolerance, colour + tolerance), 0, 255).astype(np.uint8)
    for cut, row in enumerate(pixels):
        if (row < low).any() or (row > high).any():
            return cut
    return len(pixels)
