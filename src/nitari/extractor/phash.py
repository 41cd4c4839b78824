"""The DCT hash: 64 bits of a picture's lowest frequencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from nitari.images.trim import trim
from nitari.space import Space

_SMALL, _KEPT = 32, 8
_DECIMALS = 6  # of a coefficient: what is zero is not the noise of its rounding


class PhashExtractor:
    """Zauner, "Implementation and benchmarking of perceptual image hash functions" (2010), as the package ``imagehash``
    computes it: grey, 32 x 32, the 8 x 8 lowest frequencies, and which of these are above their median.

    Bytes are in the order of its hexadecimal form. ``trim`` cuts uniform borders first.
    """

    postprocess = None
    side = 64  # twice what is kept: the resizing has something to average

    def __init__(self, name: str = "phash", trim: bool = False) -> None:
        self.name = name
        self.trim = trim
        self.space = Space(name, "hamming", _KEPT * _KEPT, "uint8")

    @property
    def spec(self) -> dict[str, Any]:
        return {"_target_": "nitari.extractor.phash.PhashExtractor", "name": self.name, "trim": self.trim}

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, 8) uint8."""
        small = np.empty((len(images), _SMALL, _SMALL), np.uint8)
        for image, out in zip(images, small, strict=True):
            grey = Image.fromarray(trim(image) if self.trim else image).convert("L")
            out[:] = np.asarray(grey.resize((_SMALL, _SMALL), Image.Resampling.LANCZOS))
        found = (_DCT @ small @ _DCT.T).round(_DECIMALS).reshape(len(images), _KEPT * _KEPT)
        return np.packbits(found > np.median(found, axis=1, keepdims=True), axis=1)


_DCT = 2 * np.cos(np.pi / 2 / _SMALL * np.outer(np.arange(_KEPT), 2 * np.arange(_SMALL) + 1))  # (8, 32)
