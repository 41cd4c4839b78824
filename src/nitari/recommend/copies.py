"""Near-copies: which of some results are the same picture again, and which one stands for them."""

from __future__ import annotations

import numpy as np

from nitari.recommend.calibration import Calibration

SHARE = 0.05
"""Copies are nearer than this share of the median distance between random pictures, where nobody says otherwise."""


def copy_distance(calibration: Calibration) -> float:
    """The distance up to which two pictures of a space are copies: rescaled and recompressed ones mostly are, and what
    merely looks alike mostly is not.
    """
    return SHARE * calibration.median


def leaders(apart: np.ndarray, known: np.ndarray, limit: float) -> np.ndarray:
    """(n, n) distances of results, best first, and (m, n) to what was shown before -> (n,) who each is a copy of.

    Its own position: it stands for itself. -1: a copy of what was shown. Otherwise the position of the best result
    that stands for itself and is no farther than ``limit``: the leader algorithm of Hartigan, "Clustering algorithms"
    (1975), so that a chain of ever less alike pictures is not one.
    """
    n = apart.shape[1]
    of = np.arange(n)
    of[(known <= limit).any(axis=0)] = -1
    near = apart <= limit
    np.fill_diagonal(near, False)
    for i in np.flatnonzero(near.any(axis=1)):
        if of[i] == i:
            later = np.flatnonzero(near[i, i + 1 :]) + i + 1
            later = later[of[later] == later]
            of[later] = i
    return of
