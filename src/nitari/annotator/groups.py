"""Groups: rows that are joined by a chain of neighbours within a distance."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from nitari.space import Space

log = logging.getLogger(__name__)

_BLOCK = 1024  # rows that are searched for at once
_FIRST, _MOST = 16, 256  # neighbours asked for, at first and at last


class Found(Protocol):
    """As ``nitari.index.SearchResult``."""

    @property
    def rows(self) -> np.ndarray: ...

    @property
    def distances(self) -> np.ndarray: ...


Search = Callable[[np.ndarray, int], Found]
"""((q, width) vectors, k) -> the nearest rows: ``index.search``."""


class Groups:
    """Which rows of n belong together: a union-find whose joins are whole arrays. A group's root is its lowest row.

    Roots are hooked to lower ones and paths halved until nothing changes: Shiloach and Vishkin, "An O(log n) parallel
    connectivity algorithm" (Journal of Algorithms 1982).
    """

    def __init__(self, n: int) -> None:
        self._parent = np.arange(n)

    def join(self, first: np.ndarray, second: np.ndarray) -> None:
        """Put row ``first[i]`` and row ``second[i]`` into one group, for every i."""
        while len(first):
            first, second = self._roots(first), self._roots(second)
            apart = first != second
            first, second = np.minimum(first, second)[apart], np.maximum(first, second)[apart]
            np.minimum.at(self._parent, second, first)

    def roots(self) -> np.ndarray:
        """(n,) int64: the lowest row of each row's group."""
        self._parent = self._roots(np.arange(len(self._parent)))
        return self._parent.copy()

    def _roots(self, rows: np.ndarray) -> np.ndarray:
        at = self._parent[rows]
        while True:
            up = self._parent[at]
            if np.array_equal(up, at):
                self._parent[rows] = at
                return at
            at = up


def groups(
    space: Space,
    search: Search,
    vectors: np.ndarray,
    threshold: float,
    *,
    among: Groups | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """(n,) int64: of each row of ``vectors``, (n, width), the lowest row that a chain of neighbours leads to.

    Neighbours are at a distance of ``threshold`` at most, found by ``search``, an index of the same vectors: every pair
    that it finds is checked exactly. ``among`` holds groups that are known already. A row with more than 256 neighbours
    that close is joined to the nearest 256. A zero vector, which is what an extractor gives for what it cannot see, is
    near nothing.
    """
    known = among or Groups(len(vectors))
    for rows in _blocks(len(vectors)):
        k = _FIRST
        asked = rows[np.asarray(vectors[rows]).any(axis=1)]
        while len(asked):
            queries = space.check(np.asarray(vectors[asked]))
            found = search(queries, min(k, len(vectors)))
            near = (found.distances <= threshold) & (found.rows >= 0)
            known.join(np.repeat(asked, near.sum(axis=1)), found.rows[near])
            asked = asked[near[:, -1]] if k < min(_MOST, len(vectors)) else asked[:0]
            k *= 4
        progress(int(rows[-1]) + 1, len(vectors))
    return known.roots()


def _blocks(n: int) -> Iterator[np.ndarray]:
    for start in range(0, n, _BLOCK):
        yield np.arange(start, min(start + _BLOCK, n))
