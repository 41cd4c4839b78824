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
        for image, out in zip(images, vectors, strict=True):
            cells = self._cells(image)
            out[:] = _blocks(cells)
            if self.mirror:  # an angle a becomes pi - a: bin b becomes bin -b
                out += _blocks(np.roll(cells[:, ::-1, ::-1], 1, axis=2))
        return vectors

    def _cells(self, image: np.ndarray) -> np.ndarray:
        """(cells, cells, 9) sums of gradient magnitude by orientation."""
        small = Image.fromarray(image).resize((self.size, self.size), Image.Resampling.BILINEAR)
        gamma = np.pad(_GAMMA[np.asarray(small)], ((1, 1), (1, 1), (0, 0)), mode="edge")
        dx = gamma[1:-1, 2:] - gamma[1:-1, :-2]
        dy = gamma[2:, 1:-1] - gamma[:-2, 1:-1]
        squares = dx * dx + dy * dy
        channel = squares.argmax(axis=2)[..., None]
        dx, dy, squares = (np.take_along_axis(values, channel, 2)[..., 0] for values in (dx, dy, squares))
        magnitude = np.sqrt(squares)
        position = np.arctan2(dy, dx) * (BINS / np.pi) % BINS
        low = np.minimum(position.astype(np.int32), BINS - 1)
        share = magnitude * (position - low)
        row = np.arange(self.size) // self.cell
        base = (row[:, None] * self.cells + row[None, :]) * BINS
        n = self.cells**2 * BINS
        sums = np.bincount((base + low).ravel(), (magnitude - share).ravel(), n)
        sums += np.bincount((base + (low + 1) % BINS).ravel(), share.ravel(), n)
        return sums.reshape(self.cells, self.cells, BINS).astype(np.float32)


_GAMMA = np.sqrt(np.arange(256, dtype=np.float32) / 255)


def _blocks(cells: np.ndarray) -> np.ndarray:
    """(c, c, 9) -> ((c - 1)² x 36,): overlapping 2 x 2 blocks, unit length, clipped at 0.2, unit length again."""
    blocks = np.concatenate([cells[:-1, :-1], cells[:-1, 1:], cells[1:, :-1], cells[1:, 1:]], axis=2)
    for clip in (_CLIP, None):
        blocks = blocks / np.sqrt(np.square(blocks).sum(axis=2, keepdims=True) + 1e-2)
        blocks = np.minimum(blocks, clip) if clip else blocks
    return blocks.ravel()
