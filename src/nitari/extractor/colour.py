"""Which colours a picture has, and roughly where: histograms over grids of cells, every pixel shared between near bins."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from nitari.errors import ConfigError
from nitari.space import Space, unit

BINS = (4, 7, 7)  # lightness, red to green, yellow to blue
TOTAL = BINS[0] * BINS[1] * BINS[2]
_SIDE = 16
_GAIN = 1.6  # opponent colours of photos are weak: their middle is spread, the strongest are cut


class ColourExtractor:
    """Opponent colours (Swain and Ballard, "Color indexing", IJCV 1991) over ``grids`` of cells a side: a spatial pyramid,
    Lazebnik, Schmid and Ponce, "Beyond bags of features" (CVPR 2006).

    Each pixel is shared between its eight nearest bins, so that a slightly different colour gives a slightly different
    vector. The square root of the shares is taken, whose dot product is the Bhattacharyya coefficient: Arandjelović and
    Zisserman, "Three things everyone should know to improve object retrieval" (CVPR 2012). ``mirror`` adds the mirrored
    picture's, which are the same cells from the right.
    """

    side = 2 * _SIDE

    def __init__(
        self,
        name: str = "colour",
        grids: Sequence[int] = (1, 4),
        mirror: bool = True,
        postprocess: Mapping[str, Any] | None = None,
    ) -> None:
        self.finest = max(grids, default=0)
        if not grids or self.finest > _SIDE or any(grid < 1 or self.finest % grid for grid in grids):
            raise ConfigError(
                f"extractor.grids is {list(grids)}. Give cells a side, up to {_SIDE}, each a divisor of the finest: [1, 2, 4]"
            )
        self.name = name
        self.grids = tuple(grids)
        self.mirror = mirror
        self.postprocess = postprocess
        self.space = Space(name, "cosine", sum(grid * grid for grid in grids) * TOTAL, "float32")

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.extractor.colour.ColourExtractor",
            "name": self.name,
            "grids": list(self.grids),
            "mirror": self.mirror,
        }

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, dim) float32, unit norm."""
        side = _SIDE // self.finest * self.finest
        small = np.empty((len(images), side, side, 3), np.float32)
        for image, out in zip(images, small, strict=True):
            out[:] = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX))
        cells = self._cells(small / 255)
        parts = []
        for grid in self.grids:
            wide = self.finest // grid
            sums = cells.reshape(len(images), grid, wide, grid, wide, TOTAL).sum((2, 4))
            roots = np.sqrt(sums)
            roots = roots + roots[:, :, ::-1] if self.mirror else roots
            parts.append(unit(roots.reshape(len(images), grid * grid * TOTAL)))
        return unit(np.concatenate(parts, axis=1))

    def _cells(self, pictures: np.ndarray) -> np.ndarray:
        """(n, side, side, 3) in [0, 1] -> (n, finest, finest, 196) sums of shares."""
        n, side = pictures.shape[:2]
        red, green, blue = np.moveaxis(pictures, 3, 0)
        places = [
            (red + green + blue) / 3 * (BINS[0] - 1),
            np.clip((red - green) / 2 * _GAIN + 0.5, 0, 1) * (BINS[1] - 1),
            np.clip((red + green - 2 * blue) / 4 * _GAIN + 0.5, 0, 1) * (BINS[2] - 1),
        ]
        low = [np.minimum(place.astype(np.int32), bins - 2) for place, bins in zip(places, BINS, strict=True)]
        share = [place - floor for place, floor in zip(places, low, strict=True)]
        row = np.arange(side) * self.finest // side
        cell = np.arange(n)[:, None, None] * self.finest**2 + row[:, None] * self.finest + row
        length = n * self.finest**2 * TOTAL
        sums = np.zeros(length, np.float32)
        for up in itertools.product((0, 1), repeat=3):
            at = ((cell * BINS[0] + low[0] + up[0]) * BINS[1] + low[1] + up[1]) * BINS[2] + low[2] + up[2]
            a, b, c = (part if one else 1 - part for part, one in zip(share, up, strict=True))
            sums += np.bincount(at.ravel(), (a * b * c).ravel(), length).astype(np.float32)
        return sums.reshape(n, self.finest, self.finest, TOTAL)
