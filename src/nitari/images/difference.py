"""Difference: how far apart two whole pictures are, pixel by pixel, where the one differs most from the other."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIDE = 64
"""Pixels of each side that pictures are compared at, whatever their aspect: as hashes see them."""
DIFFERENT = 24.0
"""Grey values from which on two pictures differ somewhere. Of injected copies that PDQ groups, 471 of 473 of photos lie below,
392 of 412 of emoji and 424 of 447 of logos; of other emoji that it groups 11 of 222: ``benchmarks/duplicates.py``.
"""
_SOFT, _WINDOW = 1.5, 5  # pixels: of the blur that a copy's other scale calls for, and of the place that is judged
_CLIPPED = (6, 249)  # grey values beyond which brightness may have been cut off
_ENOUGH = 60  # values that tell by how much a copy is brighter
_GAIN = (0.4, 2.5)


def standard(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (64, 64, 3) uint8, the form in which pictures are compared."""
    way = Image.Resampling.BOX if min(pixels.shape[:2]) >= SIDE else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), way))


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Of two pictures in ``standard`` form: the root mean square over colours of how far they are apart, in grey values, at the
    place where they are farthest. ``DIFFERENT`` and more: they are not the same picture.

    Brightness and contrast are taken out first, by one line for all colours, so that the same drawing in another colour
    is another; either may be the brighter one, with its lightest parts cut off. Half a millisecond.
    """
    a, b = (np.moveaxis(picture, 2, 0).astype(np.float32) for picture in (one, other))  # (3, 64, 64)
    return min(_farthest(a, b), _farthest(b, a))


def _farthest(a: np.ndarray, b: np.ndarray) -> float:
    apart = _BLUR @ (b - _brought(a, b)) @ _BLUR.T
    return float(np.sqrt((_MEAN @ (apart * apart).mean(axis=0) @ _MEAN.T).max()))


def _brought(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a`` at the brightness and contrast of ``b``."""
    whole = (a > _CLIPPED[0]) & (a < _CLIPPED[1]) & (b > _CLIPPED[0]) & (b < _CLIPPED[1])
    if whole.sum() < _ENOUGH:
        whole[:] = True
    x, y = a[whole], b[whole]
    centre = x.mean()
    spread = float(((x - centre) ** 2).mean())
    gain = np.clip(((x - centre) * (y - y.mean())).mean() / spread, *_GAIN) if spread > 4 else 1.0
    return np.clip(gain * (a - centre) + y.mean(), 0, 255)


def _weights(reach: np.ndarray) -> np.ndarray:
    """(64, 64) float32: distances in pixels, weighted, to a mean along one side that ends at the edges."""
    return np.asarray(reach / reach.sum(axis=1, keepdims=True), np.float32)


_APART = np.abs(np.subtract.outer(np.arange(SIDE), np.arange(SIDE)))
_BLUR = _weights(np.exp(-0.5 * (_APART / _SOFT) ** 2))
_MEAN = _weights((_APART <= _WINDOW // 2).astype(float))
