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
    """Palettes of ``k`` colours, embedded so that dot products are sums over pairs of their colours of share, share and
    likeness: exp(-ΔE² / 4 ``width``²), in L*a*b*.

    A kernel mean embedding: Smola, Gretton, Song and Schölkopf, "A Hilbert space embedding for distributions" (ALT 2007).
    Each colour is a Gaussian over a fixed lattice whose nodes are ``width`` apart, close enough for their products to add
    up to the kernel's. Shares are raised to ``power`` at first: below 1, small areas count for more.
    """

    side = 2 * SIDE

    def __init__(
        self,
        name: str = "dominant",
        k: int = 8,
        width: float = 12.0,
        power: float = 0.5,
        postprocess: Mapping[str, Any] | None = None,
    ) -> None:
        if not 1 <= k <= 64:
            raise ConfigError(f"extractor.k is {k}. A palette has 1 to 64 colours")
        if not 5 <= width <= 50:
            raise ConfigError(
                f"extractor.width is {width}. Give 5 to 50: how far apart colours still are alike, as Delta E"
            )
        if not 0 < power <= 1:
            raise ConfigError(f"extractor.power is {power}. Give more than 0, up to 1")
        self.name = name
        self.k = k
        self.width = float(width)
        self.power = float(power)
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
            "power": self.power,
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
        bumps /= np.linalg.norm(bumps, axis=2, keepdims=True)  # at the edge, part of a Gaussian has no nodes
        return unit(np.einsum("nk,nkd->nd", shares**self.power, bumps))
