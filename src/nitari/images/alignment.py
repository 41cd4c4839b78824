"""Alignment: how far two pictures agree, pixel by pixel, once one is laid over the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nitari.images.local import opencv
from nitari.images.shrink import shrink

SIDE = 160
"""Longer side in pixels that pictures are compared at."""
WINDOW = 15
"""Side in pixels of the surroundings that are compared with one another."""
ALIKE = 0.6
"""Correlation from which on surroundings are the same."""
SAME, LEAST = 0.9, 0.3
"""Agreement and overlap of a copy. 19 in 20 cut-outs, turned and mirrored copies of 50 photos agreed in .90 or more of what is in
both (under a line of text .78); of 237 pairs of other clothes that had 8 inliers or more, none in more than .81. Photos of one
scene that were taken seconds apart agree in up to 1."""
_FLAT = 4.0  # grey values of standard deviation: less is noise, and tells nothing
_SOFT = 1.0  # pixels: what a slight error of the transform must not spoil


class Agreement(NamedTuple):
    """``same`` is the share of what is in both that agrees; ``overlap`` the share of the query that is in the original."""

    same: float
    overlap: float

    @property
    def is_copy(self) -> bool:
        """Whether one is a copy of the other, or of a part of it; a second shot of the same scene, seconds later, is one too."""
        return self.same >= SAME and self.overlap >= LEAST


def agreement(query: np.ndarray, original: np.ndarray, transform: np.ndarray) -> Agreement:
    """Two pictures, (H, W, 3) uint8 RGB, and the (2, 3) transform of ``geometry.verify`` that takes the one to the other.

    The correlation of small surroundings, so that brightness and contrast do not count: Lewis, "Fast normalized
    cross-correlation" (1995). What is flat in both is left out. MissingExtraError without OpenCV.
    """
    cv2 = opencv()
    small = shrink(original, SIDE)
    height, width = small.shape[:2]
    scale = np.array([width / original.shape[1], height / original.shape[0]])
    to_small = np.diag([*scale, 1.0])
    to_small[:2, 2] = 0.5 * scale - 0.5  # pixels count from their middles
    matrix = (to_small @ np.vstack([transform, [0, 0, 1]]))[:2]
    area = abs(float(np.linalg.det(matrix[:, :2])))
    factor = np.sqrt(area)
    soft = cv2.GaussianBlur(query, (0, 0), max(0.5 / max(factor, 1e-3), 0.3)) if factor < 1 else query
    grey = cv2.cvtColor(np.ascontiguousarray(soft), cv2.COLOR_RGB2GRAY).astype(np.float32)
    here = cv2.warpAffine(grey, matrix, (width, height), flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(np.ones_like(grey), matrix, (width, height), flags=cv2.INTER_NEAREST)
    there = cv2.cvtColor(np.ascontiguousarray(small), cv2.COLOR_RGB2GRAY).astype(np.float32)
    here, there = (cv2.GaussianBlur(one, (0, 0), _SOFT) for one in (here, there))
    overlap = float(inside.sum()) / max(area * query.shape[0] * query.shape[1], 1e-9)
    within = cv2.erode(inside, np.ones((3, 3), np.uint8)) > 0
    n = np.maximum(cv2.boxFilter(within.astype(np.float32), -1, (WINDOW, WINDOW)), 1e-6)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.boxFilter(values * within, -1, (WINDOW, WINDOW)) / n)

    a, b = mean(here), mean(there)
    va, vb = (np.maximum(mean(x * x) - m * m, 0) for x, m in ((here, a), (there, b)))
    correlation = (mean(here * there) - a * b) / np.sqrt(np.maximum(va, 1) * np.maximum(vb, 1))
    telling = within & (np.maximum(va, vb) > _FLAT**2)
    if not telling.any():
        return Agreement(0.0, min(overlap, 1.0))
    return Agreement(float((correlation[telling] > ALIKE).mean()), min(overlap, 1.0))
