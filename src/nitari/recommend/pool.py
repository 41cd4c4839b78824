"""A pool: the candidates of one layer in the order of their scores, and what each source says of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

DIGITS = 6  # of what is told of a result


class Pool(NamedTuple):
    """Rows (n,), best first, with their scores and, by source, what was measured, similarities, ranks, and whether it
    proposed them itself.
    """

    rows: np.ndarray
    scores: np.ndarray
    measured: dict[str, np.ndarray]
    similarity: dict[str, np.ndarray]
    rank: dict[str, np.ndarray]
    proposed: dict[str, np.ndarray]

    def told(
        self, at: np.ndarray
    ) -> Iterator[tuple[int, float, dict[str, float], dict[str, float], dict[str, int | None]]]:
        """(row, score, measured, similarity, rank) of some: rank is None where a source did not propose it."""
        names = list(self.measured)
        measured, similarity = (
            zip(*(part[name][at].astype(float).round(DIGITS).tolist() for name in names), strict=True)
            for part in (self.measured, self.similarity)
        )
        ranks = zip(
            *(np.where(self.proposed[name][at], self.rank[name][at], 0).tolist() for name in names), strict=True
        )
        columns = self.rows[at].tolist(), self.scores[at].tolist(), measured, similarity, ranks
        for row, score, by, alike, rank in zip(*columns, strict=True):
            yield (
                row,
                score,
                dict(zip(names, by, strict=True)),
                dict(zip(names, alike, strict=True)),
                {name: place or None for name, place in zip(names, rank, strict=True)},
            )


def union(parts: list[np.ndarray]) -> np.ndarray:
    """All rows of some arrays, ascending and once each: ``np.unique`` takes ten times as long for few."""
    rows = np.sort(np.concatenate(parts))
    if len(parts) > 1 and len(rows):
        rows = rows[np.append(True, rows[1:] != rows[:-1])]
    return rows


def among(rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(n,) bool: which rows are in ``known`` (m,), ascending; ``np.isin`` takes ten times as long for few."""
    if not len(known):
        return np.zeros(len(rows), bool)
    at = known.searchsorted(rows)
    return np.asarray(known[np.minimum(at, len(known) - 1)] == rows)
