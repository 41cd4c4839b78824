"""Exact search by scanning every vector: the oracle of all other indexes, and the best one for small collections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from nitari.errors import DamagedArtifactError, QueryError
from nitari.filters import Selection
from nitari.index import SearchResult, check_request, padded
from nitari.space import Space, unit

if TYPE_CHECKING:
    import pandas as pd

_QUERIES = 256  # scanned together
_NUMBERS = 1 << 21  # of a block of vectors that has to be copied: 8 MB as float32
_DISTANCES = 1 << 22  # held at once: 16 MB
_FIRST = 16384  # distances that the first bound is drawn from
_GATHER = 0.2  # below this share of all vectors, selected ones are gathered; above it, a plain scan is faster
_UNIT = 2e-6  # how far from 1 a norm may be for a dot product to be a cosine


class Exact:
    """Scans in blocks: the memory used does not grow with the number of vectors. Equal distances are ordered by row."""

    sweep: ClassVar[tuple[str, tuple[int, ...]] | None] = None

    def __init__(self, space: Space) -> None:
        self.space = space
        self._vectors = np.empty((0, space.width), space.dtype)
        self._unit = True

    def build(self, vectors: np.ndarray, attributes: pd.DataFrame | None = None) -> None:
        """Keep (n, width) vectors, which may be a memory map. QueryError when one is not finite."""
        self._unit = _check(self.space, vectors)
        self._vectors = vectors

    def search(self, queries: np.ndarray, k: int, *, where: Selection | None = None) -> SearchResult:
        check_request(self.space, len(self._vectors), k, where)
        queries = self.space.check(queries)
        rows = None if where is None else where.rows
        found = []
        for start in range(0, len(queries), _QUERIES):
            found += self._scan(queries[start : start + _QUERIES], k, rows)
        return padded(found, k)

    def save(self, path: Path) -> dict[str, Any]:
        return {"count": len(self._vectors), "dim": self.space.dim, "unit": self._unit}

    @classmethod
    def load(cls, path: Path, space: Space, vectors: np.ndarray, parameters: Mapping[str, Any]) -> Self:
        check_parameters(space, vectors, parameters)
        index = cls(space)
        index._vectors, index._unit = vectors, bool(parameters["unit"])
        return index

    def _scan(self, queries: np.ndarray, k: int, rows: np.ndarray | None) -> list[tuple[np.ndarray, np.ndarray]]:
        """The candidates of a fast float32 pass, bounded by the k-th best seen so far, then ranked precisely."""
        norms = np.linalg.norm(queries.astype(np.float32), axis=1)
        bound = np.full(len(queries), np.inf, np.float32)
        near = [np.empty(0, np.int64)] * len(queries)
        apart = [np.empty(0, np.float32)] * len(queries)
        for start, ids, block, penalty in self._blocks(rows, len(queries)):
            distances = self.space.distances(queries, block)
            if penalty is not None:
                distances += penalty
            fresh = np.isinf(bound)
            if len(block) >= k and fresh.any():
                bound[fresh] = np.partition(distances[fresh, : max(k, _FIRST)], k - 1, axis=1)[:, k - 1]
            limit = np.minimum(self._slack(norms, bound), np.finfo(np.float32).max)
            for i in range(len(queries)):
                at = np.flatnonzero(distances[i] <= limit[i])
                if not len(at):
                    continue
                apart[i] = np.concatenate([apart[i], distances[i][at]])
                near[i] = np.concatenate([near[i], at + start if ids is None else ids[at]])
                if len(apart[i]) > k:
                    bound[i] = np.partition(apart[i], k - 1)[k - 1]
                    keep = apart[i] <= self._slack(norms[i], bound[i])
                    near[i], apart[i] = near[i][keep], apart[i][keep]
        return [rank(self.space, query, self._vectors, found, k) for query, found in zip(queries, near, strict=True)]

    def _blocks(
        self, rows: np.ndarray | None, queries: int
    ) -> Iterator[tuple[int, np.ndarray | None, np.ndarray, np.ndarray | None]]:
        """(first row, or the rows themselves; float32 vectors; what to add to the distance of rows left out)."""
        n, copied = len(self._vectors), max(256, _NUMBERS // self.space.width)
        step = min(copied, _DISTANCES // queries)
        if rows is not None and len(rows) < _GATHER * n:
            for start in range(0, len(rows), step):
                ids = rows[start : start + step]
                yield start, ids, self._float(self._vectors[ids]), None
            return
        penalty = None
        if rows is not None:
            penalty = np.full(n, np.inf, np.float32)
            penalty[rows] = 0.0
        if self._as_it_is:  # one product over as much as its results allow: fewer waits for BLAS's threads
            step = _DISTANCES // queries
        for start in range(0, n, step):
            stop = min(start + step, n)
            yield (
                start,
                None,
                self._float(self._vectors[start:stop]),
                None if penalty is None else penalty[start:stop],
            )

    @property
    def _as_it_is(self) -> bool:
        """Whether vectors are compared without being converted or normalised first."""
        return self._vectors.dtype == np.float32 and (self._unit or self.space.metric != "cosine")

    def _float(self, block: np.ndarray) -> np.ndarray:
        if self.space.metric == "hamming":
            return block
        block = np.asarray(block, np.float32)
        return block if self._unit or self.space.metric != "cosine" else unit(block)

    def _slack(self, norms: Any, bound: Any) -> Any:
        """``bound`` plus what rounding in float32 may have added to a distance; far more than it does."""
        if self.space.metric == "hamming":
            return bound
        if self.space.metric == "cosine":
            return bound + 1e-5
        if self.space.metric == "normalized_l2":
            return np.sqrt(bound**2 + 1e-5)
        return np.sqrt(bound**2 + 1e-5 * (norms**2 + (norms + bound) ** 2))


def rank(
    space: Space, query: np.ndarray, vectors: np.ndarray, rows: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest among ``rows``, by precise distance and then by row: (rows, distances)."""
    distances = space.precise(query, vectors[rows])
    order = np.lexsort((rows, distances))[:k]
    return rows[order], distances[order]


def check_parameters(space: Space, vectors: np.ndarray, parameters: Mapping[str, Any]) -> None:
    """Raise DamagedArtifactError unless an index with these parameters was built from vectors of this shape."""
    built = (int(parameters["count"]), int(parameters["dim"]))
    if built != (len(vectors), space.dim):
        raise DamagedArtifactError(
            f"The index of space '{space.name}' was built from {built[0]} vectors of dim {built[1]}; it stands beside "
            f"{len(vectors)} of dim {space.dim}. It was not loaded. Renew it with: nitari build collection=…"
        )


def _check(space: Space, vectors: np.ndarray) -> bool:
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
