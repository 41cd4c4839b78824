"""The strong simple baseline: a picture's own pixels, shrunk to a small square. Give it a PCA afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from nitari.errors import ConfigError
from nitari.space import Space, unit


class PixelsExtractor:
    """``size`` x ``size`` x 3 values around 0, unit length, of the whole picture stretched to a square.

    As in Torralba, Fergus and Freeman, "80 million tiny images" (PAMI 2008).
    """

    def __init__(self, name: str = "pixels", size: int = 16, postprocess: Mapping[str, Any] | None = None) -> None:
        if not 1 <= size <= 256:
            raise ConfigError(f"extractor.size is {size}. Choose 1 to 256 pixels")
        self.name = name
        self.size = size
        self.side = size
        self.postprocess = postprocess
        self.space = Space(name, "cosine", size * size * 3, "float32")

    @property
    def spec(self) -> dict[str, Any]:
        return {"_target_": "nitari.extractor.pixels.PixelsExtractor", "name": self.name, "size": self.size}

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, 3 size²) float32, unit norm."""
        small = np.empty((len(images), self.size, self.size, 3), np.uint8)
        for image, out in zip(images, small, strict=True):
            out[:] = np.asarray(Image.fromarray(image).resize((self.size, self.size), Image.Resampling.BOX))
        return unit(small.reshape(len(images), self.space.dim).astype(np.float32) - 127.5)
