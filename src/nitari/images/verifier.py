"""A verifier: whether pictures that are near each other in a space are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from nitari.images.difference import DIFFERENT, SIDE, difference, standard

_KEPT = 4096  # pictures that are kept to be compared again: 50 MB


class Verifier:
    """Tells whether pictures that are near each other in a space are the same, by their pixels; mirrored ones are, too.

    A hash reads few and grey frequencies, and finds drawings that share a shape alike: the same heart in two colours.
    ``read`` gives the pictures of rows, of a side, each (H, W, 3) uint8. ``refuted`` counts the pairs that were near, and differ.
    """

    def __init__(self, read: Callable[[Sequence[int], int], Sequence[np.ndarray]]) -> None:
        self.refuted = 0
        self._standard = lru_cache(_KEPT)(lambda row: standard(read([row], SIDE)[0]))

    def __call__(self, row: int, others: np.ndarray) -> np.ndarray:
        """(m,) bool: which of the rows ``others`` show the same as ``row``."""
        found = np.array([self._same(row, int(other)) for other in others], bool)
        self.refuted += int((~found).sum())
        return found

    def _same(self, row: int, other: int) -> bool:
        one, two = self._standard(row), self._standard(other)
        return difference(one, two) < DIFFERENT or difference(one, two[:, ::-1]) < DIFFERENT
