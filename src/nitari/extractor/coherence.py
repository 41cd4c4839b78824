"""Which colours a picture has, those of large areas apart from those that are scattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from nitari.errors import ConfigError
from nitari.extractor.kernel import FeatureMap, HistogramDistance
from nitari.extractor.lattice import ColourSpace, Lattice
from nitari.space import Space

_CHUNK = 16  # pictures at a time: what they need stays in the processor's cache


class CoherenceExtractor:
    """Pass, Zabih and Miller, "Comparing images using color coherence vectors" (ACM Multimedia 1996): of each colour, the
    share of pixels in connected areas of at least ``least`` of the picture, and the share of the others.

    The picture is stretched to ``size`` x ``size`` and blurred by a mean over 3 x 3. Areas are of one nearest node of a
    ``Lattice``; other than in the paper, their pixels are then shared between near nodes, which retrieves far better. It
    compares by the sum of absolute differences, which is twice the distance ``intersection``.
    """

    def __init__(
        self,
        name: str = "coherence",
        size: int = 48,
        colours: ColourSpace = "lab",
        bins: Sequence[int] = (4, 7, 7),
        least: float = 0.01,
        distance: HistogramDistance = "hellinger",
        order: int = 1,
        postprocess: Mapping[str, Any] | None = None,
    ) -> None:
        if not 8 <= size <= 256:
            raise ConfigError(f"extractor.size is {size}. Choose 8 to 256 pixels")
        if not 0 < least < 1:
            raise ConfigError(f"extractor.least is {least}. Give a share of the picture between 0 and 1: 0.01")
        self.lattice = Lattice(colours, bins)
        self.map = FeatureMap(distance, order)
        self.name = name
        self.size = self.side = size
        self.colours = colours
        self.bins = tuple(bins)
        self.least = least
        self.distance = distance
        self.order = order
        self.postprocess = postprocess
        self.space = Space(name, "cosine", self.map.factor * 2 * self.lattice.total, "float32")

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.extractor.coherence.CoherenceExtractor",
            "name": self.name,
            "size": self.size,
            "colours": self.colours,
            "bins": list(self.bins),
            "least": self.least,
            "distance": self.distance,
            "order": self.order,
        }

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, dim) float32, unit norm."""
        vectors = np.empty((len(images), self.space.dim), np.float32)
        for start in range(0, len(images), _CHUNK):
            part = slice(start, start + _CHUNK)
            small = np.stack([_resized(image, self.size) for image in images[part]])
            vectors[part] = self.map(self.shares(_blurred(small)))
        return vectors

    def shares(self, pictures: np.ndarray) -> np.ndarray:
        """(n, size, size, 3) uint8 -> (n, 2 total) float32 that add up to 1: scattered, then coherent, of each colour."""
        codes = self.lattice.codes(pictures)
        starts, lengths, areas = connected(self.lattice.nearest[codes])
        pixels = np.bincount(areas, lengths, len(starts))[areas]
        coherent = np.repeat(pixels >= self.least * self.size**2, lengths)
        return self.lattice.histograms(codes, coherent.reshape(codes.shape))


def connected(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Connected areas of one colour, of eight neighbours each, in (n, height, width) pictures of integers.

    Gives the horizontal runs of one colour, in order: where each starts in the flat array, its length, and its area as
    the number of the area's first run; all (runs,). Runs that touch are united by hooking roots onto smaller ones and
    then doubling pointers, all at once: Shiloach and Vishkin, "An O(log n) parallel connectivity algorithm" (1982).
    """
    first = np.ones(colours.shape, bool)
    first[:, :, 1:] = colours[:, :, 1:] != colours[:, :, :-1]
    starts = np.flatnonzero(first)
    lengths = np.diff(starts, append=colours.size)
    run = np.cumsum(first.ravel()).reshape(colours.shape) - 1
    above, below = colours[:, :-1], colours[:, 1:]
    straight = above == below
    touching = straight & (first[:, :-1] | first[:, 1:])  # once for each pair of runs
    falling = (above[:, :, :-1] == below[:, :, 1:]) & ~straight[:, :, :-1] & ~straight[:, :, 1:]
    rising = (above[:, :, 1:] == below[:, :, :-1]) & ~straight[:, :, :-1] & ~straight[:, :, 1:]
    upper, lower = run[:, :-1], run[:, 1:]
    a = np.concatenate([upper[touching], upper[:, :, :-1][falling], upper[:, :, 1:][rising]])
    b = np.concatenate([lower[touching], lower[:, :, 1:][falling], lower[:, :, :-1][rising]])
    areas = np.arange(len(starts))
    while len(a):
        np.minimum.at(areas, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(areas, roots := areas[areas]):
            areas = roots
        a, b = areas[a], areas[b]
        apart = a != b
        a, b = a[apart], b[apart]
    return starts, lengths, areas


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BOX))


def _blurred(pictures: np.ndarray) -> np.ndarray:
    """(n, h, w, 3) uint8 -> the same shape: means over 3 x 3, of what is inside the frame's repeated edge."""
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge").astype(np.uint16)
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return ((rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) // 9).astype(np.uint8)
