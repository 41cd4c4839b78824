"""The image signature: whether each part of a picture is lighter or darker than the parts around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nitari.images.trim import trim
from nitari.space import Space

GRID = 9
AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
_GREY = np.array([0.2125, 0.7154, 0.0721]) / 255
_ALIKE = 2 / 255  # a smaller difference of grey is none
_CROP = (5, 95)  # percent of all change along a side that the grid spans


class SignatureExtractor:
    """Wong, Bern and Goldberg, "An image signature for any kind of image" (ICIP 2002), as the package ``image-match``
    computes it: 9 x 9 points, spread over where the picture changes, and for each of them its 8 neighbours: 2 or -2 much
    lighter or darker, 1 or -1 a little, 0 alike or outside. Copies lie within about 0.4, and so may what is composed alike.

    A picture of one colour gets zeros. ``trim`` cuts uniform borders first.
    """

    postprocess = None
    side = 96

    def __init__(self, name: str = "signature", trim: bool = False) -> None:
        self.name = name
        self.trim = trim
        self.space = Space(name, "normalized_l2", GRID * GRID * len(AROUND), "int8")

    @property
    def spec(self) -> dict[str, Any]:
        return {"_target_": "nitari.extractor.signature.SignatureExtractor", "name": self.name, "trim": self.trim}

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, 648) int8: the 8 neighbours of each point, row by row."""
        levels = np.empty((len(images), GRID, GRID))
        for image, out in zip(images, levels, strict=True):
            out[:] = _levels((trim(image) if self.trim else image) @ _GREY)
        around = np.pad(levels, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
        apart = np.stack([levels - around[:, 1 + y : 1 + y + GRID, 1 + x : 1 + x + GRID] for y, x in AROUND], axis=3)
        apart = np.nan_to_num(apart).reshape(len(images), self.space.dim)
        size = np.abs(apart)
        apart[size < _ALIKE] = 0
        # Each difference is there twice, once with either sign: one median serves both.
        ranked = np.sort(np.where(apart == 0, np.inf, size), axis=1)
        count = np.count_nonzero(apart, axis=1)[:, None]
        middle = (
            np.take_along_axis(ranked, np.maximum(count - 1, 0) // 2, 1) + np.take_along_axis(ranked, count // 2, 1)
        ) / 2
        return (np.sign(apart) * np.where(size > middle, 2, 1)).astype(np.int8)


def _levels(grey: np.ndarray) -> np.ndarray:
    """(H, W) grey from 0 to 1 -> (9, 9): its mean in the square around each point of the grid."""
    side = max(2, int(0.5 + min(grey.shape) / 20))
    sums = np.pad(grey.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    (top, bottom), (left, right) = (_windows(np.abs(np.diff(grey, axis=axis)).sum(axis=axis), side) for axis in (1, 0))
    totals = sums[bottom][:, right] - sums[bottom][:, left] - sums[top][:, right] + sums[top][:, left]
    return totals / np.outer(bottom - top, right - left)


def _windows(change: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) change within each line -> where the squares around the 9 points along them start and stop."""
    n = len(change)
    total = change.cumsum()
    low, high = np.percentile(total, _CROP)
    first, last = int(np.searchsorted(total, low, "right")), int(np.searchsorted(total, high, "left"))
    if first > last:  # next to nothing to see
        first, last = (int(share / 100 * n) for share in _CROP)
    centres = np.linspace(first, last, GRID + 2, dtype=int)[1:-1]
    start = np.maximum(centres - side / 2, 0).astype(int)
    return start, np.minimum(start + side, n)
