"""Which colours a picture has, wherever they are: one histogram, compared by a distance of choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from nitari.extractor.kernel import FeatureMap, HistogramDistance
from nitari.extractor.lattice import ColourSpace, Lattice
from nitari.space import Space

_SIDE = 32
_CHUNK = 8  # pictures at a time: what they need stays in the processor's cache


class HistogramExtractor:
    """A histogram over a ``Lattice`` of colours, mapped so that cosine distance is ``distance`` between histograms.

    After Swain and Ballard, "Color indexing" (IJCV 1991). ``order`` is the feature map's, for intersection and chi2.
    """

    side = 2 * _SIDE

    def __init__(
        self,
        name: str = "histogram",
        colours: ColourSpace = "lab",
        bins: Sequence[int] = (5, 13, 13),
        distance: HistogramDistance = "chi2",
        order: int = 1,
        postprocess: Mapping[str, Any] | None = None,
    ) -> None:
        self.lattice = Lattice(colours, bins)
        self.map = FeatureMap(distance, order)
        self.name = name
        self.colours = colours
        self.bins = tuple(bins)
        self.distance = distance
        self.order = order
        self.postprocess = postprocess
        self.space = Space(name, "cosine", self.map.factor * self.lattice.total, "float32")

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.extractor.histogram.HistogramExtractor",
            "name": self.name,
            "colours": self.colours,
            "bins": list(self.bins),
            "distance": self.distance,
            "order": self.order,
        }

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, dim) float32, unit norm."""
        vectors = np.empty((len(images), self.space.dim), np.float32)
        for start in range(0, len(images), _CHUNK):
            part = slice(start, start + _CHUNK)
            small = np.stack([_resized(image) for image in images[part]])
            vectors[part] = self.map(self.lattice.histograms(self.lattice.codes(small)))
        return vectors


def _resized(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BOX))
