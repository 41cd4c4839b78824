"""The few colours that stand out in a picture, compared as weighted palettes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nitari.errors import ConfigError
from nitari.images.lab import to_lab
from nitari.images.palette import SIDE, palettes
from nitari.space import Space, unit

_CHUNK = 16  # pictures at a time: what they need stays in the processor's cache


class DominantExtractor:
    """Palettes of ``k`` colours, each colour spread by a Gaussian of ``width`` in L*a*b* and in proportion to its share;
    dot products are the Bhattacharyya coefficients between such densities.

    Of two palettes whose colours are all far apart that is the sum of sqrt(share x share) over the colours in common; of
    two single colours it is exp(-ΔE² / 8 ``width``²). The densities are sampled at nodes ``width`` apart, which is close
    enough to follow Gaussians. As in Arandjelović and Zisserman, "Three things everyone should know to improve object
    retrieval" (CVPR 2012), the square root keeps a large background from deciding alone.
    """

    side = 2 * SIDE

    def __init__(
        self,
        name: str = "dominant",
        k: int = 8,
        width: float = 16.0,
        postprocess: Mapping[str, Any] | None = None,
    ) -> None:
        if not 1 <= k <= 64:
            raise ConfigError(f"extractor.k is {k}. A palette has 1 to 64 colours")
        if not 5 <= width <= 50:
            raise ConfigError(
                f"extractor.width is {width}. Give 5 to 50: how far apart colours still are alike, as Delta E"
            )
        self.name = name
        self.k = k
        self.width = float(width)
        self.postprocess = postprocess
        level = np.arange(0, 256, 15, dtype=np.uint8)
        shown = to_lab(np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(-1, 3))
        self.nodes = (np.unique(np.rint(shown / self.width), axis=0) * self.width).astype(np.float32)
        self.space = Space(name, "cosine", len(self.nodes), "float32")

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.extractor.dominant.DominantExtractor",
            "name": self.name,
            "k": self.k,
            "width": self.width,
        }

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, dim) float32, unit norm."""
        vectors = np.empty((len(images), self.space.dim), np.float32)
        for start in range(0, len(images), _CHUNK):
            part = slice(start, start + _CHUNK)
            vectors[part] = self.embed(*palettes(images[part], self.k))
        return vectors

    def embed(self, colours: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """n palettes, (n, k, 3) L*a*b* and shares (n, k) -> (n, dim) float32, unit norm."""
        squares = (
            np.square(colours).sum(axis=2)[..., None] - 2 * colours @ self.nodes.T + np.square(self.nodes).sum(axis=1)
        )
        bumps = np.exp(squares / np.float32(-2 * self.width**2))
        bumps /= bumps.sum(axis=2, keepdims=True)  # at the edge, part of a Gaussian has no nodes
        return unit(np.sqrt(np.einsum("nk,nkd->nd", shares, bumps)))
