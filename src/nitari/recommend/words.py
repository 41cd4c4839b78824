"""Likeness by words: what is written about items, beside what they look like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nitari.filters import Selection
from nitari.text.index import Query, TextIndex


class TextSource:
    """Proposes and scores rows by their words: those that somebody typed, or the most telling ones of liked items.

    Similarities are from 0, no word in common, to 1, all that was asked for and little else, or the liked item itself; so
    they may be weighed against a space's.
    """

    def __init__(self, index: TextIndex) -> None:
        self.index = index

    def query(self, like: str | Sequence[int], weights: Sequence[float] | None = None) -> Query | None:
        """Typed text, or ready rows with their weights; None where they have no word that others share."""
        asked = self.index.ask(like) if isinstance(like, str) else self.index.ask_like(like, weights)
        return asked if asked.clauses else None

    def candidates(self, query: Query | None, k: int, where: Selection | None = None) -> np.ndarray:
        """(m,) int64: the best min(k, matches) rows, best first."""
        return np.empty(0, np.int64) if query is None else self.index.search(query, k, where=where).rows

    def similarity(self, query: Query | None, rows: np.ndarray) -> np.ndarray:
        """(m,) float64 in [0, 1]."""
        return np.zeros(len(rows)) if query is None else self.index.similarity(query, rows)
