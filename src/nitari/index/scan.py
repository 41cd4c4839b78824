"""Exact search over vectors in memory or mapped: all of them in one go, or rows picked here and there."""

from __future__ import annotations

from typing import Any

import numpy as np

from nitari.errors import QueryError
from nitari.index.codes import METRICS, Codes
from nitari.space import Space, unit

_QUERIES = 256  # scanned together
_NUMBERS = 1 << 19  # of a block of vectors that has to be copied: 2 MB as float32
_DISTANCES = 1 << 22  # held at once: 16 MB
_CODED = 16_384  # vectors from which on codes are worth their file
_UNIT = 2e-6  # how far from 1 a norm may be for a dot product to be a cosine

Found = list[tuple[np.ndarray, np.ndarray]]
"""(rows, distances) of each query, nearest first."""


class Scan:
    """The memory used does not grow with the number of vectors. Equal distances are ordered by row.

    ``vectors`` (n, width) are read in passing, ``codes`` where rows are picked or the vectors would have to be converted;
    what may be among the nearest is then compared by ``origin``. There its row is ``rows`` (n,), None where it is the same.
    """

    def __init__(
        self,
        space: Space,
        vectors: np.ndarray,
        unit: bool,
        codes: Codes | None = None,
        origin: np.ndarray | None = None,
        rows: np.ndarray | None = None,
    ) -> None:
        self.space = space
        self.vectors = vectors
        self.unit = unit
        self.codes = codes
        self.origin = vectors if origin is None else origin
        self.rows = rows
        contiguous = codes is None or rows is None  # a block of codes has no float32 beside it
        self._as_it_is = contiguous and vectors.dtype == np.float32 and (unit or space.metric != "cosine")

    @classmethod
    def of(cls, space: Space, vectors: np.ndarray) -> Scan:
        """Raises QueryError where a vector is not finite."""
        normal = check(space, vectors)
        coded = space.metric in METRICS and len(vectors) >= _CODED
        return cls(space, vectors, normal, Codes.of(space, vectors) if coded else None)

    def __len__(self) -> int:
        return len(self.vectors) if self.rows is None else len(self.rows)

    @property
    def gathering(self) -> float:
        """What a picked row costs, where one read in passing costs 1. Measured at 10,000 to 50,000 of 100,000 rows."""
        return 5.0 if self.codes is None else 1.6

    def nearest(self, queries: np.ndarray, k: int, rows: np.ndarray | None = None) -> Found:
        """(q, width) as ``Space.check`` returns them -> up to k each, of all or of ``rows``."""
        found: Found = []
        for start in range(0, len(queries), _QUERIES):
            found += self._nearest(queries[start : start + _QUERIES], k, rows)
        return found

    def _nearest(self, queries: np.ndarray, k: int, rows: np.ndarray | None) -> Found:
        """The candidates of a fast pass, bounded by the k-th best seen so far, then ranked precisely."""
        left_out = None
        if rows is not None and len(rows) * self.gathering > len(self):
            left_out = np.full(len(self), np.inf, np.float32)
            left_out[rows] = 0.0
            rows = None
        codes = self.codes if rows is not None or not self._as_it_is else None
        norms = np.linalg.norm(queries.astype(np.float32), axis=1)
        bound = np.full(len(queries), np.inf, np.float32)
        near = [np.empty(0, np.int64)] * len(queries)
        apart = [np.empty(0, np.float32)] * len(queries)
        total = len(self) if rows is None else len(rows)
        step = _DISTANCES // len(queries)
        if codes is None and (rows is not None or not self._as_it_is):
            step = min(step, max(256, _NUMBERS // self.space.width))
        for start in range(0, total, step):
            stop = min(start + step, total)
            here: Any = slice(start, stop) if rows is None else rows[start:stop]
            if codes is None:
                distances = self.space.distances(queries, self._comparable(self.vectors[here]))
            else:
                distances = codes.distances(queries, here)
            if left_out is not None:
                distances += left_out[here]
            fresh = np.isinf(bound)
            if stop - start >= k and fresh.any():
                bound[fresh] = _kth(distances[fresh], k)
            limit = np.minimum(self._slack(norms, bound, codes), np.finfo(np.float32).max)
            for i in range(len(queries)):
                at = np.flatnonzero(distances[i] <= limit[i])
                if not len(at):
                    continue
                apart[i] = np.concatenate([apart[i], distances[i][at]])
                near[i] = np.concatenate([near[i], at + start if rows is None else here[at]])
                if len(apart[i]) > k:
                    bound[i] = np.partition(apart[i], k - 1)[k - 1]
                    keep = apart[i] <= self._slack(norms[i], bound[i], codes)
                    near[i], apart[i] = near[i][keep], apart[i][keep]
        return [
            rank(self.space, query, self.origin, one if self.rows is None else self.rows[one], k)
            for query, one in zip(queries, near, strict=True)
        ]

    def order(self, query: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """The numbers, nearest first, as far as float32 tells."""
        return np.asarray(numbers[np.argsort(self.space.distances(query[None], self.taken(numbers))[0], kind="stable")])

    def taken(self, numbers: np.ndarray) -> np.ndarray:
        """(m, width) vectors, ready to compare."""
        return self._comparable(self.origin[numbers if self.rows is None else self.rows[numbers]])

    def _comparable(self, block: np.ndarray) -> np.ndarray:
        """(rows, width): float32, of unit norm in cosine; as stored in hamming."""
        if self.space.metric == "hamming":
            return block
        block = np.asarray(block, np.float32)
        return block if self.unit or self.space.metric != "cosine" else unit(block)

    def _slack(self, norms: Any, bound: Any, codes: Codes | None) -> Any:
        """``bound`` plus what codes, and rounding in float32, may have added to a distance; far more than the latter does."""
        if self.space.metric == "hamming":
            return bound
        if codes is not None:  # too far by the error of the k-th, and seen too near by its own
            bound = bound + 2 * codes.error
        if self.space.metric == "cosine":
            return bound + 1e-5
        if self.space.metric == "normalized_l2":
            return np.sqrt(bound**2 + 1e-5)
        return np.sqrt(bound**2 + 1e-5 * (norms**2 + (norms + bound) ** 2))


def _kth(distances: np.ndarray, k: int) -> np.ndarray:
    """(q, n) -> (q,) at least the k-th smallest, and little more: the k-th smallest of the minima of 4 k groups."""
    groups = 4 * k
    size = distances.shape[1] // groups
    if size > 1:
        distances = distances[:, : groups * size].reshape(-1, groups, size).min(axis=2)
    return np.asarray(np.partition(distances, k - 1, axis=1)[:, k - 1])


def rank(
    space: Space, query: np.ndarray, vectors: np.ndarray, rows: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest among ``rows``, by precise distance and then by row: (rows, distances)."""
    distances = space.precise(query, vectors[rows])
    order = np.lexsort((rows, distances))[:k]
    return rows[order], distances[order]


def check(space: Space, vectors: np.ndarray) -> bool:
    """Whether every vector has unit norm; QueryError on another width, and on NaN or infinity, naming the row."""
    space.check(vectors[:0] if vectors.ndim == 2 else vectors)
    exact = True
    if space.metric == "hamming":
        return exact
    step = max(256, _NUMBERS // space.width)
    for start in range(0, len(vectors), step):
        block = np.asarray(vectors[start : start + step], np.float32)
        bad = ~np.isfinite(block).all(axis=1)
        if bad.any():
            raise QueryError(
                f"Vector {start + int(bad.argmax())} of space '{space.name}' is not finite. It cannot be indexed; "
                "extract the space again"
            )
        if space.metric == "cosine" and exact:
            exact = bool((np.abs(np.linalg.norm(block, axis=1) - 1.0) <= _UNIT).all())
    return exact
