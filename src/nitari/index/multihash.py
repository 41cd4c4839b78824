"""Multi-index hashing: everything within a number of bits of a query, without looking at the rest.

Norouzi, Punjani and Fleet, "Fast exact search in Hamming space with multi-index hashing" (PAMI 2014): codes that differ
in few bits differ in next to none in some part of them, so that each part is looked up in a table of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from nitari.errors import ConfigError
from nitari.filters import Selection
from nitari.index import SearchResult, check_request, padded
from nitari.index.exact import Exact
from nitari.index.planned import check_parameters
from nitari.index.postings import MAX_ROWS, Postings
from nitari.index.scan import rank
from nitari.space import Space, hamming

if TYPE_CHECKING:
    import pyarrow as pa

_SCAN_ROWS = 20_000  # so many codes are scanned in half a millisecond
_SCAN_SHARE = 1 / 32  # of all codes: candidates beyond it cost more than a scan
_BITS = 24  # of a key at most: a table of 64 MB
_PROBES = 100_000  # keys looked up for one query at most
_BLOCK = 8192  # codes handled together: they stay in the cache


class _Stage(NamedTuple):
    """Keys to look up, by table and by what to flip in the query's own key, and the distance that is then covered."""

    tables: np.ndarray
    flips: np.ndarray
    covers: int


class MultiHash:
    """Search in hamming spaces. Where k results lie within ``radius`` bits, they are the exact ones, found in a part of a
    scan's time; where fewer do, a scan completes the answer. ``within`` gives what lies within the radius alone.

    ``radius`` null is an eighth of the bits, less one: what copies differ by. ``tables`` null divides the bits so that a
    key has about one row. A table costs 4 bytes a row, and 4 a key.
    """

    metrics = ("hamming",)
    sweep: ClassVar[tuple[str, tuple[int, ...]] | None] = None

    def __init__(self, space: Space, radius: int | None = None, tables: int | None = None) -> None:
        if space.metric != "hamming":
            raise ConfigError(
                f"Multi-index hashing searches hamming spaces; '{space.name}' is {space.metric}. "
                "Build it with: index=exact"
            )
        if radius is not None and not 0 <= radius < space.dim:
            raise ConfigError(f"radius is {radius}. Give 0 to {space.dim - 1} of the {space.dim} bits")
        fewest = -(-space.dim // _BITS)
        if tables is not None and not fewest <= tables <= space.dim:
            raise ConfigError(f"tables is {tables}. Divide {space.dim} bits among {fewest} to {space.dim}")
        self.space = space
        self.radius = space.dim // 8 - 1 if radius is None else radius
        self.tables = tables
        self._adopt(np.empty((0, space.width), np.uint8), Exact(space), None)

    def build(self, vectors: np.ndarray, attributes: pa.Table | None = None) -> None:
        """(n, dim / 8) uint8, which may be a memory map. About 1 s a table for 3 million codes."""
        n = len(vectors)
        if n > MAX_ROWS:
            raise ConfigError(f"Tables number at most {MAX_ROWS:,} codes; space '{self.space.name}' has more")
        exact = Exact(self.space)
        exact.build(vectors, attributes)
        postings = None
        if n > _SCAN_ROWS:
            weights = _weights(self.space.dim, self._divided(n))
            postings = Postings.of(_sizes(weights), _keys(vectors, weights))
        self._adopt(vectors, exact, postings)

    def search(self, queries: np.ndarray, k: int, *, where: Selection | None = None) -> SearchResult:
        n = len(self._vectors)
        check_request(self.space, n, k, where)
        queries = self.space.check(queries)
        wanted = min(k, n if where is None else len(where.rows))
        if self._postings is None or (where is not None and len(where.rows) <= _SCAN_ROWS):
            return self._exact.search(queries, k, where=where)
        admitted = self._admitted(where)
        found = []
        for query in queries:
            rows = self._near(query, admitted, wanted)
            if rows is None or len(rows) < wanted:
                result = self._exact.search(query, max(wanted, 1), where=where)
                found.append((result.rows[0, :wanted], result.distances[0, :wanted]))
            else:
                found.append(rank(self.space, query, self._vectors, rows, k))
        return padded(found, k)

    def within(self, queries: np.ndarray, *, where: Selection | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
        """All that lies within the radius of each query: (rows, distances), nearest first."""
        n = len(self._vectors)
        check_request(self.space, n, 1, where)
        admitted = self._admitted(where)
        found = []
        for query in self.space.check(queries):
            rows = None if self._postings is None else self._near(query, admitted, n + 1)
            if rows is None:
                rows = self._scan(query, admitted)
            found.append(rank(self.space, query, self._vectors, rows, len(rows)))
        return found

    def save(self, path: Path) -> dict[str, Any]:
        return {
            **self._exact.save(path),
            "radius": self.radius,
            "tables": self.tables,
            "postings": None if self._postings is None else self._postings.save(path),
        }

    @classmethod
    def load(cls, path: Path, space: Space, vectors: np.ndarray, parameters: Mapping[str, Any]) -> Self:
        check_parameters(space, vectors, parameters)
        index = cls(space, parameters["radius"], parameters["tables"])
        postings = None
        if parameters["postings"] is not None:
            weights = _weights(space.dim, index._divided(len(vectors)))
            postings = Postings.load(path, space, _sizes(weights), parameters["postings"])
        index._adopt(vectors, Exact.load(path, space, vectors, parameters), postings)
        return index

    def _divided(self, n: int) -> int:
        return self.tables or max(-(-self.space.dim // _BITS), round(self.space.dim / math.log2(n)), 1)

    def _adopt(self, vectors: np.ndarray, exact: Exact, postings: Postings | None) -> None:
        self._vectors = vectors
        self._exact = exact
        self._postings = postings
        if postings is not None:
            self._weights = _weights(self.space.dim, len(postings.rows))
            self._stages = _stages(_sizes(self._weights), self.radius)

    def _admitted(self, where: Selection | None) -> np.ndarray | None:
        if where is None:
            return None
        admitted = np.zeros(len(self._vectors), bool)
        admitted[where.rows] = True
        return admitted

    def _near(self, query: np.ndarray, admitted: np.ndarray | None, wanted: int) -> np.ndarray | None:
        """The rows within the radius, or at least the ``wanted`` nearest of them; None where a scan is cheaper."""
        assert self._postings is not None
        own = _keys(query[None], self._weights)[:, 0].astype(np.int64)
        left = len(self._vectors) * _SCAN_SHARE
        near, apart, covered = np.empty(0, np.int64), np.empty(0, np.int32), -1
        for stage in self._stages:
            start, count = self._postings.find(stage.tables, own[stage.tables] ^ stage.flips)
            left -= count.sum()
            if left < 0:
                return None
            rows = self._postings.take(start, count)
            if admitted is not None:
                rows = rows[admitted[rows]]
            distances = hamming(query, self._vectors[rows])
            kept = distances <= self.radius
            near, first = np.unique(np.concatenate([near, rows[kept]]), return_index=True)
            apart = np.concatenate([apart, distances[kept]])[first]
            covered = stage.covers
            if np.count_nonzero(apart <= covered) >= wanted:
                return near
        return near if covered == self.radius else None

    def _scan(self, query: np.ndarray, admitted: np.ndarray | None) -> np.ndarray:
        """The rows within the radius, by looking at all."""
        found = [np.empty(0, np.int64)]
        for start in range(0, len(self._vectors), _BLOCK):
            apart = hamming(query, self._vectors[start : start + _BLOCK])
            found.append(np.flatnonzero(apart <= self.radius) + start)
        rows = np.concatenate(found)
        return rows if admitted is None else rows[admitted[rows]]


def _weights(bits: int, tables: int) -> np.ndarray:
    """(bits, tables) float32: what each bit adds to the key of its table. Bits are dealt out in turn, as neighbours in a
    hash resemble each other; the last tables have the larger keys.
    """
    weights = np.zeros((bits, tables), np.float32)
    at = np.arange(bits)
    weights[at, tables - 1 - at % tables] = 2.0 ** (at // tables)
    return weights


def _sizes(weights: np.ndarray) -> list[int]:
    return [int(total) + 1 for total in weights.sum(axis=0, dtype=np.float64)]


def _keys(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n, bits / 8) uint8 -> (tables, n) uint32; exact in float32, as keys have at most 24 bits."""
    keys = np.empty((weights.shape[1], len(codes)), np.uint32)
    for start in range(0, len(codes), _BLOCK):
        part = slice(start, start + _BLOCK)
        keys[:, part] = (np.unpackbits(codes[part], axis=1).astype(np.float32) @ weights).T
    return keys


def _stages(sizes: list[int], radius: int) -> list[_Stage]:
    """With m tables, what differs in m r + a bits differs in at most r in one of a + 1 tables, or in fewer in another."""
    m, probes, stages = len(sizes), 0, []
    for flipped in range(radius // m + 1):
        last = flipped == radius // m
        tables = range(radius % m + 1 if last else m)
        bits = [size.bit_length() - 1 for size in sizes]
        probes += sum(math.comb(bits[table], flipped) for table in tables)
        if probes > _PROBES:
            break
        flips = [[sum(1 << bit for bit in some) for some in combinations(range(bits[t]), flipped)] for t in tables]
        stages.append(
            _Stage(
                np.repeat(np.array(tables), [len(some) for some in flips]),
                np.array([flip for some in flips for flip in some], np.int64),
                radius if last else m * (flipped + 1) - 1,
            )
        )
    return stages
