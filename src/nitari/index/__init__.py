"""Indexes: vectors -> nearest rows. One module a backend; ``exact`` is every other one's oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd

from nitari.filters import Selection
from nitari.space import Space


class SearchResult(NamedTuple):
    """``rows`` (q, k) int64 and ``distances`` (q, k) float32, ascending; padded with -1 and inf beyond min(k, matches)."""

    rows: np.ndarray
    distances: np.ndarray


@runtime_checkable
class Index(Protocol):
    """Rows are positions in the vectors given to ``build``: int64, and never ids.

    ``vectors`` stay with their embeddings: an index keeps only what it adds, and is loaded beside them.
    """

    space: Space

    def build(self, vectors: np.ndarray, attributes: pd.DataFrame | None = None) -> None: ...

    def search(self, queries: np.ndarray, k: int, *, where: Selection | None = None) -> SearchResult:
        """(q, width) -> exactly min(k, rows that ``where`` admits) results a query; QueryError on bad queries."""
        ...

    def save(self, path: Path) -> dict[str, Any]:
        """Write files under ``path``; returns what ``load`` wants back as ``parameters``."""
        ...

    @classmethod
    def load(cls, path: Path, space: Space, vectors: np.ndarray, parameters: dict[str, Any]) -> Self: ...
