"""Where which colours are: histograms over a grid of cells, compared by the Hellinger distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from nitari.errors import ConfigError
from nitari.space import Space, unit

GREYS = 6
"""Colours of little saturation or value have no hue to speak of: they are told apart by value alone."""


class ColourExtractor:
    """``grid`` x ``grid`` cells of the picture, in each a histogram of ``hues`` x 3 saturations x 3 values, and greys.

    The square root of the shares is taken, so that the dot product of two vectors is the Bhattacharyya coefficient:
    Arandjelović and Zisserman, "Three things everyone should know to improve object retrieval" (CVPR 2012).
    """

    side = 32

    def __init__(
        self, name: str = "colour", grid: int = 2, hues: int = 12, postprocess: Mapping[str, Any] | None = None
    ) -> None:
        if not 1 <= grid <= 8 or not 2 <= hues <= 60:
            raise ConfigError(f"extractor.grid is {grid} and hues {hues}. Choose grid 1 to 8 and hues 2 to 60")
        self.name = name
        self.grid = grid
        self.hues = hues
        self.postprocess = postprocess
        self.bins = hues * 9 + GREYS
        self.space = Space(name, "cosine", grid * grid * self.bins, "float32")

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.extractor.colour.ColourExtractor",
            "name": self.name,
            "grid": self.grid,
            "hues": self.hues,
        }

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, dim) float32, unit norm."""
        side = 32 // self.grid * self.grid
        small = np.empty((len(images), side, side, 3), np.uint8)
        for image, out in zip(images, small, strict=True):
            out[:] = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX))
        levels = small.astype(np.int32) >> 3
        colours = _bins(self.hues)[levels[..., 0] << 10 | levels[..., 1] << 5 | levels[..., 2]]  # (n, side, side)
        cells = np.arange(side) * self.grid // side
        first = (cells[:, None] * self.grid + cells[None]) * self.bins  # (side, side): where each pixel's cell begins
        picture = np.arange(len(images))[:, None, None] * self.space.dim
        counts = np.bincount((picture + first + colours).ravel(), minlength=len(images) * self.space.dim)
        return unit(np.sqrt(counts.reshape(len(images), self.space.dim).astype(np.float32)))


@cache
def _bins(hues: int) -> np.ndarray:
    """(32768,) the bin of each colour of 5 bits a channel, hue edges half a step off so that pure colours sit inside."""
    levels = (np.arange(32) * 255 / 31).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(1, -1, 3)
    hue, saturation, value = np.asarray(Image.fromarray(colours).convert("HSV"))[0].astype(np.int64).T
    bins = ((hue * hues + 128) // 256 % hues) * 9 + np.clip((saturation - 40) // 72, 0, 2) * 3 + value * 3 // 256
    grey = (saturation < 40) | (value < 32)
    return np.where(grey, hues * 9 + value * GREYS // 256, bins)
