"""Groups of near-duplicates: rows that lie within a threshold of the row that stands for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nitari.catalog import Catalog
from nitari.space import Space, Vectors

_QUERIES = 256  # rows searched for together
_FIRST, _MOST = 16, 512  # neighbours asked for at first, and before all vectors are scanned
_REFUTED, _LOOKED = 512, 64  # neighbours of a row that are not alike, before no more are looked at; of one look
_NUMBERS = 1 << 22  # of a scanned block: 16 MB as float32


class Found(Protocol):
    """As ``nitari.index.SearchResult``."""

    @property
    def rows(self) -> np.ndarray: ...

    @property
    def distances(self) -> np.ndarray: ...


Search = Callable[[np.ndarray, int], Found]
"""((q, width) vectors, k) -> the nearest rows: ``index.search``."""


Alike = Callable[[int, np.ndarray], np.ndarray]
"""(row, (m,) other rows) -> (m,) bool: whether they show the same, which their pictures tell better than their vectors."""


class Near(NamedTuple):
    """Vectors (n, width) of a space, which may be a memory map, their search, and how near a copy is. ``alike`` is asked of
    those that are so near.
    """

    space: Space
    vectors: Vectors
    search: Search
    threshold: float
    alike: Alike | None = None


def owners(
    catalog: Catalog,
    near: Near | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    hidden: np.ndarray | None = None,
) -> np.ndarray:
    """(n_ready,) int64: the row that stands for each, of the same bytes or, with ``near``, a near-duplicate. Rows that are
    ``hidden`` stand alone.
    """
    same, order = same_bytes(catalog), preference(catalog)
    if hidden is not None:
        order = order[~np.isin(order, hidden)]
    _, first = np.unique(same[order], return_index=True)
    firsts = order[np.sort(first)]  # the best of each picture, best first
    stands = np.empty(same.max(initial=-1) + 1, np.int64)
    stands[same[firsts]] = firsts
    owner = np.arange(len(same))
    owner[order] = stands[same[order]]
    if near is not None:
        owner = groups(near.space, near.search, near.vectors, near.threshold, firsts, progress, near.alike)[owner]
    return owner


def groups(
    space: Space,
    search: Search,
    vectors: Vectors,
    threshold: float,
    order: np.ndarray | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    alike: Alike | None = None,
) -> np.ndarray:
    """(n, width) vectors, which may be a memory map, and the search of their index -> (n,) int64, the row that stands for each row.

    A row stands for itself unless an earlier one that does so lies within ``threshold``; it then belongs to the nearest
    such row. So every member is within ``threshold`` of its representative, however long a chain of neighbours is:
    transitive groups (union-find) join different pictures through a series of small steps. ``order`` are the rows that
    take part, the one that should stand for others first; None is all of them, ascending. Only representatives are
    searched for, and no list of pairs is kept. With an approximate index some members stay alone. A hash of zeros, which
    is what pictures of one colour get, stands for nothing but itself.

    With ``alike``, a row belongs to one that it is alike as well. It is asked of the nearest first, and no more once some
    512 are not alike, so that a large family of different pictures costs no square of pictures to look at.
    """
    rows = np.arange(len(vectors)) if order is None else np.asarray(order, np.int64)
    owner = np.arange(len(vectors))
    apart = np.full(len(vectors), np.inf, np.float32)
    place = np.full(len(vectors), -1, np.int64)
    place[rows] = np.arange(len(rows))
    for start in range(0, len(rows), _QUERIES):
        block = rows[start : start + _QUERIES]
        block = block[owner[block] == block]
        if space.metric == "hamming":
            block = block[np.asarray(vectors[block]).any(axis=1)]
        progress(start, len(rows))
        if not len(block):
            continue
        found = search(np.asarray(vectors[block]), min(_FIRST, len(vectors)))
        for row, near, distances in zip(block, found.rows, found.distances, strict=True):
            if owner[row] != row:  # of one before it in this block
                continue
            if distances[-1] <= threshold and len(near) < len(vectors):
                near, distances = _more(space, search, vectors, row, threshold)
            take = (distances <= threshold) & (place[near] > place[row]) & (distances < apart[near])
            near, distances = near[take], distances[take]
            if alike is not None and len(near):
                same = _alike(alike, int(row), near, distances)
                near, distances = near[same], distances[same]
            owner[near], apart[near] = row, distances
    progress(len(rows), len(rows))
    return owner


def _alike(alike: Alike, row: int, near: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """The places in ``near`` of rows that are alike the one asked for, nearest first."""
    nearest, found, refuted = np.argsort(distances, kind="stable"), [], 0
    for start in range(0, len(nearest), _LOOKED):
        part = nearest[start : start + _LOOKED]
        same = alike(row, near[part])
        found.append(part[same])
        refuted += int((~same).sum())
        if refuted >= _REFUTED:
            break
    return np.concatenate(found)


def _more(space: Space, search: Search, vectors: Vectors, row: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """All rows within ``threshold`` of one that has many: (rows, distances)."""
    query = np.asarray(vectors[row])
    found = search(query[None], min(_MOST, len(vectors)))
    near, distances = found.rows[0], found.distances[0]
    if distances[-1] > threshold or len(near) == len(vectors):
        return near, distances
    rows, apart = [], []
    step = max(1, _NUMBERS // space.width)
    for start in range(0, len(vectors), step):
        close = space.precise(query, np.asarray(vectors[start : start + step]))
        at = np.flatnonzero(close <= threshold)
        rows.append(at + start)
        apart.append(close[at])
    return np.concatenate(rows), np.concatenate(apart)


def same_bytes(catalog: Catalog) -> np.ndarray:
    """(n_ready,) int64, equal for rows whose originals have the same sha256."""
    codes = catalog.ready("sha256").combine_chunks().dictionary_encode(null_encoding="encode")
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    return codes.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def preference(catalog: Catalog) -> np.ndarray:
    """(n_ready,) rows: the one with the most pixels first, then the one with the most bytes, then the first."""
    width, height, size = (
        pc.fill_null(catalog.ready(name), 0).to_numpy().astype(np.int64) for name in ("width", "height", "size_bytes")
    )
    return np.lexsort((-size, -width * height))
