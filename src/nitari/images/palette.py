"""Dominant colours: a few that stand for a picture's, with their shares and plain names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from nitari.errors import ConfigError
from nitari.images.lab import to_lab, to_rgb

SIDE = 32  # pixels that pictures are reduced to
_BITS = 4  # of a channel: pixels that share a cell are clustered as one
_ROUNDS = 8
_APART = 10.0  # Delta E below which two colours of a palette become one
_CHUNK = 16  # pictures at a time: what they need stays in the processor's cache


def palette(image: np.ndarray, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 RGB -> colours (m, 3) uint8 and shares (m,) float32 that add up to 1, the largest first.

    m is ``k``, or less where the picture has fewer colours: those within a Delta E of 10 are one. The same picture always
    gives the same palette. Raises ConfigError where ``k`` is not from 1 to 64.
    """
    (colours,), (shares,) = palettes([image], k)
    kept: list[int] = []
    for at in np.flatnonzero(shares):
        near = [one for one in kept if np.linalg.norm(colours[one] - colours[at]) < _APART]
        if near:
            colours[near[0]] += (colours[at] - colours[near[0]]) * (shares[at] / (shares[near[0]] + shares[at]))
            shares[near[0]] += shares[at]
        else:
            kept.append(int(at))
    kept.sort(key=lambda at: -shares[at])
    return to_rgb(colours[kept]), shares[kept]


def palettes(images: Sequence[np.ndarray], k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """n pictures, (H, W, 3) uint8 RGB -> colours (n, k, 3) float32 L*a*b* and shares (n, k) float32, the largest first.

    k-means in L*a*b* over the cells of a coarse RGB cube, weighted by their pixels, of pictures reduced to 32 x 32.
    It starts from the fullest cell and then, one after the other, from the cell with the most weight times squared
    distance from those before: Celebi, "Improving the performance of k-means for color quantization" (2011) compares
    such starts. Where a picture has fewer than ``k`` colours, the rest have a share of 0. Raises ConfigError as ``palette``.
    """
    if not 1 <= k <= 64:
        raise ConfigError(f"k is {k}. A palette has 1 to 64 colours")
    colours, shares = np.empty((len(images), k, 3), np.float32), np.empty((len(images), k), np.float32)
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        colours[part], shares[part] = _clusters(np.stack([_resized(image) for image in images[part]]), k)
    return colours, shares


def _clusters(pictures: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    picture, points, weights = _cells(pictures)
    centres = _starts(picture, points, weights, len(pictures), k)
    for _ in range(_ROUNDS):
        centres, shares = _improved(picture, points, weights, centres)
    order = np.argsort(-shares, axis=1, kind="stable")
    return np.take_along_axis(centres, order[..., None], axis=1), np.take_along_axis(shares, order, axis=1)


def _resized(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX))


def _cells(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, h, w, 3) uint8 -> of each cell of RGB in use: its picture, in order; its mean L*a*b* (3,); its share."""
    n, pixels = len(pictures), pictures.shape[1] * pictures.shape[2]
    red, green, blue = np.moveaxis(pictures >> (8 - _BITS), -1, 0).astype(np.int32)
    cells = 1 << (3 * _BITS)
    code = (np.arange(n)[:, None, None] * cells + (red << (2 * _BITS) | green << _BITS | blue)).ravel()
    lab = to_lab(pictures).reshape(-1, 3)
    counts = np.bincount(code, minlength=n * cells)
    used = np.flatnonzero(counts)
    sums = np.stack([np.bincount(code, lab[:, axis], n * cells)[used] for axis in range(3)], axis=1)
    counts = counts[used]
    return used // cells, (sums / counts[:, None]).astype(np.float32), (counts / pixels).astype(np.float32)


def _starts(picture: np.ndarray, points: np.ndarray, weights: np.ndarray, n: int, k: int) -> np.ndarray:
    """-> (n, k, 3): each the point that scores most in its picture, as ``palettes`` says."""
    first = np.searchsorted(picture, np.arange(n))
    centres = np.empty((n, k, 3), np.float32)
    score, distance = weights, np.full(len(points), np.inf, np.float32)
    for j in range(k):
        best = np.maximum.reduceat(score, first)
        hits = np.flatnonzero(score == best[picture])[::-1]
        chosen = np.empty(n, np.int64)
        chosen[picture[hits]] = hits  # of equal scores, the first is written last
        centres[:, j] = points[chosen]
        distance = np.minimum(distance, np.square(points - centres[picture, j]).sum(axis=1))
        score = weights * distance
    return centres


def _improved(
    picture: np.ndarray, points: np.ndarray, weights: np.ndarray, centres: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One round of k-means: centres (n, k, 3) and the shares (n, k) of what is nearest to them; an empty one stays."""
    n, k = centres.shape[:2]
    dots = np.einsum("mc,mkc->mk", points, centres[picture])
    nearest = (np.square(centres).sum(axis=2)[picture] - 2 * dots).argmin(axis=1)
    cluster = picture * k + nearest
    shares = np.bincount(cluster, weights, n * k)
    sums = np.stack([np.bincount(cluster, weights * points[:, axis], n * k) for axis in range(3)], axis=1)
    means = sums / np.maximum(shares, 1e-12)[:, None]
    moved = np.where(shares[:, None] > 0, means, centres.reshape(-1, 3)).astype(np.float32)
    return moved.reshape(n, k, 3), shares.astype(np.float32).reshape(n, k)


def colour_name(rgb: Sequence[int] | np.ndarray) -> str:
    """The plain English name, one of ``NAMES``, whose examples (r, g, b), 0 to 255, is nearest to in L*a*b*."""
    lab = to_lab(np.asarray(rgb, np.uint8))
    return _EXAMPLE_NAMES[int(np.square(_EXAMPLES - lab).sum(axis=1).argmin())]


# Examples of each name, dark to light: hand-picked, checked against the 949 names of the xkcd colour survey.
_NAMED = {
    "black": "000000 141414 1c1a18 10141c",
    "grey": "404040 606060 808080 a0a0a0 c0c0c0 d4d4d4 555b62 7d858d a3abb2 6e6a66 9a958f 524f44 403f3a",
    "white": "ffffff f4f4f4 e6e6e6 f8f6f0 eef2f6",
    "red": "5a0a0a 8b0000 b01020 d01414 ff0000 e03030 c84040 a83038",
    "orange": "c85000 e06a10 ff7f00 ff9a20 f58a4a ffa850 ff6020",
    "brown": "2e1c10 4a2c14 663c1c 804a20 9a6030 7a5a40 5c4636 a0703c 8c5a4a a5825a a87a08 701c0c",
    "yellow": "b8a000 d8c010 ffd800 ffff00 ffee60 fff29a e8d040 c8b030",
    "green": "0a2a10 104a18 1e6a20 008000 30a030 00ff00 60d050 90e880 4a6a3a 6a7a30 808c20 a8c840 98b088 c0e8b8 b0ff30 3a5040",
    "turquoise": "004848 007070 009890 00b8b0 40e0d0 00ffff 80e8e0 60b0a8 308880 a8f0e8 c8f8f8 08c090",
    "blue": "080830 101860 0000a0 0000ff 2050c0 1e78d0 4090e0 60b0ff 90c8f0 b8dcf8 506890 7890b8 304868 040470 d0e4f8 182c44",
    "purple": "280838 480868 6a0dad 8020c0 a040e0 9060a8 b080d8 c8a8f0 604878 800080 a020a0 7a3060 5a2040 d0b8e0 9000f0 6020e0 806c88",
    "pink": "ff00a0 ff40b0 ff69b4 f080c0 ffb0d0 ffc8d8 e890a8 d86090 ff80a0 f0b8b8 e03080 f8d8e0 c85080 ff20e0 ff7a70",
    "beige": "d8c8a8 e8dcc0 f5f0dc f0e0c8 c8b898 d8c0a0 b8a888 ecd8c8 fffcd4",
}
NAMES = tuple(_NAMED)
_HEX = [(name, bytes.fromhex(code)) for name, codes in _NAMED.items() for code in codes.split()]
_EXAMPLE_NAMES = [name for name, _ in _HEX]
_EXAMPLES = to_lab(np.array([list(code) for _, code in _HEX], np.uint8))  # (examples, 3)
