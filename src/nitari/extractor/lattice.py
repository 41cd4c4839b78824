"""A lattice of colours, between whose nodes every colour is shared: the bins that histograms count in."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from nitari.errors import ConfigError
from nitari.images.lab import to_lab

ColourSpace = Literal["lab", "hsv"]

_BITS = 5  # of a channel that are told apart: finer differences are below JPEG's noise
_REACH = 80.0  # of Lab's opponent axes, either way; stronger colours are rare, and cut


class Lattice:
    """``bins`` nodes along each axis: lightness, green to red, blue to yellow in ``lab``; hue, saturation, value in
    ``hsv``, where greys have no hue and black has no saturation: Smith, "Color gamut transform pairs" (SIGGRAPH 1978).

    A colour is shared linearly between its eight nearest nodes, so that a slightly different one is counted almost
    alike. Nodes that no sRGB colour touches are left out; ``total`` are left.
    """

    def __init__(self, colours: ColourSpace, bins: Sequence[int]) -> None:
        if colours not in get_args(ColourSpace):
            raise ConfigError(f"extractor.colours is '{colours}'. Choose one of: {', '.join(get_args(ColourSpace))}")
        if len(bins) != 3 or not all(2 <= count <= 32 for count in bins):
            raise ConfigError(
                f"extractor.bins is {list(bins)}. Give three counts from 2 to 32, one an axis: [5, 13, 13]"
            )
        level = (np.arange(1 << _BITS) * 2 + 1) << (7 - _BITS)  # the middle of what shares a code
        rgb = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.uint8)
        round_axis = colours == "hsv"
        steps = np.array(bins) - [0 if round_axis else 1, 1, 1]
        places = (_hsv(rgb) if round_axis else _lab(rgb)) * steps
        low = np.minimum(places.astype(np.int32), steps - 1)
        share = places - low
        near, shares = [], []
        for up in itertools.product((0, 1), repeat=3):
            at = low + up
            if round_axis:
                at[:, 0] %= bins[0]
                at[at[:, 2] == 0, 1] = 0
                at[at[:, 1] == 0, 0] = 0
            near.append(np.ravel_multi_index(tuple(at.T), tuple(bins)))
            shares.append(np.where(up, share, 1 - share).prod(axis=1))
        nodes = np.stack(near, axis=1)
        self.shares = np.stack(shares, axis=1).astype(np.float32)  # (colours, 8), each row adds up to 1
        used = np.unique(nodes[self.shares > 0])
        self.total = len(used)
        self.near = np.searchsorted(used, nodes).clip(max=self.total - 1)  # (colours, 8)
        self.nearest = np.take_along_axis(self.near, self.shares.argmax(axis=1)[:, None], axis=1)[:, 0]  # (colours,)

    @staticmethod
    def codes(pixels: np.ndarray) -> np.ndarray:
        """(..., 3) uint8 RGB -> (...,) int32 rows of ``near``, ``shares`` and ``nearest``."""
        red, green, blue = np.moveaxis(pixels >> (8 - _BITS), -1, 0).astype(np.int32)
        return (red << (2 * _BITS)) | (green << _BITS) | blue

    def histograms(self, codes: np.ndarray, second: np.ndarray | None = None) -> np.ndarray:
        """Codes (n, h, w) -> (n, total) float32 shares of each node, which add up to 1.

        With ``second`` (n, h, w) bool, (n, 2 total): shares of the pixels where it is false, then of the others.
        """
        n, wide = len(codes), self.total * (1 if second is None else 2)
        base = np.arange(n)[:, None, None] * wide
        at = self.near[codes] + (base if second is None else base + second * self.total)[..., None]
        sums = np.bincount(at.ravel(), self.shares[codes].ravel(), n * wide).reshape(n, wide)
        return (sums / codes[0].size).astype(np.float32)


def _lab(rgb: np.ndarray) -> np.ndarray:
    """(n, 3) uint8 -> (n, 3) in [0, 1]."""
    return np.clip(to_lab(rgb) / [100, 2 * _REACH, 2 * _REACH] + [0, 0.5, 0.5], 0, 1)


def _hsv(rgb: np.ndarray) -> np.ndarray:
    """(n, 3) uint8 -> (n, 3) in [0, 1]: hue from red over green and blue, saturation, value."""
    red, green, blue = rgb.T / 255
    high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    spread = np.maximum(high - low, 1e-9)
    sector = np.where(high == green, (blue - red) / spread + 2, (red - green) / spread + 4)
    hue = np.where(high == red, (green - blue) / spread % 6, sector) / 6
    return np.stack([hue % 1, (high - low) / np.maximum(high, 1e-9), high], axis=1)
