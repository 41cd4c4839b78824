"""The map: items by their places in a plane, as many of a region as a screen can take."""

from __future__ import annotations

import threading
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from nitari.catalog import Catalog
from nitari.recommend.recommender import Recommender

X, Y = "map_x", "map_y"  # columns of annotator=map


class _Places(NamedTuple):
    """``x`` and ``y`` (m,) of ``rows``, ordered by a priority that stays the same for an item."""

    rows: np.ndarray
    x: np.ndarray
    y: np.ndarray


_KNOWN: WeakKeyDictionary[Catalog, _Places] = WeakKeyDictionary()
_LOCK = threading.Lock()


def known(recommender: Recommender) -> bool:
    return X in recommender.catalog.schema.names and Y in recommender.catalog.schema.names


def points(
    recommender: Recommender, box: tuple[float, float, float, float], limit: int, where: str | None = None
) -> tuple[int, list[tuple[str, float, float]]]:
    """(items in ``box``, at most ``limit`` of them as (id, x, y)), spread over the box: first the one of the highest
    priority in each cell of a grid, then the others by priority. FilterError.
    """
    places = _places(recommender.catalog)
    left, top, right, bottom = box
    inside = (places.x >= left) & (places.x <= right) & (places.y >= top) & (places.y <= bottom)
    if where:
        selection = recommender.catalog.select(where)
        assert selection is not None
        inside &= selection.mask(recommender.catalog.n_ready)[places.rows]
    if len(recommender.hidden):
        inside &= ~np.isin(places.rows, recommender.hidden)
    at = np.flatnonzero(inside)
    if len(at) > limit:
        cells = max(int(np.sqrt(limit)), 1)
        column = np.minimum(((places.x[at] - left) / (right - left) * cells).astype(int), cells - 1)
        row = np.minimum(((places.y[at] - top) / (bottom - top) * cells).astype(int), cells - 1)
        _, first = np.unique(row * cells + column, return_index=True)
        others = np.setdiff1d(np.arange(len(at)), first, assume_unique=True)
        chosen = np.concatenate([np.sort(first), others])[:limit]
        total, at = len(at), at[np.sort(chosen)]
    else:
        total = len(at)
    ids = recommender.catalog.item_ids[places.rows[at]]
    return total, [
        (item.decode(), round(float(x), 5), round(float(y), 5))
        for item, x, y in zip(ids, places.x[at], places.y[at], strict=True)
    ]


def _places(catalog: Catalog) -> _Places:
    with _LOCK:
        if catalog not in _KNOWN:
            x, y = (catalog.ready(name).to_numpy().astype(np.float32) for name in (X, Y))
            rows = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
            ids = catalog.item_ids[rows].astype("S16")
            order = np.argsort(ids.view("u8").reshape(-1, 2)[:, 0] * np.uint64(0x9E3779B97F4A7C15), kind="stable")
            rows = rows[order]
            _KNOWN[catalog] = _Places(rows, x[rows], y[rows])
        return _KNOWN[catalog]
