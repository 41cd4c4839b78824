"""Rankings by a space's own distances, block by block over a gallery of any size: no index grades itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nitari.space import Space
from nitari.steps import Progress, silent

BLOCK = 8_000_000
"""Distances held at once, at most."""
_VECTORS = 65_536  # copied at once, at most: few queries would otherwise have all of a gallery in memory
_ROWS, _QUERIES = 1024, 2048  # compared at once where they are only counted: 8 MB of distances, which stay in the cache
_ROUNDED = 4e-6  # of a squared norm
TOLERANCE = 1e-6
"""Distances that differ by less than this, times the larger of 1 and the distance, are equal."""


def nearest(
    space: Space,
    queries: np.ndarray,
    vectors: np.ndarray,
    gallery: np.ndarray,
    k: int,
    *,
    exclude: np.ndarray | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of the rows ``gallery`` of ``vectors``: rows (q, k) int64 and distances (q, k), ascending.

    Padded with -1 and inf where there are fewer. ``exclude`` (m, 2) are pairs of a query's position and a row that is
    passed over for it. Equal distances come in an order drawn by ``seed``, so that a gallery sorted by class does not
    turn ties into hits.
    """
    queries = space.check(queries)
    rows = np.full((len(queries), k), -1, np.int64)
    distances = np.full((len(queries), k), np.inf, np.float32)
    for block in _blocks(np.random.default_rng(seed).permutation(gallery), len(queries)):
        found = space.distances(queries, space.check(vectors[block]))
        if exclude is not None:
            _drop(found, block, exclude)
        some = np.flatnonzero((found < distances[:, -1:]).any(axis=1))  # few, once most of the gallery was seen
        distances[some], rows[some] = _merge(distances[some], rows[some], found[some], block, k)
    return np.where(np.isinf(distances), -1, rows), distances


class Ranks(NamedTuple):
    """Where the wanted rows come in each query's ranking, (q,) int64 each: counts of rows nearer than the nearest wanted
    one, of other rows at the same distance, and of wanted rows at that distance."""

    nearer: np.ndarray
    tied: np.ndarray
    wanted: np.ndarray

    def hit_at(self, k: int) -> np.ndarray:
        """(q,) the chance that a wanted row is among the first k when ties are broken at random.

        As McSherry and Najork, "Computing information retrieval performance measures efficiently in the presence of tied
        scores" (ECIR 2008): a space that maps all pictures to one point finds nothing by it.
        """
        places = np.clip(k - self.nearer, 0, self.tied + self.wanted)
        missed = np.ones(len(places))
        for i in range(int(self.wanted.max(initial=0))):
            left = self.tied + self.wanted - i
            factor = np.clip((left - places) / np.maximum(left, 1), 0, 1)
            missed = np.where(i < self.wanted, missed * factor, missed)
        return 1 - missed


def ranks(
    space: Space,
    queries: np.ndarray,
    vectors: np.ndarray,
    gallery: np.ndarray,
    groups: np.ndarray,
    wanted: np.ndarray,
    progress: Progress = silent,
) -> Ranks:
    """Rank, for each query, the rows of ``gallery`` whose group is the one ``wanted``; there is one at least.

    ``groups`` (len(vectors),) and ``wanted`` (q,) are integers: rows of one group are the same picture.
    """
    queries = space.check(queries)
    own = np.full(len(queries), np.inf, np.float32)
    for found in _wanted(space, queries, vectors, gallery, groups, wanted):
        own = np.minimum(own, found.min(axis=1, initial=np.inf))
    margin = _margin(space, queries, own)
    least, most = own - margin, own + margin  # within them a distance is the same as one's own
    same = np.zeros(len(queries), np.int64)
    for found in _wanted(space, queries, vectors, gallery, groups, wanted):
        same += (found <= most[:, None]).sum(axis=1)
    nearer, near = np.zeros((2, len(queries)), np.int64)
    for start in range(0, len(gallery), _ROWS):
        block = space.check(vectors[gallery[start : start + _ROWS]])
        for first in range(0, len(queries), _QUERIES):
            part = slice(first, first + _QUERIES)
            found = space.distances(queries[part], block)
            within = found <= most[part, None]
            counts = np.fromiter(map(np.count_nonzero, within), np.int64, len(within))
            some = np.flatnonzero(counts)  # few: most of a gallery is farther than what is wanted
            near[part] += counts
            nearer[first + some] += (found[some] < least[first + some, None]).sum(axis=1)
        progress(min(start + _ROWS, len(gallery)), len(gallery))
    return Ranks(nearer, np.maximum(near - nearer - same, 0), same)  # rounding differs between shapes of products


def _margin(space: Space, queries: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(q,) what rounding may do to a distance, more than which tells two apart. A small Euclidean distance is a difference
    of large numbers: vectors of the query's norm that are equal may be ``sqrt(float32's epsilon)`` of it apart.
    """
    margin = TOLERANCE * np.maximum(1, own)
    if space.metric not in ("l2", "normalized_l2"):
        return margin
    norms = np.ones(len(own)) if space.metric == "normalized_l2" else np.linalg.norm(queries, axis=1)
    return np.maximum(margin, np.sqrt(own**2 + _ROUNDED * norms**2) - own).astype(np.float32)


def _wanted(
    space: Space, queries: np.ndarray, vectors: np.ndarray, gallery: np.ndarray, groups: np.ndarray, wanted: np.ndarray
) -> Iterator[np.ndarray]:
    """(q, block) distances to the gallery's rows whose group any query wants, inf where it is not the query's own."""
    for block in _blocks(gallery[np.isin(groups[gallery], wanted)], len(wanted)):
        found = space.distances(queries, space.check(vectors[block]))
        yield np.where(groups[block] == wanted[:, None], found, np.inf)


def _blocks(rows: np.ndarray, queries: int) -> Iterator[np.ndarray]:
    step = min(max(1, BLOCK // max(1, queries)), _VECTORS)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def _drop(found: np.ndarray, block: np.ndarray, exclude: np.ndarray) -> None:
    order = np.argsort(block)
    place = np.minimum(np.searchsorted(block, exclude[:, 1], sorter=order), len(block) - 1)
    here = block[order[place]] == exclude[:, 1]
    found[exclude[here, 0], order[place[here]]] = np.inf


def _merge(
    distances: np.ndarray, rows: np.ndarray, found: np.ndarray, block: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k smallest of what was held (q, k) and what was found (q, block), ascending."""
    all_distances = np.concatenate([distances, found], axis=1)
    all_rows = np.concatenate([rows, np.broadcast_to(block, found.shape)], axis=1)
    best = np.argpartition(all_distances, k - 1, axis=1)[:, :k]
    values = np.take_along_axis(all_distances, best, axis=1)
    order = np.argsort(values, axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(all_rows, best, axis=1)
