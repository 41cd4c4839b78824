"""Geometric verification: is one picture, or a part of it, in another? Local descriptors that agree on one similarity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nitari.images.local import Local, sift
from nitari.images.shrink import shrink

SIDE = 400
"""Longer side in pixels that pictures are compared at; smaller ones as they are."""
MOST = 600
"""Features a picture, at most."""
RATIO = 0.8
"""A match is kept if the next best place is this much farther away in the space of descriptors (Lowe 2004)."""
REACH = 4.0
"""Pixels of the compared original within which a match agrees with the transform."""
SCALES = (1 / 8, 8.0)
"""A part this much smaller or larger is none: random matches like to shrink everything to a point."""
ENOUGH = 10
"""Inliers that chance does not reach: pairs of unrelated pictures have had 4 at most."""


@dataclass(frozen=True)
class Match:
    """How far two pictures show the same thing. Unrelated pictures have a few inliers too: ``ENOUGH`` tells them apart.

    ``inliers`` are places of the query that lie where ``transform`` puts them in the original; ``share`` is their part of
    all matches that looks alone suggest. ``transform`` (2, 3) float64 takes (x, y, 1) in pixels of the query to (x, y) in
    pixels of the original: rotation, scale, shift, and a mirror where ``mirrored``. None where no inlier was found.
    """

    inliers: int
    share: float
    transform: np.ndarray | None

    @property
    def mirrored(self) -> bool:
        return self.transform is not None and bool(np.linalg.det(self.transform[:, :2]) < 0)


def verify(query: np.ndarray, original: np.ndarray, *, mirror: bool = True, most: int = MOST) -> Match:
    """Match two pictures, (H, W, 3) uint8 RGB of any size. ``mirror`` also tries the mirrored query where the
    query as it is has not ``ENOUGH`` inliers, and keeps the better.

    Mutual nearest neighbours under Lowe's ratio test, then RANSAC for a similarity: Philbin et al., "Object retrieval
    with large vocabularies and fast spatial matching" (CVPR 2007). The same pictures give the same match.
    """
    small = shrink(query, SIDE)
    there = _features(original, shrink(original, SIDE), most)
    found = _match(_features(query, small, most), there, _scale(original))
    if mirror and found.inliers < ENOUGH:
        flipped = _match(_features(query, small[:, ::-1], most), there, _scale(original))
        if flipped.inliers > found.inliers and flipped.transform is not None:
            # The mirrored query's x is width - 1 - x of the query.
            back = np.array([[-1.0, 0.0, query.shape[1] - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
            return Match(flipped.inliers, flipped.share, flipped.transform @ back)
    return found


def _scale(image: np.ndarray) -> float:
    """Pixels of the full picture for one of the compared one."""
    return max(1.0, max(image.shape[:2]) / SIDE)


def _features(image: np.ndarray, small: np.ndarray, most: int) -> Local:
    """Features of the shrunk picture, at their places in the full one; pixels count from their middles."""
    found = sift(small, most)
    factors = np.array([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]], np.float32)
    return Local((found.places + 0.5) * factors - 0.5, found.descriptors)


def _match(query: Local, original: Local, scale: float) -> Match:
    import cv2

    pairs = _pairs(query.descriptors, original.descriptors)
    if len(pairs) < 3:  # two agree with any similarity
        return Match(0, 0.0, None)
    here, there = query.places[pairs[:, 0]], original.places[pairs[:, 1]]
    transform, kept = cv2.estimateAffinePartial2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=REACH * scale, maxIters=2000, confidence=0.995
    )
    if transform is None or not SCALES[0] <= np.sqrt(abs(np.linalg.det(transform[:, :2]))) <= SCALES[1]:
        return Match(0, 0.0, None)
    agree = kept.ravel().astype(bool)
    # A place with two orientations is one witness; so are two that fall together in the original.
    inliers = min(_distinct(here[agree]), _distinct(there[agree]))
    return Match(inliers, float(agree.mean()), transform)


def _pairs(query: np.ndarray, original: np.ndarray) -> np.ndarray:
    """(m, 2) positions of mutual nearest neighbours that pass the ratio test."""
    if len(query) < 2 or len(original) < 2:
        return np.empty((0, 2), np.int64)
    cosines = query @ original.T
    nearest = cosines.argmax(axis=1)
    rows = np.arange(len(query))
    best = cosines[rows, nearest]
    mutual = cosines.argmax(axis=0)[nearest] == rows
    cosines[rows, nearest] = -1.0
    apart, next_apart = (np.sqrt(np.maximum(2 - 2 * c, 0.0)) for c in (best, cosines.max(axis=1)))
    kept = np.flatnonzero(mutual & (apart < RATIO * next_apart))
    return np.stack([kept, nearest[kept]], axis=1)


def _distinct(places: np.ndarray) -> int:
    return len(np.unique(np.round(places), axis=0))
