"""Late rows: what was appended to an index on a server since it was built, and what was deleted from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from nitari.errors import DamagedArtifactError, QueryError
from nitari.filters import Selection
from nitari.index.remote import ROW, Table
from nitari.index.scan import Found
from nitari.space import Space

_FARTHEST = 1 << 53
_COMPARED = 32  # vectors that the server is asked for
_NEAR = 1e-5  # of its own length, how far one of those may be from ours
_SEEN = 64  # late rows that may come before those that are wanted, counted on


@dataclass(frozen=True)
class Late:
    """After ``n`` built rows: ``rows`` (m,) ascending with ``vectors`` (m, width), and ``gone``, built rows that are deleted."""

    n: int
    rows: np.ndarray
    vectors: np.ndarray
    gone: np.ndarray

    @classmethod
    def none(cls, n: int, space: Space) -> Self:
        empty = np.empty(0, np.int64)
        return cls(n, empty, np.empty((0, space.width), np.uint8 if space.metric == "hamming" else np.float32), empty)

    @property
    def total(self) -> int:
        """Rows there have been, deleted ones among them."""
        return max(self.n, int(self.rows[-1]) + 1) if len(self.rows) else self.n

    def check_appended(self, rows: np.ndarray, vectors: np.ndarray) -> None:
        """Raise QueryError unless (m,) rows are new or late ones, each once and with a vector."""
        if len(rows) != len(vectors) or len(np.unique(rows)) != len(rows):
            raise QueryError(f"{len(rows)} rows came with {len(vectors)} vectors. Give each row once, with its vector")
        if len(rows) and rows.min() < self.n:
            least, n = rows.min(), self.n
            raise QueryError(f"Row {least} is one of the {n} that were built. Append from {n} on, and delete it")

    def check_deleted(self, rows: np.ndarray) -> None:
        """Raise QueryError unless (m,) ascending rows are, or were, among those that are there."""
        if len(rows) and not 0 <= rows[0] <= rows[-1] < self.total:
            wrong = rows[-1] if rows[0] >= 0 else rows[0]
            raise QueryError(f"Row {wrong} is none of the {self.total} that are there. Refresh, or give another one")

    def least(self, wanted: int) -> int:
        """How many results to ask for, so that ``wanted`` built ones are likely among them."""
        return wanted + min(len(self.rows), _SEEN)

    def with_rows(self, rows: np.ndarray, vectors: np.ndarray) -> Self:
        if len(rows) and rows[0] >= self.total and (np.diff(rows) > 0).all():  # as they usually come
            return replace(
                self, rows=np.concatenate([self.rows, rows]), vectors=np.concatenate([self.vectors, vectors])
            )
        kept = ~np.isin(self.rows, rows)
        whole = np.concatenate([self.rows[kept], rows])
        order = np.argsort(whole, kind="stable")
        return replace(self, rows=whole[order], vectors=np.concatenate([self.vectors[kept], vectors])[order])

    def without(self, rows: np.ndarray) -> Self:
        kept = ~np.isin(self.rows, rows)
        gone = np.union1d(self.gone, rows[rows < self.n])
        return replace(self, rows=self.rows[kept], vectors=self.vectors[kept], gone=gone)

    def mask(self, where: Selection | None) -> np.ndarray | None:
        """(total,) bool: what ``where`` admits and is there; None where that is all."""
        if self.total == self.n and not len(self.gone):
            return None if where is None else where.mask(self.n)
        return self._there if where is None else where.mask(self.total) & self._there

    @cached_property
    def _there(self) -> np.ndarray:
        mask = np.ones(self.total, bool)
        mask[self.gone] = False
        mask[self.n :] = False
        mask[self.rows] = True
        return mask

    def joined(self, space: Space, queries: np.ndarray, found: Found, k: int, mask: np.ndarray | None) -> Found:
        """The k nearest of what was ``found`` among the built rows and of the late rows that ``mask`` admits."""
        if mask is None or not len(self.rows):
            return found
        admitted = mask[self.rows]
        rows, vectors = self.rows[admitted], self.vectors[admitted]
        joined: Found = []
        for query, (near, apart) in zip(queries, found, strict=True):
            whole = np.concatenate([near, rows])
            distances = np.concatenate([apart, space.precise(query, vectors)])
            order = np.lexsort((whole, distances))[:k]
            joined.append((whole[order], distances[order]))
        return joined


def compared(vectors: np.ndarray, space: Space, table: Table) -> Late:
    """What the server acknowledged since (n, width) ``vectors`` were built.

    Raises DamagedArtifactError where it lacks rows that were not deleted, or holds other vectors: some are read.
    """
    n = len(vectors)
    there = table.count(f"{ROW} >= 0 and {ROW} < {n}")
    chosen = np.unique(np.linspace(0, n - 1, min(n, _COMPARED)).astype(np.int64))
    rows, held = table.take(chosen)
    tombs, _ = table.rows(-_FARTHEST, 0)  # after those: a row is given its tombstone before it goes
    late = Late(n, *table.rows(n, _FARTHEST, vectors=True), np.sort(-1 - tombs))
    ours = space.check(vectors[rows]) if len(rows) else held
    far = np.abs(held.astype(np.float64) - ours).max(axis=1, initial=0) > _NEAR * np.abs(ours).max(axis=1, initial=1)
    wrong = np.concatenate([rows[far], np.setdiff1d(np.setdiff1d(chosen, rows), late.gone)])
    if not n - len(late.gone) <= there <= n or len(wrong):
        what = f"row {wrong[0]} is another one" if len(wrong) else f"{there} rows of {n - len(late.gone)}"
        raise DamagedArtifactError(
            f"Milvus at '{table.uri}' holds under '{table.name}' other vectors than the index of space '{space.name}' "
            f"was built from: {what}. It was not used. Renew it with: nitari build collection=…"
        )
    return late
