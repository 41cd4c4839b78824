"""Likeness by words: what is written about items, beside what they look like."""

from __future__ import annotations

import numpy as np

from nitari.filters import Selection
from nitari.recommend.source import Seeds
from nitari.text.index import Query, TextIndex


class TextSource:
    """The source ``text``: items that share the most telling words of the liked ones. What pictures say is not asked.

    Similarities are from 0, no word in common, to 1, the liked item itself or one of the same words; so they may be
    weighed against a space's. Items that were added after the index was built have no words yet.
    """

    name = "text"

    def __init__(self, index: TextIndex) -> None:
        self.index = index

    def query(self, seeds: Seeds) -> Query | None:
        """None where the liked items have no word that others share."""
        known = [i for i, entry in enumerate(seeds.entries) if isinstance(entry, int) and entry < len(self.index)]
        asked = self.index.ask_like([seeds.entries[i] for i in known], seeds.weights[known].tolist())  # type: ignore[misc]
        return asked if asked.clauses else None

    def typed(self, text: str) -> Query:
        """Words that somebody typed; QueryError where there are none."""
        return self.index.ask(text)

    def candidates(self, query: Query | None, k: int, where: Selection | None = None) -> np.ndarray:
        if query is None:
            return np.empty(0, np.int64)
        return self.index.search(query, k, where=None if where is None else self.within(where)).rows

    def measure(self, query: Query | None, rows: np.ndarray) -> np.ndarray:
        measured = np.zeros(len(rows))
        if query is not None:
            known = rows < len(self.index)
            measured[known] = self.index.similarity(query, rows[known])
        return measured

    def similarity(self, measured: np.ndarray) -> np.ndarray:
        return measured

    def within(self, where: Selection) -> Selection:
        """A selection of all rows as one of those that the index knows."""
        rows = where.rows
        return Selection(where.filter, rows[: np.searchsorted(rows, len(self.index))])
