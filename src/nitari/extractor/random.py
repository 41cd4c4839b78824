"""The floor: a random direction for each picture, the same for the same pixels. Nothing may do worse."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nitari.errors import ConfigError
from nitari.space import Space, unit


class RandomExtractor:
    """A standard normal vector seeded by a hash of the pixels, scaled to unit length."""

    side = 1

    def __init__(
        self, name: str = "random", dim: int = 64, seed: int = 0, postprocess: Mapping[str, Any] | None = None
    ) -> None:
        if dim < 1:
            raise ConfigError(f"extractor.dim is {dim}. Choose 1 or more")
        self.name = name
        self.dim = dim
        self.seed = seed
        self.postprocess = postprocess
        self.space = Space(name, "cosine", dim, "float32")

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.extractor.random.RandomExtractor",
            "name": self.name,
            "dim": self.dim,
            "seed": self.seed,
        }

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, dim) float32, unit norm."""
        vectors = np.empty((len(images), self.dim), np.float32)
        for image, out in zip(images, vectors, strict=True):
            digest = hashlib.blake2b(
                np.ascontiguousarray(image).data, digest_size=16, salt=self.seed.to_bytes(8, "little")
            )
            digest.update(repr(image.shape).encode())
            generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest.digest(), "little")))
            generator.standard_normal(dtype=np.float32, out=out)
        return unit(vectors)
