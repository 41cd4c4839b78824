"""Histograms of oriented gradients: the shape of what is seen, without learning. The baseline that training must beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from nitari.errors import ConfigError
from nitari.space import Space

BINS = 9
_CLIP = 0.2


class HogExtractor:
    """Dalal and Triggs, "Histograms of oriented gradients for human detection" (CVPR 2005): square-root gamma, the
    strongest colour channel, 9 unsigned orientations shared by linear interpolation, 2 x 2 cell blocks, L2-Hys.

    The picture is stretched to ``size`` x ``size``. ``mirror`` adds the histogram of the mirrored picture, which is a
    permutation of this one's cells and orientations and so costs next to nothing.
    """

    def __init__(
        self,
        name: str = "hog",
        size: int = 64,
        cell: int = 8,
        mirror: bool = True,
        postprocess: Mapping[str, Any] | None = None,
    ) -> None:
        if cell < 2 or size % cell or size // cell < 2:
            raise ConfigError(
                f"extractor.size is {size} and extractor.cell {cell}. Give a whole number of cells, at least 2"
            )
        self.name = name
        self.size = self.side = size
        self.cell = cell
        self.mirror = mirror
        self.postprocess = postprocess
        self.cells = size // cell
        self.space = Space(name, "cosine", (self.cells - 1) ** 2 * 4 * BINS, "float32")

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.extractor.hog.HogExtractor",
            "name": self.name,
            "size": self.size,
            "cell": self.cell,
            "mirror": self.mirror,
        }

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, (size / cell - 1)² x 36) float32."""
        vectors = np.empty((len(images), self.space.dim), np.float32)
        for start in range(0, len(images), _CHUNK):
            part = slice(start, start + _CHUNK)
            cells = self._cells([_resized(image, self.size) for image in images[part]])
            vectors[part] = _blocks(cells)
            if self.mirror:  # an angle a becomes pi - a: bin b becomes bin -b
                vectors[part] += _blocks(np.roll(cells[:, :, ::-1, ::-1], 1, axis=3))
        return vectors

    def _cells(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (size, size, 3) uint8 -> (n, cells, cells, 9) sums of gradient magnitude by orientation."""
        gamma = np.pad(_GAMMA[np.stack(pictures)], ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        across = gamma[:, 1:-1, 2:] - gamma[:, 1:-1, :-2]
        down = gamma[:, 2:, 1:-1] - gamma[:, :-2, 1:-1]
        squares = across * across + down * down
        dx, dy, strongest = across[..., 0].copy(), down[..., 0].copy(), squares[..., 0].copy()
        for channel in (1, 2):
            stronger = squares[..., channel] > strongest
            for best, values in ((dx, across), (dy, down), (strongest, squares)):
                np.copyto(best, values[..., channel], where=stronger)
        magnitude = np.sqrt(strongest)
        position = np.arctan2(dy, dx) * np.float32(BINS / np.pi)
        position += np.float32(BINS) * (position < 0)
        low = np.minimum(position.astype(np.int32), BINS - 1)
        share = magnitude * (position - low)
        row = np.arange(self.size) // self.cell
        picture = np.arange(len(pictures))[:, None, None] * self.cells**2
        base = (picture + row[:, None] * self.cells + row) * BINS
        n = len(pictures) * self.cells**2 * BINS
        sums = np.bincount((base + low).ravel(), (magnitude - share).ravel(), n)
        sums += np.bincount((base + (low + 1) % BINS).ravel(), share.ravel(), n)
        return sums.reshape(len(pictures), self.cells, self.cells, BINS).astype(np.float32)


_CHUNK = 4  # pictures at a time: what they need stays in the processor's cache
_GAMMA = np.sqrt(np.arange(256, dtype=np.float32) / 255)


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def _blocks(cells: np.ndarray) -> np.ndarray:
    """(n, c, c, 9) -> (n, (c - 1)² x 36): overlapping 2 x 2 blocks, unit length, clipped at 0.2, unit length again."""
    corners = [cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]]
    blocks = np.concatenate(corners, axis=3)
    for clip in (_CLIP, None):
        blocks /= np.sqrt(np.einsum("nijk,nijk->nij", blocks, blocks) + np.float32(1e-2))[..., None]
        if clip:
            np.minimum(blocks, np.float32(clip), out=blocks)
    return blocks.reshape(len(cells), -1)
