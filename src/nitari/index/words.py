"""Words of a signature: copies are looked up by the parts that they share with their original.

As the package ``image-match`` stores Wong, Bern and Goldberg's signatures: 63 words of 16 neighbouring numbers, each
number only by its sign, so that a copy that is changed in places still shares the words of the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from nitari.errors import ConfigError
from nitari.filters import Selection
from nitari.index import SearchResult, check_request, padded
from nitari.index.exact import Exact
from nitari.index.planned import check_parameters
from nitari.index.postings import MAX_ROWS, Postings
from nitari.index.scan import rank
from nitari.space import Space

if TYPE_CHECKING:
    import pyarrow as pa

_SCAN_ROWS = 20_000  # so many signatures are scanned about as fast
_LISTED = 30_000  # rows that are read for a query: rare words first, common ones not at all
_LONGEST = 20  # 3 to this power fits 32 bits
_BLOCK = 4096


class Words:
    """Approximate search in normalized_l2 spaces of int8: good at copies, and not meant for pictures that are merely alike.

    The ``candidates`` that share most of ``words`` words, each of ``length`` numbers, are ranked by their distance: this
    may be changed at any time. Where fewer share any than are asked for, a scan completes the answer. A word costs 4
    bytes a row.
    """

    metrics = ("normalized_l2",)
    sweep: ClassVar[tuple[str, tuple[int, ...]] | None] = ("candidates", (50, 100, 200, 400, 800, 1600, 3200, 6400))

    def __init__(self, space: Space, words: int = 63, length: int = 16, candidates: int = 400) -> None:
        if space.metric != "normalized_l2" or space.dtype != "int8":
            raise ConfigError(
                f"Words are of normalized_l2 spaces stored as int8; '{space.name}' is {space.metric}, {space.dtype}. "
                "Build it with: index=exact"
            )
        for name, value, most in (("words", words, space.dim), ("length", length, min(_LONGEST, space.dim))):
            if not 1 <= value <= most:
                raise ConfigError(f"{name} is {value}. Space '{space.name}' of dim {space.dim} takes 1 to {most}")
        if candidates < 1:
            raise ConfigError(f"candidates is {candidates}. Give at least 1")
        self.space = space
        self.words = words
        self.length = length
        self.candidates = candidates
        self._adopt(np.empty((0, space.width), np.int8), Exact(space), None)

    def build(self, vectors: np.ndarray, attributes: pa.Table | None = None) -> None:
        """(n, dim) int8, which may be a memory map."""
        n = len(vectors)
        if n > MAX_ROWS:
            raise ConfigError(f"Words number at most {MAX_ROWS:,} vectors; space '{self.space.name}' has more")
        exact = Exact(self.space)
        exact.build(vectors, attributes)
        postings = Postings.of(self._sizes(n), self._keys(vectors, n)) if n > _SCAN_ROWS else None
        self._adopt(vectors, exact, postings)

    def search(self, queries: np.ndarray, k: int, *, where: Selection | None = None) -> SearchResult:
        n = len(self._vectors)
        check_request(self.space, n, k, where)
        queries = self.space.check(queries)
        wanted = min(k, n if where is None else len(where.rows))
        if self._postings is None or (where is not None and len(where.rows) <= _SCAN_ROWS):
            return self._exact.search(queries, k, where=where)
        admitted = None
        if where is not None:
            admitted = np.zeros(n, bool)
            admitted[where.rows] = True
        found = []
        for query, keys in zip(queries, self._keys(queries, n).T, strict=True):
            rows = self._sharing(keys, admitted, max(wanted, self.candidates))
            if len(rows) < wanted:
                result = self._exact.search(query, wanted, where=where)
                found.append((result.rows[0], result.distances[0]))
            else:
                found.append(rank(self.space, query, self._vectors, rows, k))
        return padded(found, k)

    def save(self, path: Path) -> dict[str, Any]:
        return {
            **self._exact.save(path),
            "words": self.words,
            "length": self.length,
            "candidates": self.candidates,
            "postings": None if self._postings is None else self._postings.save(path),
        }

    @classmethod
    def load(cls, path: Path, space: Space, vectors: np.ndarray, parameters: Mapping[str, Any]) -> Self:
        check_parameters(space, vectors, parameters)
        index = cls(space, parameters["words"], parameters["length"], parameters["candidates"])
        postings = None
        if parameters["postings"] is not None:
            postings = Postings.load(path, space, index._sizes(len(vectors)), parameters["postings"])
        index._adopt(vectors, Exact.load(path, space, vectors, parameters), postings)
        return index

    def _adopt(self, vectors: np.ndarray, exact: Exact, postings: Postings | None) -> None:
        self._vectors = vectors
        self._exact = exact
        self._postings = postings

    def _sharing(self, keys: np.ndarray, admitted: np.ndarray | None, most: int) -> np.ndarray:
        """Up to ``most`` rows, those that share most words first."""
        assert self._postings is not None
        start, count = self._postings.find(np.arange(self.words), keys.astype(np.int64))
        rarest = np.argsort(count, kind="stable")
        read = rarest[np.cumsum(count[rarest]) <= _LISTED]
        rows = self._postings.take(start[read], count[read])
        if admitted is not None:
            rows = rows[admitted[rows]]
        rows, shared = np.unique(rows, return_counts=True)
        return rows[np.argsort(-shared, kind="stable")[:most]]

    def _bits(self, n: int) -> int:
        """Of a key, such that it has a few rows: what words that fall together add is ranked last."""
        return max(8, math.ceil(math.log2(n)) - 2)

    def _sizes(self, n: int) -> list[int]:
        return [1 << self._bits(n)] * self.words

    def _keys(self, vectors: np.ndarray, n: int) -> np.ndarray:
        """(m, dim) -> (words, m) uint32: each word in base 3, scattered over the keys of an index of n rows."""
        first = np.linspace(0, self.space.dim, self.words, endpoint=False).astype(int)
        shift = np.uint32(32 - self._bits(n))
        keys = np.empty((self.words, len(vectors)), np.uint32)
        for start in range(0, len(vectors), _BLOCK):
            part = slice(start, start + _BLOCK)
            signs = np.pad(np.sign(vectors[part]).astype(np.int8) + 1, ((0, 0), (0, self.length)), constant_values=1)
            word = np.zeros((len(signs), self.words), np.uint32)
            for at in range(self.length):
                word = word * np.uint32(3) + signs[:, first + at].astype(np.uint32)
            keys[:, part] = (word * _SCATTER >> shift).T
        return keys


_SCATTER = np.uint32(2654435769)  # 2^32 over the golden ratio: Knuth, "The Art of Computer Programming", 6.4
