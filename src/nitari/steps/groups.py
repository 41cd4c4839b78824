"""Groups of near-duplicates: rows that lie within a threshold of the row that stands for them."""

from __future__ import annotations

import numpy as np

from nitari.index import Index
from nitari.space import Space
from nitari.steps import Progress, silent

_QUERIES = 256  # rows searched for together
_FIRST, _MOST = 16, 512  # neighbours asked for at first, and before all vectors are scanned
_NUMBERS = 1 << 22  # of a scanned block: 16 MB as float32


def groups(
    space: Space,
    index: Index,
    vectors: np.ndarray,
    threshold: float,
    order: np.ndarray | None = None,
    progress: Progress = silent,
) -> np.ndarray:
    """(n, width) vectors, which may be a memory map, and their index -> (n,) int64, the row that stands for each row.

    A row stands for itself unless an earlier one that does so lies within ``threshold``; it then belongs to the nearest
    such row. So every member is within ``threshold`` of its representative, however long a chain of neighbours is:
    transitive groups (union-find) join different pictures through a series of small steps. ``order`` are the rows that
    take part, the one that should stand for others first; None is all of them, ascending. Only representatives are
    searched for, and no list of pairs is kept. With an approximate index some members stay alone. A hash of zeros, which
    is what pictures of one colour get, stands for nothing but itself.
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
        found = index.search(np.asarray(vectors[block]), min(_FIRST, len(vectors)))
        for row, near, distances in zip(block, *found, strict=True):
            if owner[row] != row:  # of one before it in this block
                continue
            if distances[-1] <= threshold and len(near) < len(vectors):
                near, distances = _more(space, index, vectors, row, threshold)
            take = (distances <= threshold) & (place[near] > place[row]) & (distances < apart[near])
            owner[near[take]], apart[near[take]] = row, distances[take]
    progress(len(rows), len(rows))
    return owner


def _more(space: Space, index: Index, vectors: np.ndarray, row: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """All rows within ``threshold`` of one that has many: (rows, distances)."""
    query = np.asarray(vectors[row])
    near, distances = (found[0] for found in index.search(query[None], min(_MOST, len(vectors))))
    if distances[-1] > threshold or len(near) == len(vectors):
        return near, distances
    rows, apart = [], []
    step = max(1, _NUMBERS // space.width)
    for start in range(0, len(vectors), step):
        found = space.precise(query, np.asarray(vectors[start : start + step]))
        at = np.flatnonzero(found <= threshold)
        rows.append(at + start)
        apart.append(found[at])
    return np.concatenate(rows), np.concatenate(apart)
