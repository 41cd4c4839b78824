"""Likeness by words: a source that knows what is written about items, and not what they look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nitari.filters import Selection
from nitari.text.index import Query, TextIndex


class TextSource:
    """Proposes and scores rows by the most telling words of liked items, or by words that somebody typed.

    Similarities are from 0, no word in common, to 1, the liked item itself or all that was asked for and little else; so
    they may be weighed against a space's. Pictures that are not in the collection have no words, and say nothing here.
    """

    def __init__(self, index: TextIndex, name: str = "text") -> None:
        self.index = index
        self.name = name

    def query(self, seeds: tuple[Sequence[Any], np.ndarray]) -> Query:
        """Catalog rows, pictures among them, and their weights; words of those below 0 count less, or not at all."""
        entries, weights = seeds
        items = [at for at, entry in enumerate(entries) if isinstance(entry, int)]
        return self.index.ask_like([entries[at] for at in items], weights[items])

    def typed(self, text: str) -> Query:
        """Words that somebody typed; QueryError where there are none."""
        return self.index.ask(text)

    def candidates(self, query: Query, k: int, where: Selection | None = None) -> np.ndarray:
        """(m,) int64 distinct rows with any of the words, best first, k at most."""
        return self.index.search(query, k, where=where).rows

    def measure(self, query: Query, rows: np.ndarray) -> np.ndarray:
        """(n,) float64 shares of the score that an item has which is just what was asked."""
        return self.index.similarity(query, rows)

    def similarity(self, measured: np.ndarray) -> np.ndarray:
        """They are similarities already."""
        return measured
