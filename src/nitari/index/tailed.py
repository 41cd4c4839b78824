"""A built index and, beside it, the vectors that came afterwards: those are few, and searched exactly."""

from __future__ import annotations

import numpy as np

from nitari.filters import Selection
from nitari.index import Index, SearchResult
from nitari.index.exact import Exact
from nitari.index.planned import Planned
from nitari.space import Space


class Tailed:
    """Searches as one index whose rows are those of ``index``, ``stored`` of them, and then ``vectors`` (m, width)."""

    def __init__(self, index: Index, stored: int, vectors: np.ndarray) -> None:
        self.space: Space = index.space
        self.index = index
        self.stored = stored
        self._tail = Exact(index.space)
        self._tail.build(vectors)
        self._added = len(vectors)

    def search(self, queries: np.ndarray, k: int, *, where: Selection | None = None) -> SearchResult:
        """(q, width) -> exactly min(k, rows that ``where`` admits) results a query, as any index."""
        before, after = None, None
        if where is not None:
            mask = where.mask(self.stored + self._added)
            before = Selection.of(where.filter, mask[: self.stored].copy())
            after = Selection.of(where.filter, mask[self.stored :].copy())
        one = self.index.search(queries, k, where=before)
        two = self._tail.search(queries, k, where=after)
        rows = np.concatenate([one.rows, np.where(two.rows < 0, -1, two.rows + self.stored)], axis=1)
        distances = np.concatenate([one.distances, two.distances], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        return SearchResult(np.take_along_axis(rows, order, 1), np.take_along_axis(distances, order, 1))

    def propose(self, query: np.ndarray, k: int, care: float = 1.0, *, where: Selection | None = None) -> np.ndarray:
        """(m,) rows as ``Planned.propose``."""
        if where is not None or not isinstance(self.index, Planned):
            rows = self.search(query, k, where=where).rows[0]
            return rows[rows >= 0]
        late = self._tail.propose(query, k, care) + self.stored
        return np.concatenate([self.index.propose(query, min(k, self.stored), care), late]) if self.stored else late
