"""Likeness by words: what is written about items, beside what they look like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from nitari.catalog import Catalog
from nitari.filters import Selection
from nitari.recommend.source import Seeds
from nitari.text.columns import texts
from nitari.text.index import Query, TextIndex, telling


class Asked(NamedTuple):
    """The same question, for what was indexed and for what was added since."""

    stored: Query
    added: Query | None


class TextSource:
    """The source ``text``: items that share the most telling words of the liked ones. What pictures say is not asked.

    Similarities are from 0, no word in common, to 1, the liked item itself or one of the same words; so they may be
    weighed against a space's. ``columns`` are those that the
    texts are from, and ``added`` gives the texts of the rows that follow the index's own; they are read when
    somebody first asks.
    """

    name = "text"

    def __init__(
        self, index: TextIndex, columns: Sequence[str] = (), added: Callable[[], Iterable[str]] | None = None
    ) -> None:
        self.index = index
        self.columns = columns
        self._added = added

    @classmethod
    def over(cls, index: TextIndex, columns: Sequence[str], catalog: Catalog) -> Self:
        """Of all rows of ``catalog``, of which ``index`` has the first."""
        late = (lambda: texts(catalog, columns, len(index))) if catalog.n_ready > len(index) else None
        return cls(index, columns, late)

    @cached_property
    def tail(self) -> TextIndex | None:
        """Of the rows that were added since."""
        return None if self._added is None else TextIndex.beside(self.index, self._added())

    def warm(self) -> None:
        """Read what was added now."""
        _ = self.tail

    def query(self, seeds: Seeds) -> Asked | None:
        """None where the liked items have no word that others share."""
        weights = seeds.weights.tolist()
        known = [(e, w) for e, w in zip(seeds.entries, weights, strict=True) if isinstance(e, int) and e < self._n]
        terms = telling(self.index, ((self._terms(row), weight) for row, weight in known), self.tail)
        if not terms:
            return None
        asked = Asked(self.index.ask_terms(terms), None if self.tail is None else self.tail.ask_terms(terms))
        most = float(self._scores(asked, np.array([row for row, _ in known], np.int64)).max(initial=0))
        return Asked(*(None if query is None else replace(query, most=most) for query in asked))  # type: ignore[arg-type]

    def typed(self, text: str) -> Asked:
        """Words that somebody typed; QueryError where there are none."""
        tail = self.tail
        return Asked(self.index.ask(text, tail), None if tail is None else tail.ask(text, self.index))

    def candidates(self, query: Asked | None, k: int, where: Selection | None = None) -> np.ndarray:
        if query is None:
            return np.empty(0, np.int64)
        first = len(self.index)
        rows = self.index.search(query.stored, k, where=where and _between(where, 0, first)).rows
        if self.tail is None or query.added is None:
            return rows
        late = self.tail.search(query.added, k, where=where and _between(where, first, self._n)).rows
        rows = np.concatenate([rows, first + late])
        return np.asarray(rows[np.lexsort((rows, -self.measure(query, rows)))][:k])

    def measure(self, query: Asked | None, rows: np.ndarray) -> np.ndarray:
        measured = np.zeros(len(rows))
        if query is None:
            return measured
        first = len(self.index)
        stored = rows < first
        measured[stored] = self.index.similarity(query.stored, rows[stored])
        if self.tail is not None and query.added is not None:
            late = ~stored & (rows < self._n)
            measured[late] = self.tail.similarity(query.added, rows[late] - first)
        return measured

    def similarity(self, measured: np.ndarray) -> np.ndarray:
        return measured

    @property
    def _n(self) -> int:
        return len(self.index) + (0 if self.tail is None else len(self.tail))

    def _terms(self, row: int) -> list[str]:
        first = len(self.index)
        if row < first:
            return self.index.terms_of(row)
        return [] if self.tail is None else self.tail.terms_of(row - first)

    def _scores(self, query: Asked, rows: np.ndarray) -> np.ndarray:
        first = len(self.index)
        scores = self.index.scores(query.stored, rows[rows < first])
        if self.tail is None or query.added is None:
            return scores
        return np.concatenate([scores, self.tail.scores(query.added, rows[rows >= first] - first)])


def _between(where: Selection, first: int, last: int) -> Selection:
    """A selection of all rows as one of those from ``first`` to ``last``, counted from there."""
    rows = where.rows
    return Selection(where.filter, rows[np.searchsorted(rows, first) : np.searchsorted(rows, last)] - first)
