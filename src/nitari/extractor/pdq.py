"""PDQ: 256 bits that stay nearly the same in re-encoded, resized and slightly edited copies of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from nitari.errors import ConfigError
from nitari.images.trim import trim
from nitari.space import Space

BITS, _SMALL, _KEPT = 256, 64, 16
_LEAST = 5  # pixels a side; smaller pictures have no hash
_LUMA = np.array([0.299, 0.587, 0.114])
_DECIMALS = 6  # of a coefficient: a flat picture has none, and not the noise of its rounding


class PdqExtractor:
    """Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (2019), bit for bit.

    Luma, two passes of a box filter each way, every 1/64th pixel, the 16 x 16 lowest frequencies but the mean, and which
    of these are above their median. Copies lie within about 31 bits. Bytes are in the order of PDQ's own hexadecimal
    form. A picture of less than 5 pixels a side, or of one colour, gets zeros.

    PDQ takes single pixels of small pictures as they are, so that a thumbnail's hash is far from its original's.
    ``enlarge`` interpolates sides below that many pixels first, which brings the two together; None leaves them, as PDQ
    does. ``trim`` cuts uniform borders before all else.
    """

    postprocess = None
    side = _SMALL

    def __init__(self, name: str = "pdq", enlarge: int | None = 448, trim: bool = False) -> None:
        if enlarge is not None and not 1 <= enlarge <= 4096:
            raise ConfigError(f"extractor.enlarge is {enlarge}. Give 1 to 4096 pixels, or null to leave small pictures")
        self.name = name
        self.enlarge = enlarge
        self.trim = trim
        self.space = Space(name, "hamming", BITS, "uint8")

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.extractor.pdq.PdqExtractor",
            "name": self.name,
            "enlarge": self.enlarge,
            "trim": self.trim,
        }

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, 32) uint8."""
        found = np.zeros((len(images), BITS))
        for image, out in zip(images, found, strict=True):
            if (small := self._small(image)) is not None:
                out[:] = (_DCT @ small @ _DCT.T).round(_DECIMALS).ravel()
        median = np.partition(found, BITS // 2 - 1, axis=1)[:, BITS // 2 - 1 : BITS // 2]  # the lower one, as PDQ's
        return np.packbits((found > median)[:, ::-1], axis=1)

    def quality(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures -> (n,) uint8, 0 to 100: how much there is to see. PDQ's authors trust hashes of 50 and more."""
        found = np.zeros(len(images), np.uint8)
        for i, image in enumerate(images):
            if (small := self._small(image)) is not None:
                steps = sum(np.abs(np.trunc(np.diff(small, axis=axis) * (100 / 255))).sum() for axis in (0, 1))
                found[i] = min(100, int(steps) // 90)
        return found

    def _small(self, image: np.ndarray) -> np.ndarray | None:
        """(64, 64) float64: smoothed luma, 0 to 255; None of a picture that is too small."""
        if self.trim:
            image = trim(image)
        height, width = image.shape[:2]
        if min(height, width) < _LEAST:
            return None
        rows, columns = (_reduction(n, max(n, self.enlarge or n)) for n in (height, width))
        return np.asarray(rows @ (image @ _LUMA) @ columns.T)


@lru_cache(maxsize=128)
def _reduction(n: int, enlarged: int) -> np.ndarray:
    """(64, n): linear interpolation of n values to ``enlarged`` ones, and their decimation, as one matrix."""
    if enlarged == n:
        return _decimation(n)
    at = np.clip((np.arange(enlarged) + 0.5) * n / enlarged - 0.5, 0, n - 1)
    return _decimation(enlarged) @ np.maximum(1 - np.abs(at[:, None] - np.arange(n)), 0)


def _decimation(n: int) -> np.ndarray:
    """(64, n): what two box filters and the choice of every n/64th value do to n values, as one matrix.

    Windows are cut at the edges. Jarosz, "Fast image convolutions" (SIGGRAPH 2001).
    """
    window = -(-n // (2 * _SMALL))
    reach = (window + 2) // 2  # the window's own centre included
    at = np.arange(n)
    start, stop = np.maximum(at - (window - reach), 0), np.minimum(at + reach, n)
    first, last = np.searchsorted(stop, at, "right"), np.searchsorted(start, at, "right")
    matrix = np.eye(n)[((np.arange(_SMALL) + 0.5) * n / _SMALL).astype(int)]
    for _ in range(2):  # from the right: a value counts in the windows first to last
        sums = np.pad(np.cumsum(matrix / (stop - start), axis=1), ((0, 0), (1, 0)))
        matrix = sums[:, last] - sums[:, first]
    return matrix


_DCT = np.sqrt(2 / _SMALL) * np.cos(
    np.pi / 2 / _SMALL * np.outer(np.arange(1, _KEPT + 1), 2 * np.arange(_SMALL) + 1)
)  # (16, 64)
